# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""Whether a change of the code changed a number: three recorded cases, bit by bit.

    ./dev run pvpython Testing/Recorded/recorded.py --record FILE
    ./dev run pvpython Testing/Recorded/recorded.py --compare FILE

The cases are a training of 200 steps and what it generates (random field, learned prior, exact
fractions, texture), a reconstruction, and a fill of known data. Every array of every output goes
into a hash; the weights go in through what they make. Two records agree on one machine and one
build of LibTorch only: record before the change, compare after it. One thread, so that no neighbour
changes the order of a sum.
"""
import argparse
import hashlib
import json
import os
import sys

import numpy
from paraview import servermanager
from paraview.simple import *
from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
from vtkmodules.vtkCommonDataModel import vtkImageData

EDGE = 64


def source(name, arrays):
    """A pipeline source of an image with the arrays given, each of shape z, y, x."""
    image = vtkImageData()
    image.SetDimensions(*reversed(next(iter(arrays.values())).shape))
    image.SetSpacing(5, 5, 5)
    for key, values in arrays.items():
        array = numpy_to_vtk(values.ravel(), deep=1)
        array.SetName(key)
        image.GetPointData().AddArray(array)
    image.GetPointData().SetActiveScalars(next(iter(arrays)))
    producer = TrivialProducer(registrationName=name)
    producer.GetClientSideObject().SetOutput(image)
    producer.UpdatePipeline()
    return producer


def rock():
    """Overlapping spheres, porosity about 0.3."""
    random = numpy.random.default_rng(11)
    z, y, x = numpy.ogrid[:EDGE, :EDGE, :EDGE]
    solid = numpy.zeros((EDGE,) * 3, bool)
    for cz, cy, cx, r in zip(*(random.uniform(0, EDGE, (3, 190))), random.uniform(4, 9, 190)):
        solid |= (z - cz) ** 2 + (y - cy) ** 2 + (x - cx) ** 2 < r * r
    return solid.astype(numpy.uint8)


def hash_of(proxy):
    """One line an array of the output: its name and the hash of its bytes. Times are left out."""
    proxy.UpdatePipeline()
    data = servermanager.Fetch(proxy)
    result = {}
    for kind, attributes in (("point", data.GetPointData()), ("field", data.GetFieldData())):
        for i in range(attributes.GetNumberOfArrays()):
            array = attributes.GetArray(i)  # none for strings
            if array is not None and "Time" not in array.GetName():
                result[f"{kind} {array.GetName()}"] = hashlib.sha256(vtk_to_numpy(array).tobytes()).hexdigest()[:16]
    assert any(name.startswith("point") for name in result), result
    return result


def cases():
    volume = rock()
    whole = source("rock", {"phase": volume})
    train = VAETrain(Input=whole, TimeBudget=0, Epochs=10, StepsPerEpoch=20, Width=16, PatchSize=32, LatentStride=4,
                     Seed=5, Threads=1, Device="cpu", Precision="Float32", PriorShare=0.3)
    yield "reconstruction", VAEReconstruct(Input=whole, Model=train, Device="cpu", Precision="Float32")
    common = {"Input": train, "Dimensions": [56, 48, 40], "Seed": 3, "Device": "cpu", "Precision": "Float32"}
    yield "random field", VAEGenerate(Prior="Random Field", **common)
    yield "learned prior", VAEGenerate(Prior="Learned", **common)
    yield "fractions", VAEGenerate(FractionMode="Target Fraction", TargetFraction=0.4, PeriodicX=1, **common)
    mask = numpy.zeros(volume.shape, numpy.uint8)
    mask[:, :, 20:30] = 1
    known = source("known", {"phase": volume, "known": mask})
    for prior in ("Random Field", "Learned"):
        yield f"fill, {prior.lower()}", VAEGenerate(Prior=prior, KnownData=known, KnownMask=["POINTS", "known"],
                                                    **common)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--record", metavar="FILE", help="write the hashes")
    parser.add_argument("--compare", metavar="FILE", help="compare with the hashes of an earlier run")
    options = parser.parse_args()
    if (options.record is None) == (options.compare is None):
        parser.error("give either --record or --compare")
    LoadPlugin(os.path.join(os.environ["PV_PLUGIN_PATH"], "VAEPlugin.so"), ns=globals())
    now = {}
    for name, proxy in cases():
        now[name] = hash_of(proxy)
        print(f"{name}: {len(now[name])} arrays", flush=True)
    if options.record:
        with open(options.record, "w") as file:
            json.dump(now, file, indent=1)
        return 0
    with open(options.compare) as file:
        before = json.load(file)
    different = [f"{case}, {array}" for case in sorted({*before, *now})
                 for array in sorted({*before.get(case, {}), *now.get(case, {})})
                 if before.get(case, {}).get(array) != now.get(case, {}).get(array)]
    for line in different:
        print(f"differs: {line}")
    print("equal" if not different else f"{len(different)} arrays differ")
    return 1 if different else 0


sys.exit(main())
