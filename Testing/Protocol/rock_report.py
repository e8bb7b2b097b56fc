# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""Train on one part of a volume, generate, and judge what comes out beside another part that nothing has seen:

    ./dev run pvpython Testing/Protocol/rock_report.py VOLUME [--output DIR] [--seconds 900 | --epochs N]
        [--seeds 0,1,2] [--size 128] [--realizations 20] [--permeability 6] [--patches 200] [--asked 3] [--scored 3]
        [--groups NAME;NAME] [--two-sample NAME;NAME] [--ablation] [--other NAME=FOLDER ...] [--no-training]
        [--share 0.6] [--gap 8] [--crop X Y Z] [--pore LABEL] [--train Name=Value ...]

Writes report.md with pictures into DIR, and results.jsonl, one line a result. A run that is begun again with the same
settings goes on where it ended. VOLUME: phases or grey values, any image that ParaView opens, or a .npy file.

Groups (groups.py): the learned prior with and without its corrections, the random field, N(0, I), a truncated Gaussian field,
direct sampling. --other judges the volumes of another generator, a folder of .npy, .vti or .mhd files; with
--no-training nothing else is made. --ablation adds the learned prior with each correction switched off by itself;
summary.py puts the ablations of several materials side by side. Device, Precision and Memory Budget of --train are
also those of what is generated. Lengths are in voxels.
"""
import argparse
import hashlib
import os
import shlex
import sys
import time

import numpy

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import page  # noqa: E402
from baselines import TruncatedGaussian, direct_sampling  # noqa: E402
from groups import ABLATION, BASELINES, GROUPS, REAL, TRAINED  # noqa: E402
from journal import Journal  # noqa: E402
from measuring import (curve_errors, has_two_sample, measure, permeability, png, say, score,  # noqa: E402
                       two_sample)
from models import Trainer, generate, rebuilt  # noqa: E402
from nearest import Nearest, patches_of, sampled  # noqa: E402
from volumes import Material, block_at_porosity, blocks_of, porosities, read, read_folder  # noqa: E402

MOST_LAGS = 50  # of the errors of curves
SEARCHED = ("learned", "random field", "direct sampling")
PICTURED = ("learned", "random field", "N(0, I)", *(g.name for g in BASELINES))


class Protocol:
    def __init__(self, args):
        self.args = args
        data = read(args.volume)
        if args.crop:
            data = numpy.ascontiguousarray(data[tuple(slice(0, n) for n in args.crop[::-1])])
        self.material = material = Material(data, args.share, args.gap, args.pore)
        sides = [n for n in material.unseen.shape if n > 1]
        self.size = args.size or min(128, min(sides) // 8 * 8)
        if self.size > min(sides):
            raise ValueError(f"--size is {self.size}; the unseen part has {min(sides)} voxels along its shortest axis")
        self.dims = [self.size if n > 1 else 1 for n in data.shape[::-1]]
        self.trainer = Trainer(args, material.training)
        self.journal = Journal(os.path.join(args.output, "results.jsonl"), {
            "name": os.path.basename(args.volume), "sha256": hashlib.sha256(data.tobytes()).hexdigest(),
            "kind": material.kind, "level": material.level, "axis": material.axis, "gap": args.gap,
            "training": " x ".join(map(str, material.training.shape[::-1])),
            "unseen": " x ".join(map(str, material.unseen.shape[::-1])),
            "size": self.size, "realizations": args.realizations, "train": self.trainer.settings})
        self.random = numpy.random.default_rng(0)
        self.kept = {}

    # ------------------------------------------------------------------------------------ volumes
    def path(self, group, seed, number):
        name = "".join(c if c.isalnum() else "_" for c in f"{group}_{seed}_{number}")
        return os.path.join(self.args.output, "volumes", name + ".npz")

    def volumes(self, group, seed=None):
        """Those of a group that were measured."""
        numbers = [r["number"] for r in self.journal.all("volume", group=group, seed=seed)]
        return [numpy.load(self.path(group, seed, n))["values"] for n in numbers]

    def made(self, group, seed, volumes):
        """Measures volumes, an iterable, and keeps them. Those that are in the journal are not asked for. The processor's
        seconds that it takes to make one go into the journal."""
        began, many, before = time.time(), 0, time.process_time()
        for number, values in volumes:
            seconds = time.process_time() - before
            numpy.savez_compressed(self.path(group, seed, number), values=values)
            numbers, curves = measure(self.material.pores(values))
            if self.material.kind == "grey":
                numbers |= {"Mean": float(values.mean()), "Standard Deviation": float(values.std())}
            self.journal.add({"what": "volume", "group": group, "seed": seed, "number": number, "numbers": numbers,
                              "seconds": round(seconds, 3),
                              "curves": {k: [round(float(v), 7) for v in c[: self.size // 2]] for k, c in curves.items()}})
            many, before = many + 1, time.process_time()
        if many:
            say(f"{group}, seed {seed}: {many} volumes in {time.time() - began:.0f} s")

    def missing(self, group, seed, number):
        there = {r["number"] for r in self.journal.all("volume", group=group, seed=seed)}
        return [i for i in range(number) if i not in there]

    def real(self):
        for group, part in ((REAL, self.material.unseen), (TRAINED, self.material.training)):
            blocks = blocks_of(part, self.size)
            self.made(group, None, ((i, blocks[i]) for i in self.missing(group, None, len(blocks))))

    def reference(self):
        """Curves of the whole unseen part."""
        record = self.journal.once({"what": "reference"}, lambda: {
            "curves": {k: [float(v) for v in c[: self.size // 2]]
                       for k, c in measure(self.material.pores(self.material.unseen))[1].items()}})
        return {k: numpy.array(c) for k, c in record["curves"].items()}

    def trained(self, group, seed):
        """Volumes of a model."""
        wanted = self.missing(group.name, seed, self.args.realizations)
        if not wanted or self.journal.all("left out", group=group.name, seed=seed):
            return
        model, record = self.trainer.model(seed, group.train)
        self.journal.once({"what": "model", "group": self.trainer.name(group.train), "seed": seed}, lambda: record)
        try:
            if group.model:
                model = self.trainer.changed(seed, group.train, group.model)
            properties = {**self.trainer.run, **group.generate}
            self.made(group.name, seed, generate(model, self.dims, seed, wanted, properties, self.args.realizations))
        except RuntimeError as error:
            say(f"left out: {group.name}: {error}")
            self.journal.add({"what": "left out", "group": group.name, "seed": seed, "why": str(error)})

    def baseline(self, group):
        wanted = self.missing(group.name, None, self.args.realizations if "Gaussian" in group.name
                              else min(self.args.realizations, self.args.sampled))
        if not wanted:
            return
        m, shape = self.material, tuple(self.dims[::-1])
        if "Gaussian" in group.name:
            field = TruncatedGaussian(m.training, m.phases, min(64, self.size // 2))
            volumes = ((i, field.sample(shape, i)) for i in wanted)
        else:
            volumes = ((i, direct_sampling(m.training, shape, m.phases, i)) for i in wanted)
        self.made(group.name, None, volumes)

    def others(self):
        for name, folder in self.args.other:
            volumes = read_folder(folder)
            self.made(name, None, ((i, volumes[i]) for i in self.missing(name, None, len(volumes))))

    # ------------------------------------------------------------------------------------ measures
    def seeds_of(self, group):
        return list(dict.fromkeys(r["seed"] for r in self.journal.all("volume", group=group)))

    def groups(self):
        return list(dict.fromkeys(r["group"] for r in self.journal.records if r["what"] == "volume"))

    def curves(self):
        reference = self.reference()
        for group in self.groups():
            for seed in self.seeds_of(group):
                found = self.journal.all("volume", group=group, seed=seed)
                mean = {k: numpy.mean([r["curves"][k] for r in found], axis=0) for k in reference}
                self.journal.once({"what": "curves", "group": group, "seed": seed, "number": len(found)},
                                  lambda: {"errors": curve_errors(mean, reference, MOST_LAGS)})

    def each(self, what, most, make, groups=None):
        """A record for the first volumes of each group."""
        for group in groups or self.groups():
            for seed in self.seeds_of(group) if most else []:
                for r in self.journal.all("volume", group=group, seed=seed)[:most]:
                    path = self.path(group, seed, r["number"])
                    self.journal.once({"what": what, "group": group, "seed": seed, "number": r["number"]},
                                      lambda: make(self.material.pores(numpy.load(path)["values"])))
            if most:
                say(f"{what}: {group}")

    def nearest(self):
        args, m = self.args, self.material
        if not args.patches:
            return
        edge = 32 if self.size >= 32 else 16
        inside = sampled(m.training.shape, self.trainer.settings.get("ValidationFraction", 0.1),
                         self.trainer.settings.get("LatentStride", 8))
        searched, held = m.training[inside], tuple(
            slice(s.stop, None) if s.stop is not None else s for s in inside)
        jobs = [(REAL, None, lambda: [m.unseen])]
        if all(n >= edge or n == 1 for n in m.training[held].shape) and searched.shape != m.training.shape:
            jobs.append(("real, held out of the training", None, lambda: [m.training[held]]))
        for seed in self.args.seeds if self.journal.all("model") else []:
            for texture in (False, True):
                name = "rebuilt training patches" + (", with texture" if texture else "")
                jobs.append((name, seed, lambda seed=seed, texture=texture: [
                    rebuilt(self.trainer.model(seed, {})[0], self.trainer.file(seed, {}), m.training, m.phases,
                            texture, self.trainer.run)[inside]]))
        for group in self.groups():
            if group in SEARCHED or group in dict(args.other):
                jobs += [(group, seed, lambda group=group, seed=seed: self.volumes(group, seed))
                         for seed in self.seeds_of(group)]
        search = None
        for group, seed, volumes in jobs:
            number = args.patches if seed is None else -(-args.patches // len(args.seeds))
            key = {"group": group, "seed": seed, "number": number}
            if not self.journal.all("nearest", **key):
                search = search or Nearest(searched, edge, m.phases)
                began = time.time()
                distances = search.distances(patches_of(volumes(), edge, number))
                self.journal.add({"what": "nearest", **key, "edge": edge, "distances": distances})
                say(f"nearest patch: {group}, seed {seed}: 5th percentile {numpy.percentile(distances, 5):.4f} "
                    f"({time.time() - began:.0f} s)")

    def two_sample(self):
        if not has_two_sample():
            say("left out: this build has no Two-Sample Test")
            return
        for group in self.groups():
            if group in self.args.two_sample or group in dict(self.args.other):
                for seed in self.seeds_of(group):
                    volumes = lambda: [self.material.training] if group == TRAINED else self.volumes(group, seed)
                    self.journal.once({"what": "two-sample", "group": group, "seed": seed}, lambda: {
                        "result": two_sample([self.material.unseen], volumes())})
                    say(f"two-sample test: {group}, seed {seed}")

    def asked(self, seed):
        """Porosities that are asked for, beside blocks of the unseen part that have them."""
        m, args = self.material, self.args
        if not args.asked or m.kind == "grey" or not self.journal.all("volume", group="learned", seed=seed):
            return
        pore = m.pores(m.unseen)
        for wanted in numpy.percentile(porosities(pore, self.size), [5, 25, 50, 75, 95]):
            wanted = round(float(wanted), 4)
            key = {"what": "asked", "group": "learned", "seed": seed, "asked": wanted}
            self.journal.once(key, lambda: self.compared(
                seed, wanted, lambda: block_at_porosity(pore, self.size, wanted)))

    def means(self, volumes):
        found = [measure(v) for v in volumes]
        return {"porosity": float(numpy.mean([n["Porosity"] for n, _ in found])),
                "chord": float(numpy.mean([n["Mean Chord"] for n, _ in found])),
                "curves": {k: numpy.mean([c[k] for _, c in found], axis=0) for k in ("S2", "Lineal Path")},
                **({"K": float(numpy.nanmean([permeability(v) for v in volumes[: self.args.permeability]]))}
                   if self.args.permeability else {})}

    def compared(self, seed, wanted, real):
        m, args = self.material, self.args
        properties = {**self.trainer.run, "Prior": "Learned", "FractionMode": "Target Fraction", "TargetFraction": wanted,
                      "Phase": f"{m.level:g}"}
        model = self.trainer.model(seed, {})[0]
        new = [m.pores(v) for _, v in generate(model, self.dims, 1000 + seed, range(args.asked), properties, args.asked)]
        if wanted not in self.kept:
            self.kept[wanted] = self.means(real())
        of = {"new": self.means(new), "real": self.kept[wanted]}
        say(f"asked for {wanted}, seed {seed}")
        return {"porosity": of["new"]["porosity"], "porosity real": of["real"]["porosity"],
                "S2 error": curve_errors(of["new"]["curves"], of["real"]["curves"],
                                         min(MOST_LAGS, self.size // 2))["S2 Error"],
                "chord": of["new"]["chord"], "chord real": of["real"]["chord"],
                **({"K": of["new"]["K"], "K real": of["real"]["K"]} if args.permeability else {})}

    def pictures(self):
        m = self.material
        cut = lambda v: (m.pores(v) if m.phases is not None and len(m.phases) == 2 else v)[v.shape[0] // 2]
        real = [cut(v) for v in self.volumes(REAL)]
        low, high = float(m.training.min()), float(m.training.max())
        for group in self.groups():
            if group not in PICTURED and group not in dict(self.args.other):
                continue
            new = [cut(v) for v in self.volumes(group, self.seeds_of(group)[0])[:3]]
            # A group's order must not depend on which other groups there are.
            random = numpy.random.default_rng(int(hashlib.sha256(group.encode()).hexdigest()[:8], 16))
            slices = [(True, s) for s in real[:3]] + [(False, s) for s in new]
            slices = [slices[i] for i in random.permutation(len(slices))]
            file = "slices-" + "".join(c if c.isalnum() else "-" for c in group) + ".png"
            png([s for _, s in slices], os.path.join(self.args.output, file), low, high)
            self.journal.once({"what": "picture", "group": group}, lambda: {
                "file": file, "real": [i for i, (is_real, _) in enumerate(slices, 1) if is_real]})

    # ------------------------------------------------------------------------------------ all of it
    def run(self):
        args = self.args
        self.real()
        chosen = [g for g in (*GROUPS, *(ABLATION if args.ablation else ()))
                  if self.material.kind in g.kinds and (not args.groups or g.name in args.groups)]
        for seed in [] if args.no_training else args.seeds:
            for group in chosen:
                self.trained(group, seed)
            self.page()
        for group in BASELINES:
            if not args.no_training and (not args.groups or group.name in args.groups):
                self.baseline(group)
        self.others()
        self.curves()
        self.page()
        self.each("permeability", args.permeability, lambda pore: {"value": permeability(pore)})
        unseen = self.material.pores(self.material.unseen)
        self.each("score", args.scored, lambda pore: {"scores": score(pore, unseen)})
        self.nearest()
        self.two_sample()
        for seed in [] if args.no_training else args.seeds:
            self.asked(seed)
        self.pictures()
        self.page()
        say(f"made report.md and results.jsonl in {os.path.abspath(args.output)}")

    def page(self):
        command = "./dev run pvpython Testing/Protocol/rock_report.py " + shlex.join(
            [os.path.basename(self.args.volume), *self.args.words])
        page.write(os.path.join(self.args.output, "report.md"), self.journal.records, command)


def parsed(words):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    names = lambda text: [n for n in text.split(";") if n]
    pair = lambda text: tuple(text.split("=", 1))
    parser.add_argument("volume")
    parser.add_argument("--output", default="vae-report")
    parser.add_argument("--seconds", type=float, default=900, help="Time Budget of each training")
    parser.add_argument("--epochs", type=int, default=0, help="instead of seconds: the same on every machine")
    parser.add_argument("--seeds", type=lambda text: [int(s) for s in text.split(",")], default=[0, 1, 2])
    parser.add_argument("--size", type=int, default=0, help="edge of what is generated; 0: what the unseen part has")
    parser.add_argument("--realizations", type=int, default=20)
    parser.add_argument("--sampled", type=int, default=4, help="volumes by direct sampling, which takes minutes each")
    parser.add_argument("--permeability", type=int, default=6, help="volumes of each group and seed")
    parser.add_argument("--scored", type=int, default=3, help="volumes of each group and seed")
    parser.add_argument("--patches", type=int, default=200, help="of each group, whose nearest place is looked for")
    parser.add_argument("--asked", type=int, default=3, help="volumes at each porosity that is asked for")
    parser.add_argument("--groups", type=names, default=[])
    parser.add_argument("--two-sample", type=names, default=[TRAINED, *PICTURED])
    parser.add_argument("--ablation", action="store_true")
    parser.add_argument("--other", nargs="*", type=pair, default=[], metavar="NAME=FOLDER")
    parser.add_argument("--no-training", action="store_true")
    parser.add_argument("--share", type=float, default=0.6, help="of the volume, to train on")
    parser.add_argument("--gap", type=int, default=8, help="voxels between the parts")
    parser.add_argument("--crop", type=int, nargs=3, metavar=("X", "Y", "Z"), help="only the first voxels of each axis")
    parser.add_argument("--pore", type=float)
    parser.add_argument("--train", nargs="*", type=pair, default=[], metavar="Name=Value")
    args = parser.parse_args(words)
    args.words = words[1:]
    return args


def main():
    args = parsed(sys.argv[1:])
    os.makedirs(os.path.join(args.output, "volumes"), exist_ok=True)
    try:
        Protocol(args).run()
    except ValueError as error:
        sys.exit(f"[report] error: {error}")


if __name__ == "__main__":
    main()
