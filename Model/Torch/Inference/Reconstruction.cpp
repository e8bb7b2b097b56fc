// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Reconstruction.h"

#include "Check.h"
#include "Torch/Grid/Noise.h"
#include "Torch/Losses/Objective.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <cmath>
#include <numbers>

namespace vae
{
namespace
{

bool anyData(const std::vector<OutputChannel>& list)
{
  return std::any_of(list.begin(), list.end(), [](const OutputChannel& c) { return c.data; });
}

bool wantsSamples(const ReconstructOutputs& o)
{
  return anyData(o.stddev) || anyData(o.entropy) || anyData(o.exceedance);
}

bool wantsAnomaly(const ReconstructOutputs& o)
{
  return o.anomaly.data || o.anomalyPercentile.data || o.cellAnomaly.data ||
    o.cellAnomalyPercentile.data;
}

/// [1, channels * fold, cells...] to [1, channels, fold, cells...].
at::Tensor byChannel(const at::Tensor& t, std::size_t channels)
{
  return t.unflatten(1, { static_cast<std::int64_t>(channels), -1 });
}

/// A number for each channel, to go with a folded tensor.
at::Tensor spread(const std::vector<double>& ofChannels, const at::Tensor& folded)
{
  std::vector<std::int64_t> shape(static_cast<std::size_t>(folded.dim()), 1);
  shape[1] = folded.size(1);
  return toDevice(at::tensor(at::ArrayRef<double>(ofChannels), at::kFloat), folded.device())
    .repeat_interleave(folded.size(1) / static_cast<std::int64_t>(ofChannels.size()))
    .view(shape);
}

/// A value for each latent cell, [z, y, x], to all folded voxels: [1, fold, cells...].
at::Tensor toVoxels(const at::Tensor& cells, const Frame& frame)
{
  at::Tensor t = cells;
  std::int64_t folded = 1;
  for (int a = 0; a < 3; ++a)
  {
    t = t.repeat_interleave(frame.cell[a] / frame.fold[a], a);
    folded *= frame.fold[a];
  }
  t = toNetworkShape(t.unsqueeze(0).unsqueeze(0), frame.dimensions);
  std::vector<std::int64_t> shape = t.sizes().vec();
  shape[1] = folded;
  return t.expand(shape);
}

/// The mean over the voxels of each latent cell, of [1, fold, cells...].
at::Tensor toCells(const at::Tensor& voxels, const Frame& frame)
{
  at::Tensor t = fromNetworkShape(voxels).mean(at::IntArrayRef{ 0, 1 });
  for (int a = 0; a < 3; ++a)
  {
    t = t.unflatten(a, { -1, frame.cell[a] / frame.fold[a] }).mean(a + 1);
  }
  return t;
}

Index3 minus(const Index3& a, const Index3& b) { return { a[0] - b[0], a[1] - b[1], a[2] - b[2] }; }

} // namespace

Reconstruction::Reconstruction(Inference& inference, const ModelInfo& info, const Volume& volume,
  const Latent& latent, const ReconstructOptions& options, const ReconstructOutputs& outputs,
  const AnomalyScale* scale)
  : Runner(inference)
  , Info(info)
  , Data(volume)
  , Options(options)
  , Out(outputs)
  , Scale(scale)
{
  const Index3 cells = inference.frame().cells();
  const auto grid = [&](const std::vector<float>& values)
  {
    return LatentGrid{ at::from_blob(
      const_cast<float*>(values.data()), { latent.channels, cells[0], cells[1], cells[2] }) };
  };
  this->Mean = grid(latent.mean);
  this->LogVariance = grid(latent.logVariance);
}

void Reconstruction::writeEach(
  const Box& box, const at::Tensor& values, const std::vector<OutputChannel>& list)
{
  for (std::size_t c = 0; c < list.size(); ++c)
  {
    this->Runner.write(box, values, list.size(), c, Decode::Plain, list[c]);
  }
}

void Reconstruction::run(const Monitor& monitor)
{
  const ReconstructOptions& o = this->Options;
  check(o);
  const bool samples = wantsSamples(this->Out), anomaly = wantsAnomaly(this->Out);
  const bool drawn = o.reconstructFrom == ReconstructFrom::PosteriorSample;
  const bool stochastic = makeObjective(this->Info.options)->stochastic();
  if (!stochastic && drawn)
  {
    throw std::invalid_argument("This model (" + this->Info.options.objective +
      ") has one value for each latent attribute, not a distribution to draw a sample from; choose "
      "Posterior Mean for Reconstruct From");
  }
  if (!stochastic && samples)
  {
    throw std::invalid_argument("This model (" + this->Info.options.objective +
      ") has no distribution of latents to draw samples from; standard deviation, entropy and "
      "exceedance need a variational one");
  }
  if (!stochastic && anomaly && o.anomalyMeasure != AnomalyMeasure::ReconstructionError)
  {
    throw std::invalid_argument("This model (" + this->Info.options.objective +
      ") has no KL divergence; choose Reconstruction Error as the Anomaly Measure");
  }
  // Float32 values a voxel that live beside the network's: data, probabilities, sums.
  const double values =
    this->Info.hasPhases() ? static_cast<double>(this->Info.channels[0].phases.size()) : 1;
  const auto channels = static_cast<double>(this->Info.channels.size());
  const double more = 4 * channels *
      ((o.strength < 1 ? 1 + 2 * values : 0) + (samples ? 5 * values : 0) +
        (anomaly ? 6 + values : 0) + (drawn ? values : 0)) +
    this->Runner.outputBytes(this->Out);
  const Index3 cells = this->Runner.frame().cells();
  forEachTile(cells, this->Runner.decodeTile(cells, more), monitor, [&](const Box& box)
  {
    at::Tensor x, y;
    if (!drawn || samples || anomaly)
    {
      y = this->Runner.decode(this->Mean, box);
    }
    if (o.strength < 1 || anomaly)
    {
      x = this->Runner.read(this->Data, box);
    }
    const at::Tensor shown = drawn ? this->decodeSample(box, o.realization) : y;
    this->Runner.write(box, o.strength < 1 ? this->mixed(shown, x) : shown, this->Out);
    if (samples)
    {
      this->sample(box, y);
    }
    if (anomaly)
    {
      this->writeAnomaly(box, y, x);
    }
  });
  this->Runner.flush();
}

at::Tensor Reconstruction::mixed(const at::Tensor& decoded, const at::Tensor& x) const
{
  const double s = this->Options.strength;
  if (!this->Info.hasPhases())
  {
    return at::lerp(x, decoded, s);
  }
  // As the logits that give the mixed probabilities.
  constexpr double least = 1e-7;
  const at::Tensor predicted = this->Runner.observation().probabilities(decoded);
  const at::Tensor certain = this->Info.likelihood == Likelihood::Bernoulli
    ? at::stack({ 1 - x, x }, 1)
    : this->Runner.observation().input(x).view_as(predicted);
  const at::Tensor p = at::lerp(certain, predicted, s).clamp(least, 1 - least);
  return this->Info.likelihood == Likelihood::Bernoulli ? p.select(1, 1).logit()
                                                        : p.log().flatten(1, 2);
}

at::Tensor Reconstruction::decodeSample(const Box& box, std::int64_t number)
{
  const Box wide = widen(box, this->Runner.decodeHalo(), this->Mean.low, this->Mean.high());
  const auto latents = [&](const LatentGrid& grid)
  {
    return toDevice(
      slice(grid.values, minus(wide.origin, grid.low), wide.size), this->Runner.device());
  };
  const at::Tensor mean = latents(this->Mean), sigma = (0.5 * latents(this->LogVariance)).exp();
  const at::Tensor noise = gridNoise(wide, this->Runner.frame().cells(), mean.size(0),
    this->Options.seed, number, this->Runner.device())[0];
  return this->Runner.decode({ mean + sigma * noise, wide.origin }, box);
}

void Reconstruction::sample(const Box& box, const at::Tensor& decoded)
{
  const ReconstructOptions& o = this->Options;
  const bool phases = this->Info.hasPhases();
  const std::size_t channels = this->Info.channels.size();
  const auto observed = [&](const at::Tensor& y)
  { return phases ? this->Runner.observation().probabilities(y) : y; };

  // Grey values: P(x > threshold) about each sample's mean.
  const bool laplace = this->Info.likelihood == Likelihood::Laplace;
  std::vector<double> thresholds, deviations, scales;
  for (std::size_t c = 0; c < channels; ++c)
  {
    const ChannelInfo& info = this->Info.channels[c];
    thresholds.push_back((o.threshold - info.offset) / info.scale);
    scales.push_back(std::abs(info.scale));
    if (!phases) // Laplace: from the mean absolute deviation
    {
      deviations.push_back(this->Info.sigma[c] * (laplace ? std::numbers::sqrt2 : 1));
    }
  }
  const auto above = [&](const at::Tensor& mean)
  {
    const at::Tensor t = (spread(thresholds, mean) - mean) / spread(deviations, mean);
    if (!laplace)
    {
      return 0.5 * at::erfc(t / std::numbers::sqrt2);
    }
    const at::Tensor tail = 0.5 * at::exp(-std::numbers::sqrt2 * t.abs());
    return at::where(t > 0, tail, 1 - tail);
  };

  // Sums of differences from the decoded mean, which are small.
  const at::Tensor first = observed(decoded);
  at::Tensor sum = at::zeros_like(first), squares = at::zeros_like(first), exceed;
  for (int k = 0; k < o.samples; ++k)
  {
    const at::Tensor y = this->decodeSample(box, k);
    const at::Tensor d = observed(y) - first;
    sum += d;
    squares += d.square();
    if (!phases && anyData(this->Out.exceedance))
    {
      exceed = exceed.defined() ? exceed + above(y) : above(y);
    }
  }
  const at::Tensor average = first + sum / o.samples;
  const at::Tensor variance = ((squares - sum.square() / o.samples) / (o.samples - 1)).clamp_min(0);

  if (phases)
  {
    this->writeEach(box, (variance.sum(1) / 2).sqrt(), this->Out.stddev);
    if (anyData(this->Out.entropy))
    {
      this->writeEach(box, -at::xlogy(average, average).sum(1), this->Out.entropy);
    }
    for (std::size_t c = 0; c < this->Out.exceedance.size(); ++c)
    {
      const std::vector<double>& labels = this->Info.channels[c].phases;
      const auto below =
        std::upper_bound(labels.begin(), labels.end(), o.threshold) - labels.begin();
      this->Runner.write(box, average.slice(1, below).sum(1).clamp(0, 1), channels, c,
        Decode::Plain, this->Out.exceedance[c]);
    }
    return;
  }
  const at::Tensor unit = spread(scales, average);
  const at::Tensor deviation = (variance + spread(deviations, average).square()).sqrt() * unit;
  this->writeEach(box, deviation, this->Out.stddev);
  if (anyData(this->Out.entropy))
  {
    this->writeEach(box, deviation.log() + 0.5 * std::log(2 * std::numbers::pi * std::numbers::e),
      this->Out.entropy);
  }
  if (exceed.defined())
  {
    this->writeEach(box, exceed / o.samples, this->Out.exceedance);
  }
}

AnomalyScores Reconstruction::anomaly(
  const Box& box, const at::Tensor& decoded, const at::Tensor& x, AnomalyMeasure measure) const
{
  const Frame& frame = this->Runner.frame();
  const std::size_t channels = this->Info.channels.size();
  at::Tensor error;
  if (measure != AnomalyMeasure::KLDivergence)
  {
    error = byChannel(this->Runner.observation().excess(decoded, x), channels).sum(1);
  }
  at::Tensor kl;
  if (measure != AnomalyMeasure::ReconstructionError)
  {
    const auto part = [&](const LatentGrid& grid)
    {
      return toDevice(
        slice(grid.values, minus(box.origin, grid.low), box.size), this->Runner.device());
    };
    kl = klOfElements({ part(this->Mean), part(this->LogVariance) }).sum(0) /
      static_cast<double>(frame.cell[0] * frame.cell[1] * frame.cell[2]);
  }
  switch (measure)
  {
    case AnomalyMeasure::ReconstructionError:
      return { error, toCells(error, frame) };
    case AnomalyMeasure::KLDivergence:
      return { toVoxels(kl, frame), kl };
    case AnomalyMeasure::Product:
      break;
  }
  return { error * toVoxels(kl, frame), toCells(error, frame) * kl };
}

void Reconstruction::writeAnomaly(const Box& box, const at::Tensor& decoded, const at::Tensor& x)
{
  const AnomalyMeasure measure = this->Options.anomalyMeasure;
  const AnomalyScores scores = this->anomaly(box, decoded, x, measure);
  const auto both =
    [&](const AnomalyScores& s, const OutputChannel& voxels, const OutputChannel& cells)
  {
    this->writeEach(box, s.voxels, { voxels });
    if (cells.data)
    {
      this->writeEach(box, toVoxels(s.cells, this->Runner.frame()), { cells });
    }
  };
  both(scores, this->Out.anomaly, this->Out.cellAnomaly);
  if (this->Scale)
  {
    both(this->Scale->percentiles(measure, scores), this->Out.anomalyPercentile,
      this->Out.cellAnomalyPercentile);
  }
}

void Reconstruction::measure(const Box& box, AnomalyScale& scale)
{
  const at::Tensor y = this->Runner.decode(this->Mean, box);
  const at::Tensor x = this->Runner.read(this->Data, box);
  for (const AnomalyMeasure measure :
    { AnomalyMeasure::ReconstructionError, AnomalyMeasure::KLDivergence, AnomalyMeasure::Product })
  {
    scale.add(measure, this->anomaly(box, y, x, measure));
  }
}

} // namespace vae
