// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Statistics/Work.h"

#include <bit>
#include <cstdint>
#include <span>
#include <vector>

namespace vae
{

/// Divides numbers into an exact count of the largest and the rest.
class TopK
{
public:
  /// Says of one number after the other, in their order, whether it is among the largest.
  class Cut
  {
  public:
    Cut(std::uint32_t last, std::int64_t ties) : Last(last), Ties(ties) {}
    bool operator()(float value)
    {
      const std::uint32_t k = key(value);
      return k > this->Last || (k == this->Last && this->Ties-- > 0);
    }

  private:
    std::uint32_t Last; ///< the smallest of the largest
    std::int64_t Ties;  ///< how many equal to it are still to come
  };

  /// Two passes that count the upper and the lower halves of the numbers' bits: nothing is sorted
  /// or copied. Of equal numbers the first ones are the larger; a NaN is smaller than any number.
  /// \param count in [0, values.size()]
  TopK(std::span<const float> values, std::int64_t count,
    const statistics::Work& work = statistics::Work(1));

  /// Of all numbers.
  Cut all() const { return { this->Last, this->Ties }; }

  /// f(begin, end, cut) for parts of the numbers, on threads.
  template <typename F>
  void forParts(const statistics::Work& work, F&& f) const
  {
    work.forEach(static_cast<std::int64_t>(this->Parts.size()), [&](std::int64_t i)
    {
      const Part& part = this->Parts[static_cast<std::size_t>(i)];
      f(part.begin, part.end, Cut(this->Last, part.ties));
    });
  }

private:
  struct Part
  {
    std::size_t begin, end;
    std::int64_t ties; ///< of its numbers that are equal to the last, so many are among the largest
  };

  /// In the same order.
  static std::uint32_t key(float value)
  {
    if (value != value)
    {
      return 0;
    }
    // Floats are ordered like integers with a sign bit of their own; both zeros are one number.
    const auto bits = std::bit_cast<std::uint32_t>(value + 0.f);
    return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
  }

  std::uint32_t Last = 0;
  std::int64_t Ties = 0;
  std::vector<Part> Parts;
};

} // namespace vae
