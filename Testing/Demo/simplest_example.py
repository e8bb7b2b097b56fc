# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""The textbook's example of a variational autoencoder, 784-400-20-400-784 on images of digits
(Kingma and Welling 2014; PyTorch's basic example), in ParaView:

  ./dev run pvpython Testing/Demo/simplest_example.py [FOLDER] [--images N] [--epochs N] [--images-only]

Draws digits with VTK's own fonts, writes them to FOLDER/images as a series of PNG files, trains VAE Train
on them, and makes three pictures: images with their reconstructions, samples from N(0, 1), and a latent
traversal. Plugin/Documentation/simplest-example.md says how to do the same in the window.
"""
import argparse
import os

import numpy
from paraview import servermanager
from paraview.simple import *
from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
from vtkmodules.vtkCommonDataModel import vtkImageData
from vtkmodules.vtkIOImage import vtkPNGWriter
from vtkmodules.vtkRenderingCore import vtkTextProperty, vtkTextRenderer
import vtkmodules.vtkRenderingFreeType  # noqa: F401, without which there is no text renderer

EDGE = 28
INK = 255
# What differs from VAE Train's defaults. Hidden Units is 400 by default.
SETTINGS = {"AllTimeSteps": 1, "Network": "Dense", "BlockSize": EDGE, "LatentChannels": 20, "BatchSize": 128,
            "LearningRate": 1e-3, "KLRamp": 0, "Symmetry": "None", "TimeBudget": 0}


def digits(count, seed=0):
    """Images [count, EDGE, EDGE] of 0 and INK, row 0 at the bottom: 0 to 9 in turn, each in a font, a size,
    a slant and a place of its own."""
    random = numpy.random.default_rng(seed)
    renderer = vtkTextRenderer.GetInstance()
    renderer.SetScaleToPowerOfTwo(False)
    text, drawn = vtkTextProperty(), vtkImageData()
    images = numpy.zeros((count, EDGE, EDGE), numpy.uint8)
    for i in range(count):
        text.SetFontFamilyAsString(("Arial", "Courier", "Times")[random.integers(3)])
        text.SetBold(int(random.integers(2)))
        text.SetItalic(int(random.integers(2)))
        text.SetFontSize(int(random.integers(22, 29)))
        text.SetOrientation(int(random.integers(-15, 16)))
        if not renderer.RenderString(text, str(i % 10), drawn, [0, 0], 72):
            raise RuntimeError("VTK could not draw a digit")
        nx, ny, _ = drawn.GetDimensions()
        alpha = vtk_to_numpy(drawn.GetPointData().GetScalars()).reshape(ny, nx, -1)[:, :, 3] > 127
        rows, columns = numpy.flatnonzero(alpha.any(1)), numpy.flatnonzero(alpha.any(0))
        ink = alpha[rows[0]:rows[-1] + 1, columns[0]:columns[-1] + 1][:EDGE, :EDGE]
        corner = []
        for room in (EDGE - ink.shape[0], EDGE - ink.shape[1]):  # nearly in the middle
            corner.append(min(max(room // 2 + int(random.integers(-2, 3)), 0), room))
        images[i, corner[0]:corner[0] + ink.shape[0], corner[1]:corner[1] + ink.shape[1]] = INK * ink
    return images


def image_of(values, cells=False):
    """Image data of values [y, x]."""
    image = vtkImageData()
    image.SetDimensions(values.shape[1] + cells, values.shape[0] + cells, 1)
    array = numpy_to_vtk(numpy.ascontiguousarray(values).ravel(), deep=True)
    array.SetName("ink")
    (image.GetCellData() if cells else image.GetPointData()).SetScalars(array)
    return image


def write(images, folder):
    """A PNG file for each image; their paths."""
    os.makedirs(folder, exist_ok=True)
    writer, paths = vtkPNGWriter(), []
    for i, image in enumerate(images):
        paths.append(os.path.join(folder, f"digit_{i:04}.png"))
        writer.SetFileName(paths[-1])
        writer.SetInputData(image_of(image))
        writer.Write()
    return paths


def open_series(paths):
    """As File > Open does it with a group of files, but each image is a time step, not a slice."""
    series = OpenDataFile(paths)
    series.ReadAsImageStack = 0
    series.UpdatePipelineInformation()
    return series


def loss_of_the_mean(images):
    """Nats a pixel of the best that knows no image from another, an own probability for each pixel: the
    mean entropy of the pixels."""
    p = (images > 0).mean(axis=0)
    p = p[(p > 0) & (p < 1)]
    return float(-(p * numpy.log(p) + (1 - p) * numpy.log(1 - p)).sum() / (EDGE * EDGE))


def steps_of(proxy, count):
    """Probabilities of ink, [steps, EDGE, EDGE], of the first time steps."""
    values = []
    for step in range(count):
        proxy.UpdatePipeline(step)
        data = servermanager.Fetch(proxy).GetPointData()
        names = [data.GetArrayName(i) for i in range(data.GetNumberOfArrays())]
        name = next(n for n in names if n.endswith("_probability"))
        values.append(vtk_to_numpy(data.GetArray(name)).reshape(EDGE, EDGE).copy())
    return numpy.array(values)


def informative(model, count):
    """The latent channels with the largest KL divergence: those that say most about an image."""
    column = servermanager.Fetch(model).GetColumnByName("KL of Latents")
    last = column.GetTuple(column.GetNumberOfTuples() - 1)
    return sorted(range(len(last)), key=lambda c: -last[c])[:count]


def traversal(model, series, channel, steps):
    """From -3 to 3 standard deviations of a channel, about the first image's latent vector."""
    return VAELatentWalk(Input=model, Walk="Traverse", Channel=channel, Range=3, Steps=steps, Start="Volume",
                         StartVolume=series, ComputeProbability=1)


def samples(model, count):
    return VAEGenerate(Input=model, Prior="Normal", Dimensions=[EDGE, EDGE, 1], Realizations=count, Seed=1,
                       ComputeProbability=1)


def picture(rows, path, title):
    """Rows of images, [rows][columns] of [EDGE, EDGE] from 0 (white) to 1 (black), on screen."""
    gap = 2
    sheet = numpy.full(((EDGE + gap) * len(rows) + gap, (EDGE + gap) * len(rows[0]) + gap), 0.35)
    for r, row in enumerate(rows):
        for c, image in enumerate(row):
            bottom, left = (EDGE + gap) * (len(rows) - 1 - r) + gap, (EDGE + gap) * c + gap
            sheet[bottom:bottom + EDGE, left:left + EDGE] = image
    source = TrivialProducer()
    source.GetClientSideObject().SetOutput(image_of(sheet, cells=True))
    source.UpdatePipeline()
    view = CreateView("RenderView", OrientationAxesVisibility=0, UseColorPaletteForBackground=0,
                      Background=[1, 1, 1], InteractionMode="2D")
    shown = Show(source, view)
    shown.SetRepresentationType("Surface")
    shown.Ambient, shown.Diffuse = 1, 0
    ColorBy(shown, ("CELLS", "ink"))
    colours = GetColorTransferFunction("ink")
    colours.ApplyPreset("X Ray", True)
    colours.RescaleTransferFunction(0, 1)
    shown.SetScalarBarVisibility(view, False)
    label = Show(Text(Text=title), view)
    label.Color, label.FontSize, label.WindowLocation = [0, 0, 0], 16, "Upper Center"
    height, width = sheet.shape
    margin = 12  # for the title
    view.ViewSize = [3 * width, 3 * (height + margin)]
    Render(view)  # the first one places the camera itself
    view.CameraFocalPoint = [width / 2, (height + margin) / 2, 0]
    view.CameraPosition = [width / 2, (height + margin) / 2, 1000]
    view.CameraViewUp = [0, 1, 0]
    view.CameraParallelProjection = 1
    view.CameraParallelScale = (height + margin) / 2
    Render(view)
    SaveScreenshot(path, view, ImageResolution=list(view.ViewSize))
    Delete(view)


def main(folder, count=1000, epochs=75, images_only=False):
    images = digits(count)
    paths = write(images, os.path.join(folder, "images"))
    print(f"{len(paths)} images are in {os.path.abspath(os.path.join(folder, 'images'))}", flush=True)
    if images_only:
        return
    series = open_series(paths)
    model = VAETrain(Input=series, ModelFile=os.path.join(folder, "digits.safetensors"), Epochs=epochs,
                     OverwriteModelFile=1, **SETTINGS)
    model.UpdatePipeline()
    history = servermanager.Fetch(model)
    if history.GetNumberOfRows() == 0:
        raise RuntimeError("the training failed")
    last = {name: history.GetColumnByName(name).GetValue(history.GetNumberOfRows() - 1)
            for name in ("Step", "Time (s)", "Loss", "Reconstruction Loss", "KL Divergence", "Active Latents")}
    nats = EDGE * EDGE
    print(f"{last['Step']} steps in {last['Time (s)']:.0f} s; loss {nats * last['Loss']:.1f} nats an image "
          f"(reconstruction {nats * last['Reconstruction Loss']:.1f}, KL {nats * last['KL Divergence']:.1f}); "
          f"the mean image's {nats * loss_of_the_mean(images):.1f}; active latents {last['Active Latents']}",
          flush=True)

    columns = 10
    rebuilt = steps_of(VAEReconstruct(Input=series, Model=model, ComputeProbability=1), columns)
    picture([images[:columns] / INK, rebuilt], os.path.join(folder, "reconstructions.png"),
            "images, and their reconstructions")
    new = steps_of(samples(model, 4 * columns), 4 * columns)
    picture(new.reshape(4, columns, EDGE, EDGE), os.path.join(folder, "samples.png"), "samples from N(0, 1)")
    channels = informative(model, 5)
    walked = [steps_of(traversal(model, series, c, columns - 1), columns - 1) for c in channels]
    picture(walked, os.path.join(folder, "traversal.png"),
            "channels " + ", ".join(f"z{c}" for c in channels) + ", from -3 to 3")
    print(f"made reconstructions.png, samples.png and traversal.png in {os.path.abspath(folder)}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", nargs="?", default="simplest-example")
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=75, help="of 20 steps")
    parser.add_argument("--images-only", action="store_true", help="train in the window")
    chosen = parser.parse_args()
    main(chosen.folder, chosen.images, chosen.epochs, chosen.images_only)
