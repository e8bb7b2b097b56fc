# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""Pictures of a model's latent space: a scatter plot of the blocks of a volume, whose selection is also
that of the volume, and a walk. In a pvpython that has the plugin and a screen:

  ./dev run pvpython Testing/Demo/latents.py VOLUME --model FILE.safetensors [--folder FOLDER]

Without --model one is trained for --time-budget seconds.
"""
import argparse
import os

from paraview import servermanager
from paraview.simple import *

BACKGROUND = {"UseColorPaletteForBackground": 0, "Background": [1, 1, 1]}


def options():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("volume")
    parser.add_argument("--model")
    parser.add_argument("--time-budget", type=float, default=60)
    parser.add_argument("--folder", default=".")
    parser.add_argument("--block-size", type=int, default=4, help="latent cells")
    return parser.parse_args()


def scatter(volume, model, block_size, path):
    """The blocks farthest out along the first component, selected by their features: as a lasso in the
    chart would."""
    features = VAEFeatures(Input=volume, Model=model, BlockSize=block_size)
    features.UpdatePipeline()
    table = servermanager.Fetch(features, idx=0)
    values = table.GetFieldData()
    print("variance of PCA 0, PCA 1 and all channels:",
          *(f"{values.GetArray('PCA Variance').GetValue(i):.3f}" for i in range(2)),
          f"{values.GetArray('Latent Variance').GetValue(0):.3f}")
    blocks = OutputPort(features, 1)
    chart = CreateView("XYPointChartView", BottomAxisTitle="PCA 0", LeftAxisTitle="PCA 1")
    points = Show(blocks, chart)
    points.AttributeType = "Cell Data"
    points.UseIndexForXAxis = 0
    points.XArrayName = "PCA 0"
    points.SeriesVisibility = ["PCA 1"]
    points.SeriesMarkerStyle = ["PCA 1", "4"]
    points.SeriesMarkerSize = ["PCA 1", "4"]
    points.SeriesLineStyle = ["PCA 1", "0"]
    view = CreateView("RenderView", OrientationAxesVisibility=0, **BACKGROUND)
    SetActiveView(view)
    shown = Show(volume, view)
    shown.SetRepresentationType("Slice")
    shown.SliceMode = "XY Plane"
    extent = volume.GetDataInformation().GetExtent()
    shown.Slice = (extent[4] + extent[5]) // 2 - extent[4]
    outline = Show(blocks, view)
    outline.SetRepresentationType("Outline")
    layout = CreateLayout("latents")
    left = layout.SplitHorizontal(0, 0.5)
    layout.AssignView(left, chart)
    layout.AssignView(left + 1, view)
    layout.SetSize(1000, 500)
    # One selection, of a port: both views have it.
    column = table.GetColumnByName("PCA 0")
    rows = sorted(range(table.GetNumberOfRows()), key=column.GetValue)
    chosen = rows[-max(1, len(rows) // 50):]
    blocks.SMProxy.SetSelectionInput(
        blocks.Port,
        IDSelectionSource(IDs=[v for r in chosen for v in (0, r)], FieldType="CELL").SMProxy, 0)
    ResetCamera(view)
    GetActiveCamera().Azimuth(30)
    GetActiveCamera().Elevation(20)
    ResetCamera(view)
    Render(chart)
    Render(view)
    SaveScreenshot(path, layout)
    Delete(chart)
    Delete(view)


def walk(model, path, **settings):
    """Five steps, side by side."""
    walked = VAELatentWalk(Input=model, Steps=5, Dimensions=[64, 64, 64], **settings)
    walked.UpdatePipeline()
    layout = CreateLayout("walk")
    cell = 0
    for step in range(5):
        view = CreateView("RenderView", OrientationAxesVisibility=0, **BACKGROUND)
        if step < 4:
            left = layout.SplitHorizontal(cell, 1 / (5 - step))
            layout.AssignView(left, view)
            cell = left + 1
        else:
            layout.AssignView(cell, view)
        walked.UpdatePipeline(step)
        # Each view has a step of its own, so each shows a copy.
        copy = TrivialProducer()
        copy.GetClientSideObject().SetOutput(servermanager.Fetch(walked))
        shown = Show(copy, view)
        shown.SetRepresentationType("Surface")
        name = copy.PointData.GetArray(0).GetName()
        ColorBy(shown, ("POINTS", name))
        GetColorTransferFunction(name).ApplyPreset("Grayscale", True)
        view.CameraPosition, view.CameraFocalPoint = [300, 240, 280], [0, 0, 0]
        ResetCamera(view)
        Render(view)
    layout.SetSize(1300, 270)
    SaveScreenshot(path, layout)


if __name__ == "__main__":
    chosen = options()
    rock = OpenDataFile(chosen.volume)
    rock.UpdatePipeline()
    if chosen.model:
        trained = OpenDataFile(chosen.model)
    else:
        trained = VAETrain(Input=rock, TimeBudget=chosen.time_budget)
    os.makedirs(chosen.folder, exist_ok=True)
    scatter(rock, trained, chosen.block_size, os.path.join(chosen.folder, "latent-scatter.png"))
    walk(trained, os.path.join(chosen.folder, "latent-walk.png"), Walk="Spherical", StartSeed=1,
         EndSeed=2)
    print("latents: pictures are in", chosen.folder)
