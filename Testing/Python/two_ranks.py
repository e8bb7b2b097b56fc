# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""On several ranks VAE Train says that it runs on one, on each of them, and nobody hangs."""
from paraview.simple import *

import vae_test

vae_test.load(globals())
model = VAETrain(Input=Wavelet(), **vae_test.QUICK)
with vae_test.captured_errors() as errors:
    model.UpdatePipeline()
assert any("VAE Train runs on one process; this server has 2" in e for e in errors), errors
print("two_ranks: every check passed")
