# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""Training in a thread of the server, driven from Python: here, or with the path of pvserver as
argument in another process. Then a trace of it, which makes the same model."""
import json
import os
import struct
import sys
import time

import vae_test
from paraview import servermanager, smtrace
from paraview.simple import *

vae_test.load(globals())  # the client before it connects: it holds a domain that proxies name
server = None
if len(sys.argv) > 1:
    server, port = vae_test.start_server(sys.argv[1])
    Connect("127.0.0.1", port)
folder = vae_test.clean_folder()
model_file = os.path.join(folder, "live.safetensors")


def now(train):
    train.UpdatePropertyInformation()
    return train


def wait_for(train, condition):
    for _ in range(600):
        if condition(now(train)):
            return
        time.sleep(0.05)
    raise AssertionError((train.State, train.Status, train.CurrentStep))


rock = vae_test.rock()
train = VAETrain(Input=rock, Epochs=100000, TimeBudget=0, PriorShare=0, StepsPerEpoch=5, Width=16,
                 PatchSize=16, Threads=1, Execution="Live", ModelFile=model_file, CheckpointInterval=0.5)
assert train.State == "Idle", train.State
train.UpdatePipeline()
assert now(train).State in ("Preparing", "Training"), train.State
wait_for(train, lambda t: t.CurrentEpoch > 3 and os.path.exists(model_file))
assert train.TrainingLoss > 0 and train.VoxelsPerSecond > 0 and train.Warning in ("", None)
assert "cpu" in train.DeviceInUse, train.DeviceInUse
train.InvokeCommand("Stop")
wait_for(train, lambda t: t.State == "Stopped")
step = train.CurrentStep
assert train.Resumable == 1
train.UpdatePipeline()
recon = VAEReconstruct(Input=rock, Model=train)
recon.UpdatePipeline()
train.InvokeCommand("Resume")
wait_for(train, lambda t: t.State == "Training" and t.CurrentStep > step)
Delete(recon)
del recon
Delete(train)  # while it trains
del train
while time.time() - os.path.getmtime(model_file) < 1:  # a server deletes in its own time
    time.sleep(0.1)
with open(model_file, "rb") as file:
    header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
model = json.loads(header["__metadata__"]["model"])
assert model["history"][-1]["step"] >= step // 5 * 5, (model["history"][-1], step)
assert "training" in header["__metadata__"]

# The same settings, blocking: the training of the file is resumed, here with a nearer end.
again = VAETrain(Input=rock, Epochs=model["history"][-1]["epoch"] + 2, TimeBudget=0, StepsPerEpoch=5,
                 Width=16, PatchSize=16, Threads=1, PriorShare=0,
                 InitialModel=VAEModelReader(FileName=model_file))
again.UpdatePipeline()
now(again)
assert again.State == "Finished", (again.State, again.Status)
assert again.CurrentStep == 5 * again.Epochs, (again.CurrentStep, again.Epochs)

# Tools > Start Trace: the script it writes makes the same model.
if not server:
    smtrace.start_trace()
    traced = VAETrain(registrationName="traced", Input=rock, **vae_test.QUICK)
    traced.UpdatePipeline()
    script = smtrace.stop_trace()
    assert "VAETrain(" in script and "Execution" not in script, script
    losses = servermanager.Fetch(traced).GetColumnByName("Loss")
    first = [losses.GetValue(i) for i in range(losses.GetNumberOfTuples())]
    Delete(traced)
    del traced
    exec(script, dict(globals()))  # pylint: disable=exec-used
    repeated = FindSource("traced")
    losses = servermanager.Fetch(repeated).GetColumnByName("Loss")
    assert [losses.GetValue(i) for i in range(losses.GetNumberOfTuples())] == first

if server:
    assert server.poll() is None, "pvserver is alive"
    server.terminate()
print("live: every check passed")
