# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""The same through pvserver: the client holds rows of the table, never the network."""
import sys

from paraview import servermanager
from paraview.simple import *

import vae_test

server, port = vae_test.start_server(sys.argv[1])
vae_test.load(globals())  # the client before it connects: it holds a domain that proxies name
Connect("127.0.0.1", port)
rock = vae_test.rock()
model = VAETrain(Input=rock, **vae_test.QUICK)
reconstruction = VAEReconstruct(Input=rock)
reconstruction.UpdatePipeline()
table = servermanager.Fetch(model)
assert table.GetNumberOfRows() == 3
assert table.GetClassName() == "vtkTable", table.GetClassName()
assert reconstruction.FieldData["Accuracy"] is not None
new = VAEGenerate(Input=model, Dimensions=[32, 32, 32])
new.UpdatePipeline()
assert new.GetDataInformation().GetNumberOfPoints() == 32**3
assert server.poll() is None, "pvserver is alive"
server.terminate()
print("client_server: every check passed")
