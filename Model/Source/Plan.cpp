// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Plan.h"

#include "OptionTable.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace vae
{
namespace
{

/// To a whole number, the largest if it is too large.
template <typename T>
T rounded(double v)
{
  constexpr auto most = static_cast<double>(std::numeric_limits<T>::max());
  return v >= most ? std::numeric_limits<T>::max()
    : v <= -most   ? -std::numeric_limits<T>::max()
                   : static_cast<T>(std::round(v));
}

/// Moves whole numbers into the ranges of the table.
struct Nearest
{
  template <typename T>
  void operator()(T& value, const Option& option) const
  {
    if constexpr (std::is_same_v<T, int>)
    {
      if (!option.values.any())
      {
        value = static_cast<int>(std::clamp<double>(value, option.values.low, option.values.high));
      }
    }
  }
};

/// The nearest options that can be planned with: a panel and a script ask before they are checked.
TrainOptions nearest(TrainOptions o)
{
  constexpr Nearest visitor;
  NetworkOptions& n = o.network;
  const int channels = std::clamp(n.channels, 1, 1 << 20); // also too many for a network
  visitOptions(visitor, n);
  n.channels = channels;
  n.blockSize = std::max(n.blockSize, n.fold());
  n.latentStride = static_cast<int>(std::bit_floor(static_cast<unsigned int>(n.latentStride)));
  visitOptions(visitor, o);
  return o;
}

} // namespace

Plan planOf(const TrainOptions& asked, int bytes)
{
  const TrainOptions options = nearest(asked);
  const NetworkOptions& n = options.network;
  const double kernel = std::pow(3, n.dimensions), half = std::pow(2, n.dimensions);
  const double fold = std::pow(n.fold(), n.dimensions);
  const double folded = n.channels * fold, latent = n.latentChannels;

  double weights = 0, biases = 0, products = 0; // products: for one cell after folding
  double stored = 0; // activations that wait for the way back, for one such cell
  const auto conv = [&](double in, double out, double taps, double cells)
  {
    weights += in * out * taps;
    biases += out;
    products += in * out * taps * cells;
  };
  const auto residual = [&](double channels, double cells, double count)
  {
    weights += count * 2 * channels * channels * kernel;
    biases += count * 4 * channels; // of two convolutions and the norm
    products += count * 2 * channels * channels * kernel * cells;
    stored += count * 5 * channels * cells; // norm in and out, two activations, what is between
  };
  const double blocks = n.blocks;
  const auto channels = [&](int level) { return n.width * std::pow(2., std::min(level, 2)); };
  double reach = 0; // voxels on each side that a latent vector sees beyond its own
  if (n.architecture == Architecture::Field || n.architecture == Architecture::Vector)
  {
    const bool field = n.architecture == Architecture::Field;
    int rest = (field ? n.latentStride : n.blockSize) / n.fold();
    double cells = 1;
    double size = n.fold(); // voxels of a cell
    conv(folded, n.width, kernel, cells);
    conv(n.width, folded, kernel, cells);
    reach += size;
    for (int level = 0;; ++level)
    {
      residual(channels(level), cells, 2 * blocks + (level == 0 ? 1 : 0));
      reach += 2 * blocks * size;
      if (field ? rest <= 1 : rest <= 4 || rest % 2 != 0)
      {
        const double last = channels(level);
        if (field)
        {
          conv(last, 2 * latent, kernel, cells);
          conv(latent, last, kernel, cells);
          reach += size;
        }
        else
        {
          const double all = std::pow(rest, n.dimensions); // cells of the block
          conv(last * all, 2 * latent, 1, cells / all);
          conv(latent, last * all, 1, cells / all);
        }
        break;
      }
      rest /= 2;
      size *= 2;
      conv(channels(level), channels(level + 1), half, cells / half);
      conv(channels(level + 1), channels(level), half, cells / half);
      cells /= half;
      stored += (channels(level) + channels(level + 1)) * cells;
    }
    reach = field ? reach : 0;
  }
  else if (n.architecture == Architecture::Dense)
  {
    const double values = n.channels * std::pow(n.blockSize, n.dimensions);
    const double cells = n.channels / values; // one row of the layers, a voxel
    const double hidden = n.hiddenUnits > 0 ? n.hiddenUnits : values;
    if (n.hiddenUnits > 0)
    {
      conv(values, hidden, 1, cells);
      conv(latent, hidden, 1, cells);
    }
    conv(hidden, 2 * latent, 1, cells);
    conv(n.hiddenUnits > 0 ? hidden : latent, values, 1, cells);
    stored = 4 * hidden * cells;
  }

  Plan plan;
  plan.parameters = rounded<std::int64_t>(weights + biases);
  plan.receptiveField = rounded<int>(n.stride() + 2 * reach);
  plan.operationsPerVoxel = 3 * 2 * products / fold; // forward, and twice that backward
  plan.voxelsPerStep =
    rounded<std::int64_t>(options.batch() * std::pow(options.patch(), n.dimensions));
  plan.modelMemory = 4. * 9 * static_cast<double>(plan.parameters);
  // Beside those of the blocks: the stem; data, logits and their gradients in float32.
  const double rest = 2. * n.width + folded;
  // Without AVX512, oneDNN differentiates a convolution as a product of matrices: one patch is
  // unfolded, and so is its gradient, in float32.
  const double unfolded = n.fold() > 1 ? 2 * 4. * kernel * n.width : 0;
  plan.batchMemory = static_cast<double>(plan.voxelsPerStep) / fold *
    (bytes * (2 * stored + rest) + 4. * 4 * folded + unfolded / options.batch());
  return plan;
}

double storedBytes(const NetworkOptions& network)
{
  if (network.architecture == Architecture::TorchScript)
  {
    return 0;
  }
  TrainOptions options;
  options.network = network;
  const double codes = network.codes, codebook = codes + 2 * codes * network.latentChannels;
  return 4 * (static_cast<double>(planOf(options).parameters) + codebook);
}

} // namespace vae
