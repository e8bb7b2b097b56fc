# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""Train on a two-phase volume, generate from each prior, and judge what comes out beside the real thing:

    ./dev run pvpython Testing/Demo/rock_report.py VOLUME [--seconds 900] [--output DIR]
        [--realizations 20] [--size 128] [--priors Learned,"Random Field",Normal] [--permeability 6]
        [--copies 12] [--seed 0] [--train Name=Value ...]

Writes report.html with pictures, and report.json. A model that is already in DIR is used again if data and
settings are the same. Lengths are in voxels; the pore is the phase with the lower label, or --pore.
Real blocks are the volume cut into as many cubes of --size as fit, spread evenly.
"""
import argparse
import base64
import html
import itertools
import json
import os
import sys
import time

import numpy
from paraview import servermanager
from paraview.simple import *
from scipy import fft
from vtkmodules.vtkCommonDataModel import vtkImageData
from vtkmodules.vtkIOImage import vtkPNGWriter
from vtkmodules.util.numpy_support import numpy_to_vtk

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from measures import array_of, s2_error, source_of
from statistics import tables

# Of 400^3 Berea: Mosser, Dubrule and Blunt 2017 (Physical Review E 96, 043309), 24 hours on one GPU.
PUBLISHED = {"Permeability": -0.22}
AXES = "xyz"


def say(text):
    os.write(1, f"[report] {text}\n".encode())


def measure(pore):
    """Scalars and curves of a boolean volume, in voxels."""
    source = source_of({"pore": pore.astype(numpy.uint8)})
    statistics = MicrostructureStatistics(Input=source, Phase="Label", Value=1, Radial=0, Cluster=0,
                                          PoreSize=0, LocalPercolation=0, Thresholds=0)
    data = tables(statistics)
    names = data["Measures"]["Measure"]
    values = dict(zip(names, data["Measures"]["Value"]))
    mean = lambda name: float(numpy.mean([values[name.replace("@", a)] for a in AXES]))
    phi = values["Porosity"]
    result = {
        "Porosity": phi,
        "Specific Surface": values["Specific Surface (Faces)"],
        "Mean Chord": mean("Mean Chord (All, @)"),
        "Effective over Total Porosity": mean("Effective Porosity @ (6)") / phi if phi > 0 else 0.,
        "Euler Density": values["Euler Density (6, Interior)"],
    }
    curve = lambda port, name: numpy.mean([data[port][f"{name} {a}"] for a in AXES], axis=0)
    curves = {"S2": curve("Two-Point", "S2"), "Lineal Path": curve("Lineal Path", "L"),
              "Chord Density": curve("Chords", "Chord density")}
    Delete(statistics)
    Delete(source)
    return result, curves


def permeability(pore, direction=0):
    source = source_of({"pore": pore.astype(numpy.uint8)})
    flow = MicrostructurePermeability(Input=source, Phase="Label", Value=1, SpacingInMetres=1,
                                      Direction="XYZ"[direction])
    flow.UpdatePipeline()
    array = servermanager.Fetch(flow).GetFieldData().GetArray("Permeability [voxel^2]")
    value = array.GetValue(0) if array else 0.  # an error has said that nothing flows
    Delete(flow)
    Delete(source)
    return value


def nearest(patch, shape, spectrum, ones):
    """Fraction of the voxels of a patch that differ from the most similar place of the volume."""
    template = numpy.zeros(shape, numpy.float32)
    template[: patch.shape[0], : patch.shape[1], : patch.shape[2]] = patch
    both = fft.irfftn(spectrum * numpy.conj(fft.rfftn(template, workers=2)), shape, workers=2)
    n = [s - p + 1 for s, p in zip(shape, patch.shape)]
    distance = patch.sum() + ones - 2 * both[: n[0], : n[1], : n[2]]
    return float(distance.min()) / patch.size


def window_sums(volume, edge):
    total = volume.astype(numpy.float64)
    for axis in range(3):
        total = numpy.cumsum(total, axis)
        total = numpy.insert(total, 0, 0, axis)
        total = numpy.take(total, range(edge, total.shape[axis]), axis) - \
            numpy.take(total, range(total.shape[axis] - edge), axis)
    return total


def blocks_of(pore, size, most=27):
    starts = [numpy.linspace(0, n - size, max(1, n // size)).round().astype(int) for n in pore.shape]
    places = list(itertools.product(*starts))[:most]
    return [pore[z: z + size, y: y + size, x: x + size] for z, y, x in places]


def png(slices, path):
    """Slices side by side, pores dark."""
    gap = numpy.full((slices[0].shape[0], 4), 255, numpy.uint8)
    row = numpy.hstack([part for s in slices for part in (numpy.where(s, 40, 225).astype(numpy.uint8), gap)])
    image = vtkImageData()
    image.SetDimensions(row.shape[1], row.shape[0], 1)
    image.GetPointData().SetScalars(numpy_to_vtk(row.ravel(), deep=1))
    writer = vtkPNGWriter()
    writer.SetInputData(image)
    writer.SetFileName(path)
    writer.Write()


def svg(curves, title, most):
    """Curves of each kind over the lag, as a small line chart."""
    colours = ["#111111", "#1f5fa8", "#d9630f", "#6a9f2a"]
    top = max(float(numpy.max(c[:most])) for c in curves.values()) * 1.05
    lines = []
    for colour, (name, c) in zip(colours, curves.items()):
        points = " ".join(f"{40 + 330 * i / (most - 1):.1f},{210 - 190 * float(v) / top:.1f}"
                          for i, v in enumerate(c[:most]))
        lines.append(f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="{points}"/>')
    keys = "".join(f'<text x="230" y="{32 + 15 * i}" fill="{colour}">{html.escape(n)}</text>'
                   for i, (colour, n) in enumerate(zip(colours, curves)))
    return (f'<svg width="400" height="240" font-size="12"><text x="40" y="14">{html.escape(title)}</text>'
            f'<path d="M40 20V210H370" fill="none" stroke="#888"/><text x="0" y="26">{top:.3g}</text>'
            f'<text x="345" y="226">{most - 1}</text>{"".join(lines)}{keys}</svg>')


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("volume")
    parser.add_argument("--seconds", type=float, default=900)
    parser.add_argument("--output", default="vae-report")
    parser.add_argument("--realizations", type=int, default=20)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--priors", default="Learned,Random Field,Normal")
    parser.add_argument("--pore", type=float)
    parser.add_argument("--permeability", type=int, default=6, help="realizations, and real blocks")
    parser.add_argument("--copies", type=int, default=12, help="patches compared with the training volume")
    parser.add_argument("--seed", type=int, default=0, help="of VAE Generate")
    parser.add_argument("--train", nargs="*", default=[], metavar="Name=Value")
    parser.add_argument("--model", help="a model file, instead of training")
    args = parser.parse_args()
    os.makedirs(args.output, exist_ok=True)
    in_output = lambda name: os.path.abspath(os.path.join(args.output, name))

    volume = OpenDataFile(os.path.abspath(args.volume))
    volume.UpdatePipeline()
    name = volume.PointData.GetArray(0).GetName()
    data, _ = array_of(volume, name)
    low = data.min() if args.pore is None else args.pore
    pore = data == low
    began = time.time()
    if args.model:
        model = VAEModelReader(FileName=os.path.abspath(args.model))
    else:
        settings = {}
        for pair in args.train:
            key, value = pair.split("=", 1)
            settings[key] = float(value) if value.replace(".", "", 1).isdigit() else value
        model = VAETrain(Input=volume, ModelFile=in_output("model.safetensors"),
                         TimeBudget=args.seconds, **settings)
    model.UpdatePipeline()
    trained = time.time() - began
    history = servermanager.Fetch(model)
    say(f"model ready after {trained:.0f} s, {history.GetNumberOfRows()} epochs")

    groups = {"real": blocks_of(pore, args.size)}
    for prior in args.priors.split(","):
        for label, mode in ((prior, "Off"), (prior + ", exact porosity", "Training Data")):
            if mode != "Off" and prior != "Random Field":
                continue
            began = time.time()
            new = VAEGenerate(Input=model, Dimensions=[args.size] * 3, Prior=prior, FractionMode=mode,
                              Realizations=args.realizations, Seed=args.seed)
            groups[label] = []
            for i in range(args.realizations):
                new.UpdatePipeline(i)
                groups[label].append(array_of(new, name)[0] == low)
            Delete(new)
            say(f"{label}: {args.realizations} of {args.size}^3 in {time.time() - began:.1f} s")

    whole, whole_curves = measure(pore)
    whole["S2 Error"] = 0
    rows, curves = {"real, whole": {k: (v, 0.) for k, v in whole.items()}}, {"real": whole_curves}
    everything = {}
    for label, volumes in groups.items():
        all_of = [measure(v) for v in volumes]
        everything[label] = [m for m, _ in all_of]
        row = {k: (float(numpy.mean([m[k] for m, _ in all_of])),
                   float(numpy.std([m[k] for m, _ in all_of], ddof=1))) for k in all_of[0][0]}
        mean = {k: numpy.mean([c[k][: args.size // 2] for _, c in all_of], axis=0) for k in whole_curves}
        lags = min(50, args.size // 2)
        each = [s2_error(c["S2"][:lags], whole_curves["S2"][:lags]) for _, c in all_of]
        row["S2 Error"] = (s2_error(mean["S2"][:lags], whole_curves["S2"][:lags]),
                           float(numpy.mean(each)))
        truth = whole_curves["Lineal Path"][:lags]
        row["Lineal Path Error"] = (
            float(numpy.abs(mean["Lineal Path"][:lags] - truth).sum() / truth.sum()), 0.)
        if args.permeability and label in ("real", "Learned", "Random Field"):
            chosen = numpy.linspace(0, len(volumes) - 1, min(args.permeability, len(volumes))).round()
            k = [permeability(volumes[int(i)]) for i in chosen]
            row["Permeability"] = (float(numpy.mean(k)), float(numpy.std(k, ddof=1)))
        rows[label] = row
        if "," not in label and label != "real":
            curves[label] = mean
        say(label + ": " + ", ".join(f"{k} {m:.4g} +- {s:.2g}" for k, (m, s) in row.items()))
        png([v[args.size // 2] for v in volumes[:6]], in_output(label.replace(" ", "_") + ".png"))

    copies = {}
    if args.copies:
        edge = 32
        training = pore[: int(0.76 * len(pore))]
        held = pore[int(0.76 * len(pore)):]
        spectrum = fft.rfftn(training.astype(numpy.float32), workers=2)
        ones = window_sums(training, edge)
        random = numpy.random.default_rng(0)

        def distances(volumes):
            found = []
            for i in range(args.copies):
                v = volumes[i % len(volumes)]
                at = [random.integers(0, n - edge + 1) for n in v.shape]
                patch = v[at[0]: at[0] + edge, at[1]: at[1] + edge, at[2]: at[2] + edge]
                found.append(nearest(patch, training.shape, spectrum, ones))
            return found

        copies["real, held out"] = distances([held])
        for label in groups:
            if label != "real" and "," not in label:
                copies[label] = distances(groups[label])
        for label, d in copies.items():
            say(f"nearest of {edge}^3 in the training volume, {label}: 5th percentile "
                f"{numpy.percentile(d, 5):.4f}, mean {numpy.mean(d):.4f}")

    write_page(in_output("report.html"), args, rows, curves, copies, groups, trained)
    with open(in_output("report.json"), "w", encoding="utf-8") as file:
        json.dump({"rows": rows, "copies": copies, "each": everything, "seconds": trained}, file, indent=1)
    say(f"made {', '.join(sorted(os.listdir(args.output)))} in {os.path.abspath(args.output)}")


def write_page(path, args, rows, curves, copies, groups, trained):
    columns = ["Porosity", "S2 Error", "Specific Surface", "Mean Chord", "Lineal Path Error",
               "Effective over Total Porosity", "Euler Density", "Permeability"]

    def cell(row, key):
        if key not in row:
            return "<td></td>"
        mean, spread = row[key]
        if key in ("S2 Error", "Lineal Path Error"):
            return f"<td>{100 * mean:.1f} %" + (f" (each {100 * spread:.1f})" if spread else "") + "</td>"
        return f"<td>{mean:.4g}" + (f" &plusmn; {spread:.2g}" if spread else "") + "</td>"

    table = "".join(f"<tr><th>{html.escape(label)}</th>" + "".join(cell(row, c) for c in columns) + "</tr>"
                    for label, row in rows.items())
    pictures = ""
    for label in groups:
        with open(os.path.join(os.path.dirname(path), label.replace(" ", "_") + ".png"), "rb") as file:
            data = base64.b64encode(file.read()).decode()
        pictures += f'<h3>{html.escape(label)}</h3><img src="data:image/png;base64,{data}">'
    charts = "".join(svg({k: c[name] for k, c in curves.items()}, name, 50)
                     for name in ("S2", "Lineal Path", "Chord Density"))
    near = "".join(f"<tr><th>{html.escape(k)}</th><td>{numpy.percentile(d, 5):.4f}</td>"
                   f"<td>{numpy.mean(d):.4f}</td></tr>" for k, d in copies.items())
    published = "".join(f"{k} {100 * v:+.0f} %" for k, v in PUBLISHED.items())
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"""<!DOCTYPE html><meta charset="utf-8"><title>Generated beside real</title>
<style>body{{font-family:sans-serif;margin:2em;max-width:1300px}}td,th{{padding:3px 10px;text-align:left;
border-bottom:1px solid #ccc}}</style>
<h1>Generated beside real: {html.escape(os.path.basename(args.volume))}</h1>
<p>Trained {trained:.0f} s; {args.realizations} realizations of {args.size}<sup>3</sup> each. Mean &plusmn;
standard deviation of the volumes; lengths in voxels. S2 error: of the mean curve against the whole volume, and the
mean of each volume's own.</p><table><tr><th></th>{''.join(f'<th>{c}</th>' for c in columns)}</tr>{table}</table>
<p>PorousMediaGAN on Berea, published: {published}.</p>{charts}
<h2>Fraction of the voxels in which 32<sup>3</sup> differ from the most similar place of the training volume</h2>
<table><tr><th></th><th>5th percentile</th><th>mean</th></tr>{near}</table><h2>Slices</h2>{pictures}""")


if __name__ == "__main__":
    main()
