# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""The protocol's page, made of its records alone. Needs numpy only."""
import numpy

from groups import COLUMNS, FREE, PUBLISHED, REAL, TRAINED, marks_of
from journal import select

PERCENT = {"S2 Error", "Lineal Path Error"}


class Records:
    def __init__(self, records):
        self.records = records
        self.settings = records[0]["settings"]

    def all(self, what, **fields):
        return select(self.records, what, **fields)

    def groups(self):
        """Names in the order in which they were made; what is real comes first."""
        names = dict.fromkeys(r["group"] for r in self.records if r["what"] == "volume")
        return sorted(names, key=lambda g: {REAL: 0, TRAINED: 1}.get(g, 2))

    def seeds(self, group):
        return list(dict.fromkeys(r.get("seed") for r in self.all("volume", group=group)))


def samples(records, group, seed, column):
    """Of each volume of a group: [values]."""
    volumes = records.all("volume", group=group, seed=seed)
    if column in ("Kx", "Ky", "Kz"):
        flows = records.all("permeability", group=group, seed=seed)
        return [r["value"]["xyz".index(column[1])] for r in flows]
    if column == "Score":
        return [r["scores"]["Score"] for r in records.all("score", group=group, seed=seed) if "Score" in r["scores"]]
    if column == "Scatter":
        column = "Porosity"
    return [r["numbers"][column] for r in volumes if column in r["numbers"]]


def value_of(records, group, seed, column):
    """(value, standard error) of one training seed; None where it was not measured."""
    if column in PERCENT:
        found = records.all("curves", group=group, seed=seed)
        return (found[-1]["errors"][column], None) if found else None
    v = numpy.array([x for x in samples(records, group, seed, column) if x is not None and numpy.isfinite(x)], float)
    if not len(v):
        return None
    if column == "Scatter":
        # The standard error of a standard deviation of normal numbers.
        return (v.std(ddof=1), v.std(ddof=1) / numpy.sqrt(2 * (len(v) - 1))) if len(v) > 1 else None
    return v.mean(), v.std(ddof=1) / numpy.sqrt(len(v)) if len(v) > 1 else None


def over_seeds(records, group, column):
    """(mean, standard error): over the seeds of training where there are several, else over the volumes."""
    found = [value_of(records, group, s, column) for s in records.seeds(group)]
    found = [f for f in found if f is not None]
    if not found:
        return None
    if len(found) == 1:
        return found[0]
    values = numpy.array([f[0] for f in found])
    return values.mean(), values.std(ddof=1) / numpy.sqrt(len(values))


def text_of(pair, percent=False):
    if pair is None:
        return ""
    mean, error = pair
    show = (lambda v: f"{100 * v:.1f}") if percent else (lambda v: f"{v:.3g}")
    return show(mean) + (f" ± {show(error)}" if error is not None else "") + (" %" if percent else "")


def table(rows):
    """Markdown; the first row is the heading."""
    lines = ["| " + " | ".join(r) + " |" for r in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]])


def main_table(records):
    present = [(key, heading) for key, heading in COLUMNS
               if any(over_seeds(records, g, key) is not None for g in records.groups())]
    rows = [["", *(h for _, h in present)]]
    for group in records.groups():
        of = marks_of(group)
        row = [group]
        for key, _ in present:
            cell = text_of(over_seeds(records, group, key), key in PERCENT)
            mark = of.mark(key, records.settings["kind"]) if of and cell else FREE
            row.append(cell if mark == FREE else f"{cell} *{mark}*")
        rows.append(row)
    return table(rows)


def seeds_table(records):
    """Of each training seed by itself."""
    rows = [["", "seed", *(h for _, h in COLUMNS)]]
    for group in records.groups():
        seeds = records.seeds(group)
        if len(seeds) > 1:
            rows += [[group, str(s), *(text_of(value_of(records, group, s, k), k in PERCENT) for k, _ in COLUMNS)]
                     for s in seeds]
    return table(rows) if len(rows) > 1 else ""


def nearest_table(records):
    found = records.all("nearest")
    if not found:
        return ""
    edge = found[0]["edge"]
    unit = "standard deviations of the data" if records.settings["kind"] == "grey" else "voxels that differ, fraction"
    rows = [["", "patches", "smallest", "5th percentile", "mean"]]
    for group in dict.fromkeys(r["group"] for r in found):
        d = numpy.concatenate([r["distances"] for r in found if r["group"] == group])
        rows.append([group, str(len(d)), f"{d.min():.4f}", f"{numpy.percentile(d, 5):.4f}", f"{d.mean():.4f}"])
    return (f"## The nearest patch\n\nDistance of {edge}^3 from the most similar place of all that was trained on, in all "
            f"its symmetries ({unit}). Rebuilt patches of the training part show what a copy would score.\n\n" + table(rows))


def two_sample_table(records):
    found = [r for r in records.all("two-sample") if r.get("result")]
    if not found:
        return ""
    names = list(dict.fromkeys(k for r in found for k in r["result"]))
    rows = [["", "seed", *names]]
    rows += [[r["group"], str(r.get("seed", "")), *(f"{r['result'][n]:.3g}" if n in r["result"] else "" for n in names)]
             for r in found]
    return "## Two-Sample Test\n\nAccuracy .5: the classifier cannot tell the group from the unseen part.\n\n" + table(rows)


def asked_table(records):
    found = records.all("asked")
    if not found:
        return ""
    rows = [["", "asked", "porosity", "S2 error", "mean chord", "real", "K mean of x, y, z", "real"]]
    for group in dict.fromkeys(r["group"] for r in found):
        for asked in sorted({r["asked"] for r in found if r["group"] == group}):
            same = [r for r in found if r["group"] == group and r["asked"] == asked]
            mean = lambda key: numpy.nanmean([r[key] for r in same])
            flow = [("K", "K real")] if all("K" in r for r in same) else []
            rows.append([group, f"{asked:.4f}", f"{mean('porosity'):.4f} *forced*", f"{100 * mean('S2 error'):.1f} %",
                         f"{mean('chord'):.3g}", f"{mean('chord real'):.3g}",
                         *(f"{mean(k):.3g}" for pair in flow for k in pair)])
            rows[-1] += [""] * (len(rows[0]) - len(rows[-1]))
    return ("## Porosity that is asked for\n\nFive values, beside blocks of the unseen part that have this porosity. S2 is "
            "compared with theirs.\n\n" + table(rows))


def pictures(records):
    found = records.all("picture")
    if not found:
        return ""
    parts = ["## Which are real?\n\nEach row has slices of the unseen part and of generated volumes in a random order."]
    parts += [f"{i}. ![Slices]({r['file']})" for i, r in enumerate(found, 1)]
    parts.append("<details><summary>The answer</summary>\n\n" +
                 table([["row", "generated by", "real are, from the left"]] +
                       [[str(i), r["group"], ", ".join(map(str, r["real"]))] for i, r in enumerate(found, 1)]) +
                 "\n\n</details>")
    return "\n\n".join(parts)


def trainings(records):
    """In words."""
    models = records.all("model")
    if not models:
        return ""
    seeds = len({r.get("seed") for r in models})
    text = f"{seeds} trainings, {numpy.mean([r['seconds'] for r in models]):.0f} s each"
    if all("processor" in r for r in models):
        text += f" ({numpy.mean([r['processor'] for r in models]):.0f} s of processor time)"
    if all("steps" in r for r in models):
        text += ", of {:.0f} steps of the autoencoder and {:.0f} of the learned prior".format(
            *numpy.mean([r["steps"] for r in models], axis=0))
    quality = [r.get("validation") for r in models]
    if all(q is not None for q in quality):
        mean = numpy.mean(quality)
        text += (f". Of the slab that they held out they rebuild {100 * mean:.1f} % of the voxels rightly"
                 if records.settings["kind"] == "phases" else f". On the slab that they held out the PSNR is {mean:.1f} dB")
    return text + "."


def notes(records):
    s = records.settings
    lines = [
        f"The volume was parted along {s['axis']}: {s['training']} voxels to train on, {s['unseen']} that nothing has seen "
        f"before it judges, {s['gap']} between them. Fits, fractions and textures are of the training part.",
        trainings(records),
        f"Volumes of {s['size']}^3 voxels; lengths in voxels, faces a voxel, permeability in voxel^2. Pores: "
        + (f"values below {s['level']:.4g}." if s["kind"] == "grey" else f"label {s['level']:g}."),
        "± is a standard error: over the trainings where there are several, else over the volumes. S2 and lineal path: of "
        "the mean curve of the volumes, against the whole unseen part. Score: of Microstructure Statistics, each volume beside "
        "the unseen part; 1: its blocks vary as those of that part do, more: they do not.",
        "Numbers are *free* unless marked. *fitted*: the generator was fitted to this measure of the training part, or the "
        "measure follows from such ones. *forced*: each volume is made to have it. Of another generator's volumes "
        "nothing is known, and nothing is marked.",
        *dict.fromkeys(f"Left out: {r['group']}: {r['why']}" for r in records.all("left out")),
    ]
    return "\n".join(f"- {line}" for line in lines if line)


def published():
    return ("## Published\n\nOf other rocks, sizes and budgets; only relative errors compare.\n\n" +
            table([["", "relative errors", "source"], *map(list, PUBLISHED)]))


def write(path, records, command=""):
    """\\param records those of the journal, the settings first"""
    r = Records(records)
    by_seed = seeds_table(r)
    parts = [
        f"# Real and generated: {r.settings['name']}",
        f"Made by `{command}`." if command else "",
        notes(r),
        "## Measures\n\n" + main_table(r),
        "### Each training\n\n" + by_seed if by_seed else "",
        two_sample_table(r),
        nearest_table(r),
        asked_table(r),
        pictures(r),
        published(),
    ]
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n\n".join(p for p in parts if p) + "\n")
