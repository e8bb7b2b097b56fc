// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "AnomalyScale.h"

#include "Torch/Runtime/Device.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <cmath>

namespace vae
{
namespace
{

/// Per cent below 99, then ever finer: anomalies are in the upper tail. The last is the largest
/// score.
const at::Tensor& levels()
{
  static const at::Tensor all = []
  {
    std::vector<float> values;
    for (int percent = 0; percent < 99; ++percent)
    {
      values.push_back(static_cast<float>(percent) / 100);
    }
    for (int i = 0; i <= 64; ++i) // 0.99 to 0.999999 as floats can tell them apart
    {
      values.push_back(static_cast<float>(1 - 0.01 * std::pow(10., -i / 16.)));
    }
    values.push_back(1);
    return at::tensor(values);
  }();
  return all;
}

at::Tensor quantilesOf(const std::vector<at::Tensor>& parts)
{
  const at::Tensor sorted = std::get<0>(at::cat(parts).sort());
  const at::Tensor place =
    toDevice(levels(), sorted.device()).to(at::kDouble) * static_cast<double>(sorted.numel() - 1);
  const at::Tensor below = place.floor().to(at::kLong), above = place.ceil().to(at::kLong);
  const at::Tensor low = sorted.index_select(0, below), high = sorted.index_select(0, above);
  return low + (high - low) * (place - place.floor()).to(at::kFloat);
}

at::Tensor percentile(const at::Tensor& quantiles, const at::Tensor& scores)
{
  const std::int64_t n = quantiles.size(0);
  // The first quantile above: equal ones below it, as a flat part of the distribution has, count.
  const at::Tensor above =
    at::searchsorted(quantiles, scores.contiguous(), false, /*right=*/true).clamp(1, n - 1);
  const at::Tensor below = above - 1;
  const auto at = [](const at::Tensor& table, const at::Tensor& index)
  { return toDevice(table, index.device()).index_select(0, index.flatten()).view_as(index); };
  const at::Tensor low = at(quantiles, below), high = at(quantiles, above);
  const at::Tensor part =
    at::where(high > low, (scores - low) / (high - low).clamp_min(1e-30), at::ones_like(scores))
      .clamp(0, 1);
  const at::Tensor from = at(levels(), below), to = at(levels(), above);
  return 100 * (from + (to - from) * part);
}

} // namespace

void AnomalyScale::add(AnomalyMeasure measure, const AnomalyScores& scores)
{
  auto& parts = this->Parts[static_cast<std::size_t>(measure)];
  parts[0].push_back(scores.voxels.flatten());
  parts[1].push_back(scores.cells.flatten());
}

void AnomalyScale::finish()
{
  std::vector<at::Tensor> all;
  for (auto& measure : this->Parts)
  {
    all.push_back(at::stack({ quantilesOf(measure[0]), quantilesOf(measure[1]) }));
    measure = {};
  }
  this->Quantiles = at::stack(all).to(at::kCPU);
}

AnomalyScores AnomalyScale::percentiles(AnomalyMeasure measure, const AnomalyScores& scores) const
{
  const at::Tensor mine =
    toDevice(this->Quantiles[static_cast<std::int64_t>(measure)], scores.voxels.device());
  return { percentile(mine[0], scores.voxels), percentile(mine[1], scores.cells) };
}

AnomalyScale AnomalyScale::fromState(const TensorReader& state)
{
  const at::Tensor& quantiles = state.get("quantiles");
  if (quantiles.sizes() != at::IntArrayRef({ 3, 2, levels().size(0) }))
  {
    throw std::runtime_error("the quantiles of the anomaly scores have the wrong shape");
  }
  const at::Tensor steps = quantiles.diff() + 1e-4 * quantiles.abs().amax(-1, true);
  if (!quantiles.isfinite().all().item<bool>() || !steps.ge(0).all().item<bool>())
  {
    throw std::runtime_error("the quantiles of the anomaly scores are not ascending numbers");
  }
  AnomalyScale scale;
  scale.Quantiles = quantiles.contiguous();
  return scale;
}

} // namespace vae
