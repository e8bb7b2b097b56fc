# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""Run the demo with a short budget and read its report."""
import os
import re
import runpy
import sys

import paraview.simple

import vae_test

vae_test.load(paraview.simple.__dict__)
folder = vae_test.clean_folder()
script, build = sys.argv[1:3]
sys.argv = [script, "--build", build, "--time-budget", "25", "--output", folder]
runpy.run_path(script)
with open(os.path.join(folder, "report.txt"), encoding="utf-8") as file:
    report = file.read()
accuracy = float(re.search(r"voxel accuracy, held out +([\d.]+)", report).group(1))
assert accuracy > 0.92, report  # 0.8 is grain everywhere
for picture in ("volumes.png", "loss.png"):
    assert os.path.getsize(os.path.join(folder, picture)) > 20000, picture
print("demo: every check passed")
