// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Faces.h"
#include "Microstructures.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

namespace
{

using Kind = rock::Recipe::Kind;
constexpr Kind Kinds[] = { Kind::Grains, Kind::Spheres, Kind::Excursions, Kind::Sheets, Kind::Walls,
  Kind::Struts, Kind::Fibres, Kind::Fractures };

double fraction(const rock::Voxels& v)
{
  return static_cast<double>(std::count(v.begin(), v.end(), 255)) / static_cast<double>(v.size());
}

/// Along x, y and z.
double faces(const rock::Voxels& v, std::size_t n)
{
  return test::faces(v, n, 1) + test::faces(v, n, n) + test::faces(v, n, n * n);
}

} // namespace

TEST(Microstructures, ASeedGivesTheSameVoxelsAndNoOtherDoes)
{
  constexpr std::uint64_t seeds = 24;
  std::set<std::string> all;
  for (std::uint64_t seed = 0; seed < seeds; ++seed)
  {
    const rock::Voxels v = rock::make(rock::randomMicrostructure(seed), 24);
    EXPECT_EQ(v, rock::make(rock::randomMicrostructure(seed), 24)) << seed;
    all.emplace(v.begin(), v.end());
  }
  EXPECT_EQ(all.size(), seeds);
}

TEST(Microstructures, AllKindsAndBothLabelsComeWithBothPhases)
{
  std::set<Kind> kinds;
  int largerIsRarer = 0, twoScales = 0;
  constexpr int count = 100;
  for (int seed = 0; seed < count; ++seed)
  {
    const rock::Microstructure m = rock::randomMicrostructure(static_cast<std::uint64_t>(seed));
    kinds.insert(m.first.kind);
    twoScales += m.twoScales;
    const double larger = fraction(rock::make(m, 32));
    largerIsRarer += larger < 0.5;
    EXPECT_GT(larger, 0.01) << seed;
    EXPECT_LT(larger, 0.99) << seed;
  }
  EXPECT_EQ(kinds.size(), std::size(Kinds));
  // Five standard deviations of a fair coin.
  EXPECT_NEAR(largerIsRarer, 0.5 * count, 25);
  EXPECT_GT(twoScales, 0);
  EXPECT_LT(twoScales, count / 2);
}

TEST(Microstructures, HaveTheAskedFractionAndSizeOfFeatures)
{
  constexpr int size = 64;
  for (const Kind kind : Kinds)
  {
    const auto made = [&](double feature)
    { return rock::make(rock::Recipe{ .kind = kind, .feature = feature, .inside = 0.3 }, size); };
    const rock::Voxels fine = made(8), coarse = made(20);
    // The cut is exact to a voxel, but where distances tie.
    EXPECT_NEAR(fraction(fine), 0.3, 2e-3) << static_cast<int>(kind);
    EXPECT_NEAR(fraction(coarse), 0.3, 2e-3) << static_cast<int>(kind);
    if (kind != Kind::Fractures) // of few planes, whose area depends on where they cut the cube
    {
      // Surface goes with 1 / size, here 2.5; a few coarse features scatter.
      EXPECT_GT(faces(fine, size), 1.5 * faces(coarse, size)) << static_cast<int>(kind);
    }
  }
}

TEST(Microstructures, AStretchIsSeenInTheFaces)
{
  constexpr std::size_t size = 64;
  const rock::Voxels v = rock::make(
    rock::Recipe{ .kind = Kind::Excursions, .feature = 10, .stretch = { 2, 0.707, 0.707 } }, size);
  std::size_t alongX = 0, alongZ = 0;
  for (std::size_t i = 0; i + size * size < v.size(); ++i)
  {
    alongX += v[i] != v[i + 1];
    alongZ += v[i] != v[i + size * size];
  }
  EXPECT_GT(alongZ, 2 * alongX); // 2.8 times as often
}
