# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""Generators without a network, to stand in the same table: a truncated Gaussian field, and multiple-point statistics
by direct sampling. Both need numpy and SciPy only; arrays are [z, y, x].

`phases` are the labels in ascending order, or None for grey values.
"""
import itertools

import numpy
from scipy import fft
from scipy.special import ndtr, ndtri


def blocks(shape, edge):
    """Boxes of `edge` voxels along each axis (or all of a shorter one) that do not overlap, spread evenly."""
    starts = []
    for n in shape:
        size = min(n, edge)
        starts.append([(int(s), int(s) + size) for s in numpy.linspace(0, n - size, max(1, n // size)).round()])
    return [tuple(slice(*pair) for pair in place) for place in itertools.product(*starts)]


def autocovariance(field, lags, edge=128):
    """Mean of f(x) f(x + r) over pairs inside of the field, minus the squared mean, for |r| <= lags[a] along each axis
    (negative lags at the end, as Fourier transforms have them): sums and counts over blocks."""
    sums = counts = 0
    for box in blocks(field.shape, edge):
        part = field[box].astype(numpy.float32)
        size = [fft.next_fast_len(n + l, True) for n, l in zip(part.shape, lags)]
        for values, add in ((part, True), (numpy.ones_like(part), False)):
            spectrum = fft.rfftn(values, size, workers=-1)
            product = fft.irfftn(spectrum.real ** 2 + spectrum.imag ** 2, size, workers=-1)
            for axis, l in enumerate(lags):
                product = numpy.take(product, list(range(l + 1)) + list(range(-l, 0)), axis)
            if add:
                sums = sums + product.astype(numpy.float64)
            else:
                counts = counts + product.astype(numpy.float64)
    return sums / counts - float(field.mean(dtype=numpy.float64)) ** 2


def gaussian_correlation(covariance, fraction):
    """Correlation of a Gaussian field, cut at the quantile `fraction`, whose indicator has this covariance.

    The covariance of the indicator of two normal numbers below t with correlation r is the integral from 0 to r of
    exp(-t^2 / (1 + s)) / (2 pi sqrt(1 - s^2)) ds; with s = sin(a) the root is gone."""
    t = float(ndtri(fraction))
    angle = numpy.linspace(-numpy.pi / 2, numpy.pi / 2, 20001)
    density = numpy.exp(-t * t / numpy.maximum(1 + numpy.sin(angle), 1e-12)) / (2 * numpy.pi)
    integral = numpy.concatenate([[0], numpy.cumsum((density[1:] + density[:-1]) / 2 * numpy.diff(angle))])
    integral -= numpy.interp(0, angle, integral)
    return numpy.interp(covariance, integral, numpy.sin(angle))


class TruncatedGaussian:
    """A Gaussian field with the correlation that gives the two-point statistics of the training volume: of the phase
    with the lowest label, the others following in the order of their labels (Quiblier 1984; Adler et al. 1990); of grey
    values, of their normal scores. Negative parts of the spectrum are left out."""

    def __init__(self, training, phases, lag=64):
        self.phases, self.type = phases, training.dtype
        lags = [min(lag, n // 2) if n > 1 else 0 for n in training.shape]
        if phases is None:
            self.values = numpy.sort(training.ravel()[:: max(1, training.size // 2 ** 20)])
            values, counts = numpy.unique(training, return_counts=True)
            scores = ndtri((numpy.cumsum(counts) - counts / 2) / training.size)
            field = scores[numpy.searchsorted(values, training)]
            self.correlation = autocovariance(field, lags)
        else:
            fractions = [float((training == p).mean()) for p in phases]
            self.thresholds = ndtri(numpy.clip(numpy.cumsum(fractions)[:-1], 1e-9, 1 - 1e-9))
            covariance = autocovariance(training == phases[0], lags)
            self.correlation = gaussian_correlation(covariance, fractions[0])
        self.correlation = self.correlation / self.correlation.flat[0]
        self.lags = lags

    def sample(self, shape, seed):
        """A volume of this shape, cut out of a periodic one that is larger by the largest lag."""
        size = [fft.next_fast_len(max(n + l, 2 * l + 1), True) for n, l in zip(shape, self.lags)]
        covariance = numpy.zeros(size, numpy.float32)
        index = [list(range(l + 1)) + list(range(-l, 0)) for l in self.lags]
        # The last quarter of the lags fades out: a step there would ring in the spectrum.
        fade = 1.
        for axis, (l, at) in enumerate(zip(self.lags, index)):
            weight = numpy.clip((1 - numpy.abs(at) / (l + 1)) * 4, 0, 1)
            fade = fade * weight.reshape([-1 if a == axis else 1 for a in range(3)])
        covariance[numpy.ix_(*index)] = self.correlation * fade
        spectrum = numpy.maximum(fft.rfftn(covariance, workers=-1).real, 0)
        noise = numpy.random.default_rng(seed).standard_normal(size, dtype=numpy.float32)
        field = fft.irfftn(fft.rfftn(noise, workers=-1) * numpy.sqrt(spectrum), size, workers=-1)
        # The variance that is left after negative parts have gone.
        variance = fft.irfftn(spectrum, size, workers=-1).flat[0]
        field = field[tuple(slice(0, n) for n in shape)] / numpy.sqrt(variance)
        if self.phases is None:
            at = ndtr(field) * len(self.values)
            return self.values[numpy.clip(at.astype(numpy.int64), 0, len(self.values) - 1)]
        return numpy.asarray(self.phases, self.type)[numpy.searchsorted(self.thresholds, field)]


def direct_sampling(training, shape, phases, seed, neighbours=24, tolerance=0.05, most=1024):
    """A volume by multiple-point statistics (Mariethoz, Renard and Straubhaar 2010, Water Resources Research 46,
    W11536): each voxel takes the value of a place of the training volume whose surroundings are like its own.

    Voxels come in a random order on grids that become finer. The surroundings are the `neighbours` nearest known
    voxels. Places are tried at random until one has the same phases there, or grey values whose mean absolute difference
    is at most `tolerance` of the range. Where none of `most` has, the best is taken: of phases the one that agrees with
    the most of the nearest before it first differs. That leaves out far neighbours, as SNESIM does. To count all that
    differ would prefer places with little of the rarer phase."""
    random = numpy.random.default_rng(seed)
    levels = [s for s in (16, 8, 4, 2, 1) if s <= max(shape) // 2] or [1]
    reach = 4  # of the surroundings, in steps of the grid
    steps = numpy.array([o for o in itertools.product(range(-reach, reach + 1), repeat=3) if any(o)])
    steps = steps[numpy.argsort((steps ** 2).sum(axis=1), kind="stable")]
    steps = steps[[all(n > 1 or s == 0 for n, s in zip(shape, step)) for step in steps]]
    pad = [reach * levels[0] if n > 1 else 0 for n in shape]
    padded = [n + 2 * p for n, p in zip(shape, pad)]
    known = numpy.zeros(padded, bool)
    values = numpy.zeros(padded, training.dtype)
    flat_known, flat_values, source = known.ravel(), values.ravel(), training.ravel()
    strides = numpy.array([padded[1] * padded[2], padded[2], 1])
    source_strides = numpy.array([training.shape[1] * training.shape[2], training.shape[2], 1])
    scale = 1. if phases is not None else float(training.max() - training.min()) or 1.

    def place_like(offsets, wanted):
        """The flat index of a place of the training volume."""
        low = numpy.maximum(-offsets.min(axis=0), 0) if len(offsets) else numpy.zeros(3, int)
        high = numpy.array(training.shape) - (numpy.maximum(offsets.max(axis=0), 0) if len(offsets) else 0)
        best, best_distance = None, numpy.inf
        if (low >= high).any():  # surroundings larger than the training volume: without the farthest
            return place_like(offsets[:-1], wanted[:-1])
        around = offsets @ source_strides
        tried, batch = 0, 32
        while tried < most:
            at = random.integers(low, high, (batch, 3)) @ source_strides
            if not len(around):
                return at[0]
            there = source[at[:, None] + around]
            if phases is not None:
                differs = there != wanted
                distance = numpy.where(differs.any(axis=1), 1 - differs.argmax(axis=1) / len(around), 0)
            else:
                distance = numpy.abs(there.astype(numpy.float32) - wanted).mean(axis=1) / scale
            good = numpy.flatnonzero(distance <= (tolerance if phases is None else 0))
            if len(good):
                return at[good[0]]
            nearest = int(distance.argmin())
            if distance[nearest] < best_distance:
                best, best_distance = at[nearest], distance[nearest]
            tried += batch
            batch = min(2 * batch, 512)
        return best

    for level in levels:
        nodes = numpy.stack(numpy.meshgrid(*(numpy.arange(0, n, level) for n in shape), indexing="ij"), -1)
        nodes = (nodes.reshape(-1, 3) + pad) @ strides
        nodes = random.permutation(nodes[~flat_known[nodes]])
        offsets = steps * level
        flat_offsets = offsets @ strides
        for node in nodes:
            there = node + flat_offsets
            chosen = numpy.flatnonzero(flat_known[there])[:neighbours]
            wanted = flat_values[there[chosen]]
            if phases is None:
                wanted = wanted.astype(numpy.float32)
            flat_values[node] = source[place_like(offsets[chosen], wanted)]
            flat_known[node] = True
    return values[tuple(slice(p, p + n) for p, n in zip(pad, shape))].copy()
