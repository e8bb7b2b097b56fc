# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""The proxies' XML: documented, labels that give the names of the Python API, and each property as
Model's table of options declares it: label, type, default, range, entries, when it is shown.

lint_xml.py SOURCE_FOLDER OPTION_TABLES     the second is the program option_tables
"""
import json
import pathlib
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

root = pathlib.Path(sys.argv[1])
tables = json.loads(subprocess.run([sys.argv[2]], check=True, stdout=subprocess.PIPE).stdout)

# The structs that a proxy sets. Where two have the same label, the last counts.
STRUCTS = {
    "VAETrain": ["NetworkOptions", "TrainOptions", "PresetOptions", "SessionOptions"],
    "VAEModelReader": ["LoadOptions"],
    "VAEModelWriter": [],
    "VAEReconstruct": ["RunOptions", "ReconstructOptions"],
    "VAEEncode": ["RunOptions"],
    "VAEDecode": ["RunOptions"],
    "VAEFeatures": ["RunOptions", "FeatureOptions"],
    "VAEGenerate": ["RunOptions", "GenerateOptions", "FractionOptions", "RealizationOptions"],
    "VAELatentWalk": ["RunOptions", "WalkOptions"],
    "VAELatentExplorer": ["RunOptions", "ExplorerOptions"],
    "MicrostructureStatistics": ["RunOptions", "StatisticsOptions"],
    "MicrostructurePermeability": ["PermeabilityOptions"],
    "TwoSampleTest": ["RunOptions", "TwoSampleOptions"],
}
# Options that a proxy does not offer: filters that run a network use all cores, the statistics only
# compute Fourier transforms on Device, and the test's recipe is float32.
NOT_OFFERED = {name: {"Threads"} for name, structs in STRUCTS.items() if "RunOptions" in structs}
NOT_OFFERED["MicrostructureStatistics"] = NOT_OFFERED["TwoSampleTest"] = {"Precision", "Memory Budget"}
# Properties that are no options of Model: outputs that a filter adds, sizes, files, time steps.
# (Inputs, arrays, buttons and what is only shown are known by their kind.)
NO_OPTIONS = {
    "VAETrain": {"All Time Steps", "Time Step Range"},
    "VAEModelReader": {"File Name"},
    "VAEModelWriter": {"File Name"},
    "VAEReconstruct": {"Compute " + what for what in (
        "Error", "Absolute Error", "Probability", "Standard Deviation", "Entropy", "Exceedance",
        "Anomaly", "Cell Anomaly", "SSIM")},
    "VAEDecode": {"Latent Offsets", "Compute Probability"},
    "VAEGenerate": {"Dimensions", "Compute Probability"},
    "VAELatentWalk": {"Dimensions", "Compute Probability"},
    "VAELatentExplorer": {"Latent Offsets", "Dimensions", "Compute Probability"},
}


def is_setting(prop):
    """Whether it is a number, a choice or a text that a user sets. Parameters of objectives are
    compared by TestObjectives.cpp."""
    return (prop.tag in ("IntVectorProperty", "DoubleVectorProperty", "StringVectorProperty")
            and not prop.get("information_only") and not prop.get("initial_string")
            and prop.find("ArrayListDomain") is None)


def domain_of(prop):
    """As the table has it: {"boolean": True}, {"entries": ...}, {"range": ...}, or {} of a text."""
    if prop.find("BooleanDomain") is not None:
        return {"boolean": True}
    entries = prop.find("EnumerationDomain")
    if entries is not None:
        return {"entries": {e.get("text"): int(e.get("value")) for e in entries}}
    for kind in ("IntRangeDomain", "DoubleRangeDomain"):
        domain = prop.find(kind)
        if domain is not None and prop.tag.startswith(kind.removesuffix("RangeDomain")):
            return {"range": {end: float(domain.get(end)) for end in ("min", "max") if domain.get(end)}}
    return {}


def shown_when(prop, options):
    """{label of another option: values for which the panel shows the property}"""
    when = {}
    for decorator in prop.iter("PropertyWidgetDecorator"):
        if decorator.get("type") == "CompositeDecorator":
            if [e.get("type") for e in decorator.findall("Expression")] != ["and"]:
                return "an expression other than one 'and'"
            continue
        other = next((o for o in options if o.replace(" ", "") == decorator.get("property")), None)
        values = (decorator.get("values") or decorator.get("value")).split()
        if other == "Objective":
            when[other] = []
        elif other is not None:
            chosen = {int(v) for v in values}
            every = set(options[other]["entries"].values())
            when[other] = sorted(every - chosen if decorator.get("inverse") == "1" else chosen)
        else:
            return f"{decorator.get('property')}, which is no option"
    return when


def same_default(prop, option):
    text = prop.get("default_values") or ""
    if option["type"] == "String":
        return text == option["default"]
    return bool(text) and float(text) == option["default"]


def default_in_range(prop):
    for domain in [d for d in prop if d.tag in ("IntRangeDomain", "DoubleRangeDomain")]:
        values = [float(v) for v in prop.get("default_values").split()]
        for bound, good in (("min", float.__ge__), ("max", float.__le__)):
            bounds = [float(v) for v in (domain.get(bound) or "").split()] * len(values)
            if not all(good(v, b) for v, b in zip(values, bounds)):
                return False
    return True


def differences(prop, option, options):
    """What a property has otherwise than the table; none in good order."""
    name = prop.get("name")
    if prop.get("label") not in options:
        yield f"label '{prop.get('label')}' of {name}"
    if prop.get("command") != "Set" + name:
        yield f"command {prop.get('command')} of {name}"
    if prop.tag != option["type"] + "VectorProperty":
        yield f"type {prop.tag} of {name}; it must be {option['type']}VectorProperty"
    if not same_default(prop, option):
        yield f"default {prop.get('default_values')} of {name}; it must be {option['default']}"
    domain = {key: option[key] for key in ("boolean", "entries", "range") if key in option}
    if domain_of(prop) != domain:
        yield f"domain {domain_of(prop)} of {name}; it must be {domain}"
    when = shown_when(prop, options)
    if when != option["when"]:
        yield f"{name} is shown for {when}; it must be {option['when']}"


problems = []
compared = 0
for path in sorted((root / "Plugin").glob("*.xml")):
    for proxy in ElementTree.parse(path).getroot().iter():
        if proxy.tag not in ("SourceProxy", "VAETrainProxy", "WriterProxy"):
            continue
        name = proxy.get("name")

        def complain(what):
            problems.append(f"{path.name}: {name}: {what}")

        if path.stem != name:
            complain("one XML a proxy: the file has the proxy's name")
        documentation = proxy.find("Documentation")
        if documentation is None or not documentation.get("short_help"):
            complain("no documentation with short_help")
        if name != proxy.get("label").replace(" ", "").replace("-", ""):  # as in Python
            complain(f"label '{proxy.get('label')}' is not the name in words")
        labels = set()
        grouped = {p.get("name") for g in proxy.findall("PropertyGroup") for p in g}
        names = {p.get("name") for p in proxy if p.tag.endswith("Property")}
        for stray in grouped - names:
            complain(f"a group names '{stray}', which is no property")
        if name not in STRUCTS:
            complain("STRUCTS of lint_xml.py does not say which options it has")
            continue
        options = {label: option for struct in STRUCTS[name]
                   for label, option in tables[struct].items()
                   if label not in NOT_OFFERED.get(name, ())}
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
            if not default_in_range(prop):
                complain(f"default {prop.get('default_values')} of {what} is outside its range")
            if not is_setting(prop) or label in NO_OPTIONS.get(name, ()):
                continue
            if label not in options:
                complain(f"{label} is not in Model's table of options")
                continue
            compared += 1
            for difference in differences(prop, options[label], options):
                complain(difference)
        for label in sorted((set(options) | NO_OPTIONS.get(name, set())) - labels):
            complain(f"there is no property for {label}")

# That a property which is not as the table says is found.
hidden_units = """<IntVectorProperty command="SetHiddenUnits" default_values="400" label="Hidden Units"
  name="HiddenUnits"><IntRangeDomain max="65536" min="0" /><Hints><PropertyWidgetDecorator
  property="Network" type="GenericDecorator" value="2" /></Hints></IntVectorProperty>"""
network = tables["NetworkOptions"]
for right, wrong in (("", ""), ("SetHidden", "SetHide"), ("400", "401"), ('"Hidden U', '"Hidden u'),
                     ("65536", "65537"), ('min="0"', ""), ('"2"', '"1"'), ("Int", "Double")):
    prop = ElementTree.fromstring(hidden_units.replace(right, wrong) if right else hidden_units)
    found = list(differences(prop, network["Hidden Units"], network))
    assert bool(found) == bool(right), (right, wrong, found)

missing = set(STRUCTS) - {path.stem for path in (root / "Plugin").glob("*.xml")}
problems += [f"{name}: there is no XML" for name in sorted(missing)]
print("\n".join(problems) or f"XML is in order ({compared} properties are as the table of options says)")
sys.exit(bool(problems))
