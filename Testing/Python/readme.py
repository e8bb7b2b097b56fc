# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""Run the README's Python example, on the small rock and with a short budget."""
import os
import re
import sys

from paraview.simple import *

import vae_test

vae_test.load(globals())
folder = vae_test.clean_folder()
with open(sys.argv[1], encoding="utf-8") as file:
    readme = file.read()
example = re.search(r"```python\n(.*?)```", readme, re.S).group(1)
assert "VAETrain" in example and "VAEGenerate" in example
rock = os.path.join(os.environ["VAE_DATA"], "rock_96.vti")
for said, instead in (('"berea_400.mhd"', repr(rock)), ("TimeBudget=120", "TimeBudget=5"),
                      ("[512, 512, 512]", "[64, 64, 64]")):
    assert said in example, f"the README no longer has {said}"
    example = example.replace(said, instead)
os.chdir(folder)
exec(example, globals())
assert set(os.listdir(folder)) == {"berea.safetensors", "new.vti"}, os.listdir(folder)
print("readme: every check passed")
