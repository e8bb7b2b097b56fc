# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""Before Apply: a short training of one epoch, a small new volume. By the properties, not by the
widgets, which may become others. One epoch is one row: ParaView reports an error where a line chart
draws it."""
import os

from paraview import simple

source = simple.GetActiveSource()
if source.GetXMLName() == "VAETrain":
    source.TimeBudget = float(os.environ.get("VAE_GUI_SECONDS", 3))
    source.StepsPerEpoch = 100000
else:
    source.Dimensions = [40, 32, 24]
