// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Random.h"

#include <vector>

// What is made of bodies and of fields that are cut shares.
namespace rock
{

/// A uniform point of the unit ball.
inline Point inBall(Random& random)
{
  for (;;)
  {
    const double x = random.uniform(-1, 1), y = random.uniform(-1, 1), z = random.uniform(-1, 1);
    if (x * x + y * y + z * z < 1)
    {
      return { x, y, z };
    }
  }
}

inline double dot(const Point& a, const Point& b)
{
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

inline Point unit(const Point& a)
{
  const double length = std::sqrt(std::max(dot(a, a), 1e-30));
  return { a[0] / length, a[1] / length, a[2] / length };
}

inline Point cross(const Point& a, const Point& b)
{
  return { a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0] };
}

/// The value below which this fraction of all values lies.
inline float quantile(std::vector<float> values, double fraction)
{
  const auto last = static_cast<std::ptrdiff_t>(values.size()) - 1;
  const auto at = std::clamp<std::ptrdiff_t>(
    static_cast<std::ptrdiff_t>(fraction * static_cast<double>(values.size())), 0, last);
  std::nth_element(values.begin(), values.begin() + at, values.end());
  return values[static_cast<std::size_t>(at)];
}

} // namespace rock
