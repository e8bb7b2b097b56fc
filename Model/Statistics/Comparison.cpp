// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
//
// A volume, its blocks and a reference: bands, comparisons of all measures, the score.
#include "Family.h"

#include <algorithm>
#include <cmath>
#include <map>

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

std::vector<Report> measureBlocks(
  const Mask& mask, std::int64_t size, const StatisticsOptions& options, const Work& work)
{
  Dims block, number;
  for (std::size_t a = 0; a < 3; ++a)
  {
    block[a] = mask.dims[a] > 1 ? size : 1;
    number[a] = mask.dims[a] / block[a];
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

/// Mean of d over pairs of a block of `as` and another one of `bs`.
template <typename Distance>
double meanDistance(
  const std::vector<Report>& as, const std::vector<Report>& bs, Distance&& distance)
{
  double sum = 0, n = 0;
  for (std::size_t i = 0; i < as.size(); ++i)
  {
    for (std::size_t j = 0; j < bs.size(); ++j)
    {
      if (&as[i] == &bs[j])
      {
        continue;
      }
      const double d = distance(as[i], bs[j]);
      if (std::isfinite(d))
      {
        sum += d;
        ++n;
      }
    }
  }
  return n > 0 ? sum / n : Unknown;
}

template <typename Distance>
double scoreOf(
  const std::vector<Report>& blocks, const std::vector<Report>& references, Distance&& distance)
{
  const double across = meanDistance(blocks, references, distance);
  const double within = meanDistance(references, references, distance);
  return within > 0 ? across / within : across == 0 && within == 0 ? 1 : Unknown;
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
    .hellinger = hellingerOf(mine, theirs),
    .score = scoreOf(pair.blocks, pair.references, [&](const Report& a, const Report& b)
  { return std::abs(valueOf(a, s.name) - valueOf(b, s.name)); }) };
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
    .hellinger = hellinger.value(),
    .score = scoreOf(pair.blocks, pair.references, [&](const Report& a, const Report& b)
  {
    double sum = 0;
    for (const Column& column : a.tables[table].columns)
    {
      const Column* other = find(b, table, column.name);
      sum += column.measure == measure && other ? difference(column, *other) : 0;
    }
    return sum;
  }) };
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

/// Mean of the measures' scores, each the mean of its own.
double scoreOfAll(const std::vector<MeasureComparison>& comparisons)
{
  std::map<std::string, std::vector<double>> scores;
  for (const MeasureComparison& c : comparisons)
  {
    scores[c.measure].push_back(c.score);
  }
  std::vector<double> means;
  for (const auto& [measure, values] : scores)
  {
    means.push_back(momentsOf(values).mean);
  }
  return momentsOf(means).mean;
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
    references = measureBlocks(*reference, plan.blockSize, plan.block, work.part(0.75, 0.99));
  }
  result.blocks = static_cast<std::int64_t>(blocks.size());
  result.referenceBlocks = static_cast<std::int64_t>(references.size());

  const Report own = result.report;
  addBands(result.report, own, blocks, "");
  if (reference)
  {
    addReference(result.report, result.reference);
    addBands(result.report, result.reference, references, " (reference)");
    result.comparisons = compareAll({ own, result.reference, blocks, references });
    result.score = scoreOfAll(result.comparisons);
  }
  work.report(1);
  return result;
}

} // namespace vae::statistics
