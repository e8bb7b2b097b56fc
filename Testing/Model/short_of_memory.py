# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""Train, and use a model, in ever more address space: short_of_memory.py PROGRAM STEP

From 800 to 2500 MB in steps of STEP MB. Nothing may hang, end the process, give what is not a
number, or lose what has been trained; what cannot be done is refused with one sentence.
"""
import os
import subprocess
import sys
import tempfile

PROGRAM, STEP = sys.argv[1], int(sys.argv[2])
FIRST, LAST, SECONDS = 800, 2500, 120  # they take 3; a hang takes for ever
failures = 0
done = {}


def run(what, megabytes, model):
    """Whether it ended as it should."""
    global failures
    try:
        found = subprocess.run([PROGRAM, what, str(megabytes / 1.048576), model], text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=SECONDS)
        code, text = found.returncode, found.stdout
    except subprocess.TimeoutExpired as hang:
        code, text = "hangs", (hang.stdout or b"").decode()
    if code != 0:
        failures += 1
    print(f"{'ok  ' if code == 0 else 'FAIL'} {what} in {megabytes} MB: {code}\n{text}", flush=True)
    for line in text.splitlines():
        if line.endswith(": done"):
            done[line] = min(megabytes, done.get(line, megabytes))
    return code == 0


with tempfile.TemporaryDirectory() as folder:
    whole = os.path.join(folder, "whole.safetensors")
    run("train", 0, whole)
    run("use", 0, whole)
    done.clear()
    for megabytes in range(FIRST, LAST + 1, STEP):
        model = os.path.join(folder, f"{megabytes}.safetensors")
        run("train", megabytes, model)
        if os.path.exists(model):
            run("use", 0, model)
        run("use", megabytes, whole)
print("done from so many MB on:", done)
if "train: done" not in done:
    print("FAIL: no training was possible")
    failures += 1
sys.exit(1 if failures else 0)
