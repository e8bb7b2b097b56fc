# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""The latent space as data: encode, edit, decode, walk, explore, features; with the names that the
labels give, in ParaView's own filters, and through a state file."""
import csv
import os

from paraview import servermanager
from paraview.simple import *

import vae_test


def voxels(proxy, suffix=""):
    return bytes(memoryview(servermanager.Fetch(proxy).GetPointData().GetArray(name + suffix)))


def close(a, b):
    assert abs(a - b) < 1e-6, (a, b)


vae_test.load(globals())
folder = vae_test.clean_folder()
rock = vae_test.rock()
name = rock.PointData.GetArray(0).GetName()
model = VAETrain(registrationName="train", Input=rock, Objective="beta-VAE", Beta=0.05,
                 ValidationFraction=0, ModelFile=os.path.join(folder, "rock.safetensors"),
                 **{**vae_test.QUICK, "Epochs": 12, "StepsPerEpoch": 30, "Width": 32,
                    "LatentStride": 8})
channels = model.LatentChannels

# A chain that is made before anything has run.
latent = VAEEncode(registrationName="encode", Input=rock)
assert latent.Model.SMProxy == model.SMProxy, "the only model is chosen by itself"
decoded = VAEDecode(registrationName="decode", Input=latent)
assert decoded.Model.SMProxy == model.SMProxy
assert list(decoded.LatentArray) == ["CELLS", "latent_mean"], decoded.LatentArray
decoded.UpdatePipeline()
mean = latent.CellData["latent_mean"]
assert mean.GetNumberOfComponents() == channels and mean.GetComponentName(0) == "z0"
assert latent.CellData["latent_log_variance"].GetNumberOfComponents() == channels
assert latent.GetDataInformation().GetExtent() == (0, 12, 0, 12, 0, 12)
# It overlays the volume: a voxel, 5 wide, is the box round its point.
origin, spacing = servermanager.Fetch(rock).GetOrigin(), servermanager.Fetch(rock).GetSpacing()
for a in range(3):
    close(servermanager.Fetch(latent).GetOrigin()[a], origin[a] - spacing[a] / 2)
    close(servermanager.Fetch(latent).GetSpacing()[a], 8 * spacing[a])
reconstructed = VAEReconstruct(Input=rock, Model=model)
reconstructed.UpdatePipeline()
whole = servermanager.Fetch(reconstructed).GetPointData().GetArray(name + "_reconstruction")
assert voxels(decoded) == bytes(memoryview(whole)), "Encode then Decode is Reconstruct"
assert servermanager.Fetch(decoded).GetOrigin() == origin

# Edited by ParaView's own filters.
calculator = PythonCalculator(Input=latent, Expression="latent_mean * 0.5", ArrayName="half",
                              ArrayAssociation="Cell Data")
half = VAEDecode(Input=calculator, Model=model, LatentArray=["CELLS", "half"],
                 ComputeProbability=1)
half.UpdatePipeline()
certain = VAEDecode(Input=latent, Model=model, ComputeProbability=1)
certain.UpdatePipeline()
assert voxels(half, "_probability") != voxels(certain, "_probability")
low, high = half.PointData[name + "_probability"].GetRange()
assert 0 <= low < high <= 1, (low, high)
part = ExtractSubset(Input=latent, VOI=[0, 6, 0, 12, 3, 6])
piece = VAEDecode(Input=part, Model=model)
piece.UpdatePipeline()
assert servermanager.Fetch(piece).GetDimensions() == (48, 96, 24)
threshold = Threshold(Input=latent, Scalars=["CELLS", "latent_cell"],
                      ThresholdMethod="Below Lower Threshold")
threshold.LowerThreshold = 863  # half of the cells
threshold.UpdatePipeline()
assert threshold.GetDataInformation().GetNumberOfCells() == 864, (threshold.GetDataInformation().GetNumberOfCells(), threshold.Scalars, threshold.LowerThreshold, threshold.UpperThreshold, threshold.ThresholdMethod)
rest = VAEDecode(Input=threshold, Model=model)
rest.UpdatePipeline()
assert servermanager.Fetch(rest).GetDimensions() == (96, 96, 96)
assert voxels(rest)[:96 * 96 * 8] != voxels(rest)[-96 * 96 * 8:]

# Offsets, from the explorer to Decode.
explorer = VAELatentExplorer(registrationName="explorer", Input=model, Base="Volume", Volume=rock,
                             BlockSize=32, LatentOffsets=[0, 1.5, 0, -2])
explorer.UpdatePipeline()
explorer.UpdatePropertyInformation()
assert len(explorer.ChannelMeans) == channels, list(explorer.ChannelMeans)
assert len(explorer.ChannelQuantiles) == 257 * channels
assert min(explorer.ChannelDeviations) > 0
assert servermanager.Fetch(explorer, idx=0).GetExtent() == (32, 63) * 3
sent = VAEDecode(registrationName="sent", Input=OutputPort(explorer, 1), Model=model,
                 LatentOffsets=list(explorer.LatentOffsets))
sent.UpdatePipeline()
assert voxels(sent) != voxels(decoded)
decoded.LatentOffsets = [0, 1.5, 0, -2]
decoded.UpdatePipeline()
assert voxels(decoded) == voxels(sent), "the explorer's base is the encoding of its volume"
block, volume = servermanager.Fetch(explorer, idx=0), servermanager.Fetch(sent)
for i, j, k in ((32, 32, 32), (63, 40, 50), (63, 63, 63), (45, 32, 61)):
    assert (block.GetScalarComponentAsDouble(i, j, k, 0) ==
            volume.GetScalarComponentAsDouble(i, j, k, 0)), (i, j, k)

# Walks: time steps.
walk = VAELatentWalk(registrationName="walk", Input=model, Walk="Spherical", Steps=5, StartSeed=3,
                     EndSeed=4, Dimensions=[32, 24, 16], ComputeProbability=1)
walk.UpdatePipeline()
assert list(walk.TimestepValues) == [0.0, 1.0, 2.0, 3.0, 4.0], walk.TimestepValues
seen = []
for time in walk.TimestepValues:
    walk.UpdatePipeline(time)
    close(walk.FieldData["Walk Position"].GetRange()[0], time / 4)
    seen.append(voxels(walk, "_probability"))
assert len(set(seen)) == 5, "every step is another volume"
walk.Walk, walk.Channel, walk.Range, walk.Start, walk.StartVolume = "Traverse", 1, 2, "Volume", rock
walk.UpdatePipeline(2.0)
assert voxels(walk) == bytes(memoryview(whole)), "the middle of a traversal is its start"
walk.UpdatePipeline(0.0)
close(walk.FieldData["Walk Position"].GetRange()[0], -2)
traversed = voxels(walk)

# Features: a table and blocks with the same rows; a file that others read.
features = VAEFeatures(registrationName="features", Input=rock, Model=model, BlockSize=2)
features.UpdatePipeline()
table = servermanager.Fetch(features, idx=0)
assert table.GetNumberOfRows() == 6 ** 3, table.GetNumberOfRows()
names = [table.GetColumnName(c) for c in range(table.GetNumberOfColumns())]
assert names == ["Block", "X", "Y", "Z", *(f"z{c}" for c in range(channels)), "PCA 0", "PCA 1"], names
first, second = (table.GetFieldData().GetArray("PCA Variance").GetValue(i) for i in range(2))
total = table.GetFieldData().GetArray("Latent Variance").GetValue(0)
assert first >= second > 0 and first + second <= total * (1 + 1e-9), (first, second, total)
SaveData(os.path.join(folder, "features.csv"), proxy=features)
with open(os.path.join(folder, "features.csv"), encoding="ascii", newline="") as file:
    rows = list(csv.reader(file))
assert rows[0] == names and len(rows) == 217, (rows[0], len(rows))

# A selection of blocks by what they are is one of places: its cells are the table's rows.
blocks = OutputPort(features, 1)
chosen = Threshold(Input=blocks, Scalars=["CELLS", "PCA 0"],
                   ThresholdMethod="Above Upper Threshold")
chosen.UpperThreshold = 0
chosen.UpdatePipeline()
cells = servermanager.Fetch(chosen)
column = table.GetColumnByName("PCA 0")
wanted = [r for r in range(216) if column.GetValue(r) >= 0]
ids = cells.GetCellData().GetArray("Block")
got = [ids.GetValue(i) for i in range(cells.GetNumberOfCells())]
assert got == wanted, (got[:9], wanted[:9], len(got), len(wanted))
bounds = [0.0] * 6
cells.GetCell(5).GetBounds(bounds)
for a, axis in enumerate("XYZ"):
    close(table.GetColumnByName(axis).GetValue(wanted[5]), (bounds[2 * a] + bounds[2 * a + 1]) / 2)

# Several images as one: each block as if it were alone, in every filter that takes a volume.
upper = ExtractSubset(Input=rock, VOI=[0, 95, 0, 95, 48, 95])
group = GroupDatasets(Input=[rock, upper])
both = VAEEncode(Input=group, Model=model)
back = VAEDecode(Input=both, Model=model)
alone = VAEDecode(Input=VAEEncode(Input=upper, Model=model), Model=model)
back.UpdatePipeline()
alone.UpdatePipeline()
blocks = servermanager.Fetch(back)
assert blocks.GetNumberOfBlocks() == 2, blocks.GetClassName()
for block, expected in zip((blocks.GetBlock(0), blocks.GetBlock(1)), (whole, voxels(alone))):
    assert bytes(memoryview(block.GetPointData().GetArray(name))) == bytes(memoryview(expected))
described = VAEFeatures(Input=group, Model=model, BlockSize=2)
described.UpdatePipeline()
tables, images = (servermanager.Fetch(described, idx=i) for i in (0, 1))
rows = [tables.GetBlock(i).GetNumberOfRows() for i in range(tables.GetNumberOfBlocks())]
assert rows == [216, 108], (rows, tables.GetClassName())
assert images.GetNumberOfBlocks() == 2 and images.GetBlock(1).GetNumberOfCells() == 108

# All of it comes back from a state file.
before = voxels(sent)
state = os.path.join(folder, "state.pvsm")
SaveState(state)
ResetSession()
vae_test.load(globals())
LoadState(state)
explorer, sent, walk = FindSource("explorer"), FindSource("sent"), FindSource("walk")
assert list(explorer.LatentOffsets) == [0, 1.5, 0, -2], explorer.LatentOffsets
assert list(sent.LatentOffsets) == [0, 1.5, 0, -2], sent.LatentOffsets
sent.UpdatePipeline()
assert voxels(sent) == before
walk.UpdatePipeline(0.0)
assert voxels(walk) == traversed
train = FindSource("train")
train.UpdatePropertyInformation()
assert train.Status.startswith("Loaded from"), train.Status
print("latents: every check passed")
