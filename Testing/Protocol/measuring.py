# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""What the protocol measures of a volume, with the plugin's filters. `pore` is boolean, [z, y, x]; lengths are in
voxels."""
import os
import sys

import numpy
import paraview.simple
from paraview import servermanager
from paraview.simple import Delete, MicrostructurePermeability, MicrostructureStatistics
from scipy import ndimage
from vtkmodules.util.numpy_support import numpy_to_vtk
from vtkmodules.vtkCommonDataModel import vtkImageData
from vtkmodules.vtkIOImage import vtkPNGWriter

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "Demo"))
from measures import array_of, s2_error, source_of  # noqa: E402,F401
from statistics import PORTS, tables  # noqa: E402

AXES = "xyz"
PORES = {"Phase": "Label", "Value": 1}  # of an array that is 1 in pores
FEW = {"Radial": 0, "Cluster": 0, "PoreSize": 0, "LocalPercolation": 0, "Thresholds": 0}


def say(text):
    os.write(1, f"[report] {text}\n".encode())


def pores_of(pore):
    return source_of({"pore": pore.astype(numpy.uint8)})


def measure(pore):
    """Numbers and curves."""
    source = pores_of(pore)
    statistics = MicrostructureStatistics(Input=source, **PORES, **FEW)
    data = tables(statistics)
    Delete(statistics)
    Delete(source)
    if not data["Measures"]:
        raise RuntimeError("Microstructure Statistics has measured nothing; its error is above")
    values = dict(zip(data["Measures"]["Measure"], data["Measures"]["Value"]))
    axes = [a for a, n in zip(AXES, pore.shape[::-1]) if n > 1]
    mean = lambda name: float(numpy.mean([values[name.replace("@", a)] for a in axes]))
    phi = float(values["Porosity"])
    numbers = {
        "Porosity": phi,
        "Specific Surface": float(values["Specific Surface (Faces)"]),
        "Mean Chord": mean("Mean Chord (All, @)"),
        "Effective over Total Porosity": mean("Effective Porosity @ (6)") / phi if phi > 0 else 0.,
        "Euler Density": float(values["Euler Density (6, Interior)"]),
    }
    curve = lambda port, name: numpy.mean([data[port][f"{name} {a}"] for a in axes], axis=0)
    curves = {"S2": curve("Two-Point", "S2"), "Lineal Path": curve("Lineal Path", "L"),
              "Chord Density": curve("Chords", "Chord density")}
    return numbers, curves


def percolates(pore, axis):
    """Whether pores that share faces lead from one end of an axis of the array to the other."""
    labels, _ = ndimage.label(pore)
    ends = [set(numpy.unique(numpy.take(labels, i, axis))) - {0} for i in (0, -1)]
    return bool(ends[0] & ends[1])


def permeability(pore):
    """Along x, y, z, voxel^2; 0 where no pores lead through, NaN where the solver has failed."""
    found = []
    source = pores_of(pore)
    for i, direction in enumerate("XYZ"):
        if not percolates(pore, 2 - i):
            found.append(0.)
            continue
        flow = MicrostructurePermeability(Input=source, **PORES, SpacingInMetres=1, Direction=direction)
        flow.UpdatePipeline()
        array = servermanager.Fetch(flow).GetFieldData().GetArray("Permeability [voxel^2]")
        found.append(array.GetValue(0) if array else float("nan"))
        Delete(flow)
    Delete(source)
    return found


def score(pore, reference):
    """What Microstructure Statistics says of a volume beside a reference: each score by name."""
    sources = [pores_of(pore), pores_of(reference)]
    statistics = MicrostructureStatistics(Input=sources[0], Reference=sources[1], **PORES, **FEW)
    statistics.UpdatePipeline()
    field = servermanager.Fetch(statistics, idx=PORTS.index("Measures")).GetFieldData()
    scores = {}
    for i in range(field.GetNumberOfArrays()):
        array = field.GetArray(i)
        if array is not None and array.GetName().startswith("Score"):
            scores[array.GetName()] = array.GetValue(0)
    for proxy in (statistics, *sources):
        Delete(proxy)
    return scores


def curve_errors(curves, reference, lags):
    """Relative errors of S2 and the lineal path of mean curves, both over the first lags."""
    n = min(lags, len(curves["S2"]), len(reference["S2"]))
    path = min(lags, len(curves["Lineal Path"]), len(reference["Lineal Path"]))
    of = numpy.asarray(curves["Lineal Path"][:path])
    true = numpy.asarray(reference["Lineal Path"][:path])
    return {"S2 Error": float(s2_error(numpy.asarray(curves["S2"][:n]), numpy.asarray(reference["S2"][:n]))),
            "Lineal Path Error": float(numpy.abs(of - true).sum() / true.sum())}


def has_two_sample():
    return hasattr(paraview.simple, "TwoSampleTest")


def two_sample(real, candidate, seed=0):
    """Accuracy and more of the Two-Sample Test filter, by name. Its control is left out: the group that is another real
    part is one.

    real and candidate: lists of volumes, labels or grey values"""
    sources = [grouped(real), grouped(candidate)]
    test = paraview.simple.TwoSampleTest(Real=sources[0], Candidate=sources[1], Seed=seed, Control=0, SurestBlocks=0)
    test.UpdatePipeline()
    field = servermanager.Fetch(test).GetFieldData()
    found = {}
    for i in range(field.GetNumberOfArrays()):
        array = field.GetArray(i)
        if array is not None and array.GetNumberOfValues() == 1 and numpy.isfinite(array.GetValue(0)):
            found[array.GetName()] = array.GetValue(0)
    for proxy in (test, *sources):
        Delete(proxy)
    return found


def grouped(volumes):
    """Volumes as the blocks of a multi-block."""
    return paraview.simple.GroupDatasets(Input=[source_of({"values": v}) for v in volumes])


def png(slices, path, low=None, high=None):
    """Slices side by side; grey from low to high (boolean: pores dark)."""
    parts = []
    for s in slices:
        if s.dtype == bool:
            grey = numpy.where(s, 40, 225).astype(numpy.uint8)
        else:
            grey = numpy.clip(40 + 185 * (s.astype(float) - low) / max(high - low, 1e-30), 0, 255).astype(numpy.uint8)
        parts += [grey, numpy.full((len(grey), 4), 255, numpy.uint8)]
    row = numpy.hstack(parts[:-1])
    row = row.repeat(max(1, 128 // len(row)), axis=0).repeat(max(1, 128 // len(row)), axis=1)  # small ones can be seen
    image = vtkImageData()
    image.SetDimensions(row.shape[1], row.shape[0], 1)
    image.GetPointData().SetScalars(numpy_to_vtk(row[::-1].ravel(), deep=1))
    writer = vtkPNGWriter()
    writer.SetInputData(image)
    writer.SetFileName(path)
    writer.Write()
