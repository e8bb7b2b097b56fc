# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""A value against a distribution for one latent attribute:

    ./dev run pvpython Testing/Demo/autoencoder_beside_vae.py VOLUME PICTURE [SECONDS]

Trains an autoencoder and a VAE on the volume (30 s each) and draws, for the eight latent cells in a row
through its middle, what each says of the attribute that varies most.
"""
import sys

import numpy
from paraview import servermanager
from paraview.simple import *
from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
from vtkmodules.vtkCommonDataModel import vtkTable

volume = OpenDataFile(sys.argv[1])
volume.UpdatePipeline()
seconds = float(sys.argv[3]) if len(sys.argv) > 3 else 30
CELLS = 8


def latents(objective):
    """Mean and standard deviation of the attribute that varies most, in a row of cells."""
    model = VAETrain(Input=volume, Objective=objective, TimeBudget=seconds, PriorShare=0)
    encoded = VAEEncode(Input=volume, Model=model)
    encoded.UpdatePipeline()
    data = servermanager.Fetch(encoded).GetCellData()
    mean = vtk_to_numpy(data.GetArray("latent_mean"))
    log_variance = vtk_to_numpy(data.GetArray("latent_log_variance"))
    attribute = mean.var(axis=0).argmax()
    nx, ny, nz = (n - 1 for n in servermanager.Fetch(encoded).GetDimensions())
    first = (nz // 2 * ny + ny // 2) * nx + (nx - CELLS) // 2
    row = slice(first, first + CELLS)
    return mean[row, attribute], numpy.exp(0.5 * log_variance[row, attribute]), attribute


def chart(view, title, z, curves, left):
    table = vtkTable()
    for name, values in [("z", z)] + [(f"cell {i + 1}", c) for i, c in enumerate(curves)]:
        column = numpy_to_vtk(numpy.ascontiguousarray(values), deep=True)
        column.SetName(name)
        table.AddColumn(column)
    source = TrivialProducer()
    source.GetClientSideObject().SetOutput(table)
    source.UpdatePipeline()
    shown = Show(source, view, "XYChartRepresentation")
    shown.UseIndexForXAxis = 0
    shown.XArrayName = "z"
    shown.SeriesVisibility = [f"cell {i + 1}" for i in range(CELLS)]
    shown.SeriesLineThickness = [t for i in range(CELLS) for t in (f"cell {i + 1}", "3")]
    view.ShowLegend = 0
    view.ChartTitle = title
    view.LeftAxisTitle = left
    view.BottomAxisTitle = "latent attribute"
    view.ChartTitleFontSize = 16
    view.LeftAxisTitleFontSize = view.BottomAxisTitleFontSize = 13
    view.BottomAxisUseCustomRange = 1
    view.BottomAxisRangeMinimum, view.BottomAxisRangeMaximum = z[0], z[-1]


layout = CreateLayout("autoencoder beside VAE")
layout.SetSize(1200, 420)
left, right = CreateView("XYChartView"), CreateView("XYChartView")
layout.AssignView(0, left)
layout.SplitHorizontal(0, 0.5)
layout.AssignView(2, right)

values, _, attribute = latents("Autoencoder")
edge = 1.3 * numpy.abs(values).max()
z = numpy.linspace(-edge, edge, 2001)
spikes = [(numpy.abs(z - v).argmin() == numpy.arange(len(z))).astype(float) for v in values]
chart(left, f"Autoencoder: a value (z{attribute})", z, spikes, "")

mean, deviation, attribute = latents("VAE")
edge = 1.2 * max(3, numpy.abs(mean).max())
z = numpy.linspace(-edge, edge, 2001)
curves = [numpy.exp(-0.5 * ((z - m) / s) ** 2) / (s * numpy.sqrt(2 * numpy.pi))
          for m, s in zip(mean, deviation)]
chart(right, f"VAE: a distribution (z{attribute})", z, curves, "density of q")
SaveScreenshot(sys.argv[2], layout, ImageResolution=[1200, 420])
