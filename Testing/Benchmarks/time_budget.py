# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""Seconds that Apply of VAE Train takes, beside the Time Budget that was asked for:

  ./dev run pvpython Testing/Benchmarks/time_budget.py VOLUME [Name=Value ...] [--edge N] [--busy] [--seconds S ...]

--edge: a cube of so many voxels out of the volume's middle. --busy: another process keeps one core busy. Name=Value:
properties of VAE Train, such as Precision=Float32. Leave the machine alone while it runs. An ordinary processor on any:
ONEDNN_MAX_CPU_ISA=AVX2 DNNL_MAX_CPU_ISA=AVX2 ATEN_CPU_CAPABILITY=avx2 OPENBLAS_CORETYPE=Haswell."""
import argparse
import os
import subprocess
import sys
import tempfile
import time

from paraview.simple import *

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
parser.add_argument("volume")
parser.add_argument("settings", nargs="*", metavar="Name=Value")
parser.add_argument("--edge", type=int, default=0)
parser.add_argument("--seconds", type=float, nargs="+", default=[60])
parser.add_argument("--busy", action="store_true")
args = parser.parse_intermixed_args()
settings = dict(s.split("=", 1) for s in args.settings)
settings = {k: float(v) if "." in v else int(v) if v.isdigit() else v for k, v in settings.items()}

volume = OpenDataFile(os.path.abspath(args.volume))
volume.UpdatePipeline()
if args.edge:
    extent = volume.GetDataInformation().GetExtent()
    box = []
    for low, high in zip(extent[::2], extent[1::2]):
        first = low + max(0, (high - low + 1 - args.edge) // 2)
        box += [first, min(high, first + args.edge - 1)]
    volume = ExtractSubset(Input=volume, VOI=box)
    volume.UpdatePipeline()
neighbour = subprocess.Popen([sys.executable, "-c", "while True: pass"]) if args.busy else None
missed = False
try:
    with tempfile.TemporaryDirectory() as folder:
        for seconds in args.seconds:
            model = VAETrain(Input=volume, TimeBudget=seconds, ModelFile=os.path.join(folder, "model.safetensors"),
                             AlwaysTrain=1, **settings)
            begin = time.monotonic()
            model.UpdatePipeline()
            taken = time.monotonic() - begin
            missed = missed or abs(taken - seconds) > max(5, 0.1 * seconds)
            model.UpdatePropertyInformation()
            os.write(1, f"asked {seconds:.0f} s, took {taken:.1f} s, ratio {taken / seconds:.2f}: "
                        f"{model.Status}\n".encode())
            Delete(model)
finally:
    if neighbour:
        neighbour.kill()
        neighbour.wait()
sys.exit(1 if missed else 0)
