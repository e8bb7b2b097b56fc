# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""bench.py beside a stand-in for the program, which fails where it trains: every other result is kept, the failure
is named, and the exit status is 1."""
import json
import os
import stat
import subprocess
import sys
import tempfile

here = os.path.dirname(os.path.abspath(__file__))
STAND_IN = """#!{python}
import json, sys
what = sys.argv[1]
if what == "train":
    sys.exit(3)
print(json.dumps([] if what == "layers" else {{"matrix_gflops": 2.0, "convolution_gflops": 1.0}} if what == "roofline"
                 else {{"encode": 1.5, "decode": 2.5}}))
"""

with tempfile.TemporaryDirectory() as folder:
    os.mkdir(os.path.join(folder, "bin"))
    program = os.path.join(folder, "bin", "vae_bench")
    with open(program, "w", encoding="utf-8") as file:
        file.write(STAND_IN.format(python=sys.executable))
    os.chmod(program, os.stat(program).st_mode | stat.S_IXUSR)
    output = os.path.join(folder, "bench.json")
    done = subprocess.run([sys.executable, os.path.join(here, "bench.py"), "--build", folder, "--edges", "32",
                           "--rounds", "1", "--device", "cuda", "--output", output],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    print(done.stdout, done.stderr)
    assert done.returncode == 1, done.returncode
    assert "train" in done.stderr and "failed with 3" in done.stderr
    with open(output, encoding="utf-8") as file:
        whole = json.load(file)
    assert whole["results"]["32^3: encode"]["median"] == 1.5, whole
    assert any(text.startswith("train:") for text in whole["failed"]), whole["failed"]
    with open(os.path.splitext(output)[0] + ".jsonl", encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    assert [line["status"] for line in lines if line["name"] == "train"] == [3], lines
    assert sum(line["result"] is not None for line in lines) >= 3, lines
