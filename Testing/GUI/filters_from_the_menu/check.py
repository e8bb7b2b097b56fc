# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""What the filters from the menu have made. A failure is a traceback in ParaView's output."""
import math

from paraview import simple


def only(name):
    found = [s for s in simple.GetSources().values() if s.GetXMLName() == name]
    assert len(found) == 1, f"{len(found)} objects of the kind {name} in the pipeline"
    return found[0]


def array(source, name):
    found = source.PointData.GetArray(name) or source.CellData.GetArray(name)
    assert found, f"{source.GetXMLName()} has no array {name}"
    low, high = found.GetRange()
    assert math.isfinite(low) and math.isfinite(high) and low < high, f"{name}: {low} to {high}"
    print(f"{source.GetXMLName()} {name}: {low:g} to {high:g}")
    return found


def extent(source):
    return list(source.GetDataInformation().GetExtent())


train, reconstruct, generate = only("VAETrain"), only("VAEReconstruct"), only("VAEGenerate")
learnt = train.Scalars[1]

# How far the training is by now is up to the machine.
train.InvokeCommand("Wait")
simple.UpdatePipeline(proxy=reconstruct)
simple.UpdatePipeline(proxy=generate)
rows = train.GetDataInformation().GetNumberOfRows()
print(f"VAETrain: {rows} rows")
assert rows > 0

assert reconstruct.Input == train.Input, "VAE Reconstruct was not given the volume"
assert reconstruct.Model == train, "VAE Reconstruct did not choose the only model by itself"
array(reconstruct, learnt + "_reconstruction")
assert extent(reconstruct) == extent(train.Input), extent(reconstruct)

assert generate.Input == train, "VAE Generate was not given the model"
array(generate, learnt)
cells = 1 if generate.CellData.GetArray(learnt) else 0
sides = [b - a + 1 - cells for a, b in zip(extent(generate)[::2], extent(generate)[1::2])]
assert sides == [40, 32, 24], sides  # unequal, so that no exchange of axes goes unseen

print("VAE GUI: every check passed", flush=True)
