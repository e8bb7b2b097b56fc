// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "../ModelInfo.h"

#include <ATen/core/Tensor.h>

namespace vae
{

/// Closed form KL(N(mean, exp(logVariance)) || N(0, I)), summed over all elements
/// (Kingma and Welling 2014, appendix B).
at::Tensor klDivergence(const at::Tensor& mean, const at::Tensor& logVariance);

/// -log p(x|z) of Bernoulli voxels, summed: binary cross entropy of logits.
at::Tensor bernoulliLoss(const at::Tensor& logits, const at::Tensor& x);

/// Mean squared error of each data channel; `mean` and `x` are folded.
at::Tensor meanSquaredError(const at::Tensor& mean, const at::Tensor& x, std::int64_t channels);

/// -log p(x|z) of Gaussian voxels with one log standard deviation a channel, summed
/// (sigma-VAE, Rybkin et al. 2021), from the mean squared error over `count` voxels a channel.
at::Tensor gaussianLoss(
  const at::Tensor& meanSquares, std::int64_t count, const at::Tensor& logSigma);

/// log sigma, softly kept above -6 as in the sigma-VAE: min + softplus(value - min).
at::Tensor softClip(const at::Tensor& logSigma);

/// Weight of the KL term at `progress` of the training.
double klWeightAt(const TrainOptions& options, double progress);

/// Learning rate: linear warm-up over the first steps, then a cosine to 1/200 of its peak.
double learningRateAt(const TrainOptions& options, std::int64_t step, double progress);

} // namespace vae
