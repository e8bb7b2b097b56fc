# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""Train, reconstruct, generate, save, open again: with the names that the labels give."""
import os

from paraview import servermanager
from paraview.simple import *

import vae_test

vae_test.load(globals())
folder = vae_test.clean_folder()
rock = vae_test.rock()

model_file = os.path.join(folder, "rock.safetensors")
model = VAETrain(Input=rock, ModelFile=model_file, Objective="beta-VAE", Beta=0.1, ValidationFraction=0.2,
                 **{**vae_test.QUICK, "Epochs": 12, "StepsPerEpoch": 40, "Width": 32,
                    "PriorShare": 0.04})
reconstruction = VAEReconstruct(Input=rock)
assert reconstruction.Model.SMProxy == model.SMProxy, "the only model is chosen by itself"
reconstruction.UpdatePipeline()
model.UpdatePropertyInformation()
assert model.Status.startswith("Trained on cpu"), model.Status
assert model.MaskArray[1] == "None", model.MaskArray
assert os.path.exists(model_file)
table = servermanager.Fetch(model)
assert table.GetNumberOfRows() == 12, table.GetNumberOfRows()

name = rock.PointData.GetArray(0).GetName()
for suffix in ("", "_reconstruction", "_error"):
    assert reconstruction.PointData.GetArray(name + suffix) is not None, suffix
values = reconstruction.PointData.GetArray(name + "_reconstruction").GetRange()
assert values == (0.0, 255.0), values
accuracy = reconstruction.FieldData["Accuracy"].GetRange()[0]
assert accuracy > 0.85, accuracy  # 0.8 is grain everywhere

new = VAEGenerate(Input=model, Dimensions=[40, 48, 24], Realizations=3, Seed=7)
new.UpdatePipeline()
assert list(new.TimestepValues) == [0.0, 1.0, 2.0], new.TimestepValues
assert new.GetDataInformation().GetExtent() == (0, 39, 0, 47, 0, 23)
SaveData(os.path.join(folder, "new.vti"), proxy=new)
saved = OpenDataFile(os.path.join(folder, "new.vti"))
saved.UpdatePipeline()
assert saved.PointData.GetArray(name).GetRange()[0] in (0.0, 255.0)
assert servermanager.Fetch(saved).GetSpacing() == (5.0, 5.0, 5.0)

# A model saved and opened gives identical output.
copy_file = os.path.join(folder, "copy.safetensors")
SaveData(copy_file, proxy=model)
with open(copy_file, "rb") as a, open(model_file, "rb") as b:
    assert a.read() == b.read()
opened = OpenDataFile(copy_file)
again = VAEReconstruct(Input=rock, Model=opened)
again.UpdatePipeline()
first = servermanager.Fetch(reconstruction).GetPointData().GetArray(name + "_reconstruction")
second = servermanager.Fetch(again).GetPointData().GetArray(name + "_reconstruction")
assert memoryview(first).tobytes() == memoryview(second).tobytes()
print("pipeline: every check passed")
