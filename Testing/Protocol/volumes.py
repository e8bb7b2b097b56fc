# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""Reading volumes, and parting the one that is learned from the one that judges. Arrays are [z, y, x]."""
import os

import numpy

from baselines import blocks
from nearest import window_sums

MOST_PHASES = 16  # whole numbers, as Likelihood Automatic counts


class Material:
    """A volume in two parts.

    \\param share of the longest axis that is trained on, its beginning; z where axes are equal
    \\param gap voxels between the parts that belong to neither, so that they are not neighbours
    \\param pore label of the phase that is measured; None: the lowest. Of grey values pores lie below Otsu's threshold
    of the training part.
    """

    def __init__(self, data, share=0.6, gap=8, pore=None):
        axis = int(numpy.argmax(data.shape))
        n = data.shape[axis]
        cut = int(share * n) // 8 * 8
        if cut < 16 or n - cut - gap < 16:
            raise ValueError(f"the volume has {n} voxels along its longest axis; a share of {share:g} and a gap of {gap} "
                             "leave a part with less than 16")
        part = lambda a, b: numpy.ascontiguousarray(data[tuple(slice(a, b) if i == axis else slice(None) for i in range(3))])
        self.training, self.unseen = part(0, cut), part(cut + gap, n)
        self.axis = "zyx"[axis]
        values = numpy.unique(self.training)
        whole = len(values) <= MOST_PHASES and bool((values == numpy.round(values)).all())
        self.phases = [v.item() for v in values] if 2 <= len(values) and (whole or len(values) == 2) else None
        if self.phases is None:
            self.level = otsu(self.training) if pore is None else pore
        else:
            self.level = self.phases[0] if pore is None else pore
            if self.level not in self.phases:
                raise ValueError(f"--pore is {pore:g}; the volume has the labels {', '.join(map(str, self.phases))}")

    @property
    def kind(self):
        return "grey" if self.phases is None else "phases"

    def pores(self, values):
        return values < self.level if self.phases is None else values == self.level


def otsu(values, bins=256):
    """The threshold between two classes whose means differ most (Otsu 1979)."""
    counts, edges = numpy.histogram(values, bins)
    below = numpy.cumsum(counts)
    sums = numpy.cumsum(counts * (edges[1:] + edges[:-1]) / 2)
    above = below[-1] - below
    with numpy.errstate(invalid="ignore", divide="ignore"):
        between = below * above * (sums / below - (sums[-1] - sums) / above) ** 2
    return float(edges[1:][numpy.nanargmax(between)])


def blocks_of(values, size, most=27):
    """Cubes that do not overlap, spread evenly."""
    return [values[box] for box in blocks(values.shape, size)[:most]]


def block_at_porosity(pore, size, wanted, number=4, step=8):
    """Cubes of a boolean volume, anywhere on a grid of `step` voxels, whose porosity is nearest to `wanted`."""
    window = tuple(min(n, size) for n in pore.shape)
    porosity = window_sums(pore, window)[tuple(slice(None, None, step) for _ in range(3))] / numpy.prod(window)
    order = numpy.argsort(numpy.abs(porosity - wanted), axis=None)[:number]
    return [pore[tuple(slice(i * step, i * step + w) for i, w in zip(numpy.unravel_index(o, porosity.shape), window))]
            for o in order]


def porosities(pore, size, step=8):
    """Of all cubes on a grid of `step` voxels."""
    window = tuple(min(n, size) for n in pore.shape)
    return (window_sums(pore, window)[tuple(slice(None, None, step) for _ in range(3))] / numpy.prod(window)).ravel()


def read(path):
    """A .npy file, or the first point or cell array of an image that ParaView opens."""
    if path.endswith(".npy"):
        data = numpy.load(path)
        if data.ndim != 3:
            raise ValueError(f"{path} has {data.ndim} axes; it must have 3: z, y, x")
        return data
    from measuring import array_of
    from paraview.simple import Delete, OpenDataFile
    source = OpenDataFile(os.path.abspath(path))
    if source is None:
        raise ValueError(f"ParaView cannot open {path}")
    source.UpdatePipeline()
    arrays = source.PointData if source.PointData.GetNumberOfArrays() else source.CellData
    data = array_of(source, arrays.GetArray(0).GetName())[0].copy()
    Delete(source)
    return data


def read_folder(path):
    """All volumes of a folder, in the order of their names."""
    names = sorted(n for n in os.listdir(path) if n.endswith((".npy", ".vti", ".mhd")))
    if not names:
        raise ValueError(f"{path} has no .npy, .vti or .mhd file")
    return [read(os.path.join(path, n)) for n in names]
