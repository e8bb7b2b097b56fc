# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""The same through pvserver: the client holds rows of the table, never the network."""
import os
import socket
import subprocess
import sys

from paraview import servermanager
from paraview.simple import *

import vae_test

with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]
environment = {**os.environ, "PV_PLUGIN_PATH": os.path.dirname(os.environ["VAE_PLUGIN"])}
server = subprocess.Popen([sys.argv[1], f"--server-port={port}"], stdout=subprocess.PIPE, text=True,
                          env=environment)
for line in server.stdout:  # a probing connection would be taken for the client
    if "Accepting connection" in line:
        break
try:
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
finally:
    server.terminate()
print("client_server: every check passed")
