// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "PhaseFraction.h"
#include "Source/Quantile.h"
#include "Volumes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>

using namespace vae;

namespace
{

/// What TopK should say, by sorting.
std::vector<bool> bySorting(const std::vector<float>& values, std::int64_t count)
{
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), 0u);
  std::stable_sort(order.begin(), order.end(), [&](std::size_t i, std::size_t j)
  {
    const float a = values[i], b = values[j];
    return a == a && (b != b || a > b); // NaN last
  });
  std::vector<bool> largest(values.size());
  for (std::int64_t i = 0; i < count; ++i)
  {
    largest[order[static_cast<std::size_t>(i)]] = true;
  }
  return largest;
}

std::vector<bool> byCut(const std::vector<float>& values, std::int64_t count)
{
  TopK::Cut cut = TopK(values, count).all();
  std::vector<bool> largest;
  for (const float v : values)
  {
    largest.push_back(cut(v));
  }
  const statistics::Work work(3);
  std::vector<char> inParts(values.size());
  TopK(values, count, work)
    .forParts(work, [&](std::size_t begin, std::size_t end, TopK::Cut part)
  {
    for (std::size_t i = begin; i < end; ++i)
    {
      inParts[i] = part(values[i]) ? 1 : 0;
    }
  });
  EXPECT_TRUE(std::equal(
    largest.begin(), largest.end(), inParts.begin(), [](bool a, char b) { return a == (b != 0); }))
    << count << " on threads";
  return largest;
}

ModelInfo infoOf(std::vector<double> phases, std::vector<double> fractions)
{
  ModelInfo info;
  ChannelInfo c;
  c.array = "v";
  c.phases = std::move(phases);
  c.fractions = std::move(fractions);
  info.likelihood = c.phases.size() == 2 ? Likelihood::Bernoulli : Likelihood::Categorical;
  info.channels = { c };
  return info;
}

std::string errorOf(const std::function<void()>& f)
{
  try
  {
    f();
  }
  catch (const std::invalid_argument& e)
  {
    return e.what();
  }
  return "";
}

} // namespace

TEST(TopK, IsThatOfSorting)
{
  std::mt19937 random(4);
  std::normal_distribution<float> normal(0, 5);
  std::vector<float> values(3001);
  for (float& v : values)
  {
    v = normal(random);
  }
  const auto check = [&](std::int64_t count)
  { EXPECT_EQ(byCut(values, count), bySorting(values, count)) << count; };
  const auto n = static_cast<std::int64_t>(values.size());
  for (const std::int64_t count : { std::int64_t(0), std::int64_t(1), n / 5, n / 2, n - 1, n })
  {
    check(count);
  }
  // Ties everywhere, across zero: 0 and -0 are one number.
  for (float& v : values)
  {
    v = std::round(v / 4) * 4;
  }
  for (std::int64_t count = 0; count <= n; count += 97)
  {
    check(count);
  }
  // What is no log odds of a sane network is still counted.
  values[5] = values[2000] = std::numeric_limits<float>::quiet_NaN();
  values[7] = std::numeric_limits<float>::infinity();
  values[9] = -std::numeric_limits<float>::infinity();
  values[11] = std::numeric_limits<float>::denorm_min();
  values[13] = -std::numeric_limits<float>::max();
  for (const std::int64_t count :
    { std::int64_t(0), std::int64_t(1), n / 2, n - 3, n - 2, n - 1, n })
  {
    check(count);
  }
}

TEST(TopK, OfEqualNumbersTakesTheFirst)
{
  const std::vector<float> values(100, -16.5f);
  for (const int count : { 0, 1, 42, 100 })
  {
    const std::vector<bool> largest = byCut(values, count);
    EXPECT_EQ(std::count(largest.begin(), largest.end(), true), count);
    EXPECT_EQ(std::count(largest.begin(), largest.begin() + count, true), count);
  }
}

TEST(PhaseFraction, IsExactInAnyArray)
{
  const Dims dims{ 13, 7, 5 };
  const auto n = static_cast<double>(voxels(dims));
  const ModelInfo info = infoOf({ -3, 200, 1000 }, { 0.5, 0.2, 0.3 });
  for (const double fraction : { 0., 0.2, 0.3333, 0.999, 1. })
  {
    // The second component of two: the first is not touched.
    std::vector<std::int16_t> out(2 * static_cast<std::size_t>(n), 7);
    Outputs outputs;
    outputs.values = { test::output(out) };
    outputs.values[0].data = out.data() + 1;
    outputs.values[0].stride = 2;
    PhaseFraction phase(info, phaseOf(info, "200"), dims);
    phase.ask(outputs);
    EXPECT_EQ(outputs.phase, 1);
    ASSERT_TRUE(outputs.logOdds.data);
    auto* logOdds = static_cast<float*>(outputs.logOdds.data);
    for (int i = 0; i < static_cast<int>(n); ++i)
    {
      logOdds[i] = std::round(10 * std::sin(0.3f * static_cast<float>(i))); // with many ties
      out[2 * static_cast<std::size_t>(i) + 1] = static_cast<std::int16_t>(i % 2 ? -3 : 1000);
    }
    phase.set(fraction);
    double count = 0, least = 100, most = -100;
    for (int i = 0; i < static_cast<int>(n); ++i)
    {
      const std::int16_t label = out[2 * static_cast<std::size_t>(i) + 1];
      ASSERT_EQ(out[2 * static_cast<std::size_t>(i)], 7);
      ASSERT_TRUE(label == 200 || label == (i % 2 ? -3 : 1000));
      count += label == 200;
      least = label == 200 ? std::min<double>(least, logOdds[i]) : least;
      most = label == 200 ? most : std::max<double>(most, logOdds[i]);
    }
    EXPECT_EQ(count, std::round(fraction * n));
    EXPECT_LE(std::abs(count / n - fraction), 1 / n);
    EXPECT_GE(least, most);
  }
}

TEST(PhaseFraction, OfWhichPhase)
{
  const ModelInfo three = infoOf({ 0, 1, 5 }, { 0.5, 0.2, 0.3 });
  EXPECT_EQ(phaseOf(three, "auto"), 1);
  EXPECT_EQ(phaseOf(three, "Automatic"), 1);
  EXPECT_EQ(phaseOf(three, "5"), 2);
  EXPECT_EQ(phaseOf(three, "0.0"), 0);
  EXPECT_EQ(trainingFraction(three, 2), 0.3);
  for (const char* label : { "2", "", "pore", "1x" })
  {
    EXPECT_EQ(errorOf([&] { phaseOf(three, label); }),
      "Phase is '" + std::string(label) + "'; this model knows 0, 1, 5, and Automatic");
  }
  EXPECT_EQ(errorOf([] { phaseOf(infoOf({}, {}), "auto"); }),
    "Fraction Mode needs data with phases; this model's 'v' has grey values");
}

TEST(PhaseFraction, FollowsAMap)
{
  // Log odds with two modes, as networks have them, whose own fraction is 0.2 everywhere; wanted
  // is none at the left, then a ramp, then all, and what is in between must be smooth.
  const Dims dims{ 192, 70, 60 };
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  std::vector<float> values(static_cast<std::size_t>(voxels(dims)));
  for (float& v : values)
  {
    v = normal(random) + (random() % 5 == 0 ? 8.f : -8.f);
  }
  const auto wantedAt = [](std::int64_t x)
  { return std::clamp((static_cast<double>(x) - 40) / 110, 0., 1.); };
  const Rows wanted = [&](std::int64_t x, std::int64_t y, std::int64_t z, std::span<double> row)
  {
    ASSERT_TRUE(x >= 0 && y >= 0 && z >= 0 && y < dims[1] && z < dims[2]);
    for (double& v : row)
    {
      v = wantedAt(x++);
    }
    ASSERT_LE(x, dims[0]);
  };
  const double mean = levelLocally(values, dims, wanted, 32, statistics::Work(2));
  double expected = 0;
  for (int x = 0; x < 192; ++x)
  {
    expected += wantedAt(x) / 192;
  }
  EXPECT_NEAR(mean, expected, 1e-12);
  std::vector<double> got(192, 0);
  const auto n = static_cast<std::int64_t>(std::llround(mean * static_cast<double>(values.size())));
  TopK::Cut cut = TopK(values, n).all();
  for (std::size_t i = 0; i < values.size(); ++i)
  {
    got[i % 192] += cut(values[i]) ? 1. / (70 * 60) : 0;
  }
  EXPECT_NEAR(std::accumulate(got.begin(), got.end(), 0.) / 192, mean, 1e-6);
  for (std::size_t block = 0; block < 6; ++block)
  {
    double is = 0, should = 0;
    for (std::size_t x = 32 * block; x < 32 * (block + 1); ++x)
    {
      is += got[x] / 32;
      should += wantedAt(static_cast<std::int64_t>(x)) / 32;
    }
    EXPECT_NEAR(is, should, 0.02) << "block " << block;
  }
  EXPECT_LT(got[0], 0.01);
  EXPECT_GT(got[191], 0.99);
}
