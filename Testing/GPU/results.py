# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""What day.sh asks of Python.
results.py machine: versions, device, processor, as JSON on a line.
results.py tests LOG...: what GoogleTest's logs say, the test included in which a program ended.
results.py tables RESULTS: the results as Markdown. What is missing or has failed is named, and the exit status is then 1."""
import json
import os
import platform
import re
import subprocess
import sys

SKIPS = {"it is not there"}  # PyTorch where there is none


def machine():
    found = {"system": platform.platform(), "glibc": "-".join(platform.libc_ver()), "cores": os.cpu_count()}
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
        found["processor"] = next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), "?")
    try:
        query = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total,memory.used,clocks.max.sm", "--format=csv,noheader"]
        found["nvidia-smi"] = subprocess.run(query, capture_output=True, text=True, timeout=20, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        found["nvidia-smi"] = "not there"
    try:
        import torch
        found["torch"], found["cuda"] = torch.__version__, torch.version.cuda
        if torch.cuda.is_available():
            found["device"] = str(torch.cuda.get_device_properties(0))
            found["cudnn"] = torch.backends.cudnn.version()
    except ImportError:
        found["torch"] = "not there"
    print(json.dumps(found))


def tests(logs):
    if not logs or not os.path.exists(logs[0]):
        sys.exit(77)
    passed, skipped, failed, broken = 0, 0, set(), []
    for log in logs:
        with open(log, encoding="utf-8", errors="replace") as file:
            lines = file.read().splitlines()
        running = None
        for line in lines:
            if match := re.match(r"\[ +(RUN|OK|FAILED|SKIPPED) +\] ([\w/]+\.[\w/]+)", line):
                what, name = match.groups()
                running = name if what == "RUN" else None if name == running else running
                passed += what == "OK"
                if what == "FAILED":
                    failed.add(name)
                elif what == "SKIPPED" and line.endswith("ms)"):
                    skipped += 1
        if not any(line.startswith(("[  PASSED  ]", "[  FAILED  ]")) for line in lines[-30:]):
            broken.append(f"{running or 'no test'}: {lines[-1][:200] if lines else 'nothing was printed'}")
    print(json.dumps({"passed": passed, "failed": len(failed), "skipped": skipped, "failing": sorted(failed), "ended_in": broken}))
    sys.exit(bool(failed or broken))


class Day:
    """The lines of results.jsonl, by step."""

    def __init__(self, path):
        self.results, self.ends = {}, {}
        with open(path, encoding="utf-8") as file:
            for line in map(json.loads, file):
                if "result" in line:
                    self.results.setdefault(line["step"], []).append(line["result"])
                else:
                    self.ends[line["step"]] = line

    def all(self, prefix):
        return {step: self.results.get(step, []) for step in self.ends if step.startswith(prefix)}

    def value(self, step, key):
        return next((r[key] for r in self.results.get(step, []) if key in r), None)

    def problems(self):
        for step, end in self.ends.items():
            if end["status"] == "failed" or (end["status"] == "skipped" and end["why"] not in SKIPS):
                yield f"{step}: {end['status']}, {end['why']}"
            elif end["status"] == "done" and not self.results.get(step):
                yield f"{step}: no result"


def table(title, head, rows):
    if rows:
        print(f"\n## {title}\n\n| {' | '.join(head)} |\n|{'---|' * len(head)}")
        for row in rows:
            print("| " + " | ".join("" if cell is None else f"{cell:.4g}" if isinstance(cell, float) else str(cell) for cell in row) + " |")


def ratio(a, b):
    return f"{a / b:.2f} x" if a and b else None


def tables(path):
    day = Day(path)
    print("# A day with a GPU")
    table("Machine", ("what", "value"), [(key, value) for step in ("machine", "library")
                                         for line in day.results.get(step, []) for key, value in line.items()])
    table("Tests", ("passed", "failed", "skipped", "failing", "ended in"),
          [(r["passed"], r["failed"], r["skipped"], ", ".join(r["failing"]), ", ".join(r["ended_in"])) for r in day.results.get("tests", [])])
    table("Checks", ("check", "passed", "numbers"),
          [(r["check"], "skipped" if "skipped" in r else "yes" if r["passed"] else "**no**",
            ", ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in r.items() if k not in ("check", "passed")))
           for results in day.all("check ").values() for r in results])
    rows = []
    for step in day.all("train "):
        if "PyTorch" not in step and not step.endswith(" graph"):
            rate = day.value(step, "voxels_a_second")
            peers = [day.value(f"{step} PyTorch {how}", "voxels_a_second") for how in ("default", "tuned", "compiled")]
            graph = day.value(f"{step} graph", "voxels_a_second")
            rows.append((step.removeprefix("train "), rate and rate / 1e6, day.value(step, "step_ms"), day.value(step, "first_step_ms"),
                         graph and graph / 1e6, ratio(graph, rate),
                         *[cell for peer in peers for cell in (peer and peer / 1e6, ratio(rate, peer))]))
    table("Training", ("width/patch/batch", "Mvoxel/s", "step ms", "first step ms", "as a graph", "over plain", "PyTorch", "this over it",
                       "tuned", "this over it", "compiled", "this over it"), rows)
    table("Steps as a CUDA graph", ("width/patch/batch", "what was said"),
          [(step.removeprefix("train ").removesuffix(" graph"), day.value(step, "place")) for step in day.all("train ") if step.endswith(" graph")])
    table("Generation", ("edge", "prior", "stage", "seconds", "first", "Mvoxel/s"),
          [(*step.split()[1:], r["stage"], r["seconds"], r["first_seconds"], r["voxels_a_second"] / 1e6)
           for step, results in day.all("generate ").items() for r in results if "seconds" in r])
    table("Memory of a generation", ("edge", "prior", "peak GiB of the CPU", "plan"),
          [(*step.split()[1:], r["peak_gib"], r["plan"]) for step, results in day.all("generate ").items() for r in results if "plan" in r])
    profiles = [r for results in day.all("profile ").values() for r in results]
    table("Profile", ("of", "ms", "launches", "of the device, ms"),
          [(r["profile"], r["ms"], r["launches"], r.get("device_ms")) for r in profiles if "launches" in r])
    table("Kernels", ("of", "kernel", "calls", "ms"), [(r["profile"], f"`{r['kernel']}`", r["calls"], r["ms"]) for r in profiles if "kernel" in r])
    table("Steps", ("step", "status", "seconds", "why"), [(s, e["status"], e["seconds"], e["why"]) for s, e in day.ends.items()])
    problems = list(day.problems())
    for kind, least in (("machine", 1), ("library", 1), ("tests", 1), ("check ", 7), ("train ", 15), ("generate ", 6), ("profile ", 2)):
        if len(day.all(kind)) < least:
            problems.append(f"'{kind.strip()}': {len(day.all(kind))} step(s) of {least}")
    print("\n".join(problems), file=sys.stderr)
    sys.exit(bool(problems))


if __name__ == "__main__":
    what, *arguments = sys.argv[1:]
    if what == "machine":
        machine()
    elif what == "tests":
        tests(arguments)
    else:
        tables(arguments[0])
