// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Plan.h"

#include <cmath>

namespace vae
{

Plan planOf(const TrainOptions& options, int bytes)
{
  const NetworkOptions& n = options.network;
  const double kernel = std::pow(3, n.dimensions), half = std::pow(2, n.dimensions);
  const double fold = std::pow(n.fold, n.dimensions);
  const double folded = n.channels * fold, w = n.width, latent = n.latentChannels;

  double weights = 0, biases = 0, products = 0; // products: for one cell at the fine level
  const double fine = 1, coarse = 1 / half;     // cells of each level, a fine cell
  const auto conv = [&](double in, double out, double taps, double cells)
  {
    weights += in * out * taps;
    biases += out;
    products += in * out * taps * cells;
  };
  double stored = 0; // activations that wait for the way back, for one fine cell
  const auto residual = [&](double channels, double cells, int count)
  {
    for (int i = 0; i < count; ++i)
    {
      conv(channels, channels, kernel, cells);
      conv(channels, channels, kernel, cells);
      biases += 2 * channels;         // of the norm
      stored += 5 * channels * cells; // norm in and out, two activations, what lies between
    }
  };
  conv(folded, w, kernel, fine);
  residual(w, fine, n.blocks);
  conv(w, 2 * w, half, coarse);
  residual(2 * w, coarse, n.blocks);
  conv(2 * w, 2 * latent, kernel, coarse);
  conv(latent, 2 * w, kernel, coarse);
  residual(2 * w, coarse, n.blocks);
  conv(2 * w, w, half, coarse);
  residual(w, fine, n.blocks + 1);
  conv(w, folded, kernel, fine);

  Plan plan;
  plan.parameters = std::llround(weights + biases);
  // From the latent cell outwards: the coarse level's convolutions, then the fine level's.
  const int coarseReach = 2 * n.blocks + 1, fineReach = 2 * n.blocks + 1;
  plan.receptiveField = n.stride() + 2 * (coarseReach * n.stride() + fineReach * n.fold);
  plan.operationsPerVoxel = 3 * 2 * products / fold; // forward, and twice that backward
  plan.voxelsPerStep = std::llround(options.batchSize * std::pow(options.patchSize, n.dimensions));
  plan.modelMemory = 4. * 4 * static_cast<double>(plan.parameters);
  // Beside those of the blocks: stem, up, down; data, logits and their gradients in float32.
  const double rest = 2 * w + 4 * w * coarse + folded;
  plan.batchMemory = static_cast<double>(plan.voxelsPerStep) / fold *
    (bytes * (2 * stored + rest) + 4. * 4 * folded);
  return plan;
}

} // namespace vae
