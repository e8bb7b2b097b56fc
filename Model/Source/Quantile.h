// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <span>

namespace vae
{

/// Divides numbers into an exact count of the largest and the rest.
class TopK
{
public:
  /// Two passes that count the upper and the lower halves of the numbers' bits: nothing is sorted
  /// or copied. Of equal numbers the first ones are the larger; a NaN is smaller than any number.
  /// \param count in [0, values.size()]
  TopK(std::span<const float> values, std::int64_t count);

  /// Whether the next of the values, in their order, is among the largest.
  bool operator()(float value)
  {
    const std::uint32_t k = key(value);
    return k > this->Last || (k == this->Last && this->Ties-- > 0);
  }

private:
  static std::uint32_t key(float value); ///< in the same order

  std::uint32_t Last = 0; ///< the smallest of the largest
  std::int64_t Ties = 0;  ///< how many equal to it are still to come
};

} // namespace vae
