# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""pvpython that trains and saves every second, killed at 20 random moments: the file loads each
time, and the training continues from it. model.Kill.* does the same, faster, without ParaView."""
import os
import random
import subprocess
import sys
import time

import vae_test
from paraview import servermanager
from paraview.simple import *

if len(sys.argv) > 1 and sys.argv[1] == "child":
    vae_test.load(globals())
    VAETrain(Input=vae_test.rock(), Epochs=10**6, TimeBudget=0, PriorShare=0, Width=16, CheckpointInterval=1,
             ModelFile=sys.argv[2]).UpdatePipeline()
    sys.exit("the training has ended")

vae_test.load(globals())
model_file = os.path.join(vae_test.clean_folder(), "killed.safetensors")
steps = 0
for kill in range(20):
    before = os.path.getmtime(model_file) if kill else 0
    child = subprocess.Popen([sys.argv[1], __file__, "child", model_file])
    while not os.path.exists(model_file) or os.path.getmtime(model_file) == before:
        assert child.poll() is None, child.returncode
        time.sleep(0.05)
    time.sleep(random.uniform(0, 2))
    child.kill()
    child.wait()
    reader = VAEModelReader(FileName=model_file)
    with vae_test.captured_errors() as errors:
        reader.UpdatePipeline()
    assert not errors, errors
    table = servermanager.Fetch(reader)
    last = table.GetValueByName(table.GetNumberOfRows() - 1, "Step").ToInt()
    assert last > steps, (last, steps)
    steps = last
    Delete(reader)
    del reader
print(f"kill: 20 of 20 files loaded, {steps} steps in all")
