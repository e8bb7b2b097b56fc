# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""Memory and time of VAE Reconstruct on volumes of growing size (uint8, periodic copies of the rock
in Data/), in one process: ./dev run pvpython Testing/Benchmarks/large_volume.py [EDGES...]
[--budget MIB]. Peak memory is what the process used at most, less what it used before the call (which
includes the input) and less the output. It is an error if that is above 6 GiB."""
import argparse
import os
import sys
import time

import numpy
from paraview.simple import *
from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
from vtkmodules.vtkCommonDataModel import vtkImageData

parser = argparse.ArgumentParser()
parser.add_argument("edges", nargs="*", type=int, default=[256, 512, 1024])
parser.add_argument("--budget", type=float, default=0)
options = parser.parse_args()
if not hasattr(sys.modules["paraview.simple"], "VAEReconstruct"):
    LoadPlugin(os.environ["VAE_PLUGIN"], remote=False, ns=globals())


def memory(key):
    with open("/proc/self/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(key)) / 1048576  # GiB


def forget_peak():
    with open("/proc/self/clear_refs", "w", encoding="ascii") as file:
        file.write("5")


data = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "Data", "rock_96.vti")
rock = OpenDataFile(data)
model = VAETrain(Input=rock, TimeBudget=0, Epochs=10, PriorShare=0)
model.UpdatePipeline()
name = rock.PointData.GetArray(0).GetName()
small = vtk_to_numpy(servermanager.Fetch(rock).GetPointData().GetArray(0)).reshape(96, 96, 96)

first = None
worst = 0
print("edge   seconds   Mvoxels/s   s/voxel relative   peak above input and output, GiB   tiles")
for edge in options.edges:
    times = -(-edge // 96)
    values = numpy.tile(small, (times, times, times))[:edge, :edge, :edge].ravel()
    image = vtkImageData()
    image.SetDimensions(edge, edge, edge)
    array = numpy_to_vtk(values, deep=0)
    array.SetName(name)
    image.GetPointData().SetScalars(array)
    producer = TrivialProducer()
    producer.GetClientSideObject().SetOutput(image)
    result = VAEReconstruct(Input=producer, Model=model, ComputeError=False,
                            MemoryBudget=options.budget)
    forget_peak()
    before = memory("VmRSS")
    start = time.time()
    result.UpdatePipeline()
    seconds = time.time() - start
    output = edge**3 / 2**30
    peak = memory("VmHWM") - before - output
    worst = max(worst, peak)
    first = first or seconds / edge**3
    result.UpdatePropertyInformation()
    print(f"{edge:4d} {seconds:9.1f} {edge**3 / seconds / 1e6:11.2f} {seconds / edge**3 / first:18.3f} "
          f"{peak:34.2f}   {result.MemoryPlan}", flush=True)
    Delete(result)
    Delete(producer)
    del result, producer, image, array, values
sys.exit(worst > 6)
