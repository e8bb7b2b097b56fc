// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Statistics/Distances.h"
#include "Volumes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

using namespace vae;
using namespace vae::statistics;

namespace
{

/// Always the same normal numbers about a mean.
Features normal(int number, double mean)
{
  Features rows;
  std::mt19937_64 random(1);
  std::normal_distribution<double> draw(mean, 1);
  for (int i = 0; i < number; ++i)
  {
    rows.push_back({ draw(random) });
  }
  return rows;
}

} // namespace

TEST(Distances, OfTwoNormalDistributions)
{
  constexpr int n = 400;
  constexpr double shift = 1.5;
  const Features first = normal(n, 0),
                 second = [&]
  {
    Features rows = normal(n, shift); // the same numbers, shifted: the distance is the shift
    std::reverse(rows.begin(), rows.end());
    return rows;
  }();
  double sum = 0, squares = 0;
  for (const auto& row : first)
  {
    sum += row[0] / n;
    squares += row[0] * row[0] / n;
  }
  const double deviation = std::sqrt(squares - sum * sum), apart = shift / deviation;
  std::vector<double> between;
  Features all = first;
  all.insert(all.end(), second.begin(), second.end());
  for (const auto& a : all)
  {
    for (const auto& b : all)
    {
      between.push_back((a[0] - b[0]) * (a[0] - b[0]) / (deviation * deviation));
    }
  }
  std::nth_element(between.begin(), between.begin() + between.size() / 2, between.end());
  const double width = between[between.size() / 2];
  // Of N(0, 1) and N(d, 1): 2 s / sqrt(s^2 + 2) (1 - exp(-d^2 / (2 (s^2 + 2)))), kernel width s.
  const double discrepancy =
    2 * std::sqrt(width / (width + 2)) * (1 - std::exp(-apart * apart / (2 * (width + 2))));

  const std::vector<Distance> d = distances(first, second, 1, Work(1));
  ASSERT_EQ(d.size(), 2u);
  // Its standard deviation over samples is about 2 sqrt(var h / n), var h below 1/16.
  EXPECT_NEAR(d[0].value, discrepancy, 5 * 2 * 0.25 / std::sqrt(n));
  EXPECT_NEAR(d[1].value, apart, 1e-9);
  for (const Distance& each : d)
  {
    EXPECT_EQ(each.pValue, 1. / 200) << each.name;
    EXPECT_LT(each.control, 0.2 * each.value) << each.name;
  }
}

TEST(Distances, OfOneDistributionAreChance)
{
  std::mt19937_64 random(3);
  std::normal_distribution<double> draw;
  Features first, second;
  for (int i = 0; i < 60; ++i)
  {
    first.push_back({ draw(random), draw(random), 7 });
    second.push_back({ draw(random), draw(random), 8 }); // without scatter: left out
  }
  first[3][0] = std::nan("");
  const std::vector<Distance> d = distances(first, second, 1, Work(2));
  const std::vector<Distance> again = distances(first, second, 1, Work(1));
  for (std::size_t i = 0; i < 2; ++i)
  {
    EXPECT_GT(d[i].pValue, 0.01) << d[i].name;
    EXPECT_EQ(d[i].value, again[i].value);
    EXPECT_EQ(d[i].pValue, again[i].pValue);
  }
  first.resize(3);
  EXPECT_TRUE(std::isnan(distances(first, second, 1, Work(1))[0].value));
  EXPECT_TRUE(std::isnan(distances({}, second, 1, Work(1))[1].value));
}

TEST(Distances, TellRocksApart)
{
  const std::vector<Volume> one{ test::rockVolume(64, 1, 5) }, same{ test::rockVolume(64, 2, 5) },
    other{ test::rockVolume(64, 3, 8) };
  const Dims block{ 16, 16, 16 };
  const auto like = blockDistances(one, same, block, 0, Work(2)),
             unlike = blockDistances(one, other, block, 0, Work(2));
  for (std::size_t i = 0; i < 2; ++i)
  {
    EXPECT_EQ(unlike[i].pValue, 1. / 200) << unlike[i].name;
    EXPECT_GT(unlike[i].value, 2 * like[i].value) << unlike[i].name;
    EXPECT_GT(unlike[i].value, 2 * unlike[i].control) << unlike[i].name;
  }
}
