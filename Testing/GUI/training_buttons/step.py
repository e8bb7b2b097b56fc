# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""What play.xml does between its clicks: settings and checks. Each run of this macro calls the next
function. A failure is a traceback in ParaView's output."""
import json
import os
import struct
import subprocess
import sys
import types

from paraview import simple

folder = os.environ["VAE_GUI_FOLDER"]
model_file = os.path.join(folder, "model.safetensors")
kept = sys.modules.setdefault("vae_gui_kept", types.SimpleNamespace(index=-1))  # from step to step


def trainer():
    found = [s for s in simple.GetSources().values() if s.GetXMLName() == "VAETrain"]
    assert len(found) == 1, f"{len(found)} trainings in the pipeline"
    found[0].UpdatePropertyInformation()
    return found[0]


def picture(name):
    path = os.path.join(folder, name + ".png")
    subprocess.run(["import", "-window", "root", path], check=True, timeout=60)


def volume():
    simple.Show(simple.Wavelet(WholeExtent=[0, 47, 0, 47, 0, 47]))
    simple.ResetCamera()


def settings():
    train = trainer()
    assert train.State == "Idle", train.State
    train.TimeBudget = 100
    train.ModelFile = model_file


def it_trains():
    train = trainer()
    assert train.State == "Training", (train.State, train.Status)
    kept.step = train.CurrentStep
    picture("training")


def it_has_stopped():
    train = trainer()
    assert train.State == "Stopped" and train.Resumable == 1, (train.State, train.Status)
    assert train.CurrentStep >= kept.step > 0
    kept.step = train.CurrentStep
    with open(model_file, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
    history = json.loads(header["__metadata__"]["model"])["history"]
    assert len(history) > 1, history
    picture("stopped")


def it_goes_on():
    train = trainer()
    assert train.State == "Training", (train.State, train.Status)
    assert train.CurrentStep > kept.step, (train.CurrentStep, kept.step)
    train.InvokeCommand("Stop")


def it_has_begun_anew():
    train = trainer()
    assert train.State == "Training", (train.State, train.Status)
    assert 0 < train.CurrentStep < kept.step, (train.CurrentStep, kept.step)
    print("VAE GUI: every check passed", flush=True)  # and ParaView is closed while it trains


def undo():
    assert trainer().State in ("Preparing", "Training"), trainer().State
    window = subprocess.run(["xdotool", "getactivewindow"], capture_output=True, check=True).stdout
    subprocess.Popen(["xdotool", "windowactivate", "--sync", window.decode().strip(), "key", "--delay",
                      "200", *["ctrl+z"] * 8])


def undo_has_stopped_it():
    picture("undo")
    charts = [r for v in simple.GetViews() if v.GetXMLName() == "XYChartView"
              for r in v.Representations]
    assert not charts, charts  # its Apply is undone
    train = trainer()
    assert train.State == "Stopped", (train.State, train.Status)
    simple.Delete(train)


steps = [volume, undo, undo_has_stopped_it, settings, it_trains, it_has_stopped,
         it_goes_on, it_has_begun_anew]
kept.index += 1
print("VAE GUI: step", steps[kept.index].__name__, flush=True)
steps[kept.index]()
