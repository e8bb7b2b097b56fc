# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""The arrows go one way: Plugin -> Filters -> Model. And every source names its licence."""
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', re.M)
TORCH = re.compile(r"^(torch|ATen|c10|caffe2)/")
VTK = re.compile(r"^(vtk|pq)[A-Z]")
QT = re.compile(r"^(Q[A-Z]|Qt|pq[A-Z])")
SOURCES = {".h", ".cpp", ".cxx", ".py", ".xml", ".cmake"}

problems = []
for folder in ("Model", "Filters", "Plugin", "Testing", "Data"):
    for path in sorted((root / folder).rglob("*")):
        if path.suffix not in SOURCES and path.name != "CMakeLists.txt":
            continue
        name = path.relative_to(root)
        text = path.read_text(encoding="utf-8")
        if "SPDX-License-Identifier: BSD-3-Clause" not in text[:400]:
            problems.append(f"{name}: no SPDX licence line at the top")
        for include in INCLUDE.findall(text):
            if folder in ("Filters", "Plugin") and TORCH.match(include):
                problems.append(f"{name}: includes {include}; Torch stays in Model")
            if folder == "Model" and VTK.match(include):
                problems.append(f"{name}: includes {include}; Model knows no VTK")
            if folder in ("Model", "Filters") and QT.match(include):
                problems.append(f"{name}: includes {include}; Qt stays in Plugin")
            if folder == "Model" and path.parent.name == "Model" and (
                TORCH.match(include) or include.startswith("Torch/")
            ):
                problems.append(f"{name}: includes {include}; Torch stays in Model/Torch")

print("\n".join(problems) or "layers and licences are in order")
sys.exit(bool(problems))
