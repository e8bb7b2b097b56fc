// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Objective.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace vae
{

at::Tensor klDivergence(const at::Tensor& mean, const at::Tensor& logVariance)
{
  return 0.5 * (mean.square() + logVariance.exp() - logVariance - 1).sum();
}

at::Tensor bernoulliLoss(const at::Tensor& logits, const at::Tensor& x)
{
  return at::binary_cross_entropy_with_logits(logits, x, {}, {}, at::Reduction::Sum);
}

at::Tensor meanSquaredError(const at::Tensor& mean, const at::Tensor& x, std::int64_t channels)
{
  // Folded channels of one data channel are neighbours: [batch, channels, fold^d, cells...].
  return (mean - x).square().unflatten(1, { channels, -1 }).transpose(0, 1).flatten(1).mean(1);
}

at::Tensor gaussianLoss(
  const at::Tensor& meanSquares, std::int64_t count, const at::Tensor& logSigma)
{
  return (0.5 * meanSquares * at::exp(-2 * logSigma) + logSigma +
           0.5 * std::log(2 * std::numbers::pi))
           .sum() *
    static_cast<double>(count);
}

at::Tensor softClip(const at::Tensor& logSigma)
{
  constexpr double minimum = -6;
  return minimum + at::softplus(logSigma - minimum);
}

double klWeightAt(const TrainOptions& o, double progress)
{
  return o.klWeight * (o.klRamp > 0 ? std::min(1., progress / o.klRamp) : 1.);
}

double learningRateAt(const TrainOptions& o, std::int64_t step, double progress)
{
  constexpr double warmUpSteps = 30, floor = 1. / 200;
  const double warm = std::min(1., static_cast<double>(step) / warmUpSteps);
  const double cosine = 0.5 * (1 + std::cos(std::numbers::pi * std::clamp(progress, 0., 1.)));
  return o.learningRate * warm * (floor + (1 - floor) * cosine);
}

} // namespace vae
