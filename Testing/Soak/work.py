# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""What a user does in a day, over and over: a live training that three filters follow, stopped,
resumed, deleted while it trains. soak.py runs it in pvpython against the pvserver at port
VAE_SOAK_PORT, and in ParaView's window, where the window's own timers drive it. With VAE_SOAK_CONTROL
the window does the same with ParaView's own filters and without the plugin: what ParaView keeps of
each filter that was shown and deleted."""
import os
import sys
import time
import traceback

from paraview import simple

folder = os.environ["VAE_SCRATCH"]
server = os.environ.get("VAE_SOAK_PORT")
control = "VAE_SOAK_CONTROL" in os.environ
name = "server" if server else "control" if control else "window"


def waiting(train, condition):
    """Goes on when the condition holds; gives way to the event loop until then."""
    begin = time.time()
    while True:
        train.UpdatePropertyInformation()
        if condition():
            return
        if time.time() - begin > 300:
            raise AssertionError((train.State, train.Status, train.CurrentStep))
        yield


def one_round(number):
    make = sys.modules["paraview.simple"]
    model_file = os.path.join(folder, f"soak-{number % 4}.safetensors")
    if os.path.exists(model_file):
        os.remove(model_file)
    volume = simple.Wavelet(WholeExtent=[0, 31, 0, 31, 0, 31])
    train = make.VAETrain(Input=volume, TimeBudget=0, Epochs=100000, PriorShare=0, StepsPerEpoch=5,
                          Width=16, LatentStride=4, PatchSize=16, Execution="Live", RefreshInterval=0.2,
                          CheckpointInterval=0.5, ModelFile=model_file, Seed=number)
    simple.UpdatePipeline(proxy=train)
    yield from waiting(train, lambda: train.CurrentEpoch > 3)
    filters = [make.VAEReconstruct(Input=volume, Model=train), make.VAEEncode(Input=volume, Model=train),
               make.VAEGenerate(Input=train, Dimensions=[32, 32, 32])]
    for f in filters:
        simple.Show(f)
    for _ in range(5):
        simple.Render()
        yield
    train.InvokeCommand("Stop")
    yield from waiting(train, lambda: train.State == "Stopped")
    simple.Render()
    step = train.CurrentStep
    train.InvokeCommand("Resume")
    yield from waiting(train, lambda: train.State == "Training" and train.CurrentStep > step)
    for f in filters:
        simple.Delete(f)
    simple.Delete(train)  # while it trains
    simple.Delete(volume)
    yield


def one_control_round(number):
    volume = simple.Wavelet(WholeExtent=[0, 31, 0, 31, 0, 31])
    first = simple.Calculator(Input=volume, ResultArrayName="Result")
    simple.UpdatePipeline(proxy=first)
    filters = [simple.Gradient(Input=first), simple.PointDatatoCellData(Input=first),
               simple.ExtractSubset(Input=first, VOI=[0, 31, 0, 31, 0, 31])]
    for f in filters:
        simple.Show(f)
    for refresh in range(20):
        first.Function = f"RTData * {number} + {refresh}"
        simple.Render()
        yield
    for f in filters:
        simple.Delete(f)
    simple.Delete(first)
    simple.Delete(volume)
    yield


def rounds():
    number = 0
    while True:
        yield from one_control_round(number) if control else one_round(number)
        number += 1
        with open(os.path.join(folder, name + ".rounds"), "w", encoding="ascii") as file:
            file.write(str(number))


def step(*_):
    try:
        next(work)
    except BaseException:
        traceback.print_exc()
        os._exit(3)


work = rounds()
if not control:
    simple.LoadPlugin(os.environ["VAE_PLUGIN"], remote=False, ns=vars(simple))
if server:
    simple.Connect("127.0.0.1", int(server))
    simple.GetActiveViewOrCreate("RenderView")
    while True:
        step()
        time.sleep(0.2)
view = simple.GetActiveViewOrCreate("RenderView")
view.GetInteractor().AddObserver("TimerEvent", step)
view.GetInteractor().CreateRepeatingTimer(200)
