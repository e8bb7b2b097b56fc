# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""Every objective on one two-phase volume, with its defaults:

    ./dev run pvpython Testing/Benchmarks/objectives.py VOLUME [SECONDS [OBJECTIVE...]]

Trains SECONDS each (60) on all but the last 24 % of the last axis, and prints a Markdown table:
accuracy of that slab rebuilt by itself, KL divergence and active latents of the last epoch, and of
three generated volumes of 128^3 the fraction of the lower label (porosity) and the error of its
two-point correlation.
"""
import os
import sys

import numpy
from paraview import servermanager
from paraview.simple import *

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "Demo"))
from measures import array_of, s2_error, two_point_correlation

HELD_OUT = 0.24
volume = OpenDataFile(sys.argv[1])
volume.UpdatePipeline()
seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 60
probe = VAETrain(Input=volume)
names = sys.argv[3:] or probe.GetProperty("Objective").Available
Delete(probe)

extent = list(volume.GetDataInformation().GetExtent())
count = extent[5] + 1
voi = extent[:4] + [count - round(HELD_OUT * count), extent[5]]
slab = ExtractSubset(Input=volume, VOI=voi)
name = volume.PointData.GetArray(0).GetName()
real, _ = array_of(slab, name)
data, _ = array_of(volume, name)
pore = data == data.min()
reference = two_point_correlation(pore)


def say(text):
    os.write(1, (text + "\n").encode())  # past Python's buffer


say(f"{name}, porosity {pore.mean():.4f}, {seconds:g} s each")
say("| objective | steps | accuracy | KL, nats a voxel | active latents | mutual information, nats | MMD "
    "| generated porosity | S2 error |")
say("|---|---|---|---|---|---|---|---|---|")
for objective in names:
    model = VAETrain(Input=volume, Objective=objective, TimeBudget=seconds, PriorShare=0,
                     ValidationFraction=HELD_OUT)
    model.UpdatePipeline()
    table = servermanager.Fetch(model)
    last = table.GetNumberOfRows() - 1
    column = lambda c: table.GetColumnByName(c).GetTuple(last)[0]
    if not numpy.isfinite(column("Loss")):
        sys.exit(f"{objective}: the loss is {column('Loss')}")
    rebuilt = VAEReconstruct(Input=slab, Model=model)
    rebuilt.UpdatePipeline()
    accuracy = numpy.mean(array_of(rebuilt, name + "_reconstruction")[0] == real)
    porosities, curves = [], []
    for seed in range(3):
        new = VAEGenerate(Input=model, Dimensions=[128, 128, 128], Seed=seed)
        new.UpdatePipeline()
        made = array_of(new, name)[0] == data.min()
        porosities.append(made.mean())
        curves.append(two_point_correlation(made))
        Delete(new)
    say(f"| {objective} | {int(column('Step'))} | {accuracy:.4f} | {column('KL Divergence'):.4f} | "
        f"{int(column('Active Latents'))} | {column('Mutual Information'):.2f} | {column('MMD'):.3f} | "
        f"{numpy.mean(porosities):.3f} | {100 * s2_error(numpy.mean(curves, axis=0), reference):.0f} % |")
    Delete(rebuilt)
    Delete(model)
