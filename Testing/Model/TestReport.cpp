// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
//
// The report as a whole: what its columns and numbers say of themselves.
#include "Rock.h"
#include "Statistics/Report.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

using namespace vae;
using namespace vae::statistics;

namespace
{

Mask rockMask(int size, std::uint64_t seed, double unit = 1)
{
  Mask m;
  m.dims = { size, size, size };
  m.spacing = { unit, 2 * unit, unit };
  for (const std::uint8_t g : rock::cementedGrains({ size, 0.3, 5, seed }))
  {
    m.data.push_back(g == 0);
  }
  return m;
}

StatisticsOptions everything()
{
  StatisticsOptions o;
  o.tortuosity = true;
  o.cubeSize = 8;
  o.threads = 2;
  return o;
}

/// S2 over the distance, without the Fourier transforms: any curve over lengths.
RadialS2 someRadial(const Mask& mask, std::int64_t lags, bool, const Monitor&)
{
  RadialS2 r;
  for (std::int64_t i = 0; i <= lags; ++i)
  {
    r.distance.push_back(static_cast<double>(i) * mask.spacing[0]);
    r.s2.push_back(1. / static_cast<double>(i + 1));
  }
  return r;
}

bool same(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }

} // namespace

// A spacing four times as large is exact in floating point, so every number is multiplied by
// exactly that power of 4 that its unit says.
TEST(Report, NumbersScaleAsTheirUnitsSay)
{
  const Report one = measure(rockMask(24, 3), everything(), someRadial, {});
  const Report four = measure(rockMask(24, 3, 4), everything(), someRadial, {});
  ASSERT_EQ(one.scalars.size(), four.scalars.size());
  EXPECT_GT(one.scalars.size(), 40u);
  for (std::size_t i = 0; i < one.scalars.size(); ++i)
  {
    const Scalar &a = one.scalars[i], &b = four.scalars[i];
    EXPECT_EQ(a.name, b.name);
    const double expected = a.value * std::pow(4., static_cast<int>(a.unit));
    EXPECT_NEAR(b.value, expected, 1e-12 * std::abs(expected)) << a.name;
  }
  for (std::size_t t = 0; t < CurvesNumber; ++t)
  {
    const auto &as = one.tables[t].columns, &bs = four.tables[t].columns;
    ASSERT_EQ(as.size(), bs.size());
    EXPECT_EQ(as.empty(), t == static_cast<std::size_t>(Curves::Thresholds));
    for (std::size_t c = 0; c < as.size(); ++c)
    {
      EXPECT_EQ(as[c].values.size(), as[0].values.size()) << as[c].name;
      ASSERT_EQ(as[c].values.size(), bs[c].values.size()) << as[c].name;
      for (std::size_t i = 0; i < as[c].values.size(); ++i)
      {
        const double a = as[c].values[i] * std::pow(4., static_cast<int>(as[c].unit));
        const double b = bs[c].values[i];
        EXPECT_TRUE(same(a, b) || std::abs(a - b) <= 1e-12 * std::abs(a))
          << as[c].name << ", row " << i << ": " << a << ", " << b;
      }
    }
  }
}

// Filters and scripts find columns and numbers by their names.
TEST(Report, NamesAreUnique)
{
  const Report report = measure(rockMask(24, 3), everything(), someRadial, {});
  std::set<std::string> names;
  for (const Scalar& s : report.scalars)
  {
    EXPECT_TRUE(names.insert(s.name).second) << s.name;
  }
  for (std::size_t t = 0; t < CurvesNumber; ++t)
  {
    std::set<std::string> columns;
    for (const Column& c : report.tables[t].columns)
    {
      EXPECT_TRUE(columns.insert(c.name).second) << report.tables[t].name << ": " << c.name;
    }
    const TableInfo& info = infoOf(static_cast<Curves>(t));
    if (!columns.empty())
    {
      EXPECT_EQ(report.tables[t].name, info.name);
      EXPECT_EQ(report.tables[t].columns[0].name, info.abscissa);
    }
  }
}

// What depends on the size of the volume is not compared; all else is, once.
TEST(Report, ComparesWhatCounts)
{
  const Mask own = rockMask(24, 3), reference = rockMask(32, 5);
  const ComparisonReport report = measureAgainst(own, &reference, everything(), someRadial, {});
  std::set<std::string> compared, measures;
  for (const MeasureComparison& c : report.comparisons)
  {
    EXPECT_TRUE(compared.insert(c.name).second) << c.name;
    measures.insert(c.measure);
  }
  for (const Scalar& s : report.report.scalars)
  {
    EXPECT_EQ(compared.count(s.name), s.measure.empty() ? 0u : 1u) << s.name;
  }
  EXPECT_TRUE(measures.contains("Porosity"));
  EXPECT_TRUE(measures.contains("Two-Point Probability"));
  EXPECT_FALSE(measures.contains("Faces"));
  EXPECT_EQ(report.blocks, 8); // of 12 voxels: half the smaller volume's side
  EXPECT_EQ(report.referenceBlocks, 8);
}

// A volume's blocks vary as its own do; those of n that are compared with themselves take 2 / n
// off.
TEST(Report, AnEqualMediumScoresOne)
{
  const Mask own = rockMask(24, 3);
  const ComparisonReport report = measureAgainst(own, &own, everything(), someRadial, {});
  for (const MeasureComparison& c : report.comparisons)
  {
    if (std::isfinite(c.score))
    {
      EXPECT_NEAR(c.score, 1 - 2. / 8, 1e-9) << c.name;
      EXPECT_TRUE(std::isnan(c.hellinger) || c.hellinger < 1e-6) << c.name;
    }
  }
  EXPECT_NEAR(report.score, 1 - 2. / 8, 1e-9);
}
