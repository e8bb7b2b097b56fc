// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "LogOddsHistogram.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

namespace vae
{
namespace
{

constexpr double Largest = 30, Width = 0.01; // a sure network's odds are beyond any threshold
constexpr auto Bins = static_cast<std::int64_t>(2 * Largest / Width);
/// histc counts in float32, in which one more than this is not a number.
constexpr std::int64_t MostAtOnce = std::int64_t{ 1 } << 24;

} // namespace

void LogOddsHistogram::add(const at::Tensor& odds)
{
  const at::Tensor all = odds.flatten();
  at::Tensor counts = at::zeros({ Bins }, all.options().dtype(at::kLong));
  for (std::int64_t begin = 0; begin < all.numel(); begin += MostAtOnce)
  {
    const at::Tensor some = all.slice(0, begin, begin + MostAtOnce).clamp(-Largest, Largest);
    counts += at::histc(some, Bins, -Largest, Largest).to(at::kLong);
  }
  // Wholly or not at all: a tile that runs out of memory is added again in halves.
  this->Counts = this->Counts.defined() ? this->Counts + counts : counts;
}

double LogOddsHistogram::threshold(double fraction) const
{
  const at::Tensor counts = this->Counts.to(at::kCPU).to(at::kDouble), part = counts / counts.sum();
  const at::Tensor middles = (at::arange(Bins, at::kDouble) + 0.5) * Width - Largest;
  double low = -8, high = 8;
  for (int i = 0; i < 20; ++i)
  {
    const double middle = 0.5 * (low + high);
    const double mean = (part * (middles - middle).sigmoid()).sum().item<double>();
    (mean > fraction ? low : high) = middle;
  }
  return 0.5 * (low + high);
}

} // namespace vae
