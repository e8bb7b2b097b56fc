# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""Training and generating for the protocol, with the plugin's filters."""
import json
import os
import time

import numpy
from paraview import servermanager
from paraview.simple import Delete, VAEGenerate, VAEModelReader, VAEReconstruct, VAETrain
from scipy import ndimage
from scipy.special import ndtri

from measuring import array_of, say, source_of

ARRAY = "values"
RUN = ("Device", "Precision", "MemoryBudget")  # properties that generating and reconstructing have as well


def number_or_text(text):
    try:
        value = float(text)
    except ValueError:
        return text
    return int(value) if value == int(value) and "." not in text and "e" not in text.lower() else value


class Trainer:
    """Trains on one volume, once for each seed and settings; a model file that fits is used again."""

    def __init__(self, args, training):
        self.output, self.training = args.output, training
        self.settings = {**({"TimeBudget": 0, "Epochs": args.epochs} if args.epochs else {"TimeBudget": args.seconds}),
                         **{k: number_or_text(v) for k, v in args.train}}
        self.run = {k: v for k, v in self.settings.items() if k in RUN}
        self.models, self.source = {}, None

    def name(self, train):
        return ", ".join(f"{k} {v}" for k, v in sorted(train.items())) or "as it is"

    def file(self, seed, train):
        words = "-".join([str(seed), *(f"{k}-{v}" for k, v in sorted(train.items()))]).replace(" ", "_")
        return os.path.abspath(os.path.join(self.output, f"model-{words}.safetensors"))

    def model(self, seed, train):
        """(proxy, record) of a trained model."""
        key = (seed, *sorted(train.items()))
        if key not in self.models:
            self.source = self.source or source_of({ARRAY: self.training})
            began, processor = time.time(), time.process_time()
            proxy = VAETrain(Input=self.source, Seed=seed, ModelFile=self.file(seed, train),
                             **{**self.settings, **train})
            proxy.UpdatePipeline()
            rows = servermanager.Fetch(proxy).GetNumberOfRows()
            if not rows:
                raise ValueError("VAE Train gave no model; its error is above")
            seconds = time.time() - began
            info = information(self.file(seed, train))
            prior = info["prior_steps"]
            steps = info["history"][-1]["step"] - prior
            say(f"model {self.name(train)}, seed {seed}: {seconds:.0f} s, {steps} steps of the network, {prior} of the prior")
            self.models[key] = proxy, {
                "seconds": seconds, "processor": time.process_time() - processor, "epochs": rows, "steps": [steps, prior],
                "settings": {**self.settings, **train}, "validation": info["history"][-1]["validation_quality"],
                "spread": info.get("prior_spread"), "texture": [info["texture_width"], info.get("texture_white", 0)]}
        return self.models[key]

    def changed(self, seed, train, numbers):
        """A model whose file has other numbers (keys of its ModelInfo). \\throws RuntimeError if it has them already"""
        file = self.file(seed, train)
        header, tensors = read_model(file)
        info = json.loads(header["__metadata__"]["model"])
        if all(info.get(k, 0) == v for k, v in numbers.items()):
            raise RuntimeError("its models have " + ", ".join(f"{k} {v:g}" for k, v in numbers.items()) + " by themselves")
        header["__metadata__"]["model"] = json.dumps({**info, **numbers})
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        copy = file.replace(".safetensors", "-changed.safetensors")
        with open(copy, "wb") as f:
            f.write(len(text).to_bytes(8, "little") + text + tensors)
        return VAEModelReader(FileName=copy)


def generate(model, dims, seed, numbers, properties, realizations):
    """(number, values) of each realization. \\throws RuntimeError with a sentence"""
    new = VAEGenerate(Input=model, Dimensions=dims, Seed=seed, Realizations=realizations)
    try:
        for name, value in properties.items():
            if new.GetProperty(name) is None:
                raise RuntimeError(f"VAE Generate of this build has no property {name}")
            setattr(new, name, value)
        for i in numbers:
            new.UpdatePipeline(i)
            if servermanager.Fetch(new).GetPointData().GetArray(ARRAY) is None:
                raise RuntimeError("VAE Generate gave no volume; its error is above")
            yield i, array_of(new, ARRAY)[0].copy()
    finally:
        Delete(new)


def read_model(file):
    """(header, bytes of the tensors) of a model file: safetensors, 8 bytes of length, then JSON."""
    with open(file, "rb") as f:
        length = int.from_bytes(f.read(8), "little")
        return json.loads(f.read(length)), f.read()


def information(file):
    """What a model file says of itself."""
    return json.loads(read_model(file)[0]["__metadata__"]["model"])


def rebuilt(model, file, training, phases, texture, run):
    """The training volume, encoded and decoded; with texture: drawn from the decoder's distribution as VAE Generate
    draws, by Gaussian noise of the fitted width."""
    source = source_of({ARRAY: training})
    made = VAEReconstruct(Input=source, Model=model, ComputeProbability=int(texture and phases is not None), **run)
    made.UpdatePipeline()
    # The names that VAE Reconstruct gives: X_reconstructed, and the probabilities of what is not the first phase.
    arrays = [a.GetName() for a in made.PointData]
    values = array_of(made, next(n for n in arrays if n.endswith("_reconstruction")))[0].copy()
    info = information(file)
    if texture and info["texture_width"] > 0:
        noise = smooth_noise(training.shape, info["texture_width"], info.get("texture_white", 0))
        if phases is None:
            values = values + noise * (values.astype(numpy.float64) - training).std()
        elif len(phases) == 2:
            upper = array_of(made, next(n for n in arrays if n.endswith("_probability")))[0]
            values = numpy.where(noise < ndtri(upper), phases[1], phases[0]).astype(training.dtype)
        else:
            below = numpy.zeros(training.shape)
            values = numpy.full(training.shape, phases[-1], training.dtype)
            for p in reversed(phases[1:]):  # the larger label where the noise is low, as of two phases
                at_least = below + array_of(made, next(n for n in arrays if n.endswith(f"_probability_{p:g}")))[0]
                values[(noise >= ndtri(numpy.clip(below, 0, 1))) & (noise < ndtri(numpy.clip(at_least, 0, 1)))] = p
                below = at_least
            values[noise >= ndtri(numpy.clip(below, 0, 1))] = phases[0]
    Delete(made)
    Delete(source)
    return values


def smooth_noise(shape, width, white, seed=0):
    """Normal noise of variance 1: smoothed by a Gaussian, with a white part (Model/Torch/Inference/Texture.h)."""
    random = numpy.random.default_rng(seed)
    noise = random.standard_normal(shape, dtype=numpy.float32)
    if width > 0:
        noise = ndimage.gaussian_filter(noise, [width if n > 1 else 0 for n in shape], mode="wrap", truncate=3)
        noise /= noise.std()
    return numpy.sqrt(1 - white) * noise + numpy.sqrt(white) * random.standard_normal(shape, dtype=numpy.float32)
