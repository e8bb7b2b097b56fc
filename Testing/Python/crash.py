# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""LibTorch and Mesa's LLVM in one process, in the order that the argument names."""
import os
import sys

from paraview.simple import *

import vae_test

order = sys.argv[1]
folder = vae_test.clean_folder()


def render():
    # Volume rendering: shaders complex enough that Mesa compiles them by LLVM.
    wavelet = Wavelet()
    view = GetActiveViewOrCreate("RenderView")
    shown = Show(wavelet, view)
    shown.SetRepresentationType("Volume")
    ColorBy(shown, ("POINTS", "RTData"))
    Render(view)
    path = os.path.join(folder, "shot.png")
    SaveScreenshot(path, view, ImageResolution=[300, 300])
    assert os.path.getsize(path) > 3000, "the picture is blank"


def load():
    if order != "plugin_path":
        vae_test.load(globals())
    assert "VAETrain" in globals() or hasattr(sys.modules["paraview.simple"], "VAETrain")


def train():
    make = globals().get("VAETrain") or sys.modules["paraview.simple"].VAETrain
    model = make(Input=Wavelet(), **{**vae_test.QUICK, "PatchSize": 16})
    model.UpdatePipeline()
    assert model.GetDataInformation().GetNumberOfRows() == 3


STEPS = {"load_render": [load, render, train, render], "plugin_path": [load, render, train, render],
         "render_load": [render, load, train, render], "train_render": [load, train, render]}
for step in STEPS[order]:
    step()
with open("/proc/self/maps", encoding="utf-8") as maps:
    loaded = maps.read()
assert "libtorch_cpu" in loaded and "libgallium" in loaded, "this run proves nothing"
print("crash: every check passed")
