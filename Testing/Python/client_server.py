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

# The latent space, and what is made of it.
latent = VAEEncode(Input=rock, Model=model)
decoded = VAEDecode(Input=latent, Model=model)
decoded.UpdatePipeline()
name = rock.PointData.GetArray(0).GetName()
arrays = [servermanager.Fetch(p).GetPointData().GetArray(n)
          for p, n in ((decoded, name), (reconstruction, name + "_reconstruction"))]
assert bytes(memoryview(arrays[0])) == bytes(memoryview(arrays[1])), "Encode then Decode is Reconstruct"
walk = VAELatentWalk(Input=model, Steps=3, Dimensions=[32, 24, 16])
walk.UpdatePipeline()
assert list(walk.TimestepValues) == [0.0, 1.0, 2.0], walk.TimestepValues
seen = []
for time in walk.TimestepValues:
    walk.UpdatePipeline(time)
    assert walk.GetDataInformation().GetNumberOfPoints() == 32 * 24 * 16
    seen.append(walk.FieldData["Walk Position"].GetRange()[0])
assert seen == sorted(set(seen)), seen
features = VAEFeatures(Input=rock, Model=model, BlockSize=4)
features.UpdatePipeline()
assert servermanager.Fetch(features, idx=0).GetNumberOfRows() == 6 ** 3
explorer = VAELatentExplorer(Input=model, Base="Volume", Volume=rock, BlockSize=32,
                             LatentOffsets=[0, 1.5])
explorer.UpdatePipeline()
explorer.UpdatePropertyInformation()
assert len(explorer.ChannelMeans) == model.LatentChannels, list(explorer.ChannelMeans)
assert server.poll() is None, "pvserver is alive"
server.terminate()
print("client_server: every check passed")
