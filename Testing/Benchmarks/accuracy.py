# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""Held-out accuracy that VAE Train reaches in so many seconds: ./dev run pvpython
Testing/Benchmarks/accuracy.py VOLUME [SECONDS...] [Name=Value ...]. Each budget is a training of its own, because the
learning rate falls to its end; the prior has none of it. Others: others.py."""
import os
import sys

from paraview.simple import *

settings = dict(a.split("=", 1) for a in sys.argv[2:] if "=" in a)
settings = {k: int(v) if v.isdigit() else float(v) if v.replace(".", "", 1).isdigit() else v
            for k, v in settings.items()}
volume = OpenDataFile(os.path.abspath(sys.argv[1]))
volume.UpdatePipeline()
for budget in [float(a) for a in sys.argv[2:] if "=" not in a] or [30, 45, 60]:
    SetActiveSource(volume)
    model = VAETrain(Input=volume, TimeBudget=budget, PriorShare=0, **settings)
    model.UpdatePipeline()
    table = servermanager.Fetch(model)
    column = lambda name: table.GetColumnByName(name)
    quality = column("Validation Accuracy") or column("Validation PSNR (dB)")
    rows = table.GetNumberOfRows()
    loss = [column("Validation Loss").GetValue(i) for i in range(rows)]
    best = loss.index(min(loss))
    os.write(1, f"{budget:.0f} s: {column('Step').GetValue(rows - 1)} steps, {quality.GetName()} "
                f"{quality.GetValue(best):.4f}, loss {loss[best]:.4f} nats a voxel\n".encode())
    Delete(model)
