# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""No value of any property can hurt: every numeric, enumerated and string property of every proxy
of the XML is set to values that a script or a state file can hold, and applied. Each ends with
success or with one error of one sentence.

property_sweep.py PVPYTHON PLUGIN_FOLDER          all proxies, a process each
property_sweep.py --proxy NAME PLUGIN_FOLDER N    the cases of one proxy from number N on
"""
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as ElementTree

import vae_test

HANGS = 60  # seconds without a word; a case takes a tenth of one, or, with LibTorch to open, some
INT_MAX = 2**31 - 1
NUMBERS = {"Int": [-1, 0, INT_MAX, -INT_MAX],
           "Double": [-1., 0., 1e300, -1e300, float("nan"), float("inf"), -float("inf")]}
STRINGS = ["", "unknown", "x" * 100000, "../../no/such/folder/file", "two\nlines", "1e999"]
# What no message of ours says: C++ and LibTorch speaking.
FOREIGN = re.compile(r"std::|vector::|basic_string|_M_|c10::|aten::|bad_alloc|Exception raised|\bat::")


# ---------------------------------------------------------------- the cases of a proxy, from its XML

def bounds(prop):
    """The least and the largest value, None where there is no limit."""
    domain = prop.find("IntRangeDomain")
    domain = prop.find("DoubleRangeDomain") if domain is None else domain
    entries = prop.find("EnumerationDomain")
    if entries is not None:
        values = [int(e.get("value")) for e in entries]
        return min(values), max(values)
    if prop.find("BooleanDomain") is not None:
        return 0, 1
    number = lambda text: None if text is None else float(text.split()[0])
    return (None, None) if domain is None else (number(domain.get("min")), number(domain.get("max")))


def values_of(prop):
    """Values to try, and whether each is in the range that the XML gives."""
    kind = prop.tag.removesuffix("VectorProperty")
    if kind == "String":
        return [(text, False) for text in STRINGS]
    low, high = bounds(prop)
    step = 1 if kind == "Int" else 0.001
    values = list(NUMBERS[kind])
    values += [] if low is None else [low, low - step]
    values += [] if high is None else [high, high + step]
    if kind == "Int":
        values = [int(v) for v in values]
    inside = lambda v: (low is not None and v >= low) and (high is None or v <= high) and abs(v) < 1e9
    unique = {repr(v): (v, inside(v)) for v in values}
    return list(unique.values())


INPUTS = {"TrendArray": {"TrendMap": None, "FractionMode": 3},
          "KnownMask": {"KnownData": None, "FractionMode": 0}}


def context_of(prop):
    """What must be set for the property to matter: what its decorators ask for, and inputs."""
    context = dict(INPUTS.get(prop.get("name"), {}))
    for decorator in prop.iter("PropertyWidgetDecorator"):
        if decorator.get("mode") == "visibility" and not decorator.get("inverse"):
            value = decorator.get("value") or decorator.get("values", "").split(" ")[0]
            if decorator.get("property") and value:
                context[decorator.get("property")] = value
    return context


def proxy_of(folder, name):
    root = ElementTree.parse(folder / f"{name}.xml").getroot()
    return next(p for p in root.iter() if p.get("name") == name and p.tag.endswith("Proxy"))


def cases_of(folder, name):
    for prop in proxy_of(folder, name):
        swept = prop.tag in ("IntVectorProperty", "DoubleVectorProperty", "StringVectorProperty")
        if swept and prop.get("information_only") != "1":
            for value, inside in values_of(prop):
                yield prop.get("name"), prop.get("label"), value, inside, context_of(prop)


# ---------------------------------------------------------------- one process for a proxy

def inputs(edge=16):
    """A volume of two phases with a second array."""
    import numpy
    from paraview.simple import TrivialProducer
    from vtkmodules.util.numpy_support import numpy_to_vtk
    from vtkmodules.vtkCommonDataModel import vtkImageData

    z, y, x = numpy.mgrid[:edge, :edge, :edge]
    image = vtkImageData()
    image.SetDimensions(edge, edge, edge)
    for name, values in (("rock", (x // 4 + y // 4 + z // 8) % 2), ("half", 0 * x + 0.5)):
        array = numpy_to_vtk(values.astype("u1" if name == "rock" else "f4").ravel(), deep=1)
        array.SetName(name)
        image.GetPointData().AddArray(array)
    image.GetPointData().SetActiveScalars("rock")
    producer = TrivialProducer()
    producer.GetClientSideObject().SetOutput(image)
    return producer


QUICK = {"TimeBudget": 0, "Epochs": 1, "StepsPerEpoch": 1, "Width": 8, "LatentChannels": 2,
         "PatchSize": 8, "BatchSize": 1, "Threads": 1, "PriorShare": 0, "ValidationFraction": 0,
         "Device": "cpu", "Execution": 2}


def sentences_of(errors):
    """What was said, each once: every output port of a filter asks for its data."""
    said = [re.sub(r"\x1b\[\d*m", "", e.split("): ", 1)[-1]) for e in errors if "returned failure" not in e]
    return list(dict.fromkeys(said))


def only(errors):
    said = sentences_of(errors)
    assert len(said) == 1, errors
    return said[0]


class Sweep:
    def __init__(self, name, folder):
        import paraview.simple as simple
        vae_test.load(globals())
        self.name, self.folder, self.simple = name, folder, simple
        self.volume, self.larger = inputs(), inputs(32)
        self.model_file = os.path.join(folder, "model.safetensors")
        self.model = VAEModelReader(FileName=self.model_file)
        self.latent = VAEEncode(Input=self.volume, Model=self.model, Device="cpu")

    def make(self, context):
        """The proxy with small inputs, and what the context asks for."""
        model, volume = self.model, self.volume
        small = {"Input": model, "Dimensions": [16, 16, 16], "Device": "cpu"}
        both = {"Input": volume, "Model": model, "Device": "cpu"}
        arguments = {
            "VAETrain": {"Input": volume, **QUICK},
            "VAEModelReader": {"FileName": self.model_file},
            "VAEModelWriter": {"Input": model, "FileName": "written.safetensors"},
            "VAEGenerate": {**small, "FractionMode": 1}, "VAELatentWalk": small,
            "VAELatentExplorer": small,
            "VAEReconstruct": {**both, "ComputeExceedance": 1, "ComputeAnomaly": 1},
            "VAEEncode": both, "VAEFeatures": both,
            "VAEDecode": {**both, "Input": self.latent},
            "MicrostructureStatistics": {"Input": volume},
            "MicrostructurePermeability": {"Input": volume},
            "TwoSampleTest": {"Real": self.larger, "Candidate": self.larger, "BlockSize": 16, "Steps": 1,
                              "Control": 0, "Distances": 0, "SurestBlocks": 1, "Device": "cpu",
                              "Threads": 1}}[self.name]
        if self.name == "VAEModelWriter":
            from paraview import servermanager
            proxy = servermanager.writers.VAEModelWriter(**arguments)
        else:
            proxy = globals()[self.name](**arguments)
        for key, value in context.items():
            if value is None:
                setattr(proxy, key, volume)
            else:
                self.put(proxy, key, value)
        return proxy

    @staticmethod
    def put(proxy, name, value):
        """Set a property as a state file does: past the domains that the interface looks at."""
        prop = proxy.SMProxy.GetProperty(name)
        if prop.IsA("vtkSMStringVectorProperty"):
            value = str(value)
            at = 0
            if prop.GetNumberOfElements() == 5:  # port, ..., association, array
                at = 4
            if prop.GetRepeatCommand():
                prop.SetNumberOfElements(2)
                prop.SetElement(1, "1")
            prop.SetElement(at, value)
        else:
            number = int if prop.IsA("vtkSMIntVectorProperty") else float
            if prop.GetRepeatCommand():
                prop.SetNumberOfElements(1)
            prop.SetElement(0, number(value))
        proxy.SMProxy.UpdateVTKObjects()

    def apply(self, proxy, inside):
        """The errors of an update; of its first half only, where a value is allowed and may be
        dear."""
        with vae_test.captured_errors() as errors:
            try:
                proxy.UpdatePipelineInformation()
                refused = False
            except RuntimeError:
                refused = True
            if not inside and not refused:
                try:
                    proxy.UpdatePipeline()
                except RuntimeError:
                    pass
        return sentences_of(errors)

    def run(self, first):
        for number, (prop, label, value, inside, context) in enumerate(cases_of(PLUGIN, self.name)):
            if number < first:
                continue
            shown = repr(value) if len(repr(value)) < 60 else repr(value)[:20] + "...'"
            print(f"CASE {number} {prop} = {shown}", flush=True)
            began = time.time()
            proxy = self.make(context)
            self.put(proxy, prop, value)
            sentences = self.apply(proxy, inside)
            self.simple.Delete(proxy) if self.name != "VAEModelWriter" else None
            problem = None
            if len(sentences) > 1:
                problem = f"{len(sentences)} errors: {sentences[:3]}"
            elif inside and sentences and sentences[0].startswith(f"{label} is {value}; it must"):
                problem = f"in the range of the XML, but refused: {sentences[0]}"
            elif sentences and (len(sentences[0]) > 1200 or FOREIGN.search(sentences[0])):
                problem = f"no sentence of ours: {sentences[0][:300]}"
            word = "BAD" if problem else "REFUSED" if sentences else "APPLIED"
            print(f"{word} {time.time() - began:.2f} {problem or (sentences or [''])[0][:200]}", flush=True)


# ---------------------------------------------------------------- all of them

def sweep(pvpython, folder, name):
    """The cases of a proxy; what crashes or hangs is named, and the rest goes on behind it."""
    problems, words, first, slowest = [], {}, 0, (0, "")
    while True:
        child = subprocess.Popen([pvpython, __file__, "--proxy", name, str(folder), str(first)],
                                 stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        case, silent = None, threading.Timer(HANGS, child.kill)
        silent.start()
        for line in child.stdout:
            silent.cancel()
            silent = threading.Timer(HANGS, child.kill)
            silent.start()
            word, _, rest = line.strip().partition(" ")
            if word == "CASE":
                case = rest
            elif word in ("BAD", "REFUSED", "APPLIED"):
                words[word] = words.get(word, 0) + 1
                seconds, _, what = rest.partition(" ")
                slowest = max(slowest, (float(seconds), f"{name}: {case}"))
                if word == "BAD":
                    problems.append(f"{name}: {case}: {what}")
                if os.environ.get("VAE_SWEEP_VERBOSE"):
                    print(name, case, "->", word, rest, flush=True)
                case = None
        silent.cancel()
        code = child.wait()
        if code == 0:
            return problems, words, slowest
        if case is None:
            return problems + [f"{name}: ended by itself with {code}"], words, slowest
        problems.append(f"{name}: {case}: {'hangs' if code == -9 else f'ended the process ({code})'}")
        first = int(case.split(" ")[0]) + 1


def check_memory(model):
    """What is allowed by itself, but does not fit in memory, is refused before it is asked for."""
    largest = [100000] * 3
    for proxy in (VAEGenerate(Input=model, Dimensions=largest),
                  VAEGenerate(Input=model, Realizations=100000, RealizationsAs="Blocks",
                              Dimensions=[512] * 3),
                  VAELatentWalk(Input=model, Dimensions=largest),
                  VAELatentExplorer(Input=model, Dimensions=largest)):
        with vae_test.captured_errors() as errors:
            try:
                proxy.UpdatePipeline()
            except RuntimeError:
                pass
        assert "GiB of memory, but only" in only(errors), (proxy, errors)


def main(pvpython):
    scratch = vae_test.clean_folder()
    vae_test.load(globals())
    model = VAETrain(Input=inputs(), ModelFile=os.path.join(scratch, "model.safetensors"), **QUICK)
    model.UpdatePipeline()
    check_memory(model)
    os.chdir(scratch)
    names = sorted(p.stem for p in PLUGIN.glob("*.xml") if p.stem != "plugin")
    names.sort(key=lambda name: name != "VAETrain")  # the longest first
    total, problems, slowest = {}, [], (0, "")
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for found, words, slow in pool.map(lambda name: sweep(pvpython, PLUGIN, name), names):
            problems += found
            slowest = max(slowest, slow)
            for word, count in words.items():
                total[word] = total.get(word, 0) + count
    print("\n".join(problems))
    print(f"property_sweep: {len(names)} proxies, {total}, slowest {slowest[0]:.1f} s ({slowest[1]})")
    assert len(names) >= 12 and total.get("REFUSED", 0) > 300, "the sweep is blind"
    assert not problems, f"{len(problems)} values hurt"
    print("property_sweep: every check passed")


if sys.argv[1] == "--proxy":
    PLUGIN = pathlib.Path(sys.argv[3])
    Sweep(sys.argv[2], vae_test.SCRATCH).run(int(sys.argv[4]))
else:
    PLUGIN = pathlib.Path(sys.argv[2])
    main(sys.argv[1])
