# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""Without LibTorch the plugin loads, proxies exist, and a filter says what is missing."""
from paraview.simple import *

import vae_test

vae_test.load(globals())
model = VAETrain(Input=vae_test.rock(), **vae_test.QUICK)
with vae_test.captured_errors() as errors:
    model.UpdatePipeline()
ours = [e for e in errors if "LibTorch could not be opened" in e]
assert len(ours) == 1 and "/no/such/libvae_torch.so" in ours[0] and "libtorch-dev" in ours[0], errors
print("without_libtorch: every check passed")
