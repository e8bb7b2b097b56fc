// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Generator.h"

#include "Check.h"
#include "PhaseFraction.h"

#include <algorithm>
#include <cmath>

namespace vae
{
namespace
{

void checkMap(const TrendMap& map, bool fractions)
{
  if (map.values.size() != static_cast<std::size_t>(voxels(map.dims)))
  {
    throw std::invalid_argument("The Trend Map has " + std::to_string(map.values.size()) +
      " values; its grid has " + toString(map.dims));
  }
  for (const float v : map.values)
  {
    if (!std::isfinite(v) || (fractions && (v < 0 || v > 1)))
    {
      throw std::invalid_argument("The Trend Map has the value " + inWords(v) + "; " +
        (fractions ? "a wanted fraction is in [0, 1]" : "a wanted mean is finite"));
    }
  }
}

/// Of each phase of the first channel.
std::vector<double> fractionsOf(const OutputChannel& labels, const Dims& dims,
  const ModelInfo& info, const statistics::Work& work)
{
  const std::vector<double>& phases = info.channels[0].phases;
  std::vector<std::vector<std::int64_t>> counts(
    static_cast<std::size_t>(work.threads()), std::vector<std::int64_t>(phases.size()));
  dispatch(labels.type, [&](auto t)
  {
    using T = decltype(t);
    const T* data = static_cast<const T*>(labels.data);
    constexpr std::int64_t piece = 1 << 12; // stays in the cache for all phases
    work.forRanges(voxels(dims), [&](std::int64_t begin, std::int64_t end, int thread)
    {
      std::vector<std::int64_t>& count = counts[static_cast<std::size_t>(thread)];
      for (; begin < end; begin += piece)
      {
        const std::int64_t last = std::min(begin + piece, end);
        for (std::size_t k = 0; k < phases.size(); ++k)
        {
          const T phase = toScalar<T>(phases[k]);
          int found = 0;
          for (std::int64_t i = begin; i < last; ++i)
          {
            found += data[i * labels.stride] == phase ? 1 : 0;
          }
          count[k] += found;
        }
      }
    });
  });
  std::vector<double> fractions;
  for (std::size_t k = 0; k < phases.size(); ++k)
  {
    std::int64_t sum = 0;
    for (const std::vector<std::int64_t>& count : counts)
    {
      sum += count[k];
    }
    fractions.push_back(static_cast<double>(sum) / static_cast<double>(voxels(dims)));
  }
  return fractions;
}

} // namespace

/// What a request comes to with the model.
struct Generator::Plan
{
  SampleRequest sample; ///< but for the trend
  bool follows = false; ///< the prior follows the trend map
  int phase = 0;        ///< that fractions are of
};

Dims Generator::dims(const GenerateRequest& request) const
{
  return request.known ? request.known->dims : dimsFor(this->Source.info(), request.dims);
}

void Generator::check(const GenerateRequest& request) const { this->plan(request); }

Generator::Plan Generator::plan(const GenerateRequest& request) const
{
  const ModelInfo& info = this->Source.info();
  vae::check(request.options);
  vae::check(request.fraction);
  const FractionMode mode = request.fraction.fractionMode;
  Plan plan;
  plan.sample.options = request.options;
  Prior& prior = plan.sample.options.prior;
  prior = prior == Prior::Automatic ? this->Source.bestPrior() : prior;
  if (request.known)
  {
    if (mode != FractionMode::Off || request.trend)
    {
      throw std::invalid_argument("Known Data is set: Fraction Mode must be Off and Trend Map "
                                  "empty, since what is known decides");
    }
    if (!request.known->mask.data)
    {
      throw std::invalid_argument("Known Data has no mask that is not 0 where values are known");
    }
    plan.sample.known = &*request.known;
    plan.sample.options.periodic = {};
  }
  else
  {
    for (const std::int64_t n : request.dims)
    {
      require("Dimensions", static_cast<double>(n), 1, MostVoxels);
    }
  }
  plan.sample.dims = this->dims(request);
  plan.sample.margin = this->Source.margin(plan.sample.options.periodic);
  if (mode != FractionMode::Off || (request.trend && info.hasPhases()))
  {
    plan.phase = phaseOf(info, request.fraction.phase);
  }
  if (request.trend)
  {
    // Where a cell has one mean: the prior knows one number, the fraction of the larger of two.
    plan.follows = prior == Prior::Learned && info.likelihood != Likelihood::Categorical;
    if (!plan.follows && mode != FractionMode::TrendMap)
    {
      throw std::invalid_argument(
        std::string("Trend Map is set, but nothing follows it: the prior is '") + name(prior) +
        "'; " +
        (info.hasPhases() ? "choose the Fraction Mode 'Trend Map'"
                          : "of grey values only a learned prior follows a map"));
    }
    checkMap(*request.trend, info.hasPhases());
  }
  else if (mode == FractionMode::TrendMap)
  {
    throw std::invalid_argument("Fraction Mode is 'Trend Map', but no Trend Map is set");
  }
  return plan;
}

double Generator::bytes(const GenerateRequest& request) const
{
  const ModelInfo& info = this->Source.info();
  const Dims dims = this->dims(request);
  const std::array<bool, 3> periodic =
    request.known ? std::array<bool, 3>{} : request.options.periodic;
  double each = request.fraction.fractionMode != FractionMode::Off ? sizeof(float) : 0; // log odds
  for (const ChannelInfo& c : info.channels)
  {
    each += request.known ? dispatch(c.type, [](auto t) { return sizeof t; }) : 0; // while filled
  }
  return each * static_cast<double>(voxels(dims)) +
    latentBytes(dims, this->Source.margin(periodic), info);
}

Generated Generator::generate(const GenerateRequest& request, const Outputs& outputs,
  const RunOptions& run, const Monitor& monitor) const
{
  monitor.report(0);
  const ModelInfo& info = this->Source.info();
  Plan plan = this->plan(request);
  SampleRequest& sample = plan.sample;
  const FractionMode mode = request.fraction.fractionMode;
  if (outputs.values.size() != info.channels.size() ||
    std::any_of(outputs.values.begin(), outputs.values.end(), [](auto& v) { return !v.data; }))
  {
    throw std::invalid_argument("There must be an array for the values of each of the model's " +
      std::to_string(info.channels.size()) + " channel(s)");
  }
  if (plan.follows)
  {
    sample.trend =
      request.trend->onCells(sample.dims, info.network, sample.margin, sample.options.periodic);
    if (info.likelihood == Likelihood::Bernoulli && plan.phase == 0) // the model counts the larger
    {
      std::transform(sample.trend.begin(), sample.trend.end(), sample.trend.begin(),
        [](float v) { return 1 - v; });
    }
  }
  Outputs wanted;
  wanted.values = outputs.values;
  wanted.probability = outputs.probability;
  // Of fields that only resemble the training data's the decoder is not sure: noise would rule.
  // Surfaces of phases around what is known are rough enough without.
  const GenerateOptions& o = sample.options;
  if (o.texture && o.prior == Prior::Learned && !(request.known && info.hasPhases()))
  {
    wanted.texture = { o.seed, o.realization, o.periodic };
  }
  std::optional<PhaseFraction> followed;
  wanted.phase = plan.phase;
  if (mode == FractionMode::TrendMap)
  {
    followed.emplace(info, plan.phase, sample.dims);
    followed->ask(wanted);
  }
  else if (mode != FractionMode::Off)
  {
    wanted.fraction = mode == FractionMode::TargetFraction ? request.fraction.targetFraction
                                                           : trainingFraction(info, plan.phase);
  }
  const double decoded = followed ? 0.8 : 1;
  this->Source.sampleAndDecode(sample, wanted, run, monitor.part(0, decoded));
  if (followed)
  {
    followed->set([&](auto x, auto y, auto z, auto row) { request.trend->row(x, y, z, row); },
      statistics::Work(run.threads, monitor.part(decoded, 1)));
  }
  Generated result;
  result.prior = o.prior;
  if (request.known)
  {
    result.known = overwrite(*request.known, wanted.values);
  }
  if (info.hasPhases())
  {
    result.fractions =
      fractionsOf(wanted.values[0], sample.dims, info, statistics::Work(run.threads));
  }
  return result;
}

} // namespace vae
