# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""Does a periodic volume show its seam? ./dev run pvpython Testing/Demo/seam.py MODEL.safetensors [--edge 512]
[--prior Learned] [--realizations 1]

Draws volumes that are periodic along x, y and z, and compares the pairs of voxels that differ across each seam with those
across every plane inside, and with those across the walls of latent cells inside, one of which a seam is too: the ratios, and
by how much single walls scatter, which is what a ratio can be off by without a seam."""
import argparse
import os
import sys
import time

import numpy
from paraview.simple import *

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from measures import array_of

parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
parser.add_argument("model")
parser.add_argument("--edge", type=int, default=512)
parser.add_argument("--prior", default="Learned")
parser.add_argument("--realizations", type=int, default=1)
parser.add_argument("--cell", type=int, default=8, help="voxels of a latent cell, the model's Latent Stride")
args = parser.parse_args()

model = VAEModelReader(FileName=os.path.abspath(args.model))
new = VAEGenerate(Input=model, Prior=args.prior, Dimensions=[args.edge] * 3, PeriodicX=1, PeriodicY=1, PeriodicZ=1,
                  Realizations=args.realizations)
new.UpdatePipelineInformation()
ratios = []
for i in range(args.realizations):
    began = time.perf_counter()
    new.UpdatePipeline(i)
    os.write(1, f"realization {i}: {args.edge}^3 in {time.perf_counter() - began:.1f} s\n".encode())
    name = new.PointData.GetArray(0).GetName()
    volume = array_of(new, name)[0].astype(numpy.float32)
    for axis, label in enumerate("zyx"):
        others = tuple(a for a in range(3) if a != axis)
        across = numpy.abs(numpy.roll(volume, -1, axis) - volume).mean(others, dtype=float)
        inside, walls = across[:-1], across[args.cell - 1:-1:args.cell]
        ratios.append((across[-1] / inside.mean(), across[-1] / walls.mean()))
        os.write(1, f"  {label}: gradient across the seam over that inside {ratios[-1][0]:.4f}, over that across walls of "
                    f"cells {ratios[-1][1]:.4f}; walls scatter by {walls.std() / walls.mean():.4f}\n".encode())
means, errors = numpy.mean(ratios, 0), numpy.std(ratios, 0, ddof=1) / len(ratios)**0.5
os.write(1, f"mean of {len(ratios)} seams: {means[0]:.4f} +- {errors[0]:.4f} of all planes, {means[1]:.4f} +- "
            f"{errors[1]:.4f} of the walls\n".encode())
