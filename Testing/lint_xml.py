# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""The proxies' XML: documented, ranges that contain their defaults, labels that give the names
of the Python API, enumerations and defaults equal to the C++."""
import pathlib
import re
import sys
import xml.etree.ElementTree as ElementTree

root = pathlib.Path(sys.argv[1])
options = "".join((root / name).read_text() for name in
                  ("Model/Options.h", "Model/Statistics/Options.h"))
problems = []


def cxx_enum(name):
    """{"Flips": 1, ...} of an enum class in Options.h whose values are all written out."""
    body = re.search(r"enum class %s\s*\{(.*?)\};" % name, options, re.S).group(1)
    return {k: int(v) for k, v in re.findall(r"(\w+)\s*=\s*(\d+)", body)}


def cxx_defaults(struct):
    body = re.search(r"struct %s\s*\{(.*?)\n\};" % struct, options, re.S).group(1)
    found = re.findall(r"^\s*[\w:]+ (\w+) = ([^;]+);", body, re.M)
    return {k: v.strip('"') for k, v in found}


DEFAULTS = {
    "VAETrain": {**cxx_defaults("TrainOptions"), **cxx_defaults("NetworkOptions"),
                 **cxx_defaults("SessionOptions")},
    "VAEModelReader": cxx_defaults("LoadOptions"),
    "VAEReconstruct": {**cxx_defaults("RunOptions"), **cxx_defaults("ReconstructOptions")},
    "VAEEncode": cxx_defaults("RunOptions"),
    "VAEDecode": cxx_defaults("RunOptions"),
    "VAEFeatures": {**cxx_defaults("RunOptions"), **cxx_defaults("FeatureOptions")},
    "VAELatentWalk": {**cxx_defaults("RunOptions"), **cxx_defaults("WalkOptions")},
    "VAELatentExplorer": {**cxx_defaults("RunOptions"), **cxx_defaults("ExplorerOptions")},
    "MicrostructureStatistics": {**cxx_defaults("RunOptions"), **cxx_defaults("StatisticsOptions")},
    "MicrostructurePermeability": cxx_defaults("PermeabilityOptions"),
    "VAEGenerate": {**cxx_defaults("RunOptions"), **cxx_defaults("GenerateOptions"),
                    **cxx_defaults("FractionOptions")},
}


def number(text):
    """A C++ default as a number: 2e-3, true, Symmetry::Cube."""
    if text in ("true", "false"):
        return float(text == "true")
    enum = re.match(r"(\w+)::(\w+)$", text)
    return cxx_enum(enum.group(1))[enum.group(2)] if enum else float(text)


checked_defaults = 0
for path in sorted((root / "Plugin").glob("*.xml")):
    for proxy in ElementTree.parse(path).getroot().iter():
        if proxy.tag not in ("SourceProxy", "WriterProxy"):
            continue
        name = proxy.get("name")

        def complain(what):
            problems.append(f"{path.name}: {name}: {what}")

        if path.stem != name:
            complain("one XML a proxy: the file has the proxy's name")
        documentation = proxy.find("Documentation")
        if documentation is None or not documentation.get("short_help"):
            complain("no documentation with short_help")
        if name != proxy.get("label").replace(" ", ""):
            complain(f"label '{proxy.get('label')}' is not the name in words")
        labels = set()
        grouped = {p.get("name") for g in proxy.findall("PropertyGroup") for p in g}
        names = {p.get("name") for p in proxy if p.tag.endswith("Property")}
        for stray in grouped - names:
            complain(f"a group names '{stray}', which is no property")
        for prop in proxy:
            if not prop.tag.endswith("Property"):
                continue
            what = prop.get("name")
            text = prop.findtext("Documentation")
            if not text or not text.strip():
                complain(f"{what} is not documented")
            label = prop.get("label", what)
            if label.replace(" ", "") != what:
                complain(f"label '{label}' of {what} is not the name in words")
            if label in labels:
                complain(f"label '{label}' twice")
            labels.add(label)
            default = prop.get("default_values")
            for domain in list(prop.findall("IntRangeDomain")) + list(prop.findall("DoubleRangeDomain")):
                values = [float(v) for v in default.split()]
                for bound, good in (("min", lambda v, b: v >= b), ("max", lambda v, b: v <= b)):
                    if domain.get(bound) is None:
                        continue
                    bounds = [float(v) for v in domain.get(bound).split()]
                    bounds = bounds * len(values) if len(bounds) == 1 else bounds
                    if not all(good(v, b) for v, b in zip(values, bounds)):
                        complain(f"default {default} of {what} is outside its range")
            enumeration = prop.find("EnumerationDomain")
            # Numbers speak for themselves; parameters of objectives are compared by TestObjectives.
            own = prop.get("initial_string") or what == "LatentStride"
            if enumeration is not None and not own:
                entries = {e.get("text").replace(" ", ""): int(e.get("value")) for e in enumeration}
                kind = {"Direction": "FlowDirection", "Boundary": "FlowBoundary",
                        "Start": "LatentSource", "End": "LatentSource",
                        "Base": "LatentSource", "Network": "Architecture",
                        "LikelihoodScale": "Scale"}.get(what, what)
                if entries != cxx_enum(kind):
                    complain(f"entries of {what} are not those of vae::{kind}")
            member = next(
                (k for k in DEFAULTS.get(name, {}) if k.lower() == what.lower()), None
            )
            if member and default is not None and not prop.get("initial_string"):
                checked_defaults += 1
                cxx = DEFAULTS[name][member]
                same = cxx == default if prop.tag.startswith("String") else number(cxx) == float(default)
                if not same:
                    complain(f"default {default} of {what} is {cxx} in Options.h")

if checked_defaults < 65:
    problems.append(f"only {checked_defaults} defaults were found in Options.h; is the lint blind?")
print("\n".join(problems) or f"XML is in order ({checked_defaults} defaults equal the C++)")
sys.exit(bool(problems))
