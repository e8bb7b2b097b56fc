// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
//
// Whether a volume is one material throughout.
#include "Rock.h"
#include "Statistics/Stationarity.h"
#include "Volumes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <random>
#include <span>

using namespace vae;
using namespace vae::statistics;

namespace
{

constexpr std::int64_t Edge = 64;

using Grey = std::vector<float>;
/// Of the place, each coordinate in [-1, 1].
using Place = std::function<double(double x, double y, double z)>;

/// Noise of unit variance, averaged over `width` voxels along each axis (periodic).
Grey smoothNoise(std::uint64_t seed, std::int64_t width)
{
  std::mt19937_64 random(seed);
  std::normal_distribution<float> gauss;
  Grey values(static_cast<std::size_t>(Edge * Edge * Edge));
  for (float& v : values)
  {
    v = gauss(random);
  }
  for (const std::int64_t step : { std::int64_t{ 1 }, Edge, Edge * Edge })
  {
    Grey sums(values.size());
    for (std::int64_t i = 0; i < Edge * Edge * Edge; ++i)
    {
      const std::int64_t at = i / step % Edge, first = i - at * step;
      for (std::int64_t k = 0; k < width; ++k)
      {
        sums[static_cast<std::size_t>(i)] +=
          values[static_cast<std::size_t>(first + (at + k) % Edge * step)];
      }
      sums[static_cast<std::size_t>(i)] /= std::sqrt(static_cast<float>(width));
    }
    values = sums;
  }
  return values;
}

Grey plus(Grey values, const Place& more)
{
  for (std::size_t i = 0; i < values.size(); ++i)
  {
    const auto at = [](std::size_t k) { return 2. * static_cast<double>(k) / (Edge - 1) - 1; };
    constexpr std::size_t n = Edge;
    values[i] += static_cast<float>(more(at(i % n), at(i / n % n), at(i / n / n)));
  }
  return values;
}

Stationarity ofGrey(const Grey& values)
{
  Volume v;
  v.dims = { Edge, Edge, Edge };
  Channel c;
  c.data = values.data();
  c.array = "grey";
  v.channels = { c };
  return stationarity(
    quantityOf(v, 0, summarise(c, static_cast<std::int64_t>(values.size()))), Work(2));
}

/// Of the voxels below a level.
Stationarity ofPhase(const Grey& values, float level)
{
  Mask m;
  m.dims = { Edge, Edge, Edge };
  for (const float v : values)
  {
    m.data.push_back(v < level);
  }
  return stationarity(quantityOf(m, "rock = 0"), Work(2));
}

Stationarity ofRock(const rock::Voxels& voxels, std::int64_t edge)
{
  Mask m;
  m.dims = { edge, edge, edge };
  for (const std::uint8_t v : voxels)
  {
    m.data.push_back(v == 0);
  }
  return stationarity(quantityOf(m, "rock = 0"), Work(2));
}

} // namespace

// One of 250 is allowed by construction, so none of 48 is the likely outcome.
TEST(Stationarity, StationaryVolumesOfManyKindsAreNotWarnedOf)
{
  for (std::uint64_t seed = 0; seed < 8; ++seed)
  {
    for (const Stationarity& s : {
           ofRock(rock::cementedGrains({ 96, 0.2, 7, seed }), 96),
           ofRock(rock::overlappingSpheres({ 64, 0.3, 5, seed }), 64),
           ofRock(rock::overlappingSpheres({ 64, 0.6, 3, seed }), 64),
           ofGrey(smoothNoise(seed, 1)),
           ofGrey(smoothNoise(seed, 5)),
           ofPhase(smoothNoise(seed, 5), -0.7f),
         })
    {
      EXPECT_EQ(s.warning, "") << seed;
      EXPECT_TRUE(s.judged) << seed;
    }
  }
}

TEST(Stationarity, ATrendIsWarnedOf)
{
  const Place along = [](double, double, double z) { return 0.8 * z; };
  for (std::uint64_t seed = 0; seed < 6; ++seed)
  {
    const Grey trended = plus(smoothNoise(seed, 4), along);
    for (const Stationarity& s : { ofGrey(trended), ofPhase(trended, -0.5f) })
    {
      EXPECT_TRUE(s.judged);
      EXPECT_NE(s.warning.find("along z, from about "), std::string::npos) << seed << s.warning;
      EXPECT_NE(s.warning.find("Trend Map"), std::string::npos);
    }
    EXPECT_EQ(ofPhase(trended, -0.5f).warning.find("The fraction of rock = 0 changes"), 0u);
  }
  // One that has nothing else.
  EXPECT_NE(ofGrey(plus(smoothNoise(1, 1), [](double x, double, double) { return 20 * x; }))
              .warning.find("The mean of 'grey' changes along x"),
    std::string::npos);
}

// As VAE Train asks: of labels, in the words of the phase that Automatic takes, and within a mask.
TEST(Stationarity, OfTrainingData)
{
  std::mt19937 random(1);
  std::vector<std::uint8_t> even, trended, half;
  for (std::uint32_t i = 0; i < 32 * 32 * 32; ++i)
  {
    const std::uint32_t number = random() % 1000, z = i / (32 * 32);
    even.push_back(number < 300 ? 255 : 0);
    trended.push_back(number < (z < 16 ? 300 : 100 + 12 * z) ? 255 : 0);
    half.push_back(z < 16);
  }
  const Volume first = test::volume(even, { 32, 32, 32 });
  Volume second = test::volume(trended, { 32, 32, 32 });
  const auto warning = [](const std::vector<Volume>& volumes)
  { return stationarityWarning(volumes, summarise(volumes), Work(2)); };
  EXPECT_EQ(warning({ first }), "");
  EXPECT_EQ(warning({ first, second }).find("The fraction of v = 255 changes along z"), 0u);
  second.mask = test::volume(half, { 32, 32, 32 }).channels[0];
  EXPECT_EQ(warning({ first, second }), "");
}

TEST(Stationarity, TwoRegionsAreWarnedOf)
{
  const Place halves = [](double x, double y, double) { return x + 0.3 * y > 0.2 ? 1 : -0.2; };
  const Place core = [](double x, double y, double z)
  { return x * x + y * y + z * z < 0.7 ? 1.5 : 0; };
  for (std::uint64_t seed = 0; seed < 6; ++seed)
  {
    for (const Place& regions : { halves, core })
    {
      const Grey values = plus(smoothNoise(seed, 4), regions);
      EXPECT_NE(ofGrey(values).warning, "") << seed;
      EXPECT_NE(ofPhase(values, 0).warning, "") << seed;
    }
  }
  // Equal in their mean: two sizes of grains.
  const Grey fine = smoothNoise(1, 2), coarse = smoothNoise(2, 6);
  Grey both = fine;
  std::ranges::copy(
    std::span(coarse).last(coarse.size() / 2), std::span(both).last(both.size() / 2).begin());
  const std::string warning = ofPhase(both, 0).warning;
  EXPECT_NE(warning.find("The surface of rock = 0 changes along z"), std::string::npos) << warning;
}

TEST(Stationarity, CorrelationLength)
{
  // Of an average over w voxels the correlation is 1 - r / w.
  const Grey values = smoothNoise(1, 6);
  Volume v;
  v.dims = { Edge, Edge, Edge };
  Channel c;
  c.data = values.data();
  v.channels = { c };
  const Dims lengths =
    correlationLengths(quantityOf(v, 0, summarise(c, Edge * Edge * Edge)), Work(2));
  for (const std::int64_t n : lengths)
  {
    EXPECT_NEAR(static_cast<double>(n), 6, 1); // 0.9 of 6, rounded up
  }
  // Too long to tell.
  EXPECT_FALSE(ofGrey(smoothNoise(1, 12)).judged);
}
