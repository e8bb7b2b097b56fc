# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""Bad input: one clear sentence each, ParaView goes on."""
import os

import numpy
from paraview.simple import *
from vtkmodules.util.numpy_support import numpy_to_vtk
from vtkmodules.vtkCommonDataModel import vtkImageData

import vae_test

vae_test.load(globals())
folder = vae_test.clean_folder()


def volume(values):
    """A producer of an image with the array "v" ([z, y, x], or [z, y, x, component])."""
    image = vtkImageData()
    image.SetDimensions(*values.shape[2::-1])
    components = values.shape[3] if values.ndim == 4 else 1
    array = numpy_to_vtk(numpy.ascontiguousarray(values).reshape(-1, components), deep=1)
    array.SetName("v")
    image.GetPointData().SetScalars(array)
    producer = TrivialProducer()
    producer.GetClientSideObject().SetOutput(image)
    return producer


def expect(sentence, make):
    """Making the proxy and updating it gives one sentence; which of the two says it does not matter."""
    with vae_test.captured_errors() as errors:
        try:
            proxy = make()
            proxy.UpdatePipeline()
        except RuntimeError:
            pass
    ours = [e for e in errors if "vtkVAE" in e and "returned failure" not in e]
    assert len(ours) == 1 and sentence in ours[0], (sentence, errors)


noise = numpy.random.default_rng(1).random((16, 16, 16), numpy.float32)
holes = noise.copy()
holes[3, 4, 5] = numpy.nan
train = lambda values, **more: VAETrain(Input=volume(values), **{**vae_test.QUICK, **more})
expect("is constant", lambda: train(numpy.ones((16, 16, 16), numpy.float32)))
expect("has 1 values that are NaN or infinite", lambda: train(holes))
expect("The input is 16 x 1 x 1 voxels; training needs at least two axes", lambda: train(noise[:1, :1]))
expect("Scalars is 'nothing', but the input has no such array", lambda: train(noise, Scalars=["POINTS", "nothing"]))
expect("Device is 'cuda:0', but", lambda: train(noise, Device="cuda:0"))
expect("Time Budget and Epochs are both 0", lambda: train(noise, Epochs=0))
expect("but its folder does not exist", lambda: train(noise, ModelFile="/no/such/folder/m.safetensors"))

thesis = os.path.join(folder, "thesis.txt")
with open(thesis, "w", encoding="utf-8") as file:
    file.write("three years")
expect(f"Model File is kept as it is ({thesis}: is not a safetensors file", lambda: train(noise, ModelFile=thesis))
with open(thesis, encoding="utf-8") as file:
    assert file.read() == "three years"

empty = TrivialProducer()
empty.GetClientSideObject().SetOutput(vtkImageData())
expect("The input is empty", lambda: VAETrain(Input=empty, **vae_test.QUICK))

good = train(noise)
good.UpdatePipeline()
three = VAEReconstruct(Input=volume(numpy.stack([noise] * 3, -1)), Model=good)
expect("Array 'v' has 3 component(s); the model was trained on 1", lambda: three)
expect("The data is 2-dimensional (16 x 16 x 1)", lambda: VAEReconstruct(Input=volume(noise[:1]), Model=good))
expect("Model is not set", lambda: VAEReconstruct(Input=volume(noise), Model=None))

wrong = os.path.join(folder, "wrong.safetensors")
with open(wrong, "w", encoding="utf-8") as file:
    file.write("this is no model, but long enough to look at")
expect("is not a safetensors file", lambda: VAEModelReader(FileName=wrong))
expect("cannot be read", lambda: VAEModelReader(FileName=os.path.join(folder, "absent.safetensors")))

# And everything still works.
fine = VAEReconstruct(Input=volume(noise), Model=good)
fine.UpdatePipeline()
assert fine.PointData["v_reconstruction"] is not None
print("bad_input: every check passed")
