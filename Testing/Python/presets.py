# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""Quality and Purpose of VAE Train, and the properties that they set: what is set last counts, in a
script, a state file of today and of before, and a trace."""
import os
import re

from paraview import smstate, smtrace
from paraview.simple import *

import vae_test

vae_test.load(globals())
folder = vae_test.clean_folder()
rock = vae_test.rock()
DEFAULTS = ("Good", 120, "New Volumes", 0.65, 8, 8)


def values(train):
    return (train.Quality[0], train.TimeBudget, train.Purpose[0], train.PriorShare, train.LatentChannels,
            int(train.LatentStride[0]))


def expect(train, *wanted):
    assert values(train) == wanted, (values(train), wanted)
    train.UpdatePropertyInformation()  # as the server's object has them
    assert f"Quality {wanted[0]}, Purpose {wanted[2]}." in train.Plan, (train.Plan, wanted)


train = VAETrain(Input=rock)
expect(train, *DEFAULTS)
train.Quality = "Best"
expect(train, "Best", 900, *DEFAULTS[2:])
train.TimeBudget = 60
expect(train, "Custom", 60, *DEFAULTS[2:])
train.TimeBudget = 30
expect(train, "Preview", 30, *DEFAULTS[2:])
train.Quality = "Good"
train.Purpose = "Denoise and Anomalies"
expect(train, "Good", 120, "Denoise and Anomalies", 0, 8, 8)
train.Purpose = "Compress"
expect(train, "Good", 120, "Compress", 0, 16, 16)
train.LatentChannels = 4
expect(train, "Good", 120, "Custom", 0, 4, 16)
train.Purpose = "New Volumes"
expect(train, *DEFAULTS)

# As scripts have written it since before there were presets, and in either order.
expect(VAETrain(Input=rock, TimeBudget=60), "Custom", 60, *DEFAULTS[2:])
expect(VAETrain(Input=rock, TimeBudget=120), *DEFAULTS)
expect(VAETrain(Input=rock, TimeBudget=0, Epochs=3, PriorShare=0), "Custom", 0, "Denoise and Anomalies", 0, 8, 8)
expect(VAETrain(Input=rock, Quality="Best", TimeBudget=60), "Custom", 60, *DEFAULTS[2:])
expect(VAETrain(Input=rock, TimeBudget=60, Quality="Best"), "Best", 900, *DEFAULTS[2:])
expect(VAETrain(Input=rock, Purpose="Compress", LatentStride="8"), "Good", 120, "Custom", 0, 16, 8)

# What is no entry sets nothing, and is refused in one sentence.
bad = VAETrain(Input=rock, **vae_test.QUICK)
bad.SMProxy.GetProperty("Quality").SetElement(0, 17)
bad.SMProxy.UpdateVTKObjects()
assert bad.TimeBudget == 0
with vae_test.captured_errors() as errors:
    try:
        bad.UpdatePipelineInformation()
    except RuntimeError:
        pass
assert len([e for e in errors if "Quality is 17; it must be in [0, 3]" in e]) == 1, errors

# A state of ParaView's, today's and one from before there were presets.
ResetSession()
vae_test.load(globals())
rock = vae_test.rock()
WANTED = {"named": ("Preview", 30, "Compress", 0, 16, 16), "custom": ("Custom", 60, "Custom", 0.3, 8, 4),
          "half": ("Good", 120, "Custom", 0, 8, 16)}


def make(rock):
    VAETrain(registrationName="named", Input=rock, Quality="Preview", Purpose="Compress")
    VAETrain(registrationName="custom", Input=rock, TimeBudget=60, PriorShare=0.3, LatentStride="4")
    VAETrain(registrationName="half", Input=rock, Purpose="Compress", LatentChannels=8)


def check(what):
    for name, wanted in WANTED.items():
        source = FindSource(name)
        assert source is not None, (what, name)
        expect(source, *wanted)


make(rock)
check("script")
state, before = (os.path.join(folder, name) for name in ("state.pvsm", "before.pvsm"))
SaveState(state)
with open(state, encoding="utf-8") as file:
    text = file.read()
older, removed = re.subn(r'<Property name="(?:Quality|Purpose)".*?</Property>', "", text, flags=re.S)
assert removed == 6, removed
with open(before, "w", encoding="utf-8") as file:
    file.write(older)
script = smstate.get_state()
for what, path in (("state", state), ("state of before", before)):
    ResetSession()
    vae_test.load(globals())
    LoadState(path)
    check(what)

# A state in Python, and a trace.
ResetSession()
vae_test.load(globals())
exec(script, dict(globals()))  # pylint: disable=exec-used
check("state in Python")
ResetSession()
vae_test.load(globals())
smtrace.start_trace()
make(vae_test.rock())
script = smtrace.stop_trace()
check("traced")
ResetSession()
vae_test.load(globals())
exec(script, dict(globals()))  # pylint: disable=exec-used
check("trace")
print("presets: every check passed")
