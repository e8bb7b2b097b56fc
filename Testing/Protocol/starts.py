# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""What experience is worth: trainings of the same length that begin with it and with random weights, as a table.

    ./dev run pvpython Testing/Protocol/starts.py VOLUME... [--output DIR] [--seconds 120 | --epochs N] [--seeds 0]
        [--starts Experience "Random Weights"] [--experience FILE] [--size 128] [--realizations 8]
        [--no-two-sample] [--share 0.6] [--gap 8] [--pore LABEL] [--train Name=Value ...]

--experience: a file that vae_make_experience has made, instead of the installed one. Each volume is parted as in
rock_report.py; all is judged beside the part that no training has seen. Models are kept in DIR and used again."""
import argparse
import os
import sys

import numpy

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import page  # noqa: E402
from measuring import curve_errors, has_two_sample, measure, say, two_sample  # noqa: E402
from models import Trainer, generate, information, rebuilt  # noqa: E402
from volumes import Material, read  # noqa: E402

MOST_LAGS = 50
STARTS = ("Experience", "Random Weights")
HEADINGS = ("volume", "start", "seed", "seconds", "steps", "of the prior", "voxels right", "rebuilt: faces",
            "rebuilt: two-sample", "S2 error", "faces", "porosity", "effective / total", "two-sample")


def judged(args, name, material, trainer, start, seed):
    """A row of the table."""
    train = {"StartFrom": start}
    model, record = trainer.model(seed, train)
    file = trainer.file(seed, train)
    info = information(file)
    if start == STARTS[0] and not info.get("lineage", {}).get("experience"):
        say(f"{name}: {info.get('start_reason') or 'it did not begin with experience.'}")
        return None
    unseen = material.unseen
    pore = material.pores(unseen)
    real, curves = measure(pore)
    again = rebuilt(model, file, unseen, material.phases, False, trainer.run)
    side = min(n for n in unseen.shape if n > 1) // 8 * 8
    size = min(args.size, side)
    volumes = [v for _, v in generate(model, [size if n > 1 else 1 for n in unseen.shape[::-1]], seed,
                                      range(args.realizations), trainer.run, args.realizations)]
    found = [measure(material.pores(v)) for v in volumes]
    mean = {k: numpy.mean([c[k][:size // 2] for _, c in found], axis=0) for k in curves}
    number = lambda key: float(numpy.mean([n[key] for n, _ in found]))
    tell = args.two_sample and has_two_sample()
    accuracy = lambda candidate: f"{two_sample([unseen], candidate, seed)['Accuracy']:.3f}" if tell else ""
    beside = lambda value, true: f"{value:.4g} ({true:.4g})"
    faces = "Specific Surface"
    return [name, start, str(seed), f"{record['seconds']:.0f}", *map(str, record["steps"]),
            f"{(again == unseen).mean():.4f}", beside(measure(material.pores(again))[0][faces], real[faces]),
            accuracy([again]), f"{100 * curve_errors(mean, curves, MOST_LAGS)['S2 Error']:.1f} %",
            beside(number(faces), real[faces]), beside(number("Porosity"), real["Porosity"]),
            beside(number("Effective over Total Porosity"), real["Effective over Total Porosity"]), accuracy(volumes)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    pair = lambda text: tuple(text.split("=", 1))
    parser.add_argument("volumes", nargs="+")
    parser.add_argument("--output", default="vae-starts")
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--epochs", type=int, default=0)
    parser.add_argument("--seeds", type=lambda text: [int(s) for s in text.split(",")], default=[0])
    parser.add_argument("--starts", nargs="*", choices=STARTS, default=STARTS)
    parser.add_argument("--experience")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--realizations", type=int, default=8)
    parser.add_argument("--no-two-sample", dest="two_sample", action="store_false")
    parser.add_argument("--share", type=float, default=0.6)
    parser.add_argument("--gap", type=int, default=8)
    parser.add_argument("--pore", type=float)
    parser.add_argument("--train", nargs="*", type=pair, default=[], metavar="Name=Value")
    args = parser.parse_args()
    if args.experience:
        os.environ["VAE_EXPERIENCE_FILE"] = os.path.abspath(args.experience)
    rows = [HEADINGS]
    output = args.output
    for path in args.volumes:
        name = os.path.splitext(os.path.basename(path))[0]
        args.output = os.path.join(output, name)
        os.makedirs(args.output, exist_ok=True)
        material = Material(read(path), args.share, args.gap, args.pore)
        trainer = Trainer(args, material.training)
        for seed in args.seeds:
            for start in args.starts:
                row = judged(args, name, material, trainer, start, seed)
                if row:
                    rows.append(row)
                    say(" | ".join(row))
    table = page.table(rows)
    with open(os.path.join(output, "starts.md"), "w", encoding="utf-8") as file:
        file.write(table + "\n")
    say("in parentheses: the unseen part\n" + table)


main()
