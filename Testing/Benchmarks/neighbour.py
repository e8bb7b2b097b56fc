# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""Training and inference beside another process that keeps one core busy, as a part of what they are alone.

  ./dev run python3 Testing/Benchmarks/neighbour.py --bench build/trixie/bin/vae_bench [--seconds 60] [--avx2]

Blocking is what a script does (all cores), live what ParaView's window does (one core is left to it).
"Fixed" is alone with a number of threads that is given, which measures nothing. Fixed and alone take turns
(--rounds), and medians are compared, since a machine's own speed changes by some per cent within minutes. Run it
on an idle machine."""
import argparse
import json
import os
import statistics
import subprocess

parser = argparse.ArgumentParser()
parser.add_argument("--bench", required=True, help="the program vae_bench")
parser.add_argument("--seconds", type=float, default=60, help="of each training")
parser.add_argument("--rounds", type=int, default=3, help="of fixed and alone")
parser.add_argument("--edge", type=int, default=128, help="of the volume, voxels")
parser.add_argument("--avx2", action="store_true", help="as on a processor that has no more than AVX2")
parser.add_argument("--only", choices=("blocking", "live", "inference"))
options = parser.parse_args()

environment = dict(os.environ)
if options.avx2:
    environment |= {"ONEDNN_MAX_CPU_ISA": "AVX2", "DNNL_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2",
                    "OPENBLAS_CORETYPE": "Haswell", "VAE_BENCH_PRECISION": "float32"}


def measured(*arguments, **more):
    text = subprocess.run([options.bench, *map(str, arguments)], env=environment | more, check=True,
                          stdout=subprocess.PIPE, text=True).stdout
    return json.loads(text)


def compared(title, unit, value, threads):
    turns = [(value(VAE_BENCH_THREADS=str(threads)), value()) for _ in range(options.rounds)]
    fixed, alone = (statistics.median(values) for values in zip(*turns))
    neighbour = subprocess.Popen(["python3", "-c", "while True: pass"])
    try:
        beside = value()
    finally:
        neighbour.kill()
        neighbour.wait()
    print(f"{title}: fixed {fixed:.2f} {unit}, alone {alone:.2f} ({100 * alone / fixed:.1f} %), "
          f"beside a busy core {beside:.2f} ({100 * beside / alone:.0f} %)", flush=True)


def training(most, **more):
    return measured("paced", options.edge, options.seconds, most, **more)["steps_a_second"]


def reconstruction(**more):
    return measured("infer", options.edge, **more)["reconstruct"] / 1e6


cores = os.cpu_count()
live = max(1, cores - 1)
if options.only in (None, "blocking"):
    compared("Blocking training", "steps/s", lambda **more: training(0, **more), cores)
if options.only in (None, "live"):
    compared("Live training", "steps/s", lambda **more: training(live, **more), live)
if options.only in (None, "inference"):
    compared("Reconstruction", "million voxels/s", reconstruction, cores)
