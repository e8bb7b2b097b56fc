// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <random>

// What the made volumes share: random numbers, and voxels of a periodic cube.
namespace rock
{

using Point = std::array<double, 3>;

// The standard's distributions differ between libraries; these do not.
class Random
{
public:
  explicit Random(std::uint64_t seed) : Engine(seed) {}
  double uniform() { return static_cast<double>(this->Engine() >> 11) * 0x1.0p-53; }
  double uniform(double low, double high) { return low + (high - low) * this->uniform(); }
  double normal()
  {
    const double u = 1 - this->uniform(), v = this->uniform();
    return std::sqrt(-2 * std::log(u)) * std::cos(2 * std::numbers::pi * v);
  }
  Point point(double size)
  {
    const double x = this->uniform(), y = this->uniform(), z = this->uniform();
    return { x * size, y * size, z * size };
  }

private:
  std::mt19937_64 Engine;
};

inline double periodic(double d, double size) { return d - size * std::round(d / size); }

inline int wrap(int i, int n) { return ((i % n) + n) % n; }

/// Call f(voxel index, dx, dy, dz) for every voxel whose centre is in the box of half width
/// `reach` about `centre`, periodically.
template <typename F>
void around(const Point& centre, double reach, int size, F&& f)
{
  const int half = std::min(static_cast<int>(std::ceil(reach)), (size - 1) / 2);
  std::array<int, 3> middle;
  for (int a = 0; a < 3; ++a)
  {
    middle[a] = static_cast<int>(std::floor(centre[a]));
  }
  for (int k = -half; k <= half; ++k)
  {
    for (int j = -half; j <= half; ++j)
    {
      const auto row = (static_cast<std::size_t>(wrap(middle[2] + k, size)) * size +
                         static_cast<std::size_t>(wrap(middle[1] + j, size))) *
        size;
      for (int i = -half; i <= half; ++i)
      {
        f(row + static_cast<std::size_t>(wrap(middle[0] + i, size)),
          middle[0] + i + 0.5 - centre[0], middle[1] + j + 0.5 - centre[1],
          middle[2] + k + 0.5 - centre[2]);
      }
    }
  }
}

} // namespace rock
