# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""What play.xml does between its clicks and its own checks of what the panel shows. Each run of this
macro calls the next function. A failure is a traceback in ParaView's output."""
import os
import subprocess
import sys
import types

from paraview import servermanager, simple, smtrace

kept = sys.modules.setdefault("vae_gui_kept", types.SimpleNamespace(index=-1))  # from step to step
NAMES = ("Quality", "TimeBudget", "Purpose", "PriorShare", "LatentChannels", "LatentStride")


def trainer():
    found = [s for s in simple.GetSources().values() if s.GetXMLName() == "VAETrain"]
    assert len(found) == 1, f"{len(found)} trainings in the pipeline"
    found[0].UpdatePropertyInformation()
    return found[0]


def shown():
    """What the panel shows, applied or not."""
    proxy = trainer().SMProxy
    return tuple(proxy.GetProperty(name).GetUncheckedElement(0) for name in NAMES)


def applied():
    proxy = trainer().SMProxy
    return tuple(proxy.GetProperty(name).GetElement(0) for name in NAMES)


def picture(name):
    path = os.path.join(os.environ["VAE_GUI_FOLDER"], name + ".png")
    subprocess.run(["import", "-window", "root", path], check=True, timeout=60)


def volume():
    simple.Show(simple.Wavelet(WholeExtent=[0, 47, 0, 47, 0, 47]))
    simple.ResetCamera()


def chosen():
    assert shown() == (2, 900, 2, 0, 16, 16), shown()
    assert applied() == (1, 120, 0, 0.65, 8, 8), applied()
    trainer().StepsPerEpoch = 1  # the chart wants two rows


def edited():
    assert shown() == (3, 90, 1, 0, 8, 8), shown()
    picture("presets")
    smtrace.start_trace()


def trained():
    trace = smtrace.stop_trace().replace(" = ", "=")  # assignments, or arguments of Set()
    assert applied() == (3, 90, 1, 0, 8, 8), applied()
    for line in ("Quality='Custom'", "TimeBudget=90", "Purpose='Denoise and Anomalies'", "PriorShare=0.0"):
        assert line in trace, (line, trace)
    train = trainer()
    assert train.State in ("Preparing", "Training"), (train.State, train.Status)


def undo():
    """The second Apply, and what came after it."""
    assert applied() == (0, 30, 1, 0, 8, 8), applied()
    stack = servermanager.vtkSMProxyManager.GetProxyManager().GetUndoStackBuilder().GetUndoStack()
    labels = [stack.GetUndoSetLabel(i) for i in range(stack.GetNumberOfUndoSets())]
    for _ in range(labels.index("Apply") + 1):
        stack.Undo()
    assert shown() == applied() == (3, 90, 1, 0, 8, 8), (shown(), applied())


def still():
    assert shown() == applied() == (3, 90, 1, 0, 8, 8), (shown(), applied())
    trainer().InvokeCommand("Stop")
    print("VAE GUI: every check passed", flush=True)


steps = [volume, chosen, edited, trained, undo, still]
kept.index += 1
print("VAE GUI: step", steps[kept.index].__name__, flush=True)
steps[kept.index]()
