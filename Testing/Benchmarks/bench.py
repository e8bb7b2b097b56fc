# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""Speed, as ratios measured in one run: ./dev bench [--edges 128 256 512] [--rounds 3] [--output FILE]
[--torch FOLDER] [--device cuda]. Training, inference, files, the pipeline and the loading of the plugin, interleaved with the
same network in Python PyTorch (its defaults, and tuned by hand) and with the machine's own best bfloat16 matrix
product and convolution. Prints a table and writes JSON. Each result is also a line of a .jsonl file of that
name as soon as it is known; one that fails is named and left out of the table, and the exit status is then 1. --torch: where Python finds PyTorch, if not
in its own folders; without PyTorch its columns are empty. Leave the machine alone while it runs."""
import argparse
import json
import math
import os
import platform
import statistics
import subprocess
import sys

here = os.path.dirname(os.path.abspath(__file__))


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--build", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--plugin", help=argparse.SUPPRESS)
    parser.add_argument("--edges", type=int, nargs="+", default=[128, 256, 512], help="of volumes, voxels")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", default="bench.json")
    parser.add_argument("--torch", default="")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N; but of a GPU not the pipeline")
    return parser.parse_args()


def processor():
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
        return next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), "?")


class Results:
    """Numbers of each round by name; medians and spreads of them."""

    def __init__(self, lines):
        self.all, self.failed, self.lines = {}, [], lines
        open(lines, "w", encoding="utf-8").close()

    def run(self, name, command, environment=None):
        """What a program prints last, or None; it is written down at once."""
        done = subprocess.run(command, env={**os.environ, **(environment or {})}, stdout=subprocess.PIPE, check=False)
        values = None
        if done.returncode == 0:
            values = json.loads(done.stdout.decode().strip().splitlines()[-1])
        elif done.returncode != 77:
            self.failed.append(f"{name}: {' '.join(command)} failed with {done.returncode}")
            print(self.failed[-1], file=sys.stderr, flush=True)
        with open(self.lines, "a", encoding="utf-8") as file:
            file.write(json.dumps({"name": name, "status": done.returncode, "result": values}) + "\n")
        return values

    def add(self, name, command, environment=None):
        for key, value in (self.run(name, command, environment) or {}).items():
            self.all.setdefault(f"{name}: {key}", []).append(value)

    def median(self, name):
        return statistics.median(self.all[name]) if name in self.all else math.nan

    def table(self):
        return {k: {"median": statistics.median(v), "least": min(v), "most": max(v)} for k, v in self.all.items()}


def main():
    options = arguments()
    os.environ["VAE_BENCH_DEVICE"] = options.device
    gpu = options.device != "cpu"
    peers_how = ("default", "tuned", "compiled") if gpu else ("default", "tuned")
    bench, peer = os.path.join(options.build, "bin", "vae_bench"), os.path.join(here, "peer.py")
    peers = {"PYTHONPATH": options.torch} if options.torch else {}
    screen = os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "screen.sh")
    virtual = [] if os.environ.get("DISPLAY") else ["bash", screen]
    results = Results(os.path.splitext(options.output)[0] + ".jsonl")
    wide_shape = "64/64/4"
    small = min(options.edges)
    for i in range(options.rounds):
        print(f"round {i + 1} of {options.rounds}", file=sys.stderr, flush=True)
        results.add("machine", [bench, "roofline"])
        results.add("train", [bench, "train", str(small)])
        for how in peers_how:
            results.add(f"train, PyTorch {how}", [sys.executable, peer, "train", how, str(small)], peers)
        for edge in options.edges:
            results.add(f"{edge}^3", [bench, "infer", str(edge)])
        results.add(f"train {max(options.edges)}^3", [bench, "train", str(max(options.edges))])
        for how in peers_how:
            results.add(f"{small}^3, PyTorch {how}", [sys.executable, peer, "infer", how, str(small)], peers)
        results.add("wide", [bench, "train", str(small), wide_shape])
        results.add("wide", [bench, "infer", str(small), wide_shape])
        for how in peers_how:
            for what in ("train", "infer"):
                results.add(f"wide, PyTorch {how}", [sys.executable, peer, what, how, str(small), wide_shape], peers)
        if not gpu:
            results.add(f"pipeline {small}^3", [*virtual, "pvpython", os.path.join(here, "filters.py"), str(small)],
                        {"VAE_BENCH_PLUGIN": options.plugin, "PV_PLUGIN_PATH": ""})
        results.add("file", [bench, "file"])
    layers = results.run("layers", [bench, "layers"]) or []
    wide = results.run("wide layers", [bench, "layers", str(small), wide_shape]) or []
    with open(options.output, "w", encoding="utf-8") as file:
        json.dump({"machine": {"device": options.device, "processor": processor(), "threads": os.cpu_count(), "system": platform.platform()},
                   "results": results.table(), "failed": results.failed, "layers": layers, "wide_layers": wide}, file, indent=1)
    table(options, results, layers, wide, peers_how)
    print(f"\nwrote {os.path.abspath(options.output)}")
    if results.failed:
        sys.exit("failed: " + "; ".join(results.failed))


def table(options, results, layers, wide, peers_how):
    """Printed, without what failed: that is not a number, and what is made of it is none either."""
    gpu, small = options.device != "cpu", min(options.edges)
    get = results.median

    def training_flops(layers, voxels):  # of a voxel: forward, and twice that backward
        return 3e9 * sum(layer["times"] * layer["gflop"] for layer in layers) / voxels

    def row(label, value, unit, *ratios):
        if value == value:
            print(f"{label:42s} {value:10.4g} {unit:12s} " +
                  ", ".join(f"{ratio:.2f} x {of}" for ratio, of in ratios if ratio and ratio == ratio))

    whole = sum(layer["times"] * layer["gflop"] for layer in layers)
    flops = training_flops(layers, 2 * 48**3)
    rate, limit = get("train: voxels_a_second"), get("machine: convolution_gflops") * 1e9
    print(f"\n{processor()}, {os.cpu_count()} threads, {platform.platform()}, on {options.device}")
    print(f"bfloat16: matrix product {get('machine: matrix_gflops'):.0f} GFLOP/s, convolution "
          f"{get('machine: convolution_gflops'):.0f}; the network: {flops / 1e3:.1f} kFLOP a training voxel\n")
    row("training", rate / 1e6, "Mvoxel/s",
        *[(rate / get(f"train, PyTorch {how}: voxels_a_second"), f"PyTorch {how}") for how in peers_how],
        (rate * flops / limit, "the convolution's speed"),
        (get(f"train {max(options.edges)}^3: voxels_a_second") / rate, f"this, on {max(options.edges)}^3"))
    row("first step", get("train: first_step_ms"), "ms", (get("train: first_step_ms") / get("train: step_ms"), "a step"))
    for edge in options.edges:
        for key in ("encode", "decode", "reconstruct", "generate_random_field", "generate_learned"):
            v = get(f"{edge}^3: {key}")
            row(f"{key.replace('_', ' ')}, {edge}^3", v / 1e6, "Mvoxel/s",
                *[(v / get(f"{edge}^3, PyTorch {how}: {key}"), f"PyTorch {how}") for how in peers_how],
                (v / get(f"{small}^3: {key}") if edge != small else None, f"that of {small}^3"))
        row(f"peak memory of these, {edge}^3", get(f"{edge}^3: peak_gib"), "GiB")
    for key, unit in (("voxels_a_second", "training"), ("reconstruct", "reconstruct")):
        v = get(f"wide: {key}")
        row(f"twice the width, {unit}, {small}^3", v / 1e6, "Mvoxel/s",
            *[(v / get(f"wide, PyTorch {how}: {key}"), f"PyTorch {how}") for how in peers_how],
            (v * training_flops(wide, 4 * 64**3) / (3 if unit == "reconstruct" else 1) / limit, "the convolution's speed"))
    if not gpu:
        piped = get(f"pipeline {small}^3: reconstruct")
        row(f"VAE Reconstruct in the pipeline, {small}^3", piped / 1e6, "Mvoxel/s",
            (piped / get(f"{small}^3: reconstruct"), "the library alone"))
        row("update that changes nothing", get(f"pipeline {small}^3: unchanged_ms"), "ms")
        row("loading the plugin", get(f"pipeline {small}^3: load_plugin_ms"), "ms")
    row("model file, saved", get("file: save_ms"), "ms")
    row("model file, loaded", get("file: load_ms"), "ms")
    print("\nconvolutions of the default network alone, forward, a step's size: GFLOP/s, part of the convolution's speed, part of the work")
    for layer in layers:
        print(f"  {layer['layer']:18s} x{layer['times']}  {layer['gflops']:6.0f}  {layer['gflops'] * 1e9 / limit:5.2f}  "
              f"{layer['times'] * layer['gflop'] / whole:5.2f}")


if __name__ == "__main__":
    main()
