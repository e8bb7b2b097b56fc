// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "TrainingData.h"

#include <torch/version.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <stdexcept>

namespace vae
{
namespace
{

template <typename T>
void require(const char* label, T value, T low, T high)
{
  if (!(value >= low && value <= high))
  {
    const auto text = [](T v)
    {
      std::string s = std::to_string(v);
      if (s.find('.') != std::string::npos)
      {
        s.erase(s.find_last_not_of('0') + 1);
        s += s.back() == '.' ? "0" : "";
      }
      return s;
    };
    throw std::invalid_argument(std::string(label) + " is " + text(value) + "; it must be in [" +
      text(low) + ", " + text(high) + "]");
  }
}

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
        " and " + toString(v.dims) + " voxels); a training takes one kind");
    }
    dimensions = static_cast<int>(used);
  }
  return dimensions;
}

/// One channel over all volumes. \return whether it holds exactly two values
bool describeChannel(const std::vector<Volume>& volumes,
  const std::vector<std::vector<ChannelSummary>>& summaries, std::size_t index, ChannelInfo& out)
{
  const Channel& c = volumes[0].channels[index];
  out.array = c.array;
  out.component = c.component;
  out.components = c.components;
  out.type = c.type;
  double count = 0, sum = 0;
  std::set<double> values; // of volumes with one or two
  bool many = false;
  for (std::size_t i = 0; i < volumes.size(); ++i)
  {
    const ChannelSummary& s = summaries[i][index];
    if (s.notFinite > 0)
    {
      throw std::invalid_argument("Array " + nameOf(c) + " has " + std::to_string(s.notFinite) +
        " values that are NaN or infinite; training needs finite values everywhere");
    }
    const auto n = static_cast<double>(voxels(volumes[i].dims));
    count += n;
    sum += n * s.mean;
    out.minimum = i == 0 ? s.minimum : std::min(out.minimum, s.minimum);
    out.maximum = i == 0 ? s.maximum : std::max(out.maximum, s.maximum);
    many = many || s.distinct > 2;
    values.insert({ s.minimum, s.maximum });
  }
  out.mean = sum / count;
  double squares = 0;
  for (std::size_t i = 0; i < volumes.size(); ++i)
  {
    const ChannelSummary& s = summaries[i][index];
    squares += static_cast<double>(voxels(volumes[i].dims)) *
      (s.stddev * s.stddev + (s.mean - out.mean) * (s.mean - out.mean));
  }
  if (values.size() < 2)
  {
    throw std::invalid_argument("Array " + nameOf(c) + " is constant (" +
      std::to_string(out.minimum) + " everywhere); there is nothing to learn");
  }
  out.offset = out.mean;
  out.scale = std::sqrt(squares / count);
  return !many && values.size() == 2;
}

} // namespace

void checkOptions(const TrainOptions& o)
{
  require("Latent Channels", o.network.latentChannels, 1, 64);
  require("Width", o.network.width, 8, 512);
  require("Blocks", o.network.blocks, 1, 8);
  require("KL Weight", o.klWeight, 0., 1000.);
  require("KL Ramp", o.klRamp, 0., 1.);
  require("Time Budget", o.timeBudget, 0., 1e7);
  require("Epochs", o.epochs, 0, 10000000);
  require("Patience", o.patience, 0, 10000000);
  require("Steps Per Epoch", o.stepsPerEpoch, 1, 100000);
  require("Patch Size", o.patchSize, o.network.stride(), 512);
  require("Batch Size", o.batchSize, 1, 1024);
  require("Learning Rate", o.learningRate, 1e-7, 1.);
  require("Validation Fraction", o.validationFraction, 0., 0.5);
  require("Class Balance", o.classBalance, 0., 1.);
  if (o.epochs == 0 && o.timeBudget == 0)
  {
    throw std::invalid_argument(
      "Time Budget and Epochs are both 0 (no limit); one of them must be set");
  }
  if (o.patience > 0 && o.validationFraction == 0)
  {
    throw std::invalid_argument("Patience is " + std::to_string(o.patience) +
      ", but Validation Fraction is 0; without held-out data Patience must be 0");
  }
}

ModelInfo describeTraining(const std::vector<Volume>& volumes, const TrainOptions& options)
{
  checkOptions(options);
  if (volumes.empty() || volumes[0].channels.empty())
  {
    throw std::invalid_argument("The input has no array to train on");
  }
  ModelInfo info;
  info.options = options;
  info.network = options.network;
  info.network.channels = static_cast<int>(volumes[0].channels.size());
  info.network.dimensions = dimensionsOf(volumes);
  const auto summaries = summarise(volumes);
  bool twoPhase = true;
  for (std::size_t c = 0; c < volumes[0].channels.size(); ++c)
  {
    const bool two = describeChannel(volumes, summaries, c, info.channels.emplace_back());
    twoPhase = twoPhase && two;
  }
  if (options.likelihood == Likelihood::Bernoulli && !twoPhase)
  {
    throw std::invalid_argument("Likelihood is Bernoulli, but the data has more than two values; "
                                "choose Gaussian or Automatic");
  }
  if (options.classBalance > 0 && !twoPhase)
  {
    throw std::invalid_argument("Class Balance is " + std::to_string(options.classBalance) +
      ", but the data has more than two values; for grey data it must be 0");
  }
  info.likelihood = options.likelihood != Likelihood::Automatic ? options.likelihood
    : twoPhase                                                  ? Likelihood::Bernoulli
                                                                : Likelihood::Gaussian;
  if (info.likelihood == Likelihood::Bernoulli)
  {
    for (ChannelInfo& c : info.channels)
    {
      c.offset = c.minimum;
      c.scale = c.maximum - c.minimum;
    }
  }
  else
  {
    info.sigma.assign(info.channels.size(), 1.);
  }
  info.spacing = volumes[0].spacing;
  info.trainingDims = volumes[0].dims;
  info.cellData = volumes[0].cellData;
  info.fingerprint = fingerprint(volumes, summaries, options);
  info.producer = std::string("VAE plugin for ParaView, LibTorch ") + TORCH_VERSION;
  return info;
}

} // namespace vae
