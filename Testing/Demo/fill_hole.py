# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""Cut a hole into a two-phase volume, fill it in several ways, and judge what fills it:

    ./dev run pvpython Testing/Demo/fill_hole.py VOLUME [--model FILE | --seconds 240] [--edge 48]
        [--context 128] [--realizations 3] [--output DIR]

Trains on the volume (a model that has seen the hole's own rock: what is tested is the filling), or takes a model.
Prints what was kept of the known voxels, and porosity, faces and mean chord of the filled part beside those of
blocks of the same size from elsewhere. Writes hole.png: the rock, the hole, and what fills it.
"""
import argparse
import os
import sys

import numpy
from paraview import servermanager
from paraview.simple import *

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from measures import array_of, source_of
from rock_report import measure, png, say

MEASURES = ("Porosity", "Specific Surface", "Mean Chord")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("volume")
    parser.add_argument("--model")
    parser.add_argument("--seconds", type=float, default=240)
    parser.add_argument("--edge", type=int, default=48)
    parser.add_argument("--context", type=int, default=128, help="edge of the block around the hole")
    parser.add_argument("--realizations", type=int, default=3)
    parser.add_argument("--output", default="vae-hole")
    args = parser.parse_args()
    os.makedirs(args.output, exist_ok=True)

    volume = OpenDataFile(os.path.abspath(args.volume))
    volume.UpdatePipeline()
    name = volume.PointData.GetArray(0).GetName()
    data, _ = array_of(volume, name)
    pore = data.min()
    middle = [n // 2 for n in data.shape]
    block = data[tuple(slice(m - args.context // 2, m + args.context // 2) for m in middle)]
    inside = slice((args.context - args.edge) // 2, (args.context + args.edge) // 2)
    hole = (inside,) * 3
    known, values = numpy.ones(block.shape, numpy.uint8), block.copy()
    known[hole] = 0
    values[hole] = block.max()  # what was there must not matter
    source = source_of({name: values, "known": known})

    if args.model:
        model = VAEModelReader(FileName=os.path.abspath(args.model))
    else:
        model = VAETrain(Input=volume, TimeBudget=args.seconds)
    model.UpdatePipeline()
    new = VAEGenerate(Input=model, KnownData=source, KnownMask=["POINTS", "known"],
                      Realizations=args.realizations)
    filled, kept = [], []
    for i in range(args.realizations):
        new.UpdatePipeline(i)
        result, _ = array_of(new, name)
        kept.append(bool((result == block)[known == 1].all()))
        met = servermanager.Fetch(new).GetFieldData().GetArray("Known Data Met").GetValue(0)
        filled.append(result)
        say(f"realization {i}: every known voxel kept: {kept[-1]}; of them {100 * met:.2f} % came out of the "
            "decoder by themselves")

    random = numpy.random.default_rng(0)
    real = []
    for _ in range(40):
        at = [random.integers(0, n - args.edge) for n in data.shape]
        real.append(measure(data[tuple(slice(a, a + args.edge) for a in at)] == pore)[0])
    inside_band = True
    for i, result in enumerate(filled):
        of = measure(result[hole] == pore)[0]
        for key in MEASURES:
            values = sorted(r[key] for r in real)
            low, high = values[1], values[-2]  # of 40: all but the extreme ones, 95 %
            inside_band = inside_band and low <= of[key] <= high
            say(f"realization {i}: {key} {of[key]:.4f}; real blocks of {args.edge}^3 {low:.4f} to {high:.4f}")
    differ = [float((a[hole] != b[hole]).mean()) for i, a in enumerate(filled) for b in filled[:i]]
    say("they differ from each other in " + ", ".join(f"{100 * d:.1f} %" for d in differ) + " of the hole")
    # Faces across the hole's wall beside those inside it, as a seam would show.
    def across(result, at):
        pores = result == pore
        return float((pores[at - 1][inside, inside] != pores[at][inside, inside]).mean())
    seams = [across(r, inside.start) + across(r, inside.stop) for r in filled]
    usual = [across(r, at) + across(r, at + 1) for r in filled for at in range(inside.start + 4, inside.stop - 4, 4)]
    say(f"voxel pairs that differ across the wall {numpy.mean(seams) / 2:.4f}, inside {numpy.mean(usual) / 2:.4f}")

    middle_slice = args.context // 2
    cut = block[middle_slice] == pore
    holed = cut.copy()
    holed[inside, inside] = False
    png([cut, holed] + [r[middle_slice] == pore for r in filled], os.path.join(args.output, "hole.png"))
    say(f"made hole.png in {os.path.abspath(args.output)}")
    sys.exit(0 if all(kept) and inside_band and min(differ, default=1) > 0 else 1)


if __name__ == "__main__":
    main()
