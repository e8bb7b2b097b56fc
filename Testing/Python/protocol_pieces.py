# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""The pieces of Testing/Protocol that need numpy and SciPy only: the search for copies, generators without a network,
marks of columns, the journal, the page of given records, and the page of several."""
import itertools
import os
import subprocess
import sys
import tempfile

import numpy
from scipy import ndimage

sys.path.insert(0, sys.argv[1])
import page  # noqa: E402
import summary  # noqa: E402
from baselines import TruncatedGaussian, autocovariance, direct_sampling, gaussian_correlation  # noqa: E402
from groups import ABLATION, BASELINES, COLUMNS, FITTED, FORCED, FREE, GROUPS, REAL, marks_of  # noqa: E402
from journal import Journal, read  # noqa: E402
from nearest import Nearest, patches_of, sampled, symmetries, turned  # noqa: E402
from volumes import Material, block_at_porosity  # noqa: E402


def blobs(shape, seed, phases=2, width=2.5):
    field = ndimage.gaussian_filter(numpy.random.default_rng(seed).standard_normal(shape), width, mode="wrap")
    cuts = numpy.quantile(field, numpy.linspace(0, 1, phases + 1)[1:-1])
    return numpy.searchsorted(cuts, field).astype(numpy.uint8)


# ------------------------------------------------------------------------------------ the nearest patch
def planted_copies():
    """Copies of any place, in any symmetry, have distance 0, and their place is found."""
    volume = blobs((48, 56, 64), 1)
    search = Nearest(volume, 16, [0, 1])
    all_of = symmetries((16, 16, 16))
    assert len(all_of) == 48 and len(set(all_of)) == 48
    for i, (patch, symmetry) in enumerate(zip(patches_of([volume], 16, 48, seed=2), all_of)):
        d, _, _ = search.distance(turned(patch, symmetry))
        assert d == 0, (i, symmetry, d)
    # Three phases, grey values and an image.
    for volume, phases in ((blobs((40, 40, 40), 3, 3), [0, 1, 2]),
                           (blobs((40, 40, 40), 4, 100) + numpy.random.default_rng(4).normal(0, 5, (40, 40, 40)), None),
                           (blobs((1, 96, 80), 5), [0, 1])):
        search = Nearest(volume, 16, phases)
        chosen = symmetries(search.shape)
        assert len(chosen) == (8 if volume.shape[0] == 1 else 48)
        for patch, symmetry in zip(patches_of([volume], 16, 6, seed=6), chosen[1:: len(chosen) // 7]):
            assert search.distance(turned(patch, symmetry))[0] == 0, symmetry
    # Grey values that are all off by half a standard deviation.
    grey = ndimage.gaussian_filter(numpy.random.default_rng(7).normal(0, 1, (40, 40, 40)), 2)
    search = Nearest(grey, 16, None)
    d = search.distance(grey[3:19, 11:27, 20:36] + 0.01 * grey.std())[0]
    assert abs(d - 0.01) < 1e-9, d


def beside_brute_force():
    """With step 1 the smallest distance of all places and symmetries; with a larger step never less, mostly the same."""
    volume = blobs((22, 20, 24), 8)
    patches = patches_of([blobs((40, 40, 40), 9)], 8, 6)
    exact, quick = Nearest(volume, 8, [0, 1], step=1), Nearest(volume, 8, [0, 1], step=2)
    windows = numpy.lib.stride_tricks.sliding_window_view(volume, (8, 8, 8)).reshape(-1, 512)
    same = 0
    for patch in patches:
        brute = min((windows != turned(patch, s).reshape(-1)).mean(axis=1).min() for s in symmetries(patch.shape))
        assert exact.distance(patch)[0] == brute
        d = quick.distance(patch)[0]
        assert d >= brute
        same += d == brute
    assert same >= 5, same


def the_held_out_slab_is_not_searched():
    assert sampled((100, 50, 50)) == (slice(0, 90), slice(None), slice(None))
    assert sampled((45, 50, 50)) == (slice(0, 37), slice(None), slice(None))  # one cell at least
    assert sampled((20, 50, 50)) == (slice(None),) * 3  # too thin to hold out any
    assert sampled((1, 100, 50)) == (slice(None), slice(0, 90), slice(None))
    volume = blobs((60, 40, 40), 10)
    search = Nearest(volume[sampled(volume.shape, 0.3)], 16, [0, 1])
    assert search.distance(volume[44:60, 5:21, 9:25])[0] > 0.05


# ------------------------------------------------------------------------------------ baselines
def gaussian_fields():
    # The arcsine law: at the median the indicators' covariance is asin(r) / 2 pi.
    for r in (-0.5, 0.1, 0.9):
        assert abs(gaussian_correlation(numpy.arcsin(r) / (2 * numpy.pi), 0.5) - r) < 1e-5
    assert abs(gaussian_correlation(0.2 * 0.8, 0.2) - 1) < 1e-3
    field = numpy.random.default_rng(0).random((6, 7, 8)).astype(numpy.float32)
    found = autocovariance(field, [2, 2, 2])
    for z, y, x in itertools.product((0, 1, 2), (0, -1), (0, 2)):
        a = field[max(-z, 0): 6 - max(z, 0), max(-y, 0): 7 - max(y, 0), max(-x, 0): 8 - max(x, 0)]
        b = field[max(z, 0): 6 + min(z, 0), max(y, 0): 7 + min(y, 0), max(x, 0): 8 + min(x, 0)]
        direct = (a.astype(float) * b).mean() - field.mean(dtype=float) ** 2
        assert abs(found[z, y, x] - direct) < 1e-6, (z, y, x)
    training = blobs((64, 64, 64), 11)
    for phases, of in (([0, 1], training), (None, training * 100. + 3)):
        generator = TruncatedGaussian(of, phases, 24)
        volume = generator.sample((64, 64, 64), 1)
        assert volume.shape == (64, 64, 64) and volume.dtype == of.dtype and set(numpy.unique(volume)) <= set(numpy.unique(of))
        assert (volume == generator.sample((64, 64, 64), 1)).all()
        assert (volume != generator.sample((64, 64, 64), 2)).any()
    # Of a truncated Gaussian field its own statistics come back.
    generator = TruncatedGaussian(training, [0, 1], 24)
    s2 = lambda v, lag: float(numpy.mean([((v == 0) & (numpy.roll(v, lag, a) == 0)).mean() for a in range(3)]))
    volumes = [generator.sample((64, 64, 64), s) for s in range(4)]
    for lag in (0, 1, 3, 6, 12):
        # 64^3 of blobs of width 2.5 are some 500 independent places; four volumes have 2000.
        assert abs(numpy.mean([s2(v, lag) for v in volumes]) - s2(training, lag)) < 0.03, lag


def sampled_directly():
    # A training volume of planes with period 2 has one continuation only.
    training = numpy.broadcast_to((numpy.arange(32) % 2)[:, None, None], (32, 32, 32)).astype(numpy.uint8)
    volume = direct_sampling(training, (12, 12, 12), [0, 1], 3)
    assert (volume == volume[:, :1, :1]).all() and (volume[1:] != volume[:-1]).all()
    assert (volume == direct_sampling(training, (12, 12, 12), [0, 1], 3)).all()
    grey = direct_sampling(blobs((24, 24, 24), 12) * 50. + 1, (8, 8, 8), None, 0)
    assert set(numpy.unique(grey)) <= {1., 51.}


# ------------------------------------------------------------------------------------ what is told of numbers
def marks():
    columns = {key for key, _ in COLUMNS}
    names = [g.name for g in (*GROUPS, *BASELINES)]
    assert len(set(names)) == len(names)
    for g in (*GROUPS, *BASELINES, *ABLATION):
        assert set(g.marks) <= columns and set(g.marks.values()) <= {FITTED, FORCED}, g.name
    of = lambda name, column: marks_of(name).mark(column)
    assert of("learned", "Porosity") == FORCED and of("learned", "Scatter") == FITTED
    assert of("learned", "Specific Surface") == FITTED and of("learned", "Kx") == FREE
    assert of("learned, uncorrected", "Porosity") == FITTED and of("learned, uncorrected", "Euler Density") == FREE
    assert of("learned, no texture", "Specific Surface") == FREE
    assert of("random field, exact porosity", "Scatter") == FORCED
    assert of("N(0, I)", "Porosity") == FREE
    assert of("truncated Gaussian field", "S2 Error") == FITTED
    assert of("direct sampling", "Porosity") == FREE
    assert marks_of("learned").mark("Porosity", "grey") == FITTED
    assert marks_of("learned").mark("Euler Density", "grey") == FREE
    assert marks_of("another program's") is None


def parts_do_not_touch():
    values = numpy.broadcast_to(numpy.arange(80)[:, None, None] % 2, (80, 40, 40)).astype(numpy.uint8)
    values = values + numpy.where(numpy.arange(80) >= 50, 10, 0)[:, None, None].astype(numpy.uint8)
    m = Material(values, share=0.6, gap=8)
    assert m.training.shape == (48, 40, 40) and m.unseen.shape == (24, 40, 40) and m.axis == "z"
    assert m.phases == [0, 1] and m.level == 0, m.phases  # what comes later is not known
    assert set(numpy.unique(m.unseen)) == {10, 11}
    grey = Material(numpy.random.default_rng(0).normal([[[20]] * 40 + [[80]] * 40], 1, (1, 80, 64)), gap=0)
    assert grey.kind == "grey" and 23 < grey.level < 77 and grey.axis == "y"
    pore = blobs((40, 40, 40), 13) == 0
    near = block_at_porosity(pore, 16, 0.6)
    assert all(b.shape == (16, 16, 16) for b in near)
    distance = [abs(b.mean() - 0.6) for b in near]
    assert distance == sorted(distance)


def journals(folder):
    path = os.path.join(folder, "results.jsonl")
    journal = Journal(path, {"size": (8, 8)})
    count = []
    make = lambda: count.append(1) or {"value": len(count)}
    for _ in range(2):
        assert journal.once({"what": "score", "group": "a", "seed": 1}, make)["value"] == 1
    with open(path, "a", encoding="utf-8") as file:
        file.write('{"what": "cut o')  # killed while it wrote
    again = Journal(path, {"size": [8, 8]})
    assert again.once({"what": "score", "group": "a", "seed": 1}, make)["value"] == 1
    assert again.once({"what": "score", "group": "a", "seed": 2}, make)["value"] == 2
    assert len(read(path)) == 3
    try:
        Journal(path, {"size": [9, 9]})
    except ValueError as error:
        assert "size" in str(error)
    else:
        raise AssertionError("results of other settings were taken")


def the_page(folder):
    settings = {"name": "sand.mhd", "kind": "phases", "level": 0, "axis": "z", "gap": 8, "training": "64 x 64 x 40",
                "unseen": "64 x 64 x 16", "size": 16, "realizations": 2}
    records = [{"what": "settings", "settings": settings}]
    for group, seeds in ((REAL, [None]), ("learned", [0, 1]), ("my program", [None])):
        for seed in seeds:
            for number in range(2):
                records.append({"what": "volume", "group": group, "seed": seed, "number": number,
                                "numbers": {"Porosity": 0.2 + 0.01 * number + 0.02 * (seed or 0),
                                            "Specific Surface": 0.1}})
                records.append({"what": "permeability", "group": group, "seed": seed, "number": number,
                                "value": [0., 1. + number, float("nan")]})
            records.append({"what": "curves", "group": group, "seed": seed, "number": 2,
                            "errors": {"S2 Error": 0.05, "Lineal Path Error": 0.01}})
    records += [{"what": "model", "group": "as it is", "seed": s, "seconds": 60., "steps": [400, 700 + s * 2],
                 "validation": 0.975} for s in (0, 1)]
    records.append({"what": "nearest", "group": REAL, "seed": None, "edge": 16, "distances": [0.1, 0.2]})
    records.append({"what": "asked", "group": "learned", "seed": 0, "asked": 0.25, "porosity": 0.25,
                    "porosity real": 0.24, "S2 error": 0.1, "chord": 8., "chord real": 9.})
    records.append({"what": "picture", "group": "learned", "file": "slices-learned.png", "real": [2, 3]})
    path = os.path.join(folder, "report.md")
    page.write(path, records, "command")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    row = lambda start: next(line for line in text.split("\n") if line.startswith(start))
    heading = [c.strip() for c in row("|  | porosity").strip("|").split("|")]
    cell = lambda group, column: [c.strip() for c in row(f"| {group} |").strip("|").split("|")][heading.index(column)]
    assert cell(REAL, "porosity") == "0.205 ± 0.005", cell(REAL, "porosity")
    assert cell("learned", "porosity") == "0.215 ± 0.01 *forced*", cell("learned", "porosity")  # over the seeds
    assert cell("learned", "S2 error") == "5.0 ± 0.0 % *fitted*", cell("learned", "S2 error")
    assert cell("learned", "K x") == "0 ± 0", cell("learned", "K x")  # nothing flows is a number
    assert cell("learned", "K y") == "1.5 ± 0"
    assert "K z" not in heading  # was never measured
    assert "*" not in row("| my program |")
    assert text.index("slices-learned.png") < text.index("The answer") < text.index("2, 3")
    assert "0.1050" in row(f"| {REAL} | 2 |")  # the 5th percentile
    assert "0.2500 *forced*" in text and "Mosser" in text and "2 trainings, 60 s each, of 400 steps" in text
    assert "and 701 of the learned prior" in text and "97.5 % of the voxels" in text


def the_summary():
    """Two materials; of the second the correction helps one training and hurts the other."""
    materials = []
    tens = "learned, tens with the data's mean"
    for name, without in (("sand.mhd", (1.5, 1.6)), ("foam.mhd", (1.5, 1.1))):
        records = [{"what": "settings", "settings": {"name": name, "kind": "phases"}}]
        for group, seeds, faces, scores, error in (
                (REAL, (None,), 0.1, (1.,), 0.01), ("learned", (0, 1), 0.11, (1.2, 1.3), 0.05),
                ("learned, no texture", (0, 1), 0.09, without, 0.06), (tens, (0, 1), 0.11, (1.2, 1.3), 0.04)):
            for seed, score in zip(seeds, scores):
                records.append({"what": "volume", "group": group, "seed": seed, "number": 0, "seconds": 2.,
                                "numbers": {"Specific Surface": faces}})
                records.append({"what": "score", "group": group, "seed": seed, "number": 0, "scores": {"Score": score}})
                records.append({"what": "curves", "group": group, "seed": seed, "number": 1,
                                "errors": {"S2 Error": error, "Lineal Path Error": error / 5}})
        records.append({"what": "nearest", "group": REAL, "seed": None, "edge": 16, "distances": [0.1, 0.1]})
        records.append({"what": "nearest", "group": "learned", "seed": 0, "edge": 16, "distances": [0.05, 0.05]})
        records.append({"what": "two-sample", "group": "learned", "seed": 0, "result": {"Accuracy": 0.75}})
        materials.append(page.Records(records))
    text = summary.overview(materials)
    row = next(line for line in text.split("\n") if line.startswith("| sand | learned |"))
    assert "| +10.0 % ± 0.0 % *fitted* |" in row and row.endswith("| 1.25 ± 0.05 | 0.75 | 0.50 |"), row
    text = summary.ablation(materials)
    row = lambda start: next(line for line in text.split("\n") if line.startswith(start))
    assert "| +10.0 % → -10.0 % |" in row("| learned, no texture | sand |")
    assert row("| learned, no texture | sand |").endswith(
        "| +0.2 %, +0.2 %; +0.30, +0.30 | pays | 2.0 → 2.0 |")
    assert row("| learned, no texture | foam |").endswith(
        "| +0.2 %, +0.2 %; +0.30, -0.20 | no difference shown | 2.0 → 2.0 |")
    assert row("| learned, no texture |") == "| learned, no texture | 1 | 1 | 0 | 0 |"
    assert row(f"| {tens} | sand |").endswith("| +1.0 %, +1.0 % | pays | 2.0 → 2.0 |")  # they are off by default


def the_materials(folder):
    """rock_report.py is a pretended one: each material is run twice, quickly and in full, and stands on the page."""
    programs = os.path.join(folder, "bin")
    os.makedirs(programs)
    records = [{"what": "settings", "settings": {"name": "sand.mhd", "kind": "phases"}},
               {"what": "volume", "group": REAL, "seed": None, "number": 0, "numbers": {"Specific Surface": 0.1}},
               {"what": "volume", "group": "learned", "seed": 0, "number": 0, "numbers": {"Specific Surface": 0.11}},
               {"what": "curves", "group": "learned", "seed": 0, "number": 1,
                "errors": {"S2 Error": 0.05, "Lineal Path Error": 0.01}}]
    pretended = f"""#!{sys.executable}
import json, os, sys
words = sys.argv[2:]
output = words[words.index("--output") + 1]
os.makedirs(output, exist_ok=True)
open(os.path.join({folder!r}, "log"), "a").write(" ".join(words) + "\\n")
open(os.path.join(output, "report.md"), "w").write("page")
open(os.path.join(output, "results.jsonl"), "w").writelines(json.dumps(r) + "\\n" for r in {records!r})
"""
    with open(os.path.join(programs, "pvpython"), "w", encoding="utf-8") as file:
        file.write(pretended)
    os.chmod(os.path.join(programs, "pvpython"), 0o755)
    output = os.path.join(folder, "materials")
    subprocess.run([sys.executable, os.path.join(sys.argv[1], "materials.py"), "--output", output, "--only", "--real",
                    "sand.mhd", "8", "8", "16", "--", "--epochs", "3"], check=True,
                   env={**os.environ, "PATH": programs + os.pathsep + os.environ["PATH"]})
    with open(os.path.join(folder, "log"), encoding="utf-8") as file:
        first, second = file.read().splitlines()
    assert "--crop 8 8 16 --epochs 3 --permeability 0" in first and second.endswith("--crop 8 8 16 --epochs 3")
    with open(os.path.join(output, "pages", "README.md"), encoding="utf-8") as file:
        text = file.read()
    assert "(sand/report.md)" in text and "| sand | learned | 5.0 % *fitted* |" in text, text
    assert os.path.exists(os.path.join(output, "pages", "sand", "report.md"))


planted_copies()
beside_brute_force()
the_held_out_slab_is_not_searched()
gaussian_fields()
sampled_directly()
marks()
parts_do_not_touch()
with tempfile.TemporaryDirectory() as scratch:
    journals(scratch)
    the_page(scratch)
    the_materials(scratch)
the_summary()
print("protocol_pieces: every check passed")
