# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""Two-Sample Test from Python: names, ports, and a volume that is smoother than the real one."""
import numpy
from paraview import servermanager
from paraview.simple import *
from vtkmodules.vtkCommonDataModel import vtkImageData
from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy

import vae_test

vae_test.load(globals())
rock = vae_test.rock()
pore = vtk_to_numpy(servermanager.Fetch(rock).GetPointData().GetArray(0)).reshape(96, 96, 96)


def source_of(values):
    """The rock's grid with other values."""
    image = vtkImageData()
    image.CopyStructure(servermanager.Fetch(rock))
    array = numpy_to_vtk(numpy.ascontiguousarray(values).ravel(), deep=1)
    array.SetName(servermanager.Fetch(rock).GetPointData().GetArray(0).GetName())
    image.GetPointData().SetScalars(array)
    producer = TrivialProducer()
    producer.GetClientSideObject().SetOutput(image)
    return producer


random = numpy.random.default_rng(0)
noisy = numpy.where(random.random(pore.shape) < 0.1, 255 - pore, pore).astype(pore.dtype)
test = TwoSampleTest(Real=rock, Candidate=source_of(noisy), BlockSize="16", Steps=40, SurestBlocks=1,
                     Device="cpu", Threads=1)
test.UpdatePipeline()
assert test.FieldData["Accuracy"].GetRange()[0] > 0.9
assert abs(test.FieldData["Control Accuracy"].GetRange()[0] - 0.5) < 0.25
table = servermanager.Fetch(test, idx=0)
assert [table.GetValue(row, 0).ToString() for row in (0, 1)] == ["Real Against Candidate", "Real Against Real"]
assert servermanager.Fetch(test, idx=1).GetNumberOfRows() == 8
blocks = servermanager.Fetch(test, idx=2)
assert blocks.GetNumberOfBlocks() == 2
assert blocks.GetBlock(0).GetPointData().GetArray("Saliency").GetNumberOfTuples() == 16**3
for port in ("Accuracy", "History", "Blocks", "Tested Blocks", "Distances"):
    test[port].GetDataInformation()
assert test.FieldData["Sliced Wasserstein Distance"].GetRange()[0] > 1
test.UpdatePropertyInformation()
assert test.Summary.startswith("Accuracy "), test.Summary

# Realizations are time steps: all of them are the candidate.
small = {**vae_test.QUICK, "Epochs": 1}
model = VAETrain(Input=rock, **small)
generated = VAEGenerate(Input=model, Dimensions=[32, 32, 32], Prior="Normal", Realizations=4, Device="cpu")
several = TwoSampleTest(Real=rock, Candidate=generated, BlockSize="16", Steps=1, Control=0, Device="cpu",
                        Threads=1)
several.UpdatePipeline()
tested = servermanager.Fetch(several, idx=3)
volumes = vtk_to_numpy(tested.GetColumnByName("Volume"))
assert set(volumes[vtk_to_numpy(tested.GetColumnByName("Candidate")) == 1]) == {1, 2, 3}, volumes

with vae_test.captured_errors() as errors:
    try:
        TwoSampleTest(Real=rock, Candidate=rock, BlockSize="96").UpdatePipeline()
    except RuntimeError:
        pass
assert any("The real input is too small (96 x 96 x 96 voxels)" in e for e in errors), errors
print("two_sample: every check passed")
