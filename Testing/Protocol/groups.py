# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""The groups of volumes that the protocol judges: how they are made, and how each of their columns comes about.

Marks: `free`, nothing was told or fitted; `fitted`, a number of the generator was fitted to this very measure of the
training part, or the measure follows from such ones; `forced`, each volume is made to have it.
"""
from dataclasses import dataclass, field

FREE, FITTED, FORCED = "free", "fitted", "forced"

# (key, heading)
COLUMNS = (
    ("Porosity", "porosity"),
    ("Scatter", "scatter of it"),
    ("S2 Error", "S2 error"),
    ("Specific Surface", "faces"),
    ("Mean Chord", "mean chord"),
    ("Lineal Path Error", "lineal path error"),
    ("Effective over Total Porosity", "effective / total"),
    ("Euler Density", "Euler density"),
    ("Kx", "K x"),
    ("Ky", "K y"),
    ("Kz", "K z"),
    ("Score", "score"),
)

# How VAE Train and VAE Generate come to them: a volume of the learned prior is cut where it has the fraction that its
# local mean asks for, whose field is fitted; the noise of the texture is fitted to faces and Euler density, and chords
# follow from porosity and faces; the random field is matched to mean and covariance of cells.
DRAWN = {"Porosity": FORCED, "Scatter": FITTED, "S2 Error": FITTED}
TEXTURED = {"Specific Surface": FITTED, "Euler Density": FITTED, "Mean Chord": FITTED}
FIELD = {"Porosity": FITTED, "Scatter": FITTED, "S2 Error": FITTED}


UNCORRECTED = {"Texture": 0, "CorrectLongWaves": 0, "CorrectFraction": 0}


@dataclass(frozen=True)
class Group:
    """Volumes that are made in one way.

    \\param generate properties of VAE Generate; None: not made by a model
    \\param train properties of VAE Train beside those of the command
    \\param model numbers that are changed in the model's file
    \\param marks of columns that are not free
    \\param kinds "phases", "grey"
    """
    name: str
    generate: dict | None = None
    train: dict = field(default_factory=dict)
    model: dict = field(default_factory=dict)
    marks: dict = field(default_factory=dict)
    kinds: tuple = ("phases", "grey")

    def mark(self, column, kind="phases"):
        """Grey values are cut nowhere, and their texture is fitted to how rough they are, not to Euler numbers."""
        mark = self.marks.get(column, FREE)
        if kind == "grey":
            return FREE if column == "Euler Density" else FITTED if mark == FORCED else mark
        return mark


REAL = "real, unseen part"
TRAINED = "real, training part"

GROUPS = (
    Group("learned", {"Prior": "Learned"}, marks={**DRAWN, **TEXTURED}),
    # Without what is calibrated at the end of a training. The local mean that the prior is told is still the training
    # part's.
    Group("learned, uncorrected", {"Prior": "Learned", **UNCORRECTED}, marks=FIELD),
    Group("random field", {"Prior": "Random Field"}, marks=FIELD),
    Group("random field, exact porosity", {"Prior": "Random Field", "FractionMode": "Training Data"},
          marks={**FIELD, "Porosity": FORCED, "Scatter": FORCED}, kinds=("phases",)),
    Group("N(0, I)", {"Prior": "Normal"}),
)

# Without a network. What is fitted is fitted to the training part alone.
BASELINES = (
    Group("truncated Gaussian field", marks=FIELD),
    Group("direct sampling"),
)

# Corrections around the flow, each switched off by itself, by a property or by a number in the model's file. Tens with
# the data's mean, which are mirrored pairs that are shifted together, are off by default, so they are switched on. Where
# there is nothing to switch off the group is left out, and the page says so: textures have a white part only after
# 3000 steps of the prior.
ABLATION = (
    Group("learned, no texture", {"Prior": "Learned", "Texture": 0}, marks=FIELD),
    Group("learned, texture without its white part", {"Prior": "Learned"}, model={"texture_white": 0},
          marks={**DRAWN, **TEXTURED}),
    Group("learned, tens with the data's mean", {"Prior": "Learned", "ReduceVariance": 1}, marks={**DRAWN, **TEXTURED}),
    Group("learned, no correction of long waves", {"Prior": "Learned", "CorrectLongWaves": 0},
          marks={**DRAWN, **TEXTURED}),
    Group("learned, no threshold of its own", {"Prior": "Learned", "CorrectFraction": 0}, marks={**FIELD, **TEXTURED}),
)


def marks_of(name):
    """Of a group by its name; an unknown one is another generator's, of which nothing is known."""
    for g in (*GROUPS, *BASELINES, *ABLATION):
        if g.name == name:
            return g
    return None


# Published, with their sources. Other rocks and sizes than here: only the relative errors compare.
PUBLISHED = (
    ("PorousMediaGAN, Berea", "K -22 %", "Mosser, Dubrule and Blunt 2017, Physical Review E 96, 043309; 24 hours on one GPU"),
    ("PoreGen2, Bentheimer", "porosity +0.3 %, K -23 %", "DFNaiff/DiffSci2, metrics of its repository; latent diffusion told a porosity field"),
    ("PoreGen2, Doddington", "porosity -8.9 %, K -44 %", "the same"),
    ("PoreGen2, Estaillades", "porosity +1.3 %, K -17 %", "the same"),
    ("PoreGen2, Ketton", "porosity +8.0 %, K -2.5 %", "the same"),
)
