// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "TwoSampleTest.h"

#include <algorithm>
#include <numbers>

namespace vae
{

Accuracy accuracyOf(const std::vector<std::array<ClassCount, 2>>& counts, std::int64_t distinct)
{
  std::array<ClassCount, 2> sum{};
  for (const auto& training : counts)
  {
    for (std::size_t c = 0; c < 2; ++c)
    {
      sum[c].tested += training[c].tested;
      sum[c].right += training[c].right;
    }
  }
  Accuracy accuracy;
  if (sum[0].tested == 0 || sum[1].tested == 0)
  {
    return accuracy;
  }
  const std::int64_t all = sum[0].tested + sum[1].tested;
  accuracy.tested = std::min(all, distinct);
  const double share = static_cast<double>(accuracy.tested) / static_cast<double>(all);
  double variance = 0, atChance = 0;
  accuracy.value = 0;
  for (const auto& [tested, right] : sum)
  {
    const auto n = static_cast<double>(tested), r = static_cast<double>(right);
    const double p = (r + 1) / (n + 2);
    accuracy.value += 0.5 * r / n;
    variance += 0.25 * p * (1 - p) / (share * n);
    atChance += 0.25 * 0.25 / (share * n);
  }
  accuracy.standardError = std::sqrt(variance);
  accuracy.standardErrorAtChance = std::sqrt(atChance);
  accuracy.pValue = 0.5 *
    std::erfc((accuracy.value - 0.5) / (accuracy.standardErrorAtChance * std::numbers::sqrt2));
  return accuracy;
}

} // namespace vae
