# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""What the demo and the benchmarks measure on volumes."""
import numpy
from paraview import servermanager
from paraview.simple import TrivialProducer
from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
from vtkmodules.vtkCommonDataModel import vtkImageData

LARGEST_LAG = 50  # voxels, of the two-point correlation


def array_of(proxy, name):
    """A point or cell array of a pipeline object as a numpy array [z, y, x], and its VTK image."""
    image = servermanager.Fetch(proxy)
    data, cells = image.GetPointData().GetArray(name), False
    if data is None:
        data, cells = image.GetCellData().GetArray(name), True
    dims = [max(n - cells, 1) for n in image.GetDimensions()]
    return vtk_to_numpy(data).reshape(dims[::-1]), image


def source_of(arrays):
    """A pipeline source of image data with these point arrays, [z, y, x] by name; the first are the scalars."""
    image = vtkImageData()
    for name, values in arrays.items():
        image.SetDimensions(values.shape[::-1])
        array = numpy_to_vtk(numpy.ascontiguousarray(values).ravel(), deep=1)
        array.SetName(name)
        image.GetPointData().AddArray(array)
    image.GetPointData().SetActiveScalars(next(iter(arrays)))
    source = TrivialProducer()
    source.GetClientSideObject().SetOutput(image)
    source.UpdatePipeline()
    return source


def two_point_correlation(pore):
    """S2(r), r = 0..LARGEST_LAG, of a boolean volume: mean over its axes, non-periodic."""
    lags = numpy.arange(min(LARGEST_LAG, max(pore.shape) // 2) + 1)
    curves = []
    for axis in range(3):
        if pore.shape[axis] <= lags[-1]:
            continue
        line = numpy.moveaxis(pore, axis, 0)
        curves.append([numpy.mean(line[: len(line) - r] & line[r:]) for r in lags])
    return numpy.mean(curves, axis=0)


def s2_error(s2, reference):
    """Summed absolute difference over the reference's own excess over the uncorrelated value."""
    return numpy.abs(s2 - reference).sum() / numpy.abs(reference - reference[0] ** 2).sum()
