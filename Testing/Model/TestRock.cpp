// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Rock.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace
{

double porosity(const rock::Voxels& v)
{
  return static_cast<double>(std::count(v.begin(), v.end(), 0)) / static_cast<double>(v.size());
}

/// Two-point correlation of the pore along x, periodic.
double s2(const rock::Voxels& v, int n, int lag)
{
  std::size_t both = 0;
  for (std::size_t row = 0; row < v.size(); row += static_cast<std::size_t>(n))
  {
    for (int x = 0; x < n; ++x)
    {
      both += v[row + static_cast<std::size_t>(x)] == 0 &&
        v[row + static_cast<std::size_t>((x + lag) % n)] == 0;
    }
  }
  return static_cast<double>(both) / static_cast<double>(v.size());
}

} // namespace

TEST(Rock, OverlappingSpheresHaveTheirExactStatistics)
{
  const rock::Options o{ 192, 0.2, 10, 3 };
  const rock::Voxels v = rock::overlappingSpheres(o);
  const double phi = porosity(v);
  EXPECT_NEAR(phi, 0.2, 0.01);
  for (const int r : { 1, 2, 5, 10, 15 })
  {
    const double exact =
      std::pow(phi, 1 + 3. * r / (4 * o.radius) - std::pow(r, 3) / (16 * std::pow(o.radius, 3)));
    EXPECT_NEAR(s2(v, o.size, r) / exact, 1, 0.04) << r;
  }
  EXPECT_NEAR(s2(v, o.size, 40) / (phi * phi), 1, 0.1);
}

TEST(Rock, CementedGrainsHaveTheAskedPorosity)
{
  const rock::Options o{ 64, 0.17, 8, 1 };
  const rock::Voxels v = rock::cementedGrains(o);
  EXPECT_NEAR(porosity(v), 0.17, 1e-5);
  EXPECT_EQ(v, rock::cementedGrains(o)); // repeatable
  EXPECT_NE(v, rock::cementedGrains({ 64, 0.17, 8, 2 }));
}
