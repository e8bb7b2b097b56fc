# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""filters.py [EDGE]: under pvpython, seconds to load the plugin, and VAE Reconstruct through the pipeline, as JSON
on a line. What bench.py puts beside the library alone."""
import json
import os
import statistics
import sys
import time

import numpy
from paraview.simple import *
from vtkmodules.util.numpy_support import vtk_to_numpy

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "Demo"))
from measures import source_of

edge = int(sys.argv[1]) if len(sys.argv) > 1 else 128
began = time.perf_counter()
LoadPlugin(os.environ["VAE_BENCH_PLUGIN"], remote=False, ns=globals())
load = time.perf_counter() - began

data = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "Data", "rock_96.vti")
rock = OpenDataFile(data)
model = VAETrain(Input=rock, TimeBudget=0, Epochs=1, PriorShare=0)
model.UpdatePipeline()
array = servermanager.Fetch(rock).GetPointData().GetArray(0)
small = vtk_to_numpy(array).reshape(96, 96, 96)
times = -(-edge // 96)
producer = source_of({array.GetName(): numpy.tile(small, (times,) * 3)[:edge, :edge, :edge]})
result = VAEReconstruct(Input=producer, Model=model, ComputeError=False)
result.UpdatePipeline()
every, end = [], time.perf_counter() + 6
while not every or time.perf_counter() < end:
    producer.GetClientSideObject().GetOutputDataObject(0).Modified()
    producer.GetClientSideObject().Modified()
    producer.MarkModified(producer)
    began = time.perf_counter()
    result.UpdatePipeline()
    every.append(time.perf_counter() - began)
again = time.perf_counter()
result.UpdatePipeline()
again = time.perf_counter() - again
os.write(1, (json.dumps({"load_plugin_ms": 1e3 * load, "reconstruct": edge**3 / statistics.median(every),
                         "unchanged_ms": 1e3 * again}) + "\n").encode())
