# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""The protocol on a tiny material with few steps: every part of the page is there, a second run repeats nothing, and
volumes of another generator are judged without training."""
import json
import os
import subprocess
import sys

import numpy

import vae_test

pvpython, protocol, make_rock = sys.argv[1:]
folder = vae_test.clean_folder()
rock = os.path.join(folder, "rock.mhd")
subprocess.run([make_rock, "grains", "--size", "72", "--radius", "6", rock], check=True)
environment = {**os.environ, "PV_PLUGIN_PATH": os.path.dirname(os.environ["VAE_PLUGIN"])}
QUICK = [f"{k}={v}" for k, v in vae_test.QUICK.items() if k not in ("TimeBudget", "Epochs", "PriorShare")]


def report(output, *words):
    subprocess.run([pvpython, os.path.join(protocol, "rock_report.py"), *words, "--output", output],
                   env=environment, check=True)
    with open(os.path.join(output, "results.jsonl"), encoding="utf-8") as file:
        records = [json.loads(line) for line in file]
    with open(os.path.join(output, "report.md"), encoding="utf-8") as file:
        return records, file.read()


output = os.path.join(folder, "report")
words = [rock, "--epochs", "4", "--seeds", "0,1", "--size", "16", "--realizations", "2", "--sampled", "1",
         "--permeability", "1", "--patches", "2", "--asked", "1", "--scored", "1", "--two-sample", "none",
         "--ablation", "--crop", "72", "64", "72", "--train", *QUICK, "PriorShare=0.5"]
records, page = report(output, *words)
groups = {r["group"] for r in records if r["what"] == "volume"}
assert {"real, unseen part", "learned", "random field", "N(0, I)", "truncated Gaussian field",
        "direct sampling"} <= groups, groups
for what in ("model", "curves", "permeability", "score", "nearest", "asked", "picture"):
    assert any(r["what"] == what for r in records), what
assert "*forced*" in page and "*fitted*" in page and "The answer" in page and "rebuilt training patches" in page
assert os.path.exists(os.path.join(output, "slices-learned.png"))
assert records[0]["settings"]["training"].startswith("72 x 64 x "), records[0]["settings"]
assert {"learned, no texture", "learned, tens with the data's mean"} <= groups, groups
# A prior of so few steps has a texture without a white part.
assert any(r["what"] == "left out" and "texture_white 0" in r["why"] for r in records)
flow = next(r for r in records if r["what"] == "permeability")
assert len(flow["value"]) == 3
again, same = report(output, *words)
assert again == records and same == page

other = os.path.join(folder, "other")
os.makedirs(other)
for i in range(2):
    numpy.save(os.path.join(other, f"{i}.npy"), numpy.random.default_rng(i).integers(0, 2, (16, 16, 16)) * 255)
judged, page = report(os.path.join(folder, "judged"), rock, "--no-training", "--other", f"mine={other}", "--size", "16",
                      "--permeability", "1", "--patches", "2", "--scored", "1", "--two-sample", "none")
assert any(r["what"] == "nearest" and r["group"] == "mine" for r in judged)
assert not any(r["what"] == "model" for r in judged) and "| mine |" in page
print("protocol: every check passed")
