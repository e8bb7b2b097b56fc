# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""A model file is plain safetensors: read here with numpy and json alone, by its specification."""
import json
import os

import numpy
from paraview.simple import *

import vae_test

vae_test.load(globals())
folder = vae_test.clean_folder()
path = os.path.join(folder, "m.safetensors")
VAETrain(Input=vae_test.rock(), ModelFile=path, **vae_test.QUICK).UpdatePipeline()

with open(path, "rb") as file:
    data = file.read()
length = int.from_bytes(data[:8], "little")
header = json.loads(data[8:8 + length])
body = data[8 + length:]
metadata = header.pop("__metadata__")
info = json.loads(metadata["model"])
assert metadata["format"] == "vae-paraview-5"
assert info["likelihood"] == "bernoulli"
assert info["training_dims"] == [96, 96, 96]
assert info["spacing"] == [5, 5, 5]
assert len(info["history"]) == 3
assert abs(info["channels"][0]["mean"] - 255 * 0.8) < 0.1  # porosity 0.2
end = 0
parameters = 0
for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
    begin, stop = entry["data_offsets"]
    assert begin == end, "tensors follow each other"
    end = stop
    values = numpy.frombuffer(body[begin:stop], "<f4").reshape(entry["shape"])
    assert numpy.isfinite(values).all(), name
    if not name.startswith(("prior.", "anomaly.")):
        parameters += values.size
assert end == len(body)
assert parameters == info["parameters"]
print("model_file: every check passed")
