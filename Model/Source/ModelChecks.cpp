// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "ModelChecks.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>

namespace vae
{
namespace
{

void check(bool good, const std::string& what)
{
  if (!good)
  {
    throw std::runtime_error(what);
  }
}

void checkNetwork(const ModelInfo& info)
{
  const NetworkOptions& n = info.network;
  const int stride = n.latentStride;
  check(stride == 4 || stride == 8 || stride == 16 || stride == 32,
    "network.latent_stride is " + std::to_string(stride) + "; it must be 4, 8, 16 or 32");
  check(n.architecture != Architecture::Vector || n.blockSize % 4 == 0,
    "network.block_size is " + std::to_string(n.blockSize) + "; it must be a multiple of 4");
  check(!info.channels.empty(), "channels is empty");
  check(info.likelihood != Likelihood::Categorical || info.channels.size() == 1,
    "channels has " + std::to_string(info.channels.size()) +
      " entries; the likelihood categorical is of one array");
  const std::size_t channels = info.likelihood == Likelihood::Categorical
    ? info.channels[0].phases.size()
    : info.channels.size();
  check(static_cast<std::size_t>(n.channels) == channels,
    "network.channels is " + std::to_string(n.channels) + "; those of the data are " +
      std::to_string(channels));
}

void checkGrid(const ModelInfo& info)
{
  const auto used =
    std::count_if(info.trainingDims.begin(), info.trainingDims.end(), [](auto n) { return n > 1; });
  check(used == info.network.dimensions,
    "training_dims is " + toString(info.trainingDims) + ", which is not " +
      std::to_string(info.network.dimensions) + "-dimensional");
  double count = 1;
  for (const std::int64_t n : info.trainingDims)
  {
    count *= static_cast<double>(n);
  }
  check(count <= 1e15, "training_dims is " + toString(info.trainingDims) + ", which is too many");
}

/// Of labels that become the array's type.
bool representable(double v, ScalarType type)
{
  return dispatch(type, [v](auto t)
  {
    using Limits = std::numeric_limits<decltype(t)>;
    return v >= static_cast<double>(Limits::lowest()) && v <= static_cast<double>(Limits::max());
  });
}

void checkPhases(const ChannelInfo& c, const std::string& name, Likelihood likelihood)
{
  const std::size_t phases = c.phases.size();
  check(likelihood == Likelihood::Bernoulli   ? phases == 2
      : likelihood == Likelihood::Categorical ? phases >= 2
                                              : phases == 0,
    name + ".phases has " + std::to_string(phases) + " entries, which do not fit the likelihood");
  check(
    std::adjacent_find(c.phases.begin(), c.phases.end(), std::greater_equal<>()) == c.phases.end(),
    name + ".phases is not ascending");
  for (const double label : c.phases)
  {
    check(representable(label, c.type),
      name + ".phases has " + std::to_string(label) + ", which is not of the type " +
        vae::name(c.type));
  }
  check(c.fractions.size() == phases,
    name + ".fractions has " + std::to_string(c.fractions.size()) + " entries for " +
      std::to_string(phases) + " phases");
  const double sum = std::accumulate(c.fractions.begin(), c.fractions.end(), 0.);
  check(phases == 0 || std::abs(sum - 1) <= 1e-6,
    name + ".fractions add up to " + std::to_string(sum) + "; the sum must be 1");
}

/// Components of an array are channels that follow each other, all of them.
void checkChannels(const ModelInfo& info)
{
  const std::vector<ChannelInfo>& all = info.channels;
  for (std::size_t i = 0; i < all.size(); ++i)
  {
    const ChannelInfo& c = all[i];
    const std::string name = "channels[" + std::to_string(i) + "]";
    const bool first = c.component == 0, last = c.component == c.components - 1;
    check(c.component < c.components,
      name + ".component is " + std::to_string(c.component) + " of " +
        std::to_string(c.components));
    const bool follows = first ||
      (i > 0 && all[i - 1].array == c.array && all[i - 1].components == c.components &&
        all[i - 1].type == c.type && all[i - 1].component == c.component - 1);
    const bool goesOn = last || (i + 1 < all.size() && all[i + 1].component == c.component + 1);
    check(follows && goesOn, name + " does not follow the other components of its array");
    check(c.minimum <= c.maximum, name + ".minimum is above its maximum");
    checkPhases(c, name, info.likelihood);
  }
}

} // namespace

void checkConsistent(const ModelInfo& info)
{
  check(info.likelihood != Likelihood::Automatic, "likelihood is automatic; a model must name one");
  checkNetwork(info);
  checkGrid(info);
  checkChannels(info);
  const bool grey =
    info.likelihood == Likelihood::Gaussian || info.likelihood == Likelihood::Laplace;
  check(info.sigma.size() == info.channels.size() || (!grey && info.sigma.empty()),
    "sigma has " + std::to_string(info.sigma.size()) + " entries for " +
      std::to_string(info.channels.size()) + " channels");
}

} // namespace vae
