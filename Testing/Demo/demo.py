# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""The main job, end to end, with the real filters: open a volume, train, reconstruct, generate.

    ./dev demo [--volume FILE] [--time-budget SECONDS] [--output DIR]

Writes the model, the volumes and pictures, and prints what was measured. The end of the volume's
last axis is held out of the training; what is called "held out" is reconstructed from that slab
alone.
"""
import argparse
import os
import subprocess
import sys
import time

import numpy
from paraview import servermanager
from paraview.simple import *
from vtkmodules.util.numpy_support import vtk_to_numpy

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from measures import array_of, s2_error, two_point_correlation

HELD_OUT = 0.24  # of the last axis


def say(text):
    # Past Python's buffer, which pvpython does not flush: progress is shown as it happens.
    os.write(1, f"[demo] {text}\n".encode())


def options():
    parser = argparse.ArgumentParser(prog="./dev demo", description=__doc__.split("\n")[0])
    parser.add_argument("--volume", help="image data, two phases or grey (default: a rock made here)")
    parser.add_argument("--time-budget", type=float, default=90, help="seconds to train")
    parser.add_argument("--output", default="vae-demo", help="folder for what it makes")
    parser.add_argument("--build", help=argparse.SUPPRESS)
    return parser.parse_args()


def default_volume(build):
    path = os.path.join(build, "Data", "rock_256.mhd")
    if not os.path.exists(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        subprocess.run(
            [os.path.join(build, "bin", "vae_make_rock"), "grains", "--size", "256", "--seed", "1",
             "--spacing", "5", path], check=True)
    return path


def follow(proxy):
    """Print the filter's progress text, a line every few seconds."""
    algorithm = proxy.GetClientSideObject()
    last = [0.0]

    def progress(caller, event):
        if caller.GetProgressText() and time.time() - last[0] > 5:
            last[0] = time.time()
            say(caller.GetProgressText())

    algorithm.AddObserver("ProgressEvent", progress)


def camera(view, image, slice_only):
    view.Background = [1, 1, 1]
    view.UseColorPaletteForBackground = 0
    view.OrientationAxesVisibility = 0
    bounds = image.GetBounds()
    centre = [(bounds[2 * a] + bounds[2 * a + 1]) / 2 for a in range(3)]
    centre[1] += 0.05 * (bounds[3] - bounds[2]) if slice_only else 0  # room for the title
    size = max(bounds[2 * a + 1] - bounds[2 * a] for a in range(3)) or 1
    direction = [0, 0, 1] if slice_only else [1.3, 0.9, 1.1]
    view.CameraFocalPoint = centre
    view.CameraPosition = [c + 4 * size * d for c, d in zip(centre, direction)]
    view.CameraViewUp = [0, 1, 0] if slice_only else [0, 0, 1]
    view.CameraParallelProjection = 1
    view.CameraParallelScale = 0.6 * size if slice_only else 0.95 * size


def title(view, text):
    label = Text(Text=text)
    shown = Show(label, view)
    shown.Color = [0, 0, 0]
    shown.FontSize = 22
    shown.WindowLocation = "Upper Center"


def picture(columns, value, output):
    """Slices above, surfaces below: one column for each (title, proxy, array, phases)."""
    layout = CreateLayout("demo")
    layout.SetSize(480 * len(columns), 960)
    rows = []
    for _ in range(2 * len(columns)):
        rows.append(CreateView("RenderView"))
    layout.SplitVertical(0, 0.5)
    cells = []
    for row in (1, 2):
        cell = row
        for k in range(len(columns) - 1, 0, -1):
            layout.SplitHorizontal(cell, 1 / (k + 1))
            cells.append(2 * cell + 1)
            cell = 2 * cell + 2
        cells.append(cell)
    for view, cell in zip(rows, cells):
        AssignViewToLayout(view, layout, cell)
    cameras = []
    for k, (text, proxy, name, association) in enumerate(columns):
        image = servermanager.Fetch(proxy)
        extent = image.GetExtent()
        middle = (extent[4] + extent[5]) // 2
        top, bottom = rows[k], rows[k + len(columns)]
        plane = ExtractSubset(Input=proxy, VOI=[*extent[:4], middle, middle])
        shown = Show(plane, top, "UniformGridRepresentation")
        shown.Representation = "Surface"
        ColorBy(shown, (association, name))
        table = GetColorTransferFunction(name)
        table.ApplyPreset("Grayscale", True)
        table.RescaleTransferFunction(*value["range"])
        shown.SetScalarBarVisibility(top, False)
        title(top, text)
        cameras.append((top, image, True))
        if extent[4] == extent[5]:
            continue
        # A corner of 96 voxels: enough to see shapes.
        corner = [v for a in range(3)
                  for v in (extent[2 * a], min(extent[2 * a + 1], extent[2 * a] + 95))]
        part = ExtractSubset(Input=proxy, VOI=corner)
        if association == "CELLS":
            part = CellDatatoPointData(Input=part)
        surface = Contour(Input=part, ContourBy=["POINTS", name], Isosurfaces=[value["iso"]])
        shown = Show(surface, bottom, "GeometryRepresentation")
        shown.ColorArrayName = ["POINTS", ""]  # also of a surface that is empty, which ColorBy refuses
        shown.DiffuseColor = [0.82, 0.7, 0.5]
        shown.Specular = 0.2
        outline = Show(Outline(Input=part), bottom)
        outline.AmbientColor = outline.DiffuseColor = [0.3, 0.3, 0.3]
        cameras.append((bottom, servermanager.Fetch(part), False))
    for view in rows:
        Render(view)  # the first one places the camera itself
    for arguments in cameras:
        camera(*arguments)
        Render(arguments[0])
    SaveScreenshot(output, layout, ImageResolution=[480 * len(columns), 960])


def loss_curve(model, output):
    view = CreateView("XYChartView")
    layout = CreateLayout("loss")
    AssignViewToLayout(view, layout)
    shown = Show(model, view, "XYChartRepresentation")
    shown.UseIndexForXAxis = 0
    shown.XArrayName = "Time (s)"
    shown.SeriesVisibility = ["Loss", "Reconstruction Loss", "Validation Loss"]
    view.LeftAxisLogScale = 1
    view.ChartTitle = "Training: loss (nats a voxel)"
    view.BottomAxisTitle = "seconds"
    view.ViewSize = [960, 600]
    Render(view)
    SaveScreenshot(output, view, ImageResolution=[960, 600])


def main():
    args = options()
    path = os.path.abspath(args.volume) if args.volume else default_volume(args.build)
    os.makedirs(args.output, exist_ok=True)

    def out(name):
        return os.path.abspath(os.path.join(args.output, name))

    say(f"volume {path}")
    volume = OpenDataFile(path)
    if volume is None:
        sys.exit(f"[demo] error: ParaView cannot open {path}")
    volume.UpdatePipeline()
    say(f"training, {args.time_budget:g} s")
    model = VAETrain(Input=volume, ModelFile=out("model.safetensors"), AlwaysTrain=1,
                     OverwriteModelFile=1,
                     TimeBudget=args.time_budget, ValidationFraction=HELD_OUT)
    follow(model)
    model.UpdatePipeline()
    table = servermanager.Fetch(model)
    if table.GetNumberOfRows() == 0:
        sys.exit("[demo] error: the training failed")
    fact = lambda name: table.GetFieldData().GetAbstractArray(name).GetValue(0)
    name = fact("Array")
    phases = fact("Likelihood") in ("bernoulli", "categorical")

    data, image = array_of(volume, name)
    if data.ndim == 4:
        sys.exit("[demo] error: the demo shows arrays of one component")
    association = "POINTS" if image.GetPointData().GetArray(name) is not None else "CELLS"
    extent = list(image.GetExtent())
    last = max(a for a in range(3) if extent[2 * a + 1] > extent[2 * a])
    count = data.shape[2 - last]
    begin = count - min(max(round(HELD_OUT * count), 8), count // 2)

    say("reconstructing the volume, and the held-out slab by itself")
    began = time.time()
    reconstruction = VAEReconstruct(Input=volume, Model=model)
    reconstruction.UpdatePipeline()
    seconds = time.time() - began
    voi = list(extent)
    voi[2 * last] = extent[2 * last] + begin
    slab = ExtractSubset(Input=volume, VOI=voi)
    held_out = VAEReconstruct(Input=slab, Model=model)
    held_out.UpdatePipeline()
    rebuilt, _ = array_of(held_out, name + "_reconstruction")
    real, _ = array_of(slab, name)

    say("generating a new volume")
    size = [min(n, 256) for n in data.shape[::-1]]
    began = time.time()
    new = VAEGenerate(Input=model, Dimensions=size, Seed=7)
    new.UpdatePipeline()
    generation = time.time() - began
    generated, _ = array_of(new, name)

    say("saving volumes and pictures")
    SaveData(out("reconstruction.vti"), proxy=reconstruction)
    SaveData(out("generated.vti"), proxy=new)
    low, high = float(data.min()), float(data.max())
    value = {"range": (low, high), "iso": (low + high) / 2 if phases else float(data.mean())}
    picture([("input", volume, name, association),
             ("reconstruction", reconstruction, name + "_reconstruction", association),
             ("generated", new, name, association)], value, out("volumes.png"))
    loss_curve(model, out("loss.png"))

    speed = vtk_to_numpy(table.GetColumnByName("Voxels per Second"))
    rows = [("trained on", fact("Device")),
            ("parameters", f"{int(fact('Parameters')):,}"),
            ("training", f"{numpy.median(speed) / 1e6:.2f} million voxels/s, "
                         f"{int(table.GetColumnByName('Step').GetValue(table.GetNumberOfRows() - 1))} steps"),
            ("reconstruction", f"{data.size / seconds / 1e6:.1f} million voxels/s"),
            ("generation", f"{generated.size / generation / 1e6:.1f} million voxels/s"),
            ("held out", f"last {count - begin} of {count} voxels along axis {'xyz'[last]}")]
    if phases:
        pore = lambda v: v == low
        rows += [("voxel accuracy, held out", f"{numpy.mean(rebuilt == real):.4f}"),
                 (f"fraction of {low:g} (porosity)", "")]
        reference = two_point_correlation(pore(data))
        for label, v, against in (("held out", real, None),
                                  ("held out, rebuilt", rebuilt, two_point_correlation(pore(real))),
                                  ("whole volume", data, None),
                                  ("generated", generated, reference)):
            text = f"{numpy.mean(pore(v)):.4f}"
            if against is not None:
                mine = two_point_correlation(pore(v))
                n = min(len(mine), len(against))
                text += f", S2 error {100 * s2_error(mine[:n], against[:n]):.1f} %"
            rows.append(("  " + label, text))
    else:
        squares = numpy.mean((rebuilt.astype(float) - real.astype(float)) ** 2)
        rows += [("PSNR, held out", f"{10 * numpy.log10((high - low) ** 2 / squares):.2f} dB"),
                 ("mean +- standard deviation", ""),
                 ("  whole volume", f"{data.mean():.5g} +- {data.std():.5g}"),
                 ("  generated", f"{generated.mean():.5g} +- {generated.std():.5g}")]
    report = "\n".join(f"{a:28} {b}" for a, b in rows)
    with open(out("report.txt"), "w", encoding="utf-8") as file:
        file.write(report + "\n")
    print("\n" + report + "\n")
    say("made " + ", ".join(sorted(os.listdir(args.output))) + f" in {os.path.abspath(args.output)}")


main()
