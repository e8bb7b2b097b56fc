// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Quantile.h"

#include <bit>
#include <vector>

namespace vae
{
namespace
{

/// Go down from the largest bin until `count` are above, and leave in `count` what the bin itself
/// is to give.
std::uint32_t binOf(const std::vector<std::int64_t>& bins, std::int64_t& count)
{
  std::uint32_t bin = static_cast<std::uint32_t>(bins.size()) - 1;
  while (bin > 0 && bins[bin] < count)
  {
    count -= bins[bin--];
  }
  return bin;
}

} // namespace

std::uint32_t TopK::key(float value)
{
  if (value != value)
  {
    return 0;
  }
  // Floats are ordered like integers with a sign bit of their own; both zeros are one number.
  const auto bits = std::bit_cast<std::uint32_t>(value + 0.f);
  return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

TopK::TopK(std::span<const float> values, std::int64_t count) : Ties(count)
{
  std::vector<std::int64_t> bins(1 << 16);
  for (const float v : values)
  {
    ++bins[key(v) >> 16];
  }
  const std::uint32_t high = binOf(bins, this->Ties);
  bins.assign(bins.size(), 0);
  for (const float v : values)
  {
    const std::uint32_t k = key(v);
    bins[k & 0xffffu] += k >> 16 == high;
  }
  this->Last = high << 16 | binOf(bins, this->Ties);
}

} // namespace vae
