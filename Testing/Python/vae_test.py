# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""What the Python tests share: the plugin, a folder to write to, captured error messages."""
import contextlib
import os
import shutil
import sys
import tempfile

from paraview.simple import LoadPlugin, OpenDataFile

SCRATCH = os.environ["VAE_SCRATCH"]
QUICK = {"TimeBudget": 0, "Epochs": 3, "StepsPerEpoch": 10, "Width": 16, "PatchSize": 32,
         "Device": "cpu"}


def load(namespace):
    LoadPlugin(os.environ["VAE_PLUGIN"], remote=False, ns=namespace)


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
