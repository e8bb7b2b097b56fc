# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""Cut holes into a two-phase volume, fill each in several ways, and judge what fills it:

    ./dev run pvpython Testing/Demo/fill_hole.py VOLUME [--model FILE | --seconds 240] [--edge 48]
        [--context 128] [--realizations 3] [--holes 4] [--prior "Random Field"] [--output DIR]

Trains on the volume (a model that has seen the hole's own rock: what is tested is the filling), or takes a model.
Prints what was kept of the known voxels, and porosity, faces and mean chord of the filled part beside what was
there and beside the band of 95 % of 120 blocks of the same size from elsewhere, and how many of those lie in it. What
was there is one more way to fill the hole: fills should differ from it as they do from each other, not more.
The first hole is in the middle of the volume. Writes hole.png, of that one: the rock, the hole, and what fills it.
"""
import argparse
import os
import sys

import numpy
from paraview import servermanager
from paraview.simple import *

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from measures import array_of, source_of
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "Protocol"))
from measuring import measure, png, say

MEASURES = ("Porosity", "Specific Surface", "Mean Chord")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("volume")
    parser.add_argument("--model")
    parser.add_argument("--seconds", type=float, default=240)
    parser.add_argument("--edge", type=int, default=48)
    parser.add_argument("--context", type=int, default=128, help="edge of the block around the hole")
    parser.add_argument("--realizations", type=int, default=3)
    parser.add_argument("--holes", type=int, default=4)
    parser.add_argument("--prior", default="Automatic")
    parser.add_argument("--output", default="vae-hole")
    args = parser.parse_args()
    os.makedirs(args.output, exist_ok=True)

    volume = OpenDataFile(os.path.abspath(args.volume))
    volume.UpdatePipeline()
    name = volume.PointData.GetArray(0).GetName()
    data, _ = array_of(volume, name)
    pore = data.min()
    inside = slice((args.context - args.edge) // 2, (args.context + args.edge) // 2)
    hole = (inside,) * 3
    if args.model:
        model = VAEModelReader(FileName=os.path.abspath(args.model))
    else:
        model = VAETrain(Input=volume, TimeBudget=args.seconds)
    model.UpdatePipeline()

    random = numpy.random.default_rng(0)
    real = []
    for _ in range(120):
        at = [random.integers(0, n - args.edge) for n in data.shape]
        real.append(measure(data[tuple(slice(a, a + args.edge) for a in at)] == pore)[0])
    band = {key: numpy.percentile([r[key] for r in real], [2.5, 97.5]) for key in MEASURES}
    say(f"95 % of the blocks of {args.edge}^3: " +
        ", ".join(f"{key} {low:.4f} to {high:.4f}" for key, (low, high) in band.items()))
    usually = numpy.mean([all(low <= r[key] <= high for key, (low, high) in band.items()) for r in real])
    say(f"{100 * usually:.0f} % of them lie within it in all three")
    # The poorer in pores the less surface: blocks and fills compare at one porosity.
    faces_at = numpy.polyfit([r["Porosity"] for r in real], [r["Specific Surface"] for r in real], 2)
    rougher = []

    def judged(label, voxels):
        """Whether all measures lie in the band, and the faces over those of blocks of the same porosity."""
        of = measure(voxels == pore)[0]
        roughness = of["Specific Surface"] / numpy.polyval(faces_at, of["Porosity"])
        outside = [key for key, (low, high) in band.items() if not low <= of[key] <= high]
        say(f"{label}: " + ", ".join(f"{key} {of[key]:.4f}" for key in MEASURES) +
            (f"; outside the band: {', '.join(outside)}" if outside else ""))
        return not outside, roughness

    kept, within, differ, missed, seams, usual = [], [], [], [], [], []
    starts = [[n // 2 - args.context // 2 for n in data.shape]] + [
        [int(random.integers(0, n - args.context + 1)) for n in data.shape] for _ in range(args.holes - 1)]
    for number, start in enumerate(starts):
        block = data[tuple(slice(s, s + args.context) for s in start)]
        judged(f"hole {number}, what was there", block[hole])
        known, values = numpy.ones(block.shape, numpy.uint8), block.copy()
        known[hole] = 0
        values[hole] = block.max()  # what was there must not matter
        source = source_of({name: values, "known": known})
        new = VAEGenerate(Input=model, KnownData=source, KnownMask=["POINTS", "known"], Prior=args.prior,
                          Realizations=args.realizations, Seed=number)  # else holes share their noise
        filled = []
        for i in range(args.realizations):
            new.UpdatePipeline(i)
            result = array_of(new, name)[0].copy()
            kept.append(bool((result == block)[known == 1].all()))
            met = servermanager.Fetch(new).GetFieldData().GetArray("Known Data Met").GetValue(0)
            filled.append(result)
            good, roughness = judged(f"hole {number}, realization {i}: known voxels kept {kept[-1]} "
                                     f"({100 * met:.2f} % as decoded)", result[hole])
            within.append(good)
            rougher.append(roughness)
        differ += [float((a[hole] != b[hole]).mean()) for i, a in enumerate(filled) for b in filled[:i]]
        missed += [float((a[hole] != block[hole]).mean()) for a in filled]

        # Faces across the hole's wall beside those inside it, as a seam would show.
        def across(result, at):
            pores = result == pore
            return float((pores[at - 1][inside, inside] != pores[at][inside, inside]).mean())
        seams += [across(r, at) for r in filled for at in (inside.start, inside.stop)]
        usual += [across(r, at) for r in filled for at in range(inside.start + 4, inside.stop - 4)]
        if number == 0:
            middle = args.context // 2
            cut = block[middle] == pore
            holed = cut.copy()
            holed[inside, inside] = False
            png([cut, holed] + [r[middle] == pore for r in filled], os.path.join(args.output, "hole.png"))
        Delete(new)
        Delete(source)
    say(f"{sum(within)} of {len(within)} fills lie within the band in all three; every known voxel kept: {all(kept)}")
    say(f"faces over those of blocks of their porosity: {numpy.mean(rougher):.3f} +- "
        f"{numpy.std(rougher):.3f} (blocks 1 +- "
        f"{numpy.std([r['Specific Surface'] / numpy.polyval(faces_at, r['Porosity']) for r in real]):.3f})")
    say(f"fills of a hole differ from each other in {100 * min(differ, default=0):.1f} to "
        f"{100 * max(differ, default=0):.1f} % of it, in the mean {100 * numpy.mean(differ):.1f} %, "
        f"and from what was there {100 * numpy.mean(missed):.1f} %")
    say(f"voxel pairs that differ across the wall {numpy.mean(seams):.4f}, inside {numpy.mean(usual):.4f}")
    say(f"made hole.png in {os.path.abspath(args.output)}")
    # As often within the band as real blocks are, as far as so few can tell.
    enough = usually - 2 * numpy.sqrt(usually * (1 - usually) / len(within))
    sys.exit(0 if all(kept) and numpy.mean(within) >= enough and min(differ, default=1) > 0 else 1)


if __name__ == "__main__":
    main()
