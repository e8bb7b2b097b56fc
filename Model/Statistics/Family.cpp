// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Family.h"

#include "LocalPorosity.h"

#include <algorithm>
#include <format>

namespace vae::statistics
{

// -------------------------------------------------------------------------------------- curves

std::vector<double> resample(const std::vector<double>& curve, double step, double unit)
{
  if (step == unit)
  {
    return curve;
  }
  std::vector<double> result;
  for (std::size_t i = 0; !curve.empty(); ++i)
  {
    const double at = static_cast<double>(i) * unit / step;
    const auto k = static_cast<std::size_t>(at);
    if (k + 1 >= curve.size() && !(k + 1 == curve.size() && at == static_cast<double>(k)))
    {
      break;
    }
    const double part = at - static_cast<double>(k);
    result.push_back(part > 0 ? curve[k] + part * (curve[k + 1] - curve[k]) : curve[k]);
  }
  return result;
}

std::vector<double> multiples(std::size_t number, double unit)
{
  std::vector<double> result;
  for (std::size_t i = 0; i < number; ++i)
  {
    result.push_back(static_cast<double>(i) * unit);
  }
  return result;
}

std::vector<double> meanOf(const std::vector<std::vector<double>>& curves)
{
  std::vector<double> mean;
  for (std::size_t i = 0;; ++i)
  {
    double sum = 0;
    for (const auto& c : curves)
    {
      if (i >= c.size())
      {
        return mean;
      }
      sum += c[i];
    }
    mean.push_back(sum / static_cast<double>(curves.size()));
  }
}

void square(Table& table)
{
  for (Column& c : table.columns)
  {
    c.values.resize(table.columns[0].values.size(), c.beyond);
  }
}

std::int64_t lagsOf(const StatisticsOptions& options, const Dims& dims)
{
  const std::int64_t side = smallestSide(dims);
  return options.maximumLag > 0 ? std::min<std::int64_t>(options.maximumLag, side - 1)
                                : std::min<std::int64_t>(100, std::max<std::int64_t>(1, side / 2));
}

std::string outOfRange(const char* name, std::int64_t value, std::int64_t low, std::int64_t high)
{
  return std::format("{} is {}; it must be in [{}, {}]", name, value, low, high);
}

// -------------------------------------------------------------------------------------- subject

Subject::Subject(const Mask& ofMask, const StatisticsOptions& withOptions, const Radial& withRadial,
  Extent ofExtent, const Work& work)
  : mask(ofMask)
  , options(withOptions)
  , radial(withRadial)
  , extent(ofExtent)
  , axes(axesOf(mask.dims))
  , unit(std::min({ mask.spacing[0], mask.spacing[1], mask.spacing[2] }))
  , voxel(mask.spacing[0] * mask.spacing[1] * mask.spacing[2])
  , total(static_cast<double>(mask.count()))
  , lags(lagsOf(options, mask.dims))
  , pores(volumeOf(mask, work.part(0, 0.03)))
  , porosity(static_cast<double>(pores) / total)
  , profiles(sliceProfiles(mask, work.part(0.03, 0.1)))
  , pairs(countPairs(mask, lags, options.periodic, work.part(0.1, 0.45)))
  , runs(countRuns(mask, work.part(0.45, 0.65)))
  , configurations(countConfigurations(mask, work.part(0.65, 0.8)))
  , minkowski(statistics::minkowski(configurations, runs.faces, mask.spacing))
  , components(findComponents(mask, options.connectivity, work.part(0.8, 1)))
{
  for (const int axis : this->axes)
  {
    const double h = this->mask.spacing[static_cast<std::size_t>(axis)];
    this->slopeAtLag1 +=
      (this->pairs.s2(axis, 1) - this->porosity) / h / static_cast<double>(this->axes.size());
    double above = 0, below = 0;
    for (std::int64_t r = 1; r <= std::min<std::int64_t>(4, this->lags); ++r)
    {
      const double x = static_cast<double>(r) * h;
      above += x * (this->pairs.s2(axis, r) - this->porosity);
      below += x * x;
    }
    this->slopeFitted += above / below / static_cast<double>(this->axes.size());
  }
}

std::string Subject::kind() const
{
  return std::format(" ({})", static_cast<int>(this->options.connectivity));
}

// ------------------------------------------------------------------------------------ collector

Table& Collector::at(Curves table) { return this->To.tables[static_cast<std::size_t>(table)]; }

void Collector::abscissa(Curves table, std::vector<double> values)
{
  Table& t = this->at(table);
  if (t.columns.empty())
  {
    const TableInfo& info = infoOf(table);
    t = { .name = info.name,
      .columns = { { .name = info.abscissa, .beyond = Unknown, .unit = info.unit } } };
  }
  if (values.size() > t.columns[0].values.size())
  {
    t.columns[0].values = std::move(values);
  }
}

void Collector::curve(const Curve& curve, std::vector<double> values)
{
  this->at(curve.table)
    .columns.push_back({ .name = curve.name,
      .values = std::move(values),
      .beyond = curve.beyond,
      .measure = curve.measure,
      .unit = curve.unit });
}

void Collector::curves(
  const Curve& curve, const Subject& subject, const std::vector<std::vector<double>>& values)
{
  std::size_t longest = 0;
  for (const auto& v : values)
  {
    longest = std::max(longest, v.size());
  }
  this->abscissa(curve.table, multiples(longest, subject.unit));
  Curve each = curve;
  for (std::size_t i = 0; i < values.size(); ++i)
  {
    each.name = curve.name + " " + AxisName[static_cast<std::size_t>(subject.axes[i])];
    this->curve(each, values[i]);
  }
  if (values.size() > 1)
  {
    each.name = curve.name + " mean of axes";
    each.measure.clear();
    this->curve(each, meanOf(values));
  }
}

void Collector::scalar(const Number& number, double value)
{
  std::string measure = number.name.substr(0, number.name.find(" ("));
  if (measure.size() > 2 && measure[measure.size() - 2] == ' ')
  {
    measure.resize(measure.size() - 2);
  }
  this->To.scalars.push_back({ .name = number.name,
    .value = value,
    .measure = number.verdict == Verdict::Counts ? measure : std::string(),
    .unit = number.unit });
}

} // namespace vae::statistics
