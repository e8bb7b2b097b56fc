# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""Training and inference beside another process that keeps one core busy, as a part of what they are alone.

  ./dev run python3 Testing/Benchmarks/neighbour.py --bench build/trixie/bin/vae_bench [--seconds 60] [--avx2]

Blocking is what a script does (all cores), live what ParaView's window does (one core is left to it).
Alone is measured before and after. Run it on an idle machine."""
import argparse
import json
import os
import subprocess

parser = argparse.ArgumentParser()
parser.add_argument("--bench", required=True, help="the program vae_bench")
parser.add_argument("--seconds", type=float, default=60, help="of each training")
parser.add_argument("--edge", type=int, default=128, help="of the volume, voxels")
parser.add_argument("--avx2", action="store_true", help="as on a processor that has no more than AVX2")
parser.add_argument("--only", choices=("blocking", "live", "inference"))
options = parser.parse_args()

environment = dict(os.environ)
if options.avx2:
    environment |= {"ONEDNN_MAX_CPU_ISA": "AVX2", "DNNL_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2",
                    "OPENBLAS_CORETYPE": "Haswell", "VAE_BENCH_PRECISION": "float32"}


def measured(*arguments):
    text = subprocess.run([options.bench, *map(str, arguments)], env=environment, check=True,
                          stdout=subprocess.PIPE, text=True).stdout
    return json.loads(text)


def compared(title, unit, value):
    before = value()
    neighbour = subprocess.Popen(["python3", "-c", "while True: pass"])
    try:
        beside = value()
    finally:
        neighbour.kill()
        neighbour.wait()
    after = value()
    alone = max(before, after)
    print(f"{title}: alone {before:.2f} and {after:.2f} {unit}, beside a busy core {beside:.2f} "
          f"({100 * beside / alone:.0f} %)", flush=True)


def training(most):
    return measured("paced", options.edge, options.seconds, most)["steps_a_second"]


if options.only in (None, "blocking"):
    compared("Blocking training", "steps/s", lambda: training(0))
if options.only in (None, "live"):
    compared("Live training", "steps/s", lambda: training(max(1, os.cpu_count() - 1)))
if options.only in (None, "inference"):
    compared("Reconstruction", "million voxels/s", lambda: measured("infer", options.edge)["reconstruct"] / 1e6)
