# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""Open the volume that was asked for, or else a small Wavelet."""
import os

from paraview import simple

if os.environ["VAE_GUI_VOLUME"]:
    volume = simple.OpenDataFile(os.environ["VAE_GUI_VOLUME"])
else:
    volume = simple.Wavelet(WholeExtent=[0, 47, 0, 47, 0, 47])
simple.Show(volume)
simple.ResetCamera()
simple.Render()
