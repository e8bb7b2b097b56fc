# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""Training beside another process that keeps one core busy, as a part of what it is alone.

  ./dev run pvpython Testing/Benchmarks/busy_neighbour.py VOLUME [SECONDS]

Live is what the ParaView window does (one core is left to others), Blocking what a script does
(all cores). Run it on an idle machine."""
import subprocess
import sys

from paraview import servermanager
from paraview.simple import *

volume = OpenDataFile(sys.argv[1])
seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 12


def speed(execution):
    train = VAETrain(Input=volume, TimeBudget=seconds, PriorShare=0, Execution=execution)
    train.UpdatePipeline()
    train.InvokeCommand("Wait")
    train.SMProxy.MarkModified(train.SMProxy)
    train.UpdatePipeline()
    column = servermanager.Fetch(train).GetColumnByName("Voxels per Second")
    values = sorted(column.GetValue(i) for i in range(column.GetNumberOfTuples()))
    Delete(train)
    return values[len(values) // 2] / 1e6  # the median epoch


for mode in ("Live", "Blocking"):
    alone = speed(mode)
    neighbour = subprocess.Popen(["python3", "-c", "while True: pass"])
    beside = speed(mode)
    neighbour.kill()
    neighbour.wait()
    print(f"{mode}: alone {alone:.1f} million voxels/s, beside a busy core {beside:.1f} "
          f"({100 * beside / alone:.0f} %)", flush=True)
