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
                 **{**vae_test.QUICK, "Epochs": 12, "StepsPerEpoch": 20, "Width": 32,
                    "PriorShare": 0.04})
reconstruction = VAEReconstruct(Input=rock)
assert reconstruction.Model.SMProxy == model.SMProxy, "the only model is chosen by itself"
reconstruction.UpdatePipeline()
model.UpdatePropertyInformation()
assert model.Status.startswith("Trained on cpu"), model.Status
assert model.MaskArray[1] == "None", model.MaskArray
assert os.path.exists(model_file)
table = servermanager.Fetch(model)
assert table.GetNumberOfRows() == 13, table.GetNumberOfRows()  # the last one is the prior's
losses = [table.GetColumnByName("Prior Loss").GetValue(i) for i in (11, 12)]
assert losses[0] != losses[0] and 0.5 < losses[1] < 2.5, losses

name = rock.PointData.GetArray(0).GetName()
for suffix in ("", "_reconstruction", "_error"):
    assert reconstruction.PointData.GetArray(name + suffix) is not None, suffix
values = reconstruction.PointData.GetArray(name + "_reconstruction").GetRange()
assert values == (0.0, 255.0), values
accuracy = reconstruction.FieldData["Accuracy"].GetRange()[0]
assert accuracy > 0.85, accuracy  # 0.8 is grain everywhere

# Samples of the posterior are time steps.
samples = VAEReconstruct(Input=rock, Model=model, ReconstructFrom="Posterior Sample", Realizations=2, Seed=3)
samples.UpdatePipeline(1.0)
assert list(samples.TimestepValues) == [0.0, 1.0], samples.TimestepValues
assert samples.PointData.GetArray(name + "_reconstruction").GetRange() == values
Delete(samples)

new = VAEGenerate(Input=model, Dimensions=[40, 48, 24], Realizations=3, Seed=7)
new.UpdatePipeline()
assert list(new.TimestepValues) == [0.0, 1.0, 2.0], new.TimestepValues
assert new.GetDataInformation().GetExtent() == (0, 39, 0, 47, 0, 23)
SaveData(os.path.join(folder, "new.vti"), proxy=new)
saved = OpenDataFile(os.path.join(folder, "new.vti"))
saved.UpdatePipeline()
assert saved.PointData.GetArray(name).GetRange()[0] in (0.0, 255.0)
assert servermanager.Fetch(saved).GetSpacing() == (5.0, 5.0, 5.0)

# From the learned prior (of a few steps here, so that Automatic is the random field), periodic.
drawn = VAEGenerate(Input=model, Dimensions=[48, 40, 40], Prior="Learned", PeriodicX=1)
drawn.UpdatePipeline()
assert drawn.FieldData["Prior"].GetNumberOfTuples() == 1
assert servermanager.Fetch(drawn).GetFieldData().GetAbstractArray("Prior").GetValue(0) == "learned"
assert servermanager.Fetch(new).GetFieldData().GetAbstractArray("Prior").GetValue(0) == "random field"

# Known data: a borehole of 6 voxels through a piece of the rock.
piece = ExtractSubset(Input=rock, VOI=[0, 47, 0, 47, 0, 47])
known = Calculator(Input=piece, ResultArrayName="known",
                   Function="if(coordsX > 97 & coordsX < 128 & coordsY > 97 & coordsY < 128, 1, 0)")
given = VAEGenerate(Input=model, KnownData=known, KnownMask=["POINTS", "known"])
given.UpdatePipeline()
assert given.GetDataInformation().GetExtent() == (0, 47, 0, 47, 0, 47)
fetched = servermanager.Fetch(given)
truth = servermanager.Fetch(known).GetPointData()
met = fetched.GetFieldData().GetArray("Known Data Met").GetValue(0)
assert 0.5 < met <= 1, met
count = 0
for i in range(48 ** 3):
    if truth.GetArray("known").GetValue(i):
        count += 1
        assert fetched.GetPointData().GetArray(name).GetValue(i) == truth.GetArray(name).GetValue(i), i
assert count == 36 * 48, count

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
