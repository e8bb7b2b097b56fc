# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""The textbook's example, Testing/Demo/simplest_example.py, with fewer images and steps: its layers, its
loss beside that of the mean image, and what a traversal, a sample and a reconstruction are."""
import json
import os
import re
import sys

import numpy
import paraview.simple
from paraview import servermanager

import vae_test

vae_test.load(paraview.simple.__dict__)
folder = vae_test.clean_folder()
demo, page = sys.argv[1:3]
sys.path.insert(0, os.path.dirname(demo))
import simplest_example as example
from paraview.simple import *

images = example.digits(300)
assert images.shape == (300, 28, 28) and set(numpy.unique(images)) == {0, 255}
assert len({i.tobytes() for i in images}) > 290, "images differ"
assert (images == example.digits(300)).all(), "the same seed draws the same"
assert all(20 < (i > 0).sum() < 400 for i in images)
series = example.open_series(example.write(images, folder))
assert len(series.TimestepValues) == 300
path = os.path.join(folder, "digits.safetensors")
model = VAETrain(Input=series, ModelFile=path, Epochs=10, Threads=1, Device="cpu", **example.SETTINGS)
model.UpdatePipeline()

# The layers of the textbook, and no others.
with open(path, "rb") as file:
    header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
info = json.loads(header["__metadata__"]["model"])
shapes = {name: entry["shape"] for name, entry in header.items()
          if name.startswith(("encoder_", "decoder_"))}
assert shapes == {
    "encoder_hidden.weight": [400, 784], "encoder_hidden.bias": [400],
    "encoder_head.weight": [40, 400], "encoder_head.bias": [40],  # means and log variances of 20
    "decoder_hidden.weight": [400, 20], "decoder_hidden.bias": [400],
    "decoder_out.weight": [784, 400], "decoder_out.bias": [784]}, shapes
assert info["parameters"] == 784 * 400 + 400 + 2 * (400 * 20 + 20) + 20 * 400 + 400 + 400 * 784 + 784
assert info["likelihood"] == "bernoulli", info["likelihood"]

# -log p(x) is at most the loss. That of a probability for each pixel is known in closed form.
history = servermanager.Fetch(model)
loss = history.GetColumnByName("Loss").GetValue(history.GetNumberOfRows() - 1)
assert history.GetColumnByName("KL Weight").GetValue(0) == 1, "the bound from the first step on"
assert loss < example.loss_of_the_mean(images), (loss, example.loss_of_the_mean(images))

# A reconstruction is nearer to its image than the mean image is; a sample is an image by itself.
rebuilt = example.steps_of(VAEReconstruct(Input=series, Model=model, ComputeProbability=1), 20)
mean = (images > 0).mean(axis=0)
true = images[:20] > 0
assert ((rebuilt - true) ** 2).mean() < ((mean - true) ** 2).mean()
new = example.steps_of(example.samples(model, 3), 3)
assert new.min() >= 0 and new.max() <= 1 and numpy.abs(new[0] - new[1]).max() > 0.1

# A traversal changes the image, steadily, and passes through the reconstruction.
channel = example.informative(model, 1)[0]
walked = example.steps_of(example.traversal(model, series, channel, 5), 5)
assert numpy.abs(walked[2] - rebuilt[0]).max() < 1e-5
moved = [float(numpy.abs(w - walked[2]).mean()) for w in walked]
assert moved[0] > moved[1] > 0 and moved[4] > moved[3] > 0, moved
assert min(moved[0], moved[4]) > 0.01, moved
# Its unit is the standard deviation over all images, not over one.
encoded = VAEEncode(Input=series, Model=model)
means = []
for time in series.TimestepValues[:100]:
    encoded.UpdatePipeline(time)
    means.append(servermanager.Fetch(encoded).GetCellData().GetArray("latent_mean").GetTuple(0)[channel])
explorer = VAELatentExplorer(Input=model, Base="Mean", BlockSize=28, Dimensions=[28, 28, 1])
explorer.UpdatePipeline()
explorer.UpdatePropertyInformation()
deviation = explorer.ChannelDeviations[channel]
assert deviation > 0.7 * numpy.std(means) > 0, (deviation, numpy.std(means))
# And the best prior is one of all images.
best = VAEGenerate(Input=model, Dimensions=[28, 28, 1], Realizations=2, ComputeProbability=1)
one, other = example.steps_of(best, 2)
assert numpy.abs(one - other).max() > 0.1

# The page says what the script does.
with open(page, encoding="utf-8") as file:
    rows = dict(re.findall(r"^\| \*\*([^*|]+)\*\* \| ([^|]+?) \|", file.read(), re.M))
said = {name.replace(" ", ""): value for name, value in rows.items()}
for name, value in example.SETTINGS.items():
    wanted = "on" if name == "AllTimeSteps" else str(value)
    assert said.get(name) == wanted, (name, said.get(name), wanted)
print("simplest_example: every check passed")
