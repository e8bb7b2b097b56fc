// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "DivergenceGuard.h"

#include "StateJson.h"

#include <algorithm>
#include <cmath>

namespace vae
{
namespace
{

/// Single losses far off come with large steps and leave nothing behind, so the learning rate rises
/// again, by so much an epoch.
constexpr double RateRecovery = 1.1, LeastRateFactor = 1. / 32;

} // namespace

bool DivergenceGuard::diverged(double loss, double gradientNorm) const
{
  // Far above anything seen so far: on its way to infinity. Before the first epoch nothing is.
  const double limit = this->LowestLoss + 10 * std::max(1., std::abs(this->FirstLoss));
  return !std::isfinite(loss) || !std::isfinite(gradientNorm) || loss > limit;
}

void DivergenceGuard::epochEnded(
  double loss, const std::vector<at::Tensor>& everything, std::int64_t step)
{
  this->FirstLoss = std::isnan(this->FirstLoss) ? loss : this->FirstLoss;
  this->LowestLoss = std::fmin(this->LowestLoss, loss); // of two, the one that is a number
  this->keep(everything, step);
  this->RateFactor = std::min(1., RateRecovery * this->RateFactor);
}

void DivergenceGuard::keep(const std::vector<at::Tensor>& everything, std::int64_t step)
{
  this->Good.take(everything);
  this->GoodStep = step;
}

std::int64_t DivergenceGuard::putBack(const std::vector<at::Tensor>& everything) const
{
  this->Good.putBack(everything);
  return this->GoodStep;
}

bool DivergenceGuard::retreat()
{
  this->RateFactor *= 0.5;
  return this->RateFactor < LeastRateFactor;
}

void DivergenceGuard::store(StateWriter& state) const
{
  state.json["first_loss"] = this->FirstLoss;
  state.json["lowest_loss"] = this->LowestLoss;
  state.json["rate_factor"] = this->RateFactor;
}

void DivergenceGuard::restore(const StateReader& state)
{
  this->FirstLoss = state.number("first_loss");
  this->LowestLoss = state.number("lowest_loss");
  this->RateFactor = state.number("rate_factor");
}

} // namespace vae
