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

} // namespace

void LogOddsHistogram::add(const at::Tensor& odds)
{
  const at::Tensor more =
    at::histc(odds.flatten().clamp(-Largest, Largest), Bins, -Largest, Largest).to(at::kDouble);
  this->Counts = this->Counts.defined() ? this->Counts + more : more;
}

double LogOddsHistogram::threshold(double fraction) const
{
  const at::Tensor counts = this->Counts.to(at::kCPU), part = counts / counts.sum();
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
