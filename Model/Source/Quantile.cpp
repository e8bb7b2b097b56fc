// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Quantile.h"

#include <algorithm>

namespace vae
{
namespace
{

using Bins = std::vector<std::int64_t>;
constexpr std::size_t Halves = 1 << 16;

/// Go down from the largest bin until `count` are above, and leave in `count` what the bin itself
/// is to give.
std::uint32_t binOf(const std::vector<Bins>& parts, std::int64_t& count)
{
  Bins sum(Halves);
  for (const Bins& bins : parts)
  {
    std::transform(sum.begin(), sum.end(), bins.begin(), sum.begin(), std::plus<>());
  }
  auto bin = static_cast<std::uint32_t>(Halves) - 1;
  while (bin > 0 && sum[bin] < count)
  {
    count -= sum[bin--];
  }
  return bin;
}

} // namespace

TopK::TopK(std::span<const float> values, std::int64_t count, const statistics::Work& work)
  : Ties(count)
{
  const auto parts = static_cast<std::size_t>(work.threads());
  for (std::size_t i = 0; i < parts; ++i)
  {
    this->Parts.push_back({ values.size() * i / parts, values.size() * (i + 1) / parts, 0 });
  }
  const auto counted = [&](auto&& binOfKey)
  {
    std::vector<Bins> bins(parts, Bins(Halves + 1)); // the last: of others
    work.quiet().forEach(static_cast<std::int64_t>(parts), [&](std::int64_t i)
    {
      const auto at = static_cast<std::size_t>(i);
      for (const float v :
        values.subspan(this->Parts[at].begin, this->Parts[at].end - this->Parts[at].begin))
      {
        ++bins[at][binOfKey(key(v))];
      }
    });
    return bins;
  };
  const std::uint32_t high = binOf(counted([](std::uint32_t k) { return k >> 16; }), this->Ties);
  const std::vector<Bins> lower = counted([high](std::uint32_t k)
  { return k >> 16 == high ? k & 0xffffu : static_cast<std::uint32_t>(Halves); });
  const std::uint32_t low = binOf(lower, this->Ties);
  this->Last = high << 16 | low;
  std::int64_t left = this->Ties;
  for (std::size_t i = 0; i < parts; ++i)
  {
    this->Parts[i].ties = std::min(left, lower[i][low]);
    left -= this->Parts[i].ties;
  }
}

} // namespace vae
