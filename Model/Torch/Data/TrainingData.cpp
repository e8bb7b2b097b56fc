// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "TrainingData.h"

#include "Augmentation.h"
#include "Check.h"
#include "Torch/Losses/Objective.h"

#include <torch/version.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <stdexcept>

namespace vae
{
namespace
{

std::string nameOf(const Channel& c)
{
  return "'" + c.array + "'" +
    (c.components > 1 ? " component " + std::to_string(c.component) : std::string());
}

/// 2 or 3, the same for all.
int dimensionsOf(const std::vector<Volume>& volumes)
{
  int dimensions = 0;
  for (const Volume& v : volumes)
  {
    const auto used = std::count_if(v.dims.begin(), v.dims.end(), [](auto n) { return n > 1; });
    if (used < 2)
    {
      throw std::invalid_argument("The input is " + toString(v.dims) +
        " voxels; training needs at least two axes with more than one voxel");
    }
    if (dimensions != 0 && dimensions != used)
    {
      throw std::invalid_argument("The input has 2-D and 3-D images (" + toString(volumes[0].dims) +
        " and " + toString(v.dims) + " voxels); a training needs one kind");
    }
    dimensions = static_cast<int>(used);
  }
  return dimensions;
}

/// One channel over all volumes; its phases are the distinct values, where they are few.
void describeChannel(const std::vector<Volume>& volumes,
  const std::vector<std::vector<ChannelSummary>>& summaries, std::size_t index, ChannelInfo& out)
{
  const Channel& c = volumes[0].channels[index];
  out.array = c.array;
  out.component = c.component;
  out.components = c.components;
  out.type = c.type;
  double count = 0, sum = 0;
  std::set<double> values;
  bool few = true;
  for (std::size_t i = 0; i < volumes.size(); ++i)
  {
    const ChannelSummary& s = summaries[i][index];
    if (s.notFinite > 0)
    {
      throw std::invalid_argument("Array " + nameOf(c) + " has " + std::to_string(s.notFinite) +
        " values that are NaN or infinite; training needs finite values everywhere" +
        (volumes[i].mask.data ? " in the mask" : ""));
    }
    if (s.count == 0)
    {
      continue; // nothing of it is in its mask
    }
    const auto n = static_cast<double>(s.count);
    out.minimum = count == 0 ? s.minimum : std::min(out.minimum, s.minimum);
    out.maximum = count == 0 ? s.maximum : std::max(out.maximum, s.maximum);
    count += n;
    sum += n * s.mean;
    values.insert(s.values.begin(), s.values.end());
    few = few && !s.values.empty() && values.size() <= MostPhases;
  }
  if (count == 0)
  {
    throw std::invalid_argument("Mask Array is 0 everywhere; there is nothing to learn");
  }
  out.mean = sum / count;
  double squares = 0;
  for (std::size_t i = 0; i < volumes.size(); ++i)
  {
    const ChannelSummary& s = summaries[i][index];
    squares += static_cast<double>(s.count) *
      (s.stddev * s.stddev + (s.mean - out.mean) * (s.mean - out.mean));
  }
  if (few && values.size() < 2)
  {
    throw std::invalid_argument("Array " + nameOf(c) + " is constant (" +
      std::to_string(out.minimum) + " everywhere); there is nothing to learn");
  }
  out.offset = out.mean;
  out.scale = std::sqrt(squares / count);
  if (few)
  {
    out.phases.assign(values.begin(), values.end());
    out.fractions.assign(values.size(), 0);
    for (std::size_t i = 0; i < volumes.size(); ++i)
    {
      const ChannelSummary& s = summaries[i][index];
      const double part = static_cast<double>(s.count) / count;
      for (std::size_t k = 0; k < s.values.size(); ++k)
      {
        const auto at = std::distance(values.begin(), values.find(s.values[k]));
        out.fractions[static_cast<std::size_t>(at)] += part * s.fractions[k];
      }
    }
  }
}

bool whole(double v) { return v == std::nearbyint(v); }

/// The likelihood that fits the channels, each of which has its phases where its values are few.
Likelihood fitting(const std::vector<ChannelInfo>& channels, std::string& reason)
{
  const auto two = [](const ChannelInfo& c) { return c.phases.size() == 2; };
  const ChannelInfo& first = channels[0];
  if (std::all_of(channels.begin(), channels.end(), two))
  {
    reason = "every channel holds exactly two values";
    return Likelihood::Bernoulli;
  }
  if (channels.size() == 1 && !first.phases.empty() &&
    std::all_of(first.phases.begin(), first.phases.end(), whole))
  {
    reason = "'" + first.array + "' holds " + std::to_string(first.phases.size()) +
      " different whole numbers, treated as labels of phases";
    return Likelihood::Categorical;
  }
  const auto grey =
    std::find_if(channels.begin(), channels.end(), [](auto& c) { return c.phases.size() != 2; });
  reason = "'" + grey->array + "' holds " +
    (grey->phases.empty() ? "more than " + std::to_string(MostPhases)
                          : std::to_string(grey->phases.size())) +
    " different values" +
    (!grey->phases.empty() && channels.size() > 1 ? " and there are further channels" : "");
  return Likelihood::Gaussian;
}

/// \throws std::invalid_argument if the likelihood that was chosen does not fit the data
void checkLikelihood(Likelihood likelihood, const std::vector<ChannelInfo>& channels)
{
  if (likelihood == Likelihood::Bernoulli)
  {
    for (const ChannelInfo& c : channels)
    {
      if (c.phases.size() != 2)
      {
        throw std::invalid_argument("Likelihood is Bernoulli, but the data ('" + c.array +
          "') has more than two values; "
          "choose another, or Automatic");
      }
    }
  }
  if (likelihood == Likelihood::Categorical && channels.size() != 1)
  {
    throw std::invalid_argument("Likelihood is Categorical, but the data has " +
      std::to_string(channels.size()) + " channels; labels of phases are one channel");
  }
  if (likelihood == Likelihood::Categorical && channels[0].phases.empty())
  {
    throw std::invalid_argument("Likelihood is Categorical, but '" + channels[0].array +
      "' has more than " + std::to_string(MostPhases) + " different values");
  }
}

} // namespace

void completeOptions(TrainOptions& o)
{
  completeObjective(o);
  // What the architecture does not use does not count as a difference.
  const NetworkOptions defaults;
  NetworkOptions& n = o.network;
  const auto only = [&](std::initializer_list<Architecture> users, auto member)
  {
    if (std::find(users.begin(), users.end(), n.architecture) == users.end())
    {
      n.*member = defaults.*member;
    }
  };
  using enum Architecture;
  only({ Field, Vector }, &NetworkOptions::width);
  only({ Field, Vector }, &NetworkOptions::blocks);
  only({ Field }, &NetworkOptions::latentStride);
  only({ Vector, Dense, TorchScript }, &NetworkOptions::blockSize);
  only({ Dense }, &NetworkOptions::hiddenUnits);
  only({ TorchScript }, &NetworkOptions::encoderFile);
  only({ TorchScript }, &NetworkOptions::decoderFile);
  if (n.architecture != Field)
  {
    o.startFrom = TrainOptions().startFrom;
    o.priorShare = 0;
  }
}

ModelInfo describeTraining(const DataSet& data, const TrainOptions& asked)
{
  const std::vector<Volume>& volumes = data.volumes;
  TrainOptions options = asked;
  completeOptions(options);
  check(options);
  if (volumes.empty() || volumes[0].channels.empty())
  {
    throw std::invalid_argument("The input has no array to train on");
  }
  if (volumes[0].channels.size() > 64)
  {
    throw std::invalid_argument("The input has " + std::to_string(volumes[0].channels.size()) +
      " channels (components of arrays); it may have 64");
  }
  ModelInfo info;
  info.options = options;
  info.network = options.network;
  info.network.dimensions = dimensionsOf(volumes);
  info.network.codes = makeObjective(options)->codes();
  for (std::size_t c = 0; c < volumes[0].channels.size(); ++c)
  {
    describeChannel(volumes, data.summaries, c, info.channels.emplace_back());
  }
  const Likelihood fits = fitting(info.channels, info.likelihoodReason);
  info.likelihood = fits;
  if (options.likelihood != Likelihood::Automatic)
  {
    checkLikelihood(options.likelihood, info.channels);
    info.likelihood = options.likelihood;
    info.likelihoodReason = "chosen by the user";
  }
  if (options.classBalance > 0 && fits != Likelihood::Bernoulli)
  {
    throw std::invalid_argument("Class Balance is " + std::to_string(options.classBalance) +
      ", but the data has more than two values; for such data it must be 0");
  }
  const bool phases =
    info.likelihood == Likelihood::Bernoulli || info.likelihood == Likelihood::Categorical;
  for (ChannelInfo& c : info.channels)
  {
    if (phases)
    {
      c.offset = c.minimum;
      c.scale = c.maximum - c.minimum;
    }
    else
    {
      c.phases.clear();
      c.fractions.clear();
    }
  }
  if (!phases)
  {
    info.sigma.assign(
      info.channels.size(), options.scale == Scale::Fixed ? options.fixedScale : 1.);
  }
  info.network.channels =
    static_cast<int>(info.likelihood == Likelihood::Categorical ? info.channels[0].phases.size()
                                                                : info.channels.size());
  chooseAugmentation(volumes, info);
  normaliseVectors(volumes[0], info);
  for (std::size_t a = 0; a < 3; ++a) // of a flat axis it may be anything
  {
    const double spacing = std::abs(volumes[0].spacing[a]);
    info.spacing[a] = spacing > 0 && std::isfinite(spacing) ? spacing : 1;
  }
  info.trainingDims = volumes[0].dims;
  info.cellData = volumes[0].cellData;
  info.producer = std::string("VAE plugin for ParaView, LibTorch ") + TORCH_VERSION;
  return info;
}

} // namespace vae
