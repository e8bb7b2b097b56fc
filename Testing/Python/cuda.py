# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""On a pretended CUDA device: train with a prior, reconstruct, generate from every prior, fill, explore,
save, open, and train on. What is drawn has no wrong values, and a model opened gives identical output."""
import ctypes
import os

import numpy
from paraview import servermanager
from paraview.simple import *
from vtkmodules.util.numpy_support import vtk_to_numpy

import vae_test


def labels(proxy, suffix=""):
    proxy.UpdatePipeline()
    return vtk_to_numpy(servermanager.Fetch(proxy).GetPointData().GetArray(name + suffix)).copy()


vae_test.load(globals())
# After ParaView's libraries and only for itself, as the plugin opens LibTorch.
devices = ctypes.CDLL(os.environ["VAE_PRETENDED_CUDA"], mode=os.RTLD_NOW | os.RTLD_LOCAL)
folder = vae_test.clean_folder()
rock = ExtractSubset(Input=vae_test.rock(), VOI=[0, 47, 0, 47, 0, 47])
rock.UpdatePipeline()
name = rock.PointData.GetArray(0).GetName()
place = {"Device": "cuda", "Precision": "Float32"}
options = {**vae_test.QUICK, **place, "PatchSize": 24, "PriorShare": 0.4, "Epochs": 6}
model_file = os.path.join(folder, "rock.safetensors")
model = VAETrain(registrationName="train", Input=rock, ModelFile=model_file, **options)
reconstruction = VAEReconstruct(Input=rock, Model=model, ComputeEntropy=1, Samples=2, ComputeAnomaly=1, **place)
first = labels(reconstruction, "_reconstruction")
model.UpdatePropertyInformation()
assert model.Status.startswith("Trained on cuda:0"), model.Status
accuracy = reconstruction.FieldData["Accuracy"].GetRange()[0]
assert accuracy > 0.75, accuracy
table = servermanager.Fetch(model)
prior_loss = table.GetColumnByName("Prior Loss").GetValue(table.GetNumberOfRows() - 1)
assert 0 < prior_loss < 2.5, prior_loss  # about 2 before it learns

drawn = {}
for prior in ("Normal", "Random Field", "Learned"):
    new = VAEGenerate(Input=model, Dimensions=[40, 33, 24], Seed=3, Prior=prior, **place)
    drawn[prior] = labels(new)
    assert set(numpy.unique(drawn[prior])) <= {0, 255}, prior
known = Calculator(Input=rock, ResultArrayName="known", Function="if(coordsX < 100, 1, 0)")
for prior in ("Random Field", "Learned"):
    filled = labels(VAEGenerate(Input=model, KnownData=known, KnownMask=["POINTS", "known"], Prior=prior, **place))
    known.UpdatePipeline()
    where = vtk_to_numpy(servermanager.Fetch(known).GetPointData().GetArray("known")) == 1
    assert 0 < where.sum() < where.size and (filled[where] == labels(rock)[where]).all(), prior

explorer = VAELatentExplorer(Input=model, Base="Volume", Volume=rock, BlockSize=32, **place)
explorer.UpdatePipeline()
latent = VAEEncode(Input=rock, Model=model, **place)
assert (labels(VAEDecode(Input=latent, Model=model, **place)) == first).all(), "Encode then Decode is Reconstruct"

# Saved and opened, on the device and on the CPU; then the training goes on from it.
copy = os.path.join(folder, "copy.safetensors")
SaveData(copy, proxy=model)
opened = OpenDataFile(copy)
assert (labels(VAEReconstruct(Input=rock, Model=opened, **place), "_reconstruction") == first).all()
new = VAEGenerate(Input=opened, Dimensions=[40, 33, 24], Seed=3, Prior="Learned", **place)
assert (labels(new) == drawn["Learned"]).all()
on_cpu = labels(VAEReconstruct(Input=rock, Model=opened, Device="cpu", Precision="Float32"), "_reconstruction")
assert (on_cpu == first).mean() > 0.999, (on_cpu == first).mean()
longer = VAETrain(registrationName="longer", Input=rock, InitialModel=VAEModelReader(FileName=copy),
                  **{**options, "Epochs": 7})
longer.UpdatePipeline()
longer.UpdatePropertyInformation()
assert longer.Status.startswith("Trained on cuda:0"), longer.Status
rows = servermanager.Fetch(longer).GetNumberOfRows()
assert rows > table.GetNumberOfRows(), rows
