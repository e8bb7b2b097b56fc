# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""What play.xml does between its clicks: settings and checks. Each run of this macro calls the next
function. A failure is a traceback in ParaView's output."""
import os
import subprocess
import sys
import types

from paraview import servermanager, simple, smtrace

folder = os.environ["VAE_GUI_FOLDER"]
data = os.path.join(os.environ["PV_MACRO_PATH"], "..", "..", "..", "Data", "rock_96.vti")
kept = sys.modules.setdefault("vae_gui_kept", types.SimpleNamespace(index=-1))  # from step to step


def only(name):
    found = [s for s in simple.GetSources().values() if s.GetXMLName() == name]
    assert len(found) == 1, f"{len(found)} objects of the kind {name} in the pipeline"
    return found[0]


def voxels(source):
    """Probabilities where there are any: a label may stay what it is while a slider moves."""
    image = servermanager.Fetch(source)
    labels = image.GetPointData().GetScalars()
    array = image.GetPointData().GetArray(labels.GetName() + "_probability")
    return bytes(memoryview(array or labels)), image.GetExtent()


def picture(name):
    path = os.path.join(folder, name + ".png")
    subprocess.run(["import", "-window", "root", path], check=True, timeout=60)


def model():
    """Trained in a moment, or else that of the file VAE_GUI_MODEL."""
    if "VAE_GUI_MODEL" in os.environ:
        source = simple.OpenDataFile(os.environ["VAE_GUI_MODEL"])
    else:
        rock = simple.OpenDataFile(os.environ["VAE_GUI_VOLUME"] or data)
        rock.UpdatePipeline()
        source = simple.VAETrain(Input=rock, Execution="Blocking", PatchSize=32,
                                 Objective="beta-VAE", Beta=0.05, TimeBudget=0, Epochs=5, StepsPerEpoch=30, ValidationFraction=0, PriorShare=0,
                                 ModelFile=os.path.join(folder, "model.safetensors"))
    source.UpdatePipeline()
    kept.model = source.GetXMLName()
    simple.SetActiveSource(source)


def settings():
    explorer = only("VAELatentExplorer")
    explorer.UpdatePropertyInformation()
    assert len(explorer.ChannelMeans) == 8, list(explorer.ChannelMeans)  # before Apply
    explorer.Dimensions = [96, 96, 96]
    explorer.BlockSize = 48
    explorer.ComputeProbability = 1


def applied():
    explorer = only("VAELatentExplorer")
    simple.Hide(simple.OutputPort(explorer, 1))
    display = simple.Show(explorer)
    display.SetRepresentationType("Surface")
    simple.ColorBy(display, ("POINTS", explorer.PointData.GetArray(0).GetName()))
    simple.ResetCamera()
    view = simple.GetActiveView()
    view.CameraPosition, view.CameraFocalPoint = [1100, 900, 1000], [235, 235, 235]
    simple.ResetCamera()
    simple.Render()
    kept.still = voxels(explorer)
    assert kept.still[1] == (24, 71) * 3, kept.still[1]
    smtrace.start_trace()
    picture("explorer")


def moved():
    trace = smtrace.stop_trace()
    explorer = only("VAELatentExplorer")
    assert list(explorer.LatentOffsets) == [0, -1.2], explorer.LatentOffsets
    assert voxels(explorer)[0] != kept.still[0], "the slider has moved nothing"
    assert "LatentOffsets = [0.0, -1.2]" in trace, trace
    kept.moved = voxels(explorer)
    picture("slider")


def undone():
    explorer = only("VAELatentExplorer")
    assert not any(explorer.LatentOffsets[2:]), explorer.LatentOffsets
    assert explorer.LatentOffsets[:2] == [0, -1.2], explorer.LatentOffsets
    simple.Render()
    assert voxels(explorer) == kept.moved
    picture("undone")


def again():
    explorer = only("VAELatentExplorer")
    assert explorer.LatentOffsets[:2] == [2.5, -1.2], explorer.LatentOffsets
    assert voxels(explorer) != kept.moved
    picture("sliders")


def sent():
    explorer, decode = only("VAELatentExplorer"), only("VAEDecode")
    assert decode.LatentOffsets[:2] == [2.5, -1.2], decode.LatentOffsets
    assert decode.Model == only(kept.model)
    source = decode.SMProxy.GetProperty("Input")
    assert source.GetProxy(0) == explorer.SMProxy and source.GetOutputPortForConnection(0) == 1
    whole, block = servermanager.Fetch(decode), servermanager.Fetch(explorer)
    assert whole.GetDimensions() == (96, 96, 96)
    for i, j, k in ((24, 24, 24), (71, 71, 71), (40, 50, 60), (33, 66, 25)):
        assert (whole.GetScalarComponentAsDouble(i, j, k, 0) ==
                block.GetScalarComponentAsDouble(i, j, k, 0)), (i, j, k)
    picture("decode")
    # The one keeps what it was given while the other moves on; a state file has both.
    explorer.LatentOffsets = [0, 0, 1]
    simple.Render()
    assert decode.LatentOffsets[:2] == [2.5, -1.2]
    state = os.path.join(folder, "state.pvsm")
    simple.SaveState(state)
    simple.ResetSession()
    simple.LoadState(state)
    assert only("VAEDecode").LatentOffsets[:2] == [2.5, -1.2]
    assert list(only("VAELatentExplorer").LatentOffsets) == [0, 0, 1]
    print("VAE GUI: every check passed", flush=True)


steps = [model, settings, applied, moved, undone, again, sent]
kept.index += 1
print("VAE GUI: step", steps[kept.index].__name__, flush=True)
steps[kept.index]()
