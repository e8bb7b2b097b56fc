# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""New volumes with the names that the labels give: exact fractions, a map, time steps and blocks,
periodic axes, the field data, and all of it from a state file."""
import os

import numpy
from paraview import servermanager
from paraview.simple import *
from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
from vtkmodules.vtkCommonDataModel import vtkImageData

import vae_test


def labels(image):
    return vtk_to_numpy(image.GetPointData().GetArray(name))


def fraction(proxy, label):
    return float((labels(servermanager.Fetch(proxy)) == label).mean())


def exact(proxy, label, wanted):
    proxy.UpdatePipeline()
    got, voxels = fraction(proxy, label), len(labels(servermanager.Fetch(proxy)))
    assert abs(got - wanted) <= 1 / voxels, (got, wanted)


vae_test.load(globals())
folder = vae_test.clean_folder()
rock = vae_test.rock()
name = rock.PointData.GetArray(0).GetName()
pores = float((vtk_to_numpy(servermanager.Fetch(rock).GetPointData().GetArray(0)) == 0).mean())
model = VAETrain(registrationName="train", Input=rock, Objective="beta-VAE", Beta=0.1,
                 ModelFile=os.path.join(folder, "rock.safetensors"), **vae_test.QUICK)

# Defaults, before and after a table was the active source.
new = VAEGenerate(registrationName="new", Input=model, Dimensions=[48, 40, 33], Seed=3)
assert (new.Prior, new.FractionMode, new.Phase, new.RealizationsAs) == (
    "Automatic", "Off", "Automatic", "Time Steps"), (new.Prior, new.FractionMode, new.Phase)
assert new.TrendMap is None and list(new.TrendArray) == ["POINTS", ""], list(new.TrendArray)
new.UpdatePipeline()
assert "Learned" in new.GetProperty("Prior").Available, new.GetProperty("Prior").Available
field = servermanager.Fetch(new).GetFieldData()
assert field.GetAbstractArray("Prior").GetValue(0) == "random field"
assert new.FieldData["Seed"].GetRange() == (3.0, 3.0)
reported = vtk_to_numpy(field.GetArray("Phase Fraction"))
assert list(vtk_to_numpy(field.GetArray("Phase Label"))) == [0.0, 255.0]
assert abs(reported[0] - fraction(new, 0)) < 1e-12 and abs(reported.sum() - 1) < 1e-12

# Exact fractions: of the rarest phase, which in this rock is the pores, or of another.
new.FractionMode = "Training Data"
exact(new, 0, pores)
new.FractionMode, new.TargetFraction = "Target Fraction", 0.3
exact(new, 0, 0.3)
new.Phase = "255"
exact(new, 255, 0.3)
new.Phase = "auto"  # as scripts said before it was called Automatic
exact(new, 0, 0.3)
assert servermanager.Fetch(new).GetFieldData().GetAbstractArray("Phase").GetValue(0) == f"{name} = 0"
new.Phase = "Automatic"

# A map of 48 x 40 x 33 voxels of 5, coarser than they are.
image = vtkImageData()
image.SetDimensions(7, 6, 5)
image.SetSpacing(40, 40, 40)
ramp = numpy.broadcast_to(0.1 + numpy.arange(7) / 12, (5, 6, 7)).copy()
for array, values in (("other", 0 * ramp), ("wanted", ramp)):
    vtk_array = numpy_to_vtk(values.ravel(), deep=1)
    vtk_array.SetName(array)
    image.GetPointData().AddArray(vtk_array)
producer = TrivialProducer(registrationName="map")
producer.GetClientSideObject().SetOutput(image)
producer.UpdatePipeline()
followed = VAEGenerate(Input=model, Dimensions=[48, 40, 33], TrendMap=producer,
                       TrendArray=["POINTS", "wanted"], FractionMode="Trend Map")
exact(followed, 0, float((0.1 + numpy.arange(48) * 5 / 480).mean()))
along = (labels(servermanager.Fetch(followed)).reshape(33, 40, 48) == 0).mean(axis=(0, 1))
assert along[:16].mean() + 0.2 < along[32:].mean(), along
followed.TrendArray = ["POINTS", "other"]
exact(followed, 0, 0)

# Blocks are the time steps.
new.Realizations = 3
new.UpdatePipelineInformation()
assert list(new.TimestepValues) == [0.0, 1.0, 2.0], new.TimestepValues
steps = []
for time in new.TimestepValues:
    new.UpdatePipeline(time)
    steps.append(labels(servermanager.Fetch(new)).copy())
blocks = VAEGenerate(registrationName="blocks", Input=model, Dimensions=[48, 40, 33], Seed=3,
                     Realizations=3, RealizationsAs="Blocks", FractionMode="Target Fraction",
                     TargetFraction=0.3)
blocks.UpdatePipeline()
data = servermanager.Fetch(blocks)
assert data.GetClassName() == "vtkMultiBlockDataSet" and data.GetNumberOfBlocks() == 3
for i, step in enumerate(steps):
    assert (labels(data.GetBlock(i)) == step).all()
# Fetch of ParaView 6.1 puts "Block 0_" before the names of any multi-block.
names = [data.GetMetaData(i).Get(data.NAME()).removeprefix("Block 0_") for i in range(3)]
assert names == ["Realization 0", "Realization 1", "Realization 2"], names

# A proxy may change its mind.
new.RealizationsAs = "Blocks"
new.UpdatePipeline()
assert new.GetDataInformation().GetCompositeDataClassName() == "vtkMultiBlockDataSet"
new.RealizationsAs = "Time Steps"
new.UpdatePipeline(1.0)
assert (labels(servermanager.Fetch(new)) == steps[1]).all()

# Periodic: whole latent cells, or one sentence.
wrap = VAEGenerate(Input=model, Dimensions=[48, 40, 33], PeriodicX=1, PeriodicY=1)
wrap.UpdatePipeline()
assert wrap.GetDataInformation().GetExtent() == (0, 47, 0, 39, 0, 32)
wrap.PeriodicZ = 1
with vae_test.captured_errors() as errors:
    wrap.UpdatePipeline()
ours = [e for e in errors if "vtkVAE" in e and "returned failure" not in e]
assert len(ours) == 1 and "along z, which is to be periodic" in ours[0], errors

# All of it comes back from a state file.
state = os.path.join(folder, "state.pvsm")
Delete(followed), Delete(producer), Delete(wrap)
SaveState(state)
ResetSession()
vae_test.load(globals())
LoadState(state)
blocks = FindSource("blocks")
assert (blocks.FractionMode, blocks.TargetFraction) == ("Target Fraction", 0.3)
blocks.UpdatePipeline()
data = servermanager.Fetch(blocks)
for i, step in enumerate(steps):
    assert (labels(data.GetBlock(i)) == step).all()
print("generate: every check passed")
