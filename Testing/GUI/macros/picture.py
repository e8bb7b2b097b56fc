# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""Take the next picture of the whole screen."""
import os
import subprocess

stem = os.environ["VAE_GUI_PICTURE"][: -len(".png")]
for step in ("-menu", "-train", "-reconstruct", ""):
    if not os.path.exists(stem + step + ".png"):
        subprocess.run(["import", "-window", "root", stem + step + ".png"], check=True, timeout=60)
        break
