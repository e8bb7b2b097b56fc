# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""The nearest patch: how far patches are from the most similar place of a volume, in all its symmetries.

Needs numpy and SciPy only. Arrays are [z, y, x]. A patch's distance is the fraction of its voxels that differ; of
grey values the root mean square of the difference, in standard deviations of the searched volume. A generator that
copies its training volume has distances near 0. Others have those of unseen volumes of the same material.

The search looks at means over `step` voxels along each axis, at every place and in every symmetry, by Fourier
transforms: |a - b|^2 = |a|^2 + |b|^2 - 2 a.b. The `keep` best places are then compared voxel by voxel, at every
place that is at most `step` voxels away. With step 1 every place is compared; with a larger one a distance can only
be too large.
"""
import itertools

import numpy
from scipy import fft


def sampled(shape, validation_fraction=0.1, stride=8):
    """The slices of a volume that VAE Train draws patches from: all but the held-out slab at the end of the last axis
    (Model/Torch/Data/Patches.cpp), which is z, or y of an image."""
    axis = 1 if shape[0] == 1 else 0
    n, inside = shape[axis], [slice(None)] * 3
    if validation_fraction > 0 and n >= 3 * stride:
        held = min(max(int(validation_fraction * n + 0.5), stride), n // 2)
        inside[axis] = slice(0, n - held)
    return tuple(inside)


def symmetries(shape):
    """(axes, steps) of each symmetry of the grid that a patch of this shape can take: 48 of a cube, 8 of an image."""
    result = []
    for axes in itertools.permutations(range(3)):
        if tuple(shape[a] for a in axes) == tuple(shape):
            if shape[0] == 1 and axes[0] != 0:
                continue
            for steps in itertools.product(*((1,) if n == 1 else (1, -1) for n in shape)):
                result.append((axes, steps))
    return result


def turned(patch, symmetry):
    """A patch, or channels of it, in one of its symmetries."""
    axes, steps = symmetry
    first = patch.ndim - 3
    order = tuple(range(first)) + tuple(a + first for a in axes)
    return numpy.transpose(patch, order)[(..., *(slice(None, None, s) for s in steps))]


def pooled(channels, step):
    """Means over blocks of `step` voxels along each axis that has so many; what is left over is dropped."""
    for axis in (1, 2, 3):
        n = channels.shape[axis] // step
        if step > 1 and n > 0 and channels.shape[axis] > 1:
            cut = numpy.moveaxis(channels, axis, -1)[..., : n * step]
            cut = cut.reshape(*cut.shape[:-1], n, step).mean(axis=-1, dtype=numpy.float32)
            channels = numpy.moveaxis(cut, -1, axis)
    return numpy.ascontiguousarray(channels, dtype=numpy.float32)


def window_sums(values, window):
    """Sums of all windows of this shape, float64."""
    total = values.astype(numpy.float64)
    for axis, edge in enumerate(window):
        total = numpy.cumsum(total, axis)
        total = numpy.insert(total, 0, 0, axis)
        n = total.shape[axis]
        total = numpy.take(total, range(edge, n), axis) - numpy.take(total, range(n - edge), axis)
    return total


class Nearest:
    """The nearest places of one volume.

    \\param volume labels of phases, or grey values, [z, y, x]
    \\param patch edge of the cubic patches, voxels, a multiple of `step`; along an axis of one voxel it is 1
    \\param step None: an eighth of the patch
    \\param phases the labels, or None for grey values
    """

    def __init__(self, volume, patch=32, phases=None, step=None, keep=64):
        step = step or max(patch // 8, 1)
        self.volume, self.phases, self.keep = volume, phases, keep
        self.shape = tuple(min(n, patch) for n in volume.shape)
        if any(n not in (1, patch) for n in self.shape):
            raise ValueError(f"Patch is {patch}; the volume has {' x '.join(map(str, volume.shape[::-1]))} voxels")
        if patch % step:
            raise ValueError(f"Patch is {patch}; it must be a multiple of {step}")
        self.steps = tuple(1 if n == 1 else step for n in self.shape)
        self.step = step
        if phases is None:
            self.mean, self.scatter = float(volume.mean()), max(float(volume.std()), 1e-30)
        coarse = pooled(self.channels(volume), step)
        self.window = tuple(n // s for n, s in zip(self.shape, self.steps))
        self.size = tuple(fft.next_fast_len(n, True) for n in coarse.shape[1:])
        self.places = tuple(n - w + 1 for n, w in zip(coarse.shape[1:], self.window))
        self.squares = window_sums((coarse ** 2).sum(axis=0), self.window).astype(numpy.float32)
        self.spectrum = fft.rfftn(coarse, self.size, axes=(1, 2, 3), workers=-1)

    def channels(self, values):
        """[c, z, y, x] float32, such that the squared difference of two voxels is 1 where their phases differ, or the
        squared difference in units of the scatter."""
        if self.phases is None:
            return ((values.astype(numpy.float32) - self.mean) / self.scatter)[None]
        if len(self.phases) == 2:
            return (values == self.phases[1]).astype(numpy.float32)[None]
        return numpy.stack([(values == p) * numpy.float32(0.5 ** 0.5) for p in self.phases])

    def distance(self, patch):
        """Of one patch, and the place (z, y, x) and symmetry where it is nearest."""
        best = (numpy.inf, None, None)
        by_symmetry = {}
        for symmetry, place in self.candidates(patch):
            by_symmetry.setdefault(symmetry, []).append(place)
        for symmetry, places in by_symmetry.items():
            other = turned(patch, symmetry)
            near = self.around(other)
            for place in places:
                at = near(place)
                d = self.exactly(other, at)
                if d < best[0]:
                    best = (d, at, symmetry)
        return best

    def distances(self, patches):
        return [self.distance(p)[0] for p in patches]

    def candidates(self, patch):
        """The `keep` best (symmetry, coarse place) by the means over `step` voxels."""
        coarse = pooled(self.channels(patch), self.step)
        own = float((coarse ** 2).sum())
        found, bound = [], numpy.inf  # (distance, symmetry, flat place)
        for symmetry in symmetries(self.shape):
            template = fft.rfftn(turned(coarse, symmetry), self.size, axes=(1, 2, 3), workers=-1)
            both = fft.irfftn((self.spectrum * numpy.conj(template)).sum(axis=0), self.size, workers=-1)
            d = (own + self.squares - 2 * both[tuple(slice(0, n) for n in self.places)]).ravel()
            hits = numpy.flatnonzero(d < bound)
            if len(hits) > self.keep:
                hits = hits[numpy.argpartition(d[hits], self.keep - 1)[: self.keep]]
            found += [(float(d[i]), symmetry, int(i)) for i in hits]
            found.sort(key=lambda f: f[0])
            del found[self.keep:]
            if len(found) == self.keep:
                bound = found[-1][0]
        return [(symmetry, numpy.unravel_index(i, self.places)) for _, symmetry, i in found]

    def around(self, patch):
        """A function that finds the place nearest to a patch of those at most `step` voxels from a coarse place."""
        own = self.channels(patch)
        size = tuple(n + 2 * s if n > 1 else 1 for n, s in zip(self.shape, self.steps))
        template = numpy.conj(fft.rfftn(own, size, axes=(1, 2, 3)))
        square = float((own ** 2).sum())

        def near(place):
            begin = [min(max(int(p) * s - s, 0), max(n - e, 0)) if w > 1 else 0
                     for p, s, n, e, w in zip(place, self.steps, self.volume.shape, size, self.shape)]
            box = tuple(slice(b, b + e) for b, e in zip(begin, size))
            there = self.channels(self.volume[box])
            both = fft.irfftn((fft.rfftn(there, size, axes=(1, 2, 3)) * template).sum(axis=0), size)
            sums = window_sums((there ** 2).sum(axis=0), self.shape)
            d = square + sums - 2 * both[tuple(slice(0, n) for n in sums.shape)]
            return tuple(b + int(i) for b, i in zip(begin, numpy.unravel_index(int(d.argmin()), d.shape)))

        return near

    def exactly(self, patch, place):
        there = self.volume[tuple(slice(p, p + n) for p, n in zip(place, self.shape))]
        if self.phases is not None:
            return float((patch != there).mean())
        difference = patch.astype(numpy.float64) - there
        return float(numpy.sqrt((difference ** 2).mean()) / self.scatter)


def patches_of(volumes, edge, number, seed=0):
    """`number` patches from random places of volumes, from each about as many."""
    random = numpy.random.default_rng(seed)
    patches = []
    for i in range(number):
        v = volumes[i % len(volumes)]
        size = [min(n, edge) for n in v.shape]
        at = [int(random.integers(0, n - s + 1)) for n, s in zip(v.shape, size)]
        patches.append(v[tuple(slice(a, a + s) for a, s in zip(at, size))])
    return patches
