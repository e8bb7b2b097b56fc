# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""Before Apply: a short training, a small new volume. By the properties, not by the widgets, which
may become others."""
import os

from paraview import simple

source = simple.GetActiveSource()
if source.GetXMLName() == "VAETrain":
    source.TimeBudget = float(os.environ.get("VAE_GUI_SECONDS", 3))
else:
    source.Dimensions = [40, 32, 24]
