# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""What the Python tests share: the plugin, a folder to write to, captured error messages."""
import atexit
import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile

from paraview.simple import LoadPlugin, OpenDataFile

SCRATCH = os.environ["VAE_SCRATCH"]
# Latent cells of 4 voxels: what the end of a training measures, on so and so many cells, takes an
# eighth of the time.
QUICK = {"TimeBudget": 0, "Epochs": 3, "StepsPerEpoch": 10, "Width": 16, "PatchSize": 32,
         "LatentStride": 4, "Device": "cpu", "Threads": 1, "PriorShare": 0}


def load(namespace):
    LoadPlugin(os.environ["VAE_PLUGIN"], remote=False, ns=namespace)


def start_server(pvserver):
    """A pvserver with the plugin, ready for a client: the process and its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "PV_PLUGIN_PATH": os.path.dirname(os.environ["VAE_PLUGIN"])}
    server = subprocess.Popen([pvserver, f"--server-port={port}"], stdout=subprocess.PIPE, text=True,
                              env=environment)
    atexit.register(server.terminate)
    for line in server.stdout:  # a probing connection would be taken for the client
        if "Accepting connection" in line:
            break
    return server, port


def clean_folder():
    shutil.rmtree(SCRATCH, ignore_errors=True)
    os.makedirs(SCRATCH)
    return SCRATCH


def rock():
    volume = OpenDataFile(os.path.join(os.environ["VAE_DATA"], "rock_96.vti"))
    volume.UpdatePipeline()
    return volume


@contextlib.contextmanager
def captured_errors():
    """Collects what the process writes to its standard error, C++ included."""
    messages = []
    sys.stderr.flush()
    keep = os.dup(2)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield messages
        finally:
            sys.stderr.flush()
            os.dup2(keep, 2)
            os.close(keep)
            file.seek(0)
            text = file.read().decode(errors="replace")
            messages.extend(line for line in text.split("\n") if "ERR|" in line)
