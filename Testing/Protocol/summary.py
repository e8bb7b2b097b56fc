# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""Several materials side by side, from what rock_report.py wrote of each. Needs numpy only:

    python3 Testing/Protocol/summary.py FOLDER... [--ablation]

Prints Markdown. Without --ablation: each material's generators, as differences from its unseen part. With it: what each
correction of the learned prior is worth, from reports that were made with --ablation.
"""
import argparse
import os

import numpy

import journal
from groups import ABLATION, FREE, REAL, TRAINED, marks_of
from page import Records, table, value_of

LEARNED = "learned"
GENERATORS = (LEARNED, "learned, uncorrected", "random field", "N(0, I)", "truncated Gaussian field", "direct sampling")

# (keys, heading, how it is compared): a ratio to the real blocks, a difference from them, or by itself.
MEASURES = (
    (("S2 Error",), "S2 error", "alone"),
    (("Lineal Path Error",), "lineal path error", "alone"),
    (("Specific Surface",), "faces", "ratio"),
    (("Mean Chord",), "mean chord", "ratio"),
    (("Effective over Total Porosity",), "effective / total", "difference"),
    (("Kx", "Ky", "Kz"), "K, mean of x, y, z", "ratio"),
    (("Score",), "score", "score"),
)

# What a correction is judged by: a free measure of the mean of all volumes, and the score of single ones, which sees no
# small bias that they have in common. Tens with the data's mean are for means over them.
JUDGED = ("Lineal Path Error", "Score")
OTHERWISE = {"learned, tens with the data's mean": ("S2 Error",)}
DEFAULT_OFF = set(OTHERWISE)  # their group is the one in which they are on


def name_of(records):
    return os.path.splitext(records.settings["name"])[0]


def mean_of(records, group, seed, keys):
    """Of the volumes of one training; None where it was not measured."""
    found = [value_of(records, group, seed, k) for k in keys]
    return None if any(f is None for f in found) else float(numpy.mean([f[0] for f in found]))


def compared(records, group, seed, keys, how):
    """A number of one training beside the unseen part's blocks: a relative deviation, a difference, or itself."""
    value = mean_of(records, group, seed, keys)
    if value is None or how in ("alone", "score"):
        return value
    real = mean_of(records, REAL, None, keys)
    if real is None or (how == "ratio" and real == 0):
        return None
    return value / real - 1 if how == "ratio" else value - real


def shown(value, how, sign=True):
    if value is None:
        return ""
    plus = "+" if sign and how in ("ratio", "difference") else ""
    return format(value, f"{plus}.3f" if how == "difference" else ".2f") if how in ("difference", "score") else format(
        100 * value, f"{plus}.1f") + " %"


def over(records, group, keys, how):
    """Mean over the trainings, with their standard error where there are several."""
    found = [compared(records, group, s, keys, how) for s in records.seeds(group)]
    found = [f for f in found if f is not None]
    if not found:
        return ""
    error = numpy.std(found, ddof=1) / numpy.sqrt(len(found)) if len(found) > 1 else None
    return shown(float(numpy.mean(found)), how) + (f" ± {shown(float(error), how, False)}" if error is not None else "")


def accuracy(records, group):
    found = [r["result"]["Accuracy"] for r in records.all("two-sample", group=group) if r.get("result")]
    return f"{numpy.mean(found):.2f}" if found else ""


def nearest(records, group):
    """The 5th percentile over that of unseen rock."""
    of = lambda g: numpy.concatenate([r["distances"] for r in records.all("nearest", group=g)] or [[]])
    return f"{numpy.percentile(of(group), 5) / numpy.percentile(of(REAL), 5):.2f}" if len(of(group)) and len(of(REAL)) else ""


def overview(materials):
    rows = [["material", "volumes", *(heading for _, heading, _ in MEASURES), "two-sample accuracy", "nearest patch"]]
    for records in materials:
        for group in (TRAINED, *GENERATORS):
            if group in records.groups():
                cells = []
                for keys, _, how in MEASURES:
                    mark = marks_of(group).mark(keys[0], records.settings["kind"]) if marks_of(group) else FREE
                    cell = over(records, group, keys, how)
                    cells.append(f"{cell} *{mark}*" if cell and mark != FREE else cell)
                rows.append([name_of(records), group, *cells, accuracy(records, group), nearest(records, group)])
    return table(rows)


def seconds(records, group):
    found = [r["seconds"] for r in records.all("volume", group=group) if r.get("seconds") is not None]
    return float(numpy.median(found)) if found else None


def gains(records, group):
    """{measure: of each training, how much worse it is without the correction}"""
    found = {}
    for key in OTHERWISE.get(group, JUDGED):
        for seed in records.seeds(group):
            here, learned = value_of(records, group, seed, key), value_of(records, LEARNED, seed, key)
            if here is not None and learned is not None:
                gain = here[0] - learned[0]
                found.setdefault(key, []).append(-gain if group in DEFAULT_OFF else gain)
    return found


def verdict(found):
    """Only where all measures of all trainings agree."""
    values = [gain for each in found.values() for gain in each]
    if not found or min(len(each) for each in found.values()) < 2:
        return "not judged"
    return "pays" if min(values) > 0 else "harms" if max(values) < 0 else "no difference shown"


def ablation(materials):
    rows = [["correction", "material", *(heading for _, heading, _ in MEASURES), "gain of each training", "", "seconds"]]
    verdicts = {}
    for group in [g.name for g in ABLATION] + ["learned, uncorrected"]:
        for records in materials:
            if group not in records.groups():
                continue
            cells = []
            for keys, _, how in MEASURES:
                mean = lambda g: [c for s in records.seeds(group) for c in [compared(records, g, s, keys, how)] if c is not None]
                pair = [mean(g) for g in ((group, LEARNED) if group in DEFAULT_OFF else (LEARNED, group))]
                cells.append(" → ".join(shown(float(numpy.mean(m)), how) for m in pair) if all(pair) else "")
            found = gains(records, group)
            verdicts.setdefault(group, []).append(verdict(found))
            gain = "; ".join(", ".join(f"{g:+.2f}" if key == "Score" else f"{100 * g:+.1f} %" for g in each)
                             for key, each in found.items())
            times = [seconds(records, g) for g in (LEARNED, group)]
            rows.append([group, name_of(records), *cells, gain, verdicts[group][-1],
                         " → ".join(f"{t:.1f}" for t in times) if all(t is not None for t in times) else ""])
    ends = [["correction", "pays", "no difference shown", "harms", "not judged"]]
    for group, found in verdicts.items():
        ends.append([group, *(str(found.count(word)) for word in ends[0][1:])])
    return table(ends) + "\n\n" + table(rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folders", nargs="+")
    parser.add_argument("--ablation", action="store_true")
    args = parser.parse_args()
    materials = [Records(journal.read(os.path.join(f, "results.jsonl"))) for f in args.folders]
    print((ablation if args.ablation else overview)(materials))


if __name__ == "__main__":
    main()
