// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
//
// The energy distance, by which a volume's blocks are compared with those of a reference.
#include "Rock.h"
#include "Statistics/EnergyDistance.h"
#include "Statistics/Report.h"
#include "Verdict.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <iostream>
#include <numbers>

using namespace vae;
using namespace vae::statistics;

namespace
{

double below(double x) { return std::erfc(-x / std::numbers::sqrt2) / 2; }

/// N(mean, stddev^2) at evenly spaced probabilities: its moments are those of the distribution.
std::vector<double> normal(int number, double mean = 0, double stddev = 1)
{
  std::vector<double> values;
  for (int i = 0; i < number; ++i)
  {
    const double p = (i + 0.5) / number;
    double low = -8, high = 8;
    while (high - low > 1e-12)
    {
      const double middle = (low + high) / 2;
      (below(middle) < p ? low : high) = middle;
    }
    values.push_back(mean + stddev * low);
  }
  return values;
}

/// E|Z| of Z from N(mean, stddev^2), the folded normal distribution.
double meanSize(double mean, double stddev)
{
  return stddev * std::sqrt(2 / std::numbers::pi) * std::exp(-mean * mean / (2 * stddev * stddev)) +
    mean * (1 - 2 * below(-mean / stddev));
}

Energy ofNormals(double mean, double stddev)
{
  return { .across = meanSize(mean, std::hypot(1, stddev)),
    .own = meanSize(0, stddev * std::numbers::sqrt2),
    .reference = meanSize(0, std::numbers::sqrt2) };
}

Mask rockMask(int size, std::uint64_t seed, double porosity = 0.3)
{
  Mask m;
  m.dims = { size, size, size };
  for (const std::uint8_t g : rock::cementedGrains({ size, porosity, 5, seed }))
  {
    m.data.push_back(g == 0);
  }
  return m;
}

/// A volume of blocks of a quarter of 2 x 2 x 2, each one of `from`'s by its number.
Mask ofBlocks(const Mask& from, const std::array<int, 8>& which)
{
  Mask m = from;
  const std::int64_t edge = from.dims[0] / 2;
  const auto origin = [&](int i) { return Dims{ i % 2 * edge, i / 2 % 2 * edge, i / 4 * edge }; };
  for (int i = 0; i < 8; ++i)
  {
    const Mask block =
      boxOf(from, origin(which[static_cast<std::size_t>(i)]), { edge, edge, edge });
    const Dims to = origin(i);
    for (std::int64_t z = 0; z < edge; ++z)
    {
      for (std::int64_t y = 0; y < edge; ++y)
      {
        std::copy_n(block.row(y, z), edge, m.row(to[1] + y, to[2] + z) + to[0]);
      }
    }
  }
  return m;
}

ComparisonReport scored(const Mask& mask, const Mask& reference)
{
  StatisticsOptions o;
  o.cubeSize = 8;
  o.threads = 2;
  o.radial = o.poreSize = o.cluster = false; // the slow ones
  return measureAgainst(mask, &reference, o, {}, {});
}

} // namespace

TEST(Scores, EnergyDistanceOfTwoGaussians)
{
  constexpr int number = 20000; // the error is of the order of 1 / number
  const std::vector<double> reference = normal(number);
  for (const auto& [mean, stddev] :
    { std::pair(0., 1.), { 1., 1. }, { -0.5, 1. }, { 0., 0.25 }, { 0., 3. }, { 2., 0.5 } })
  {
    const Energy expected = ofNormals(mean, stddev),
                 found = TwoSamples(normal(number, mean, stddev), reference).energy();
    EXPECT_NEAR(found.across, expected.across, 1e-3) << mean << " " << stddev;
    EXPECT_NEAR(found.own, expected.own, 1e-3) << mean << " " << stddev;
    EXPECT_NEAR(found.distance(), expected.distance(), 1e-3) << mean << " " << stddev;
    EXPECT_GE(found.distance(), -1e-3);
  }
}

// The mean difference alone gives a constant the score of an equal distribution.
// What the words of a verdict stand for.
TEST(Scores, OneAndTwoStandardDeviationsApart)
{
  EXPECT_NEAR(ofNormals(1, 1).score(), Verdict::Passes, 0.05);
  EXPECT_NEAR(ofNormals(2, 1).score(), Verdict::Close, 0.05);
}

TEST(Scores, ConstantBiasedAndCollapsedSamplesAreAboveOne)
{
  constexpr int number = 2000;
  const std::vector<double> reference = normal(number);
  const auto energy = [&](double mean, double stddev)
  { return TwoSamples(normal(number, mean, stddev), reference).energy(); };
  const Energy wrong = energy(0.94, 0);
  EXPECT_NEAR(wrong.across / wrong.reference, 1, 5e-3) << "what it was";
  EXPECT_NEAR(wrong.score(), 2, 5e-3);
  EXPECT_NEAR(energy(0, 0).score(), std::numbers::sqrt2, 5e-3); // 2 E|Y| / E|Y-Y'|
  EXPECT_NEAR(
    energy(1, 1).score(), 1 + ofNormals(1, 1).distance() / ofNormals(1, 1).reference, 5e-3);
  EXPECT_GT(energy(0, 0.25).score(), 1.2); // collapsed
  EXPECT_NEAR(energy(0, 1).score(), 1, 5e-3);
}

TEST(Scores, WeightsAreCopies)
{
  const std::vector<double> x{ 3, 1, 4, 1, 5 }, y{ 2, 7, 1, 8 }, w{ 2, 0, 1, 3, 1 },
    v{ 1, 2, 0, 2 };
  const Energy found = TwoSamples(x, y).energy(w, v);
  double across = 0, own = 0, pairs = 0, all = 0;
  for (std::size_t i = 0; i < x.size(); ++i)
  {
    for (std::size_t j = 0; j < y.size(); ++j)
    {
      across += w[i] * v[j] * std::abs(x[i] - y[j]);
      all += w[i] * v[j];
    }
    for (std::size_t j = 0; j < x.size(); ++j)
    {
      own += i == j ? 0 : w[i] * w[j] * std::abs(x[i] - x[j]);
      pairs += i == j ? 0 : w[i] * w[j];
    }
  }
  EXPECT_NEAR(found.across, across / all, 1e-12);
  EXPECT_NEAR(found.own, own / pairs, 1e-12);
  // What is unknown does not count, and what is alone has no differences.
  const std::vector<double> some{ 3, std::nan(""), 4, 1, 5 }, without{ 3, 4, 1, 5 }, one{ 3 };
  EXPECT_NEAR(TwoSamples(some, y).energy().across, TwoSamples(without, y).energy().across, 1e-12);
  EXPECT_TRUE(std::isnan(TwoSamples(one, y).energy().score()));
  EXPECT_EQ(
    TwoSamples(std::vector<double>{ 2, 2 }, std::vector<double>{ 2, 2 }).energy().score(), 1);
}

// Means of 1200 values, of which three neighbours each are equal, scatter by the square root of
// three more than those of independent ones. Blocks drawn one by one do not know it.
TEST(Scores, BootstrapKnowsOfCorrelation)
{
  constexpr std::int64_t number = 1200;
  std::mt19937_64 random(3);
  std::normal_distribution<double> gauss;
  std::vector<double> values;
  for (std::int64_t i = 0; i < number; i += 3)
  {
    values.insert(values.end(), 3, gauss(random));
  }
  const auto variance = [&](std::int64_t tile)
  {
    const BlockBootstrap bootstrap({ number, 1, 1 }, { tile, 5, 1 });
    EXPECT_TRUE(bootstrap.tells());
    double sum = 0, squares = 0;
    constexpr int draws = 2000;
    for (int i = 0; i < draws; ++i)
    {
      const std::vector<double> weights = bootstrap.draw(random);
      double mean = 0, all = 0;
      for (std::size_t k = 0; k < values.size(); ++k)
      {
        mean += weights[k] * values[k];
        all += weights[k];
      }
      EXPECT_GE(all, number);
      sum += mean / all;
      squares += mean / all * (mean / all);
    }
    return (squares / draws - sum / draws * (sum / draws)) * number;
  };
  EXPECT_NEAR(variance(1), 1, 0.2);
  EXPECT_NEAR(variance(30), 3, 0.6);
  EXPECT_FALSE(BlockBootstrap({ 2, 2, 2 }, { 2, 3, 2 }).tells());
}

// Of whole volumes: one whose blocks are all the same, those of two kinds of blocks, one of another
// porosity, all score more than an independent volume of the same medium.
TEST(Scores, BadGeneratorsScoreMoreThanTheMedium)
{
  const Mask reference = rockMask(64, 1);
  const ComparisonReport like = scored(rockMask(64, 2), reference),
                         constant =
                           scored(ofBlocks(reference, { 3, 3, 3, 3, 3, 3, 3, 3 }), reference),
                         biased = scored(rockMask(64, 2, 0.22), reference);
  double collapsed = 0; // mean over which two kinds
  for (int i = 0; i < 4; ++i)
  {
    const int j = 7 - i;
    collapsed += scored(ofBlocks(reference, { i, j, j, i, i, j, i, j }), reference).score / 4;
  }
  std::cout << "like " << like.score << " (" << like.scoreInterval.low << " to "
            << like.scoreInterval.high << "), constant " << constant.score << ", collapsed "
            << collapsed << ", biased " << biased.score << "\n";
  EXPECT_LT(like.scoreInterval.low, 1);
  EXPECT_GT(like.scoreInterval.high, 1);
  EXPECT_NEAR(like.score, 1, 0.15);
  EXPECT_GT(constant.score, 1.2);
  EXPECT_GT(collapsed, 1.2);
  EXPECT_GT(biased.score, 1.2);
  EXPECT_GT(biased.scoreInterval.low, 1);
}
