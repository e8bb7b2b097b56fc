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


def undo_has_removed_it():
    left = [s.GetXMLName() for s in simple.GetSources().values()]
    assert "VAETrain" not in left, left
    print("VAE GUI: every check passed", flush=True)


steps = [volume, settings, it_trains, it_has_stopped, it_goes_on, it_has_begun_anew,
         undo_has_removed_it]
kept.index += 1
print("VAE GUI: step", steps[kept.index].__name__, flush=True)
steps[kept.index]()
