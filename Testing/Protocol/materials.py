# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""The protocol on several materials, and a page of all:

    ./dev run python3 Testing/Protocol/materials.py --make-rock BUILD/bin/vae_make_rock --output DIR
        [--only carbonate fibres foam phases grey] [--real VOLUME X Y Z ...] [-- options of rock_report.py]

Makes each material (vae_make_rock, seed 0), runs rock_report.py on it in two rounds, and writes DIR/pages: a page a
material with its pictures, and README.md with the summary and the ablation. In the first round volumes are made of all
materials, in the second they are measured in full, so that a run that is ended early has something of each. It goes on
where it ended. A made volume is periodic: a rim is cut off, so that its two parts do not touch.
"""
import argparse
import os
import shutil
import subprocess

import journal
import summary
from page import Records, trainings

HERE = os.path.dirname(os.path.abspath(__file__))
MADE, CUT = 200, 192  # edge of a made volume, and of what is taken of it
MATERIALS = ("carbonate", "fibres", "foam", "phases", "grey")
QUICKLY = ("--permeability", "0", "--scored", "0", "--patches", "0", "--asked", "0", "--two-sample", "none")


def volumes(args):
    """[(name, file, crop)]; real ones first."""
    found = []
    for path, *crop in args.real:
        found.append((os.path.splitext(os.path.basename(path))[0], path, crop))
    for name in args.only:
        path = os.path.join(args.output, name + ".mhd")
        if not os.path.exists(path):
            subprocess.run([args.make_rock, name, "--size", str(MADE), path], check=True)
        found.append((name, path, [str(CUT)] * 3))
    return found


def page(folder, materials):
    """README.md of reports, and each report with its pictures."""
    records, links = [], []
    for name in materials:
        source, to = os.path.join(folder, name), os.path.join(folder, "pages", name)
        results = journal.read(os.path.join(source, "results.jsonl"))
        if not any(r["what"] == "curves" for r in results):
            continue
        os.makedirs(to, exist_ok=True)
        for file in os.listdir(source):
            if file == "report.md" or file.endswith(".png"):
                shutil.copy(os.path.join(source, file), to)
        records.append(Records(results))
        links.append(f"- [{name}]({name}/report.md): {trainings(records[-1])}")
    parts = ["# Generated volumes beside material that nothing has seen", "\n".join(links),
             "Deviations from the mean of the unseen part's blocks of the same size; S2 and lineal path are compared with the "
             "whole unseen part. ± is the standard error over the trainings. Numbers are *free* unless marked *fitted* or "
             "*forced*. What the training part gets is as near as any generator can be expected to come. Nearest patch: its 5th "
             "percentile over that of unseen material; much below 1 would mean copies.", summary.overview(records)]
    if any(len(r.seeds(g.name)) for r in records for g in summary.ABLATION):
        parts += ["## Corrections of the learned prior, each off by itself",
                  "With it → without it. Gains are how much larger the lineal path error is without, and the score (of tens with "
                  "the data's mean: the error of S2), of each training. It pays where all are gains. Seconds are the "
                  "processor's, a volume.",
                  summary.ablation(records)]
    with open(os.path.join(folder, "pages", "README.md"), "w", encoding="utf-8") as file:
        file.write("\n\n".join(parts) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--make-rock", default="vae_make_rock")
    parser.add_argument("--output", default="vae-materials")
    parser.add_argument("--only", nargs="*", default=MATERIALS)
    parser.add_argument("--real", nargs=4, action="append", default=[], metavar=("VOLUME", "X", "Y", "Z"))
    parser.add_argument("options", nargs="*")
    args = parser.parse_args()
    os.makedirs(args.output, exist_ok=True)
    found = volumes(args)
    for quickly in (QUICKLY, ()):
        for name, path, crop in found:
            subprocess.run(["pvpython", os.path.join(HERE, "rock_report.py"), path, "--output",
                            os.path.join(args.output, name), "--crop", *crop, *args.options, *quickly], check=True)
            page(args.output, [n for n, _, _ in found])


if __name__ == "__main__":
    main()
