# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""Microstructure Statistics and Permeability from Python: names, ports, tables, and the example script
with its CSV files and picture."""
import csv
import importlib.util
import os
import sys

import numpy
from paraview import servermanager
from paraview.simple import *
from vtkmodules.numpy_interface import dataset_adapter as dsa
from vtkmodules.util.numpy_support import vtk_to_numpy

import vae_test

vae_test.load(globals())
folder = vae_test.clean_folder()
rock = vae_test.rock()
pore = vtk_to_numpy(servermanager.Fetch(rock).GetPointData().GetArray(0)).reshape(96, 96, 96) == 0

# One call: a dictionary-like table.
statistics = MicrostructureStatistics(Input=rock)
statistics.UpdatePipeline()
table = dsa.WrapDataObject(servermanager.Fetch(statistics)).RowData
assert table.keys()[0] == "Lag" and "S2 radial" in table.keys(), table.keys()
for lag in (0, 1, 7, 40):
    s2 = numpy.mean(pore[:, :, : 96 - lag] & pore[:, :, lag:])
    assert abs(table["S2 x"][lag] - s2) < 1e-12, lag
    assert table["Lag"][lag] == 5 * lag
assert statistics.FieldData["Porosity"].GetRange()[0] == pore.mean()
statistics.UpdatePropertyInformation()
assert "Porosity 0.2" in statistics.Summary, statistics.Summary

# A table was the active source: ParaView then offers its columns first. No choice of ours.
SetActiveSource(statistics)
flow = MicrostructurePermeability(Input=rock, Direction="Z", Boundary="Slip", SpacingInMetres=1e-6)
flow.UpdatePipeline()
k = flow.FieldData["Permeability [voxel^2]"].GetRange()[0]
assert 0.01 < k < 1, k
darcy = flow.FieldData["Permeability [mD]"].GetRange()[0]
assert abs(darcy / (k * 25e-12 / 9.869233e-16) - 1) < 1e-9
velocity = flow.PointData["velocity_along_z"]
assert velocity.GetNumberOfComponents() == 3
convergence = servermanager.Fetch(flow, idx=1)
assert convergence.GetColumnName(1) == "Permeability z [voxel^2]"
lines = StreamTracer(Input=flow, SeedType="Line")
lines.Vectors = ["POINTS", "velocity_along_z"]
lines.SeedType.Point1 = [240, 240, 0]
lines.SeedType.Point2 = [240, 240, 475]
lines.UpdatePipeline()

# A grey volume: not without a choice of phase.
with vae_test.captured_errors() as errors:
    grey = MicrostructureStatistics(Input=Wavelet(WholeExtent=[0, 31, 0, 31, 0, 31]))
    try:
        grey.UpdatePipeline()
    except RuntimeError:
        pass
assert any("needs an array of exactly two values" in e for e in errors), errors
grey.Phase, grey.Value = "Below", 150
grey.UpdatePipeline()
thresholds = servermanager.Fetch(grey, idx=8)
below = vtk_to_numpy(thresholds.GetColumnByName("Porosity below"))
assert len(below) == 16 and (numpy.diff(below) >= 0).all() and 0 < below[0] < below[-1] < 1, below

# The example.
spec = importlib.util.spec_from_file_location("example", sys.argv[1])
example = importlib.util.module_from_spec(spec)
spec.loader.exec_module(example)
example.__dict__.update({n: globals()[n] for n in ("MicrostructureStatistics",
                                                  "MicrostructurePermeability")})
file = os.path.join(os.environ["VAE_DATA"], "rock_96.vti")
output = os.path.join(folder, "example")
sys.argv = ["statistics.py", file, "--reference", file, "--output", output]
example.main()
made = set(os.listdir(output))
assert {"statistics.png", "two-point.csv", "measures.csv", "pore_sizes.csv"} <= made, made
with open(os.path.join(output, "measures.csv"), encoding="utf-8") as text:
    rows = {row["Measure"]: row for row in csv.DictReader(text)}
assert abs(float(rows["All Measures"]["Score"]) - 3 / 4) < 1e-9, rows["All Measures"]  # 1 - 2 / 8 blocks
assert rows["Two-Point Probability"]["Relative Error"] == "0.0"
assert os.path.getsize(os.path.join(output, "statistics.png")) > 20000
print("statistics: every check passed")
