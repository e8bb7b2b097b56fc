// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "FreeMeasures.h"

#include "Family.h"
#include "Scores.h"

#include <algorithm>
#include <cmath>

namespace vae::statistics
{
namespace
{

double scoreOf(const std::vector<TwoSamples>& samples)
{
  Energy sum;
  bool any = false;
  for (const TwoSamples& s : samples)
  {
    const Energy e = s.energy();
    if (std::isfinite(e.distance()))
    {
      sum += e;
      any = true;
    }
  }
  if (!any)
  {
    return Unknown;
  }
  const double score = sum.score();
  return std::isfinite(score) ? std::min(score, LargestScore) : LargestScore;
}

std::size_t columnsOf(const Report& report)
{
  std::size_t columns = report.scalars.size();
  for (const Table& table : report.tables)
  {
    columns += table.columns.size();
  }
  return columns;
}

/// Of the values that are finite.
class Mean
{
public:
  void add(double v)
  {
    this->Sum += std::isfinite(v) ? v : 0;
    this->Number += std::isfinite(v) ? 1 : 0;
  }
  double value() const { return this->Number > 0 ? this->Sum / this->Number : Unknown; }

private:
  double Sum = 0, Number = 0;
};

} // namespace

std::vector<Report> reportsOf(const std::vector<Mask>& blocks, const Work& work)
{
  StatisticsOptions options;
  options.radial = options.localPercolation = false;
  std::vector<Report> reports(blocks.size());
  work.forEach(static_cast<std::int64_t>(blocks.size()), [&](std::int64_t i)
  {
    const auto at = static_cast<std::size_t>(i);
    reports[at] = measureAll(blocks[at], options, {}, Extent::Block, work.alone());
  });
  return reports;
}

double freeScore(const std::vector<Report>& blocks, const std::vector<Report>& references)
{
  if (blocks.empty() || references.empty())
  {
    return Unknown;
  }
  // A block without the phase has fewer columns.
  const Report& like = *std::ranges::max_element(references, {}, columnsOf);
  Mean all;
  for (const std::string_view measure : FreeMeasures)
  {
    const std::string name(measure);
    Mean scores; // of axes and estimators
    bool number = false;
    for (const Scalar& s : like.scalars)
    {
      if (s.measure == name)
      {
        number = true;
        scores.add(scoreOf(samplesOf(like, blocks, references, s.name, s.measure)));
      }
    }
    if (!number)
    {
      scores.add(scoreOf(samplesOf(like, blocks, references, name, name)));
    }
    all.add(scores.value());
  }
  return all.value();
}

} // namespace vae::statistics
