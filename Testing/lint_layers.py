# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""The arrows go one way: Plugin -> Filters -> Model, and between the folders inside Model. And every
source names its licence.

What is in Model/ itself is public: Filters and Plugin may include it, and nothing that is private.
"""
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', re.M)
TORCH = re.compile(r"^(torch|ATen|c10|caffe2)/")
VTK = re.compile(r"^(vtk|pq)[A-Z]")
QT = re.compile(r"^(Q[A-Z]|Qt|pq[A-Z])")
SOURCES = {".h", ".cpp", ".cxx", ".py", ".xml", ".cmake"}
# Of Model/Torch: a folder uses those that stand after it. Backend.cpp, which is in none, uses all.
TORCH_FOLDERS = ["Comparison", "Training", "Calibration", "Inference", "Priors", "Data", "Losses",
                 "Networks", "Grid", "Runtime"]


def model_folder(path):
    """Of a path below Model: "" for what is public, Source, Statistics, or Torch/Name."""
    parts = path.parts[:-1]
    return "/".join(parts[:2] if parts[:1] == ("Torch",) else parts[:1])


def wrong_arrow(path, include):
    """Why a file of Model must not include that; both below Model. Empty: it may."""
    here, there = model_folder(path), model_folder(include)
    if there.startswith("Torch") and not here.startswith("Torch"):
        return "Torch stays in Model/Torch"
    if here == "" and there == "Source":
        return "what is public needs nothing private"
    if here.startswith("Torch/") and there.startswith("Torch/") and here != there:
        below, above = (f.split("/")[1] for f in (there, here))
        if TORCH_FOLDERS.index(below) < TORCH_FOLDERS.index(above):
            return f"{below} stands above {above}"
    return ""


def resolved(path, include):
    """Where below Model an include of a file of the project leads, or None."""
    for base in (path.parent, root / "Model"):
        target = (base / include).resolve()
        if target.is_file() and target.is_relative_to((root / "Model").resolve()):
            return target.relative_to((root / "Model").resolve())
    return None


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
            target = resolved(path, include)
            if target is None or folder not in ("Model", "Filters", "Plugin"):
                continue
            if folder == "Model":
                why = wrong_arrow(path.relative_to(root / "Model"), target)
                if why:
                    problems.append(f"{name}: includes {include}; {why}")
            elif model_folder(target) not in ("", "Statistics"):
                problems.append(f"{name}: includes {include}; only what is public in Model")

for above, below in zip(TORCH_FOLDERS, TORCH_FOLDERS[1:]):  # that it would be found
    planted = pathlib.Path("Torch", below, "Planted.cpp"), pathlib.Path("Torch", above, "Other.h")
    assert wrong_arrow(*planted) and not wrong_arrow(planted[1], planted[0]), planted
assert wrong_arrow(pathlib.Path("Model.h"), pathlib.Path("Source/JsonText.h"))
assert wrong_arrow(pathlib.Path("Source/Session.cpp"), pathlib.Path("Torch/Grid/Blocks.h"))

print("\n".join(problems) or "layers and licences are in order")
sys.exit(bool(problems))
