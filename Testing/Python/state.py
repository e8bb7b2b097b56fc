# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""A state file brings the pipeline back without training again; a trace-like state does, too."""
import os

from paraview import servermanager
from paraview.simple import *

import vae_test

vae_test.load(globals())
folder = vae_test.clean_folder()
state = os.path.join(folder, "state.pvsm")
model = VAETrain(registrationName="train", Input=vae_test.rock(),
                 ModelFile=os.path.join(folder, "m.safetensors"), **vae_test.QUICK)
VAEReconstruct(registrationName="reconstruct", Input=FindSource("rock_96.vti"), Model=model)
generate = VAEGenerate(registrationName="generate", Input=model, Dimensions=[32, 32, 32], Seed=3)
generate.UpdatePipeline()
before = bytes(memoryview(servermanager.Fetch(generate).GetPointData().GetArray(0)))
SaveState(state)

ResetSession()
vae_test.load(globals())
LoadState(state)
train, generate = FindSource("train"), FindSource("generate")
generate.UpdatePipeline()
train.UpdatePropertyInformation()
assert train.Status.startswith("Loaded from"), train.Status
assert bytes(memoryview(servermanager.Fetch(generate).GetPointData().GetArray(0))) == before
assert FindSource("reconstruct").Model.SMProxy == train.SMProxy

# Another setting: the file no longer fits, so it is trained.
train.Seed = 5
train.UpdatePipeline()
train.UpdatePropertyInformation()
assert train.Status.startswith("Trained on"), train.Status
print("state: every check passed")
