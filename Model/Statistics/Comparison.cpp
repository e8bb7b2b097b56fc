// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
//
// A volume, its blocks and a reference: bands, comparisons of all measures, the score.
#include "Family.h"
#include "Scores.h"
#include "Stationarity.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <random>

namespace vae::statistics
{
namespace
{

/// What is measured of a volume and of its reference.
struct Plan
{
  StatisticsOptions whole, block;
  std::int64_t blockSize = 0; ///< 0: no blocks
};

void requireEqualSpacing(const Mask& mask, const Mask& reference)
{
  for (std::size_t a = 0; a < 3; ++a)
  {
    if (std::abs(reference.spacing[a] - mask.spacing[a]) > 1e-6 * mask.spacing[a])
    {
      throw std::invalid_argument("The reference's spacing along " + AxisName[a] + " is " +
        std::to_string(reference.spacing[a]) + " and the input's " +
        std::to_string(mask.spacing[a]) + "; they must be equal");
    }
  }
}

/// \throws std::invalid_argument
Plan planOf(const Mask& mask, const Mask* reference, const StatisticsOptions& options)
{
  check(options, mask.dims);
  Plan plan{ .whole = options, .block = options, .blockSize = options.blockSize };
  if (reference)
  {
    check(options, reference->dims);
    requireEqualSpacing(mask, *reference);
    const std::int64_t both = std::min(smallestSide(mask.dims), smallestSide(reference->dims));
    plan.blockSize = plan.blockSize > 0 ? plan.blockSize : both / 2;
    if (plan.blockSize > both || plan.blockSize < 8)
    {
      throw std::invalid_argument(outOfRange("Block Size", plan.blockSize, 8, both));
    }
    if (options.maximumLag == 0)
    {
      plan.whole.maximumLag =
        static_cast<int>(std::min(lagsOf(options, mask.dims), lagsOf(options, reference->dims)));
    }
  }
  plan.block = plan.whole;
  if (plan.blockSize > 0)
  {
    plan.block.maximumLag =
      static_cast<int>(std::min<std::int64_t>(lagsOf(plan.whole, mask.dims), plan.blockSize - 1));
    plan.block.periodic = false;
  }
  return plan;
}

/// Along each axis.
Dims blocksOf(const Dims& dims, std::int64_t size)
{
  Dims number;
  for (std::size_t a = 0; a < 3; ++a)
  {
    number[a] = dims[a] > 1 ? dims[a] / size : 1;
  }
  return number;
}

std::vector<Report> measureBlocks(
  const Mask& mask, std::int64_t size, const StatisticsOptions& options, const Work& work)
{
  const Dims number = blocksOf(mask.dims, size);
  Dims block;
  for (std::size_t a = 0; a < 3; ++a)
  {
    block[a] = mask.dims[a] > 1 ? size : 1;
  }
  std::vector<Report> reports(static_cast<std::size_t>(voxels(number)));
  work.forEach(voxels(number), [&](std::int64_t i)
  {
    const Dims origin{ i % number[0] * block[0], i / number[0] % number[1] * block[1],
      i / number[0] / number[1] * block[2] };
    reports[static_cast<std::size_t>(i)] =
      measureAll(boxOf(mask, origin, block), options, {}, Extent::Block, work.alone());
  });
  return reports;
}

struct Moments
{
  double mean = Unknown, stddev = Unknown;
};
Moments momentsOf(const std::vector<double>& values)
{
  double sum = 0, n = 0, squares = 0;
  for (const double v : values)
  {
    sum += std::isfinite(v) ? v : 0;
    n += std::isfinite(v);
  }
  Moments m;
  if (n > 0)
  {
    m.mean = sum / n;
    for (const double v : values)
    {
      squares += std::isfinite(v) ? (v - m.mean) * (v - m.mean) : 0;
    }
    m.stddev = n > 1 ? std::sqrt(squares / (n - 1)) : Unknown;
  }
  return m;
}

const Column* find(const Report& report, std::size_t table, const std::string& name)
{
  for (const Column& c : report.tables[table].columns)
  {
    if (c.name == name)
    {
      return &c;
    }
  }
  return nullptr;
}

/// Of a number, or Unknown where it was not measured.
double valueOf(const Report& report, const std::string& name)
{
  const auto at = std::find_if(
    report.scalars.begin(), report.scalars.end(), [&](const Scalar& s) { return s.name == name; });
  return at == report.scalars.end() ? Unknown : at->value;
}

std::vector<double> valuesOf(const std::vector<Report>& reports, const std::string& name)
{
  std::vector<double> values;
  for (const Report& r : reports)
  {
    values.push_back(valueOf(r, name));
  }
  return values;
}

double valueAt(const Column* column, std::size_t i, double beyond)
{
  return !column ? Unknown : i < column->values.size() ? column->values[i] : beyond;
}

/// Mean and scatter over the blocks of a column, for each of `rows` abscissae.
std::vector<Moments> blockMoments(
  const std::vector<Report>& blocks, std::size_t table, const Column& like, std::size_t rows)
{
  std::vector<Moments> result;
  for (std::size_t i = 0; i < rows; ++i)
  {
    std::vector<double> values;
    for (const Report& b : blocks)
    {
      const Column* c = find(b, table, like.name);
      if (c)
      {
        values.push_back(valueAt(c, i, like.beyond));
      }
    }
    result.push_back(momentsOf(values));
  }
  return result;
}

double hellingerOf(const Moments& p, const Moments& q)
{
  if (!std::isfinite(p.stddev) || !std::isfinite(q.stddev) || p.stddev + q.stddev == 0)
  {
    return p.mean == q.mean && p.stddev == q.stddev ? 0 : Unknown;
  }
  const double sum = p.stddev * p.stddev + q.stddev * q.stddev;
  const double d = p.mean - q.mean;
  return std::sqrt(
    std::max(0., 1 - std::sqrt(2 * p.stddev * q.stddev / sum) * std::exp(-d * d / (4 * sum))));
}

/// Integral of the absolute difference of two curves, where both are known.
double difference(const Column& a, const Column& b)
{
  double sum = 0;
  const std::size_t n = std::max(a.values.size(), b.values.size());
  for (std::size_t i = 0; i < n; ++i)
  {
    const double d = std::abs(valueAt(&a, i, a.beyond) - valueAt(&b, i, b.beyond));
    sum += std::isfinite(d) ? d : 0;
  }
  return sum;
}

/// Beside the columns of `source`, in the tables of `target`: mean and band over the blocks.
void addBands(Report& target, const Report& source, const std::vector<Report>& blocks,
  const std::string& suffix)
{
  for (std::size_t t = 0; t < CurvesNumber; ++t)
  {
    const std::vector<Column> columns = source.tables[t].columns;
    for (std::size_t c = 1; c < columns.size(); ++c)
    {
      const std::size_t rows =
        target.tables[t].columns.empty() ? 0 : target.tables[t].columns[0].values.size();
      std::vector<double> mean, low, high;
      bool any = false;
      for (const Moments& m : blockMoments(blocks, t, columns[c], rows))
      {
        mean.push_back(m.mean);
        low.push_back(m.mean - m.stddev);
        high.push_back(m.mean + m.stddev);
        any = any || std::isfinite(m.stddev);
      }
      if (any)
      {
        for (const auto& [word, values] :
          { std::pair(" mean", &mean), { " low", &low }, { " high", &high } })
        {
          target.tables[t].columns.push_back(
            { columns[c].name + " blocks" + word + suffix, *values, Unknown, {} });
        }
      }
    }
  }
}

/// The tables of the reference beside those of the volume; all of a kind have the same steps.
void addReference(Report& target, const Report& reference)
{
  for (std::size_t t = 0; t < CurvesNumber; ++t)
  {
    Table& table = target.tables[t];
    const Table& other = reference.tables[t];
    if (table.columns.empty() || other.columns.empty())
    {
      continue;
    }
    if (other.columns[0].values.size() > table.columns[0].values.size())
    {
      table.columns[0].values = other.columns[0].values;
    }
    for (std::size_t c = 1; c < other.columns.size(); ++c)
    {
      Column column = other.columns[c];
      column.name += " (reference)";
      table.columns.push_back(std::move(column));
    }
    square(table);
  }
}

// ---------------------------------------------------------------------------------- comparisons

/// What a comparison is made of.
struct Pair
{
  const Report& own;
  const Report& reference;
  const std::vector<Report>& blocks;
  const std::vector<Report>& references; ///< blocks of the reference
};

MeasureComparison compareNumber(const Pair& pair, const Scalar& s)
{
  const Moments mine = momentsOf(valuesOf(pair.blocks, s.name)),
                theirs = momentsOf(valuesOf(pair.references, s.name));
  const double reference = valueOf(pair.reference, s.name);
  return { .name = s.name,
    .measure = s.measure,
    .value = s.value,
    .mean = mine.mean,
    .stddev = mine.stddev,
    .reference = reference,
    .referenceMean = theirs.mean,
    .referenceStddev = theirs.stddev,
    .relativeError = std::abs(s.value - reference) / std::abs(reference),
    .hellinger = hellingerOf(mine, theirs) };
}

struct Mean
{
  double sum = 0, terms = 0;
  void add(double v)
  {
    this->sum += v;
    ++this->terms;
  }
  double value() const { return this->terms > 0 ? this->sum / this->terms : Unknown; }
};

/// Of the blocks' mean densities: one term; of other curves: one for each abscissa.
void addHellinger(
  Mean& to, const Pair& pair, std::size_t table, const Column& column, std::size_t rows)
{
  const auto mine = blockMoments(pair.blocks, table, column, rows);
  const auto theirs = blockMoments(pair.references, table, column, rows);
  if (column.beyond != 0)
  {
    for (std::size_t i = 0; i < rows; ++i)
    {
      const double d = hellingerOf(mine[i], theirs[i]);
      if (std::isfinite(d))
      {
        to.add(d);
      }
    }
    return;
  }
  double overlap = 0, p = 0, q = 0;
  for (std::size_t i = 0; i < rows; ++i)
  {
    const double a = std::isfinite(mine[i].mean) ? mine[i].mean : 0;
    const double b = std::isfinite(theirs[i].mean) ? theirs[i].mean : 0;
    overlap += std::sqrt(a * b);
    p += a;
    q += b;
  }
  to.add(std::sqrt(std::max(0., 1 - overlap / std::sqrt(p * q))));
}

/// The columns of a measure together.
MeasureComparison compareCurves(const Pair& pair, std::size_t table, const std::string& measure)
{
  double error = 0, size = 0;
  Mean hellinger;
  for (const Column& column : pair.own.tables[table].columns)
  {
    const Column* other = find(pair.reference, table, column.name);
    if (column.measure != measure || !other)
    {
      continue;
    }
    error += difference(column, *other);
    for (const double v : other->values)
    {
      size += std::isfinite(v) ? std::abs(v) : 0;
    }
    addHellinger(
      hellinger, pair, table, column, std::max(column.values.size(), other->values.size()));
  }
  return { .name = measure,
    .measure = measure,
    .value = Unknown,
    .mean = Unknown,
    .stddev = Unknown,
    .reference = Unknown,
    .referenceMean = Unknown,
    .referenceStddev = Unknown,
    .relativeError = size > 0 ? error / size : Unknown,
    .hellinger = hellinger.value() };
}

/// Numbers first, then curves.
std::vector<MeasureComparison> compareAll(const Pair& pair)
{
  std::vector<MeasureComparison> comparisons;
  for (const Scalar& s : pair.own.scalars)
  {
    if (!s.measure.empty())
    {
      comparisons.push_back(compareNumber(pair, s));
    }
  }
  for (std::size_t t = 0; t < CurvesNumber; ++t)
  {
    std::vector<std::string> measures;
    for (const Column& column : pair.own.tables[t].columns)
    {
      if (!column.measure.empty() &&
        std::find(measures.begin(), measures.end(), column.measure) == measures.end())
      {
        measures.push_back(column.measure);
        comparisons.push_back(compareCurves(pair, t, column.measure));
      }
    }
  }
  return comparisons;
}

// --------------------------------------------------------------------------------------- scores

} // namespace

std::vector<TwoSamples> samplesOf(const Report& like, const std::vector<Report>& blocks,
  const std::vector<Report>& references, const std::string& name, const std::string& measure)
{
  std::vector<TwoSamples> samples;
  if (std::ranges::find(like.scalars, name, &Scalar::name) != like.scalars.end())
  {
    samples.emplace_back(valuesOf(blocks, name), valuesOf(references, name));
    return samples;
  }
  for (std::size_t t = 0; t < CurvesNumber; ++t)
  {
    for (const Column& column : like.tables[t].columns)
    {
      if (column.measure != measure)
      {
        continue;
      }
      std::size_t rows = 0;
      const auto columnsOf = [&](const std::vector<Report>& of)
      {
        std::vector<const Column*> columns;
        for (const Report& block : of)
        {
          columns.push_back(find(block, t, column.name));
          rows = std::max(rows, columns.back() ? columns.back()->values.size() : 0);
        }
        return columns;
      };
      const auto own = columnsOf(blocks), reference = columnsOf(references);
      const auto row = [&](const std::vector<const Column*>& columns, std::size_t i)
      {
        std::vector<double> values;
        for (const Column* of : columns)
        {
          values.push_back(valueAt(of, i, column.beyond));
        }
        return values;
      };
      for (std::size_t i = 0; i < rows; ++i)
      {
        samples.emplace_back(row(own, i), row(reference, i));
      }
    }
  }
  return samples;
}

namespace
{

/// The sum over a curve: the energy distance of its numbers, each by itself.
double scoreOf(const std::vector<TwoSamples>& samples, const std::vector<double>& ownWeights,
  const std::vector<double>& referenceWeights)
{
  Energy sum;
  bool any = false;
  for (const TwoSamples& s : samples)
  {
    const Energy e = s.energy(ownWeights, referenceWeights);
    if (std::isfinite(e.distance()))
    {
      sum += e;
      any = true;
    }
  }
  return any ? sum.score() : Unknown;
}

/// Mean of the measures' scores, each the mean of its own.
double scoreOfAll(
  const std::vector<MeasureComparison>& comparisons, const std::vector<double>& scores)
{
  std::map<std::string, std::vector<double>> measures;
  for (std::size_t i = 0; i < comparisons.size(); ++i)
  {
    measures[comparisons[i].measure].push_back(scores[i]);
  }
  std::vector<double> means;
  for (const auto& [measure, values] : measures)
  {
    means.push_back(momentsOf(values).mean);
  }
  return momentsOf(means).mean;
}

/// The middle 95 % of what is known.
Interval intervalOf(std::vector<double> values)
{
  std::erase_if(values, [](double v) { return !std::isfinite(v); });
  if (values.empty())
  {
    return {};
  }
  std::ranges::sort(values);
  const auto at = [&](double part)
  { return values[static_cast<std::size_t>(part * static_cast<double>(values.size() - 1) + 0.5)]; };
  return { at(0.025), at(0.975) };
}

/// Blocks of a volume, and how many along each axis are drawn together: two correlation lengths.
BlockBootstrap bootstrapOf(const Mask& mask, std::int64_t blockSize, const Work& work)
{
  const Dims lengths = correlationLengths(quantityOf(mask, "the phase"), work);
  const Dims number = blocksOf(mask.dims, blockSize);
  Dims tile;
  for (std::size_t a = 0; a < 3; ++a)
  {
    tile[a] = lengths[a] > 0 ? (2 * lengths[a] + blockSize - 1) / blockSize : number[a];
  }
  return { number, tile };
}

/// Scores of all comparisons, and of all together, with their intervals.
void addScores(ComparisonReport& to, const Pair& pair, const BlockBootstrap& own,
  const BlockBootstrap& reference, const Work& work)
{
  constexpr std::size_t Draws = 400;
  std::vector<std::vector<double>> ownWeights{ std::vector<double>(pair.blocks.size(), 1) };
  std::vector<std::vector<double>> referenceWeights{ std::vector<double>(
    pair.references.size(), 1) };
  std::mt19937_64 random(1);
  for (std::size_t i = 0; i < Draws && own.tells() && reference.tells(); ++i)
  {
    ownWeights.push_back(own.draw(random));
    referenceWeights.push_back(reference.draw(random));
  }
  const std::size_t draws = ownWeights.size();
  // [draw][comparison]; the first draw is each block once
  std::vector<std::vector<double>> scores(draws, std::vector<double>(to.comparisons.size()));
  work.forEach(static_cast<std::int64_t>(to.comparisons.size()), [&](std::int64_t i)
  {
    const auto c = static_cast<std::size_t>(i);
    const std::vector<TwoSamples> samples = samplesOf(
      pair.own, pair.blocks, pair.references, to.comparisons[c].name, to.comparisons[c].measure);
    std::vector<double> drawn;
    for (std::size_t d = 0; d < draws; ++d)
    {
      scores[d][c] = scoreOf(samples, ownWeights[d], referenceWeights[d]);
      if (d > 0)
      {
        drawn.push_back(scores[d][c]);
      }
    }
    to.comparisons[c].score = scores[0][c];
    to.comparisons[c].scoreInterval = intervalOf(drawn);
  });
  std::vector<double> all;
  for (const std::vector<double>& draw : scores)
  {
    all.push_back(scoreOfAll(to.comparisons, draw));
  }
  to.score = all[0];
  to.scoreInterval = intervalOf({ all.begin() + 1, all.end() });
}

} // namespace

ComparisonReport measureAgainst(const Mask& mask, const Mask* reference,
  const StatisticsOptions& options, const Radial& radial, const Monitor& monitor)
{
  const Plan plan = planOf(mask, reference, options);
  const Work work(options.threads, monitor);
  ComparisonReport result;
  const double share = reference ? 0.25 : plan.blockSize > 0 ? 0.5 : 1;
  result.report = measureAll(mask, plan.whole, radial, Extent::Volume, work.part(0, share));
  std::vector<Report> blocks, references;
  if (plan.blockSize > 0)
  {
    blocks = measureBlocks(mask, plan.blockSize, plan.block, work.part(share, 2 * share));
  }
  if (reference)
  {
    result.reference =
      measureAll(*reference, plan.whole, radial, Extent::Volume, work.part(0.5, 0.75));
    references = measureBlocks(*reference, plan.blockSize, plan.block, work.part(0.75, 0.97));
  }
  result.blocks = static_cast<std::int64_t>(blocks.size());
  result.referenceBlocks = static_cast<std::int64_t>(references.size());

  const Report own = result.report;
  addBands(result.report, own, blocks, "");
  if (reference)
  {
    addReference(result.report, result.reference);
    addBands(result.report, result.reference, references, " (reference)");
    const Pair pair{ own, result.reference, blocks, references };
    result.comparisons = compareAll(pair);
    addScores(result, pair, bootstrapOf(mask, plan.blockSize, work.quiet()),
      bootstrapOf(*reference, plan.blockSize, work.quiet()), work.part(0.97, 0.99));
  }
  work.report(1);
  return result;
}

} // namespace vae::statistics
