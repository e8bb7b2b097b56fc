// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Report.h"

#include "LocalPorosity.h"
#include "Minkowski.h"
#include "Thickness.h"
#include "Transport.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

namespace vae::statistics
{
namespace
{

constexpr double None = std::numeric_limits<double>::quiet_NaN();
constexpr int PorosityBins = 50;
const std::array<std::string, 3> AxisName{ "x", "y", "z" };

/// A curve known at 0, step, 2 step, ... read at 0, unit, 2 unit, ...: as it is when they agree.
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

/// The same, for a curve known at any ascending places.
std::vector<double> interpolate(
  const std::vector<double>& x, const std::vector<double>& y, double unit, std::size_t number)
{
  std::vector<double> result;
  std::size_t k = 0;
  for (std::size_t i = 0; i < number; ++i)
  {
    const double at = static_cast<double>(i) * unit;
    while (k + 1 < x.size() && x[k + 1] < at)
    {
      ++k;
    }
    if (at <= x[k])
    {
      result.push_back(y[k]);
    }
    else if (k + 1 < x.size())
    {
      result.push_back(y[k] + (at - x[k]) / (x[k + 1] - x[k]) * (y[k + 1] - y[k]));
    }
    else
    {
      result.push_back(None);
    }
  }
  return result;
}

std::vector<double> multiples(std::size_t number, double unit, std::size_t first = 0)
{
  std::vector<double> result;
  for (std::size_t i = 0; i < number; ++i)
  {
    result.push_back(static_cast<double>(first + i) * unit);
  }
  return result;
}

/// Mean of the axes' curves, where all are known.
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

class Collector
{
public:
  explicit Collector(Report& report) : To(report) {}

  /// A curve for each axis and their mean.
  void curves(Curves table, const std::string& abscissa, const std::string& name,
    const std::vector<int>& axes, const std::vector<std::vector<double>>& values, double unit,
    double beyond, const std::string& measure, std::size_t first = 0)
  {
    std::size_t longest = 0;
    for (const auto& v : values)
    {
      longest = std::max(longest, v.size());
    }
    this->abscissa(table, abscissa, multiples(longest, unit, first));
    for (std::size_t i = 0; i < axes.size(); ++i)
    {
      this->curve(table, name + " " + AxisName[static_cast<std::size_t>(axes[i])], values[i],
        beyond, measure);
    }
    if (axes.size() > 1)
    {
      this->curve(table, name + " mean of axes", meanOf(values), beyond, {});
    }
  }
  void abscissa(Curves table, const std::string& name, std::vector<double> values)
  {
    Table& t = this->at(table);
    if (t.columns.empty())
    {
      t.columns.push_back({ name, std::move(values), None, {} });
    }
    else if (values.size() > t.columns[0].values.size())
    {
      t.columns[0].values = std::move(values);
    }
  }
  void curve(Curves table, const std::string& name, std::vector<double> values, double beyond,
    const std::string& measure)
  {
    this->at(table).columns.push_back({ name, std::move(values), beyond, measure });
  }
  /// Its measure is the name without the axis and the estimator.
  void scalar(const std::string& name, double value, bool judged = true)
  {
    std::string measure = name.substr(0, name.find(" ("));
    if (measure.size() > 2 && measure[measure.size() - 2] == ' ')
    {
      measure.resize(measure.size() - 2);
    }
    this->To.scalars.push_back({ name, value, judged ? measure : std::string() });
  }

private:
  Table& at(Curves table)
  {
    Table& t = this->To.tables[static_cast<std::size_t>(table)];
    t.name = nameOf(table);
    return t;
  }
  Report& To;
};

std::string range(const char* name, std::int64_t value, std::int64_t low, std::int64_t high)
{
  return std::string(name) + " is " + std::to_string(value) + "; it must be in [" +
    std::to_string(low) + ", " + std::to_string(high) + "]";
}

/// Lags that are used: as asked for, or half the smallest side and at most 100.
std::int64_t lagsOf(const StatisticsOptions& options, const Dims& dims)
{
  const std::int64_t side = smallestSide(dims);
  return options.maximumLag > 0 ? std::min<std::int64_t>(options.maximumLag, side - 1)
                                : std::min<std::int64_t>(100, std::max<std::int64_t>(1, side / 2));
}

/// Columns of equal length, as long as the abscissa.
void square(Table& table)
{
  for (Column& c : table.columns)
  {
    c.values.resize(table.columns[0].values.size(), c.beyond);
  }
}

} // namespace

const char* nameOf(Curves curves)
{
  switch (curves)
  {
    case Curves::TwoPoint:
      return "Two-Point";
    case Curves::Cluster:
      return "Two-Point Cluster";
    case Curves::LinealPath:
      return "Lineal Path";
    case Curves::Chords:
      return "Chords";
    case Curves::PoreSizes:
      return "Pore Sizes";
    case Curves::Slices:
      return "Slices";
    case Curves::LocalPorosity:
      return "Local Porosity";
    case Curves::CellSizes:
      return "Cell Sizes";
    case Curves::Thresholds:
      return "Thresholds";
    case Curves::Number:
      break;
  }
  return "";
}

double Report::operator[](const std::string& scalar) const
{
  for (const Scalar& s : this->scalars)
  {
    if (s.name == scalar)
    {
      return s.value;
    }
  }
  throw std::out_of_range("no scalar '" + scalar + "'");
}

void check(const StatisticsOptions& o, const Dims& dims)
{
  const std::int64_t side = smallestSide(dims);
  if (voxels(dims) < 1 || side < 4)
  {
    throw std::invalid_argument(
      "The input has " + toString(dims) + " voxels; sides longer than 1 must be at least 4");
  }
  vae::check(o);
  require("Maximum Lag", o.maximumLag, 0, static_cast<double>(side - 1));
  if (o.periodic && o.maximumLag > side / 2)
  {
    throw std::invalid_argument(
      range("Maximum Lag", o.maximumLag, 0, side / 2) + " for periodic data");
  }
  if (o.blockSize != 0 && (o.blockSize < 8 || o.blockSize > side))
  {
    throw std::invalid_argument(range("Block Size", o.blockSize, 8, side) + ", or 0");
  }
}

namespace
{

Report measureWith(
  const Mask& mask, const StatisticsOptions& o, const Radial& radial, const Work& work, bool block)
{
  Report report;
  Collector add(report);
  const std::vector<int> axes = axesOf(mask.dims);
  const Spacing& h = mask.spacing;
  const double unit = std::min({ h[0], h[1], h[2] });
  const double voxel = h[0] * h[1] * h[2];
  const double total = static_cast<double>(mask.count());
  const std::int64_t lags = lagsOf(o, mask.dims);
  const auto perAxis = [&](auto&& curve)
  {
    std::vector<std::vector<double>> values;
    for (const int a : axes)
    {
      const auto i = static_cast<std::size_t>(a);
      std::vector<double> v;
      for (std::int64_t r = 0; r <= lags; ++r)
      {
        v.push_back(curve(i, r));
      }
      values.push_back(resample(v, h[i], unit));
    }
    return values;
  };

  const std::int64_t pores = volumeOf(mask, work.part(0, 0.01));
  const double phi = static_cast<double>(pores) / total;
  add.scalar("Porosity", phi);
  add.scalar("Voxels of the Phase", static_cast<double>(pores), false);

  // Two points.
  const auto profiles = sliceProfiles(mask, work.part(0.01, 0.03));
  const PairCounts pairs = countPairs(mask, lags, o.periodic, work.part(0.03, 0.12));
  add.curves(Curves::TwoPoint, "Lag", "S2", axes,
    perAxis([&](std::size_t a, std::int64_t r) { return pairs.s2(static_cast<int>(a), r); }), unit,
    None, "Two-Point Probability");
  add.curves(Curves::TwoPoint, "Lag", "Variogram", axes,
    perAxis(
      [&](std::size_t a, std::int64_t r)
  {
    // Half the mean square difference of the pairs: of their ends' mean, and S2.
    double ends = 0;
    const std::vector<double>& p = profiles[a];
    const auto n = static_cast<std::int64_t>(p.size());
    const std::int64_t valid = o.periodic ? n : n - r;
    for (std::int64_t i = 0; i < valid; ++i)
    {
      ends += p[static_cast<std::size_t>(i)] + p[static_cast<std::size_t>((i + r) % n)];
    }
    return ends / 2 / static_cast<double>(valid) - pairs.s2(static_cast<int>(a), r);
  }),
    unit, None, {});
  std::vector<double> s2 = meanOf(
    perAxis([&](std::size_t a, std::int64_t r) { return pairs.s2(static_cast<int>(a), r); }));
  std::vector<double> normalised;
  for (const double v : s2)
  {
    normalised.push_back((v - phi * phi) / (phi - phi * phi));
  }
  add.curve(Curves::TwoPoint, "S2 mean of axes, normalised", normalised, None, {});
  if (o.radial && radial && !block)
  {
    Monitor monitor;
    const Work part = work.part(0.12, 0.3);
    monitor.progress = [&](double f)
    {
      try
      {
        part.report(f);
      }
      catch (const Stopped&)
      {
        // The transforms see the stop themselves.
      }
    };
    monitor.stop = work.token();
    const RadialS2 r = radial(mask, lags, o.periodic, monitor);
    add.curve(Curves::TwoPoint, "S2 radial",
      interpolate(r.distance, r.s2, unit, static_cast<std::size_t>(lags) + 1), None, {});
  }

  // Lines.
  const Runs runs = countRuns(mask, work.part(0.3, 0.36));
  add.curves(Curves::LinealPath, "Length", "L", axes,
    perAxis([&](std::size_t a, std::int64_t r)
  { return Runs::linealPath(runs.all[a], r, mask.dims[a], mask.count() / mask.dims[a]); }),
    unit, None, "Lineal Path");
  const auto densities = [&](const std::array<Runs::Histogram, 3>& histograms)
  {
    std::vector<std::vector<double>> values;
    for (const int axis : axes)
    {
      const auto a = static_cast<std::size_t>(axis);
      const Runs::Histogram& number = histograms[a];
      double sum = 0;
      std::size_t last = 0;
      for (std::size_t i = 1; i < number.size(); ++i)
      {
        sum += static_cast<double>(number[i]);
        last = number[i] > 0 ? i : last;
      }
      // A bin of this axis is h[a] long; chords of i voxels are in the bin about i h[a].
      std::vector<double> density{ 0 };
      for (std::size_t i = 1; i <= last; ++i)
      {
        density.push_back(static_cast<double>(number[i]) / sum / h[a]);
      }
      values.push_back(resample(density, h[a], unit));
    }
    std::size_t longest = 0;
    for (const auto& v : values)
    {
      longest = std::max(longest, v.size());
    }
    for (auto& v : values)
    {
      v.resize(longest, 0);
    }
    return values;
  };
  add.curves(
    Curves::Chords, "Length", "Chord density", axes, densities(runs.all), unit, 0, "Chord Lengths");
  add.curves(Curves::Chords, "Length", "Chord density, other phase", axes, densities(runs.otherAll),
    unit, 0, "Chord Lengths of the Other Phase");

  // Slope of S2 at 0: over one lag, and by least squares over five with the value at 0 held
  // (as in Mosser, Dubrule and Blunt 2017).
  double slope1 = 0, slopeFit = 0;
  for (const int axis : axes)
  {
    const auto a = static_cast<std::size_t>(axis);
    slope1 += (pairs.s2(axis, 1) - phi) / h[a] / static_cast<double>(axes.size());
    double above = 0, below = 0;
    for (std::int64_t r = 1; r <= std::min<std::int64_t>(4, lags); ++r)
    {
      const double x = static_cast<double>(r) * h[a];
      above += x * (pairs.s2(axis, r) - phi);
      below += x * x;
    }
    slopeFit += above / below / static_cast<double>(axes.size());
  }

  const Configurations configurations = countConfigurations(mask, work.part(0.36, 0.4));
  const Minkowski m = minkowski(configurations, runs.faces, h);
  const double volume = total * voxel;
  add.scalar("Specific Surface (Faces)", m.surfaceFaces / volume);
  add.scalar("Specific Surface (Faces x 2/3)", m.surfaceFaces / volume * 2 / 3);
  add.scalar("Specific Surface (Crofton 13)", m.specificSurfaceCrofton13);
  add.scalar("Specific Surface (S2 Slope at Lag 1)", -4 * slope1);
  add.scalar("Specific Surface (S2 Slope over Lags 0-4)", -4 * slopeFit);
  add.scalar("Faces", static_cast<double>(runs.faces[0] + runs.faces[1] + runs.faces[2]), false);
  add.scalar("Surface (Crofton 13)", m.surfaceCrofton13, false);
  add.scalar("Integral Mean Curvature Density", m.integralMeanCurvature / volume);
  add.scalar("Euler Number (26, Closed Border)", m.euler26, false);
  add.scalar("Euler Number (6, Closed Border)", m.euler6, false);
  double corners = 0;
  for (const std::int64_t n : configurations.interior)
  {
    corners += static_cast<double>(n);
  }
  add.scalar("Euler Density (26, Interior)", m.euler26Interior / (corners * voxel));
  add.scalar("Euler Density (6, Interior)", m.euler6Interior / (corners * voxel));
  const auto chords = [&](const std::string& name, const std::array<Runs::Histogram, 3>& number)
  {
    for (const int axis : axes)
    {
      const auto a = static_cast<std::size_t>(axis);
      add.scalar(name + " " + AxisName[a] + ")", Runs::mean(number[a]) * h[a]);
    }
  };
  chords("Mean Chord (All,", runs.all);
  chords("Mean Chord (Interior,", runs.interior);
  add.scalar("Mean Chord (S2 Slope over Lags 0-4)", -phi / slopeFit);
  chords("Mean Chord of the Other Phase (All,", runs.otherAll);
  chords("Mean Chord of the Other Phase (Interior,", runs.otherInterior);
  add.scalar("Mean Chord of the Other Phase (S2 Slope over Lags 0-4)", -(1 - phi) / slopeFit);

  // Connectivity.
  const Components c = findComponents(mask, o.connectivity, work.part(0.4, 0.46));
  const std::string kind = " (" + std::to_string(static_cast<int>(o.connectivity)) + ")";
  add.scalar("Components" + kind, static_cast<double>(c.count()), false);
  add.scalar("Component Density" + kind, static_cast<double>(c.count()) / volume);
  add.scalar("Fraction in Largest Component" + kind,
    pores > 0 ? static_cast<double>(c.largest()) / static_cast<double>(pores) : None);
  for (const int a : axes)
  {
    const std::string axis = " " + AxisName[static_cast<std::size_t>(a)];
    add.scalar(
      "Effective Porosity" + axis + kind, static_cast<double>(c.spanningVoxels(a)) / total);
    add.scalar("Spanning Components" + axis + kind, static_cast<double>(c.spanning(a)), false);
  }
  if (o.cluster)
  {
    const auto cluster = countClusterPairs(mask, c, lags, work.part(0.46, 0.56));
    add.curves(Curves::Cluster, "Lag", "C2", axes,
      perAxis(
        [&](std::size_t a, std::int64_t r)
    {
      return static_cast<double>(cluster[a][static_cast<std::size_t>(r)]) /
        static_cast<double>((mask.dims[a] - r) * (mask.count() / mask.dims[a]));
    }),
      unit, None, "Two-Point Cluster");
  }

  // Sizes of pores.
  if (o.poreSize)
  {
    const std::vector<float> squared = squaredDistances(mask, work.part(0.56, 0.66));
    if (pores > 0 && pores < mask.count())
    {
      const PoreSizes sizes = poreSizes(
        mask, localThickness(mask, squared, work.part(0.66, 0.76)), work.part(0.76, 0.77));
      std::vector<double> density = sizes.density, cumulative = sizes.cumulative;
      density.insert(density.begin(), 0);
      cumulative.insert(cumulative.begin(), 0);
      add.abscissa(Curves::PoreSizes, "Diameter", multiples(density.size(), 2 * unit));
      add.curve(Curves::PoreSizes, "Volume density (local thickness)", density, 0, "Pore Sizes");
      add.curve(Curves::PoreSizes, "Volume fraction below (local thickness)", cumulative, 1, {});
      add.scalar("Mean Pore Diameter (Local Thickness)", sizes.mean);
    }
  }

  // Where it is.
  if (!block)
  {
    std::size_t longest = 0;
    for (const int a : axes)
    {
      longest = std::max(longest, profiles[static_cast<std::size_t>(a)].size());
    }
    add.abscissa(Curves::Slices, "Position", multiples(longest, unit));
    for (const int a : axes)
    {
      const auto i = static_cast<std::size_t>(a);
      add.curve(Curves::Slices, "Porosity of slices normal to " + AxisName[i],
        resample(profiles[i], h[i], unit), None, {});
    }
  }
  const std::int64_t side = smallestSide(mask.dims);
  const BoxSums sums(mask, work.part(0.77, 0.79));
  const bool both = o.localPercolation;
  const Cells cells = measureCells(mask, sums, std::min<std::int64_t>(o.cubeSize, side), both,
    o.connectivity, work.part(0.79, 0.83));
  const LocalPorosity local = localPorosity(cells, mask.dims, PorosityBins);
  add.abscissa(Curves::LocalPorosity, "Porosity", local.porosity);
  add.curve(Curves::LocalPorosity, "Density mu", local.density, 0, "Local Porosity");
  const std::array<std::string, 5> kinds{ "x", "y", "z", "all axes", "any axis" };
  int every = 0;
  for (const int a : axes)
  {
    every |= 1 << a;
  }
  for (std::size_t k = 0; k < 5 && both; ++k)
  {
    if (k > 2 || (every >> k & 1))
    {
      add.curve(
        Curves::LocalPorosity, "Percolating lambda " + kinds[k], local.percolating[k], None, {});
    }
  }
  std::vector<std::int64_t> sizes;
  for (const std::int64_t s : { 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512 })
  {
    if (s <= side / 2)
    {
      sizes.push_back(s);
    }
  }
  std::vector<double> edge, mean, scatter;
  std::array<std::vector<double>, 5> percolating;
  for (std::size_t i = 0; i < sizes.size(); ++i)
  {
    const double from = static_cast<double>(i) / static_cast<double>(sizes.size());
    const double to = static_cast<double>(i + 1) / static_cast<double>(sizes.size());
    const Cells cube = measureCells(
      mask, sums, sizes[i], both, o.connectivity, work.part(0.83, 0.95).part(from, to));
    edge.push_back(static_cast<double>(sizes[i]) * unit);
    mean.push_back(cube.mean());
    scatter.push_back(cube.stddev());
    for (int k = 0; k < 3; ++k)
    {
      percolating[static_cast<std::size_t>(k)].push_back(cube.percolating(1 << k));
    }
    percolating[3].push_back(cube.percolating(every));
    percolating[4].push_back(cube.percolating(every, true));
  }
  add.abscissa(Curves::CellSizes, "Edge", edge);
  std::vector<double> low, high;
  for (std::size_t i = 0; i < mean.size(); ++i)
  {
    low.push_back(mean[i] - scatter[i]);
    high.push_back(mean[i] + scatter[i]);
  }
  add.curve(Curves::CellSizes, "Porosity of cells, mean", mean, None, {});
  add.curve(Curves::CellSizes, "Porosity of cells, mean - standard deviation", low, None, {});
  add.curve(Curves::CellSizes, "Porosity of cells, mean + standard deviation", high, None, {});
  add.curve(Curves::CellSizes, "Porosity of cells, standard deviation", scatter, None, {});
  for (std::size_t k = 0; k < 5 && both; ++k)
  {
    if (k > 2 || (every >> k & 1))
    {
      add.curve(Curves::CellSizes, "Percolating fraction p " + kinds[k], percolating[k], None,
        k == 3 ? "Local Percolation" : "");
    }
  }

  const double s = m.specificSurfaceCrofton13;
  add.scalar("Permeability (Kozeny-Carman Hint)", phi * phi * phi / (5 * s * s), false);
  if (o.tortuosity && !block)
  {
    for (std::size_t i = 0; i < axes.size(); ++i)
    {
      const int a = axes[i];
      const std::string axis = " " + AxisName[static_cast<std::size_t>(a)];
      const double n = static_cast<double>(axes.size());
      const Diffusion d = diffuse(mask, a,
        work.part(0.95, 1).part(static_cast<double>(i) / n, static_cast<double>(i + 1) / n));
      add.scalar("Tortuosity Factor" + axis, d.tortuosity);
      add.scalar("Formation Factor" + axis, d.formationFactor);
    }
  }
  for (Table& t : report.tables)
  {
    if (!t.columns.empty())
    {
      square(t);
    }
  }
  work.report(1);
  return report;
}

} // namespace

Report measure(
  const Mask& mask, const StatisticsOptions& options, const Radial& radial, const Monitor& monitor)
{
  check(options, mask.dims);
  return measureWith(mask, options, radial, Work(options.threads, monitor), false);
}

Table measureThresholds(
  const Volume& volume, const ChannelSummary& summary, const StatisticsOptions& o, const Work& work)
{
  Report report;
  Collector add(report);
  std::vector<double> threshold, porosity, surface, crofton, curvature, euler26, euler6, components,
    largest;
  for (int i = 0; i < o.thresholds; ++i)
  {
    // Between the extremes, at which the phase is nothing or everything.
    const double t =
      summary.minimum + (summary.maximum - summary.minimum) * (i + 1) / (o.thresholds + 1);
    const Work part = work.part(static_cast<double>(i) / o.thresholds, (i + 1.) / o.thresholds);
    const Mask mask = maskOf(volume, PhaseChoice{ Phase::Below, t, {} }, part.part(0, 0.2));
    const double total = static_cast<double>(mask.count());
    const Spacing& h = mask.spacing;
    const double volumeOfAll = total * h[0] * h[1] * h[2];
    const Runs runs = countRuns(mask, part.part(0.2, 0.5));
    const Minkowski m = minkowski(countConfigurations(mask, part.part(0.5, 0.7)), runs.faces, h);
    const Components c = findComponents(mask, o.connectivity, part.part(0.7, 1));
    threshold.push_back(t);
    porosity.push_back(m.volume / volumeOfAll);
    surface.push_back(m.surfaceFaces / volumeOfAll);
    crofton.push_back(m.specificSurfaceCrofton13);
    curvature.push_back(m.integralMeanCurvature / volumeOfAll);
    euler26.push_back(m.euler26 / volumeOfAll);
    euler6.push_back(m.euler6 / volumeOfAll);
    components.push_back(static_cast<double>(c.count()));
    largest.push_back(
      m.volume > 0 ? static_cast<double>(c.largest()) * h[0] * h[1] * h[2] / m.volume : None);
  }
  const std::string kind = " (" + std::to_string(static_cast<int>(o.connectivity)) + ")";
  const Curves table = Curves::Thresholds;
  add.abscissa(table, "Threshold", threshold);
  add.curve(table, "Porosity below", porosity, None, {});
  add.curve(table, "Specific surface (faces)", surface, None, {});
  add.curve(table, "Specific surface (Crofton 13)", crofton, None, {});
  add.curve(table, "Integral mean curvature density", curvature, None, {});
  add.curve(table, "Euler density (26, closed border)", euler26, None, {});
  add.curve(table, "Euler density (6, closed border)", euler6, None, {});
  add.curve(table, "Components" + kind, components, None, {});
  add.curve(table, "Fraction in largest component" + kind, largest, None, {});
  return report.tables[static_cast<std::size_t>(table)];
}

std::vector<std::pair<double, double>> phaseFractions(const Volume& volume, const Work& work)
{
  constexpr std::size_t Most = 64;
  const Channel& channel = volume.channels.at(0);
  std::mutex mutex;
  std::map<double, std::int64_t> numbers;
  std::atomic<bool> many{ false };
  dispatch(channel.type, [&](auto t)
  {
    using T = decltype(t);
    const T* data = static_cast<const T*>(channel.data);
    work.forRanges(voxels(volume.dims), [&](std::int64_t begin, std::int64_t end, int)
    {
      std::map<T, std::int64_t> mine;
      T last{};
      std::int64_t* number = nullptr;
      for (std::int64_t i = begin; i < end && !many; ++i)
      {
        const T v = data[i * channel.stride];
        if (v != v)
        {
          continue;
        }
        if (!number || v != last)
        {
          number = &mine[v];
          last = v;
          many = many || mine.size() > Most;
        }
        ++*number;
      }
      const std::lock_guard lock(mutex);
      for (const auto& [value, n] : mine)
      {
        numbers[static_cast<double>(value)] += n;
      }
    });
  });
  std::vector<std::pair<double, double>> fractions;
  for (const auto& [value, n] : numbers)
  {
    fractions.emplace_back(
      value, static_cast<double>(n) / static_cast<double>(voxels(volume.dims)));
  }
  return many || fractions.size() > Most ? decltype(fractions){} : fractions;
}

// ------------------------------------------------------------------------------------ comparison
namespace
{

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
      measureWith(boxOf(mask, origin, block), options, {}, work.alone(), true);
  });
  return reports;
}

struct Moments
{
  double mean = None, stddev = None;
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
    m.stddev = n > 1 ? std::sqrt(squares / (n - 1)) : None;
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

double valueAt(const Column* column, std::size_t i, double beyond)
{
  return !column ? None : i < column->values.size() ? column->values[i] : beyond;
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
    return p.mean == q.mean && p.stddev == q.stddev ? 0 : None;
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
  return n > 0 ? sum / n : None;
}

template <typename Distance>
double scoreOf(
  const std::vector<Report>& blocks, const std::vector<Report>& references, Distance&& distance)
{
  const double across = meanDistance(blocks, references, distance);
  const double within = meanDistance(references, references, distance);
  return within > 0 ? across / within : across == 0 && within == 0 ? 1 : None;
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
            { columns[c].name + " blocks" + word + suffix, *values, None, {} });
        }
      }
    }
  }
}

} // namespace

Judged judge(const Mask& mask, const Mask* reference, const StatisticsOptions& options,
  const Radial& radial, const Monitor& monitor)
{
  check(options, mask.dims);
  const std::int64_t side = smallestSide(mask.dims);
  std::int64_t block = options.blockSize;
  StatisticsOptions o = options;
  if (reference)
  {
    check(options, reference->dims);
    if (reference->spacing != mask.spacing)
    {
      for (std::size_t a = 0; a < 3; ++a)
      {
        if (std::abs(reference->spacing[a] - mask.spacing[a]) > 1e-6 * mask.spacing[a])
        {
          throw std::invalid_argument("The reference's spacing along " + AxisName[a] + " is " +
            std::to_string(reference->spacing[a]) + " and the input's " +
            std::to_string(mask.spacing[a]) + "; they must be equal");
        }
      }
    }
    const std::int64_t both = std::min(side, smallestSide(reference->dims));
    block = block > 0 ? block : both / 2;
    if (block > both || block < 8)
    {
      throw std::invalid_argument(range("Block Size", block, 8, both));
    }
    if (options.maximumLag == 0)
    {
      o.maximumLag =
        static_cast<int>(std::min(lagsOf(options, mask.dims), lagsOf(options, reference->dims)));
    }
  }
  const Work work(options.threads, monitor);
  Judged result;
  const double share = reference ? 0.25 : block > 0 ? 0.5 : 1;
  result.report = measureWith(mask, o, radial, work.part(0, share), false);
  std::vector<Report> blocks, references;
  StatisticsOptions inBlock = o;
  if (block > 0)
  {
    inBlock.maximumLag = static_cast<int>(std::min<std::int64_t>(lagsOf(o, mask.dims), block - 1));
    inBlock.periodic = false;
    blocks = measureBlocks(mask, block, inBlock, work.part(share, 2 * share));
    result.blocks = static_cast<std::int64_t>(blocks.size());
  }
  if (reference)
  {
    result.reference = measureWith(*reference, o, radial, work.part(0.5, 0.75), false);
    references = measureBlocks(*reference, block, inBlock, work.part(0.75, 0.99));
    result.referenceBlocks = static_cast<std::int64_t>(references.size());
  }

  const Report own = result.report;
  if (block > 0)
  {
    addBands(result.report, own, blocks, "");
  }
  if (reference)
  {
    for (std::size_t t = 0; t < CurvesNumber; ++t)
    {
      Table& table = result.report.tables[t];
      const Table& other = result.reference.tables[t];
      if (table.columns.empty() || other.columns.empty())
      {
        continue;
      }
      // The longer abscissa; all tables of a kind have the same steps.
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
    addBands(result.report, result.reference, references, " (reference)");

    // Numbers.
    for (const Scalar& s : own.scalars)
    {
      if (s.measure.empty())
      {
        continue;
      }
      const auto valuesOf = [&](const std::vector<Report>& reports)
      {
        std::vector<double> values;
        for (const Report& r : reports)
        {
          const auto at = std::find_if(r.scalars.begin(), r.scalars.end(),
            [&](const Scalar& other) { return other.name == s.name; });
          values.push_back(at == r.scalars.end() ? None : at->value);
        }
        return values;
      };
      Comparison c;
      c.name = s.name;
      c.measure = s.measure;
      c.value = s.value;
      c.reference = valuesOf({ result.reference })[0];
      const Moments mine = momentsOf(valuesOf(blocks)), theirs = momentsOf(valuesOf(references));
      c.mean = mine.mean;
      c.stddev = mine.stddev;
      c.referenceMean = theirs.mean;
      c.referenceStddev = theirs.stddev;
      c.relativeError = std::abs(c.value - c.reference) / std::abs(c.reference);
      c.hellinger = hellingerOf(mine, theirs);
      c.score = scoreOf(blocks, references, [&](const Report& a, const Report& b)
      {
        const auto value = [&](const Report& r)
        {
          const auto at = std::find_if(r.scalars.begin(), r.scalars.end(),
            [&](const Scalar& other) { return other.name == s.name; });
          return at == r.scalars.end() ? None : at->value;
        };
        return std::abs(value(a) - value(b));
      });
      result.comparisons.push_back(c);
    }
    // Curves: the columns of a measure together.
    for (std::size_t t = 0; t < CurvesNumber; ++t)
    {
      std::vector<std::string> measures;
      for (const Column& column : own.tables[t].columns)
      {
        if (!column.measure.empty() &&
          std::find(measures.begin(), measures.end(), column.measure) == measures.end())
        {
          measures.push_back(column.measure);
        }
      }
      for (const std::string& measure : measures)
      {
        Comparison c;
        c.name = c.measure = measure;
        c.value = c.mean = c.stddev = c.reference = c.referenceMean = c.referenceStddev = None;
        double error = 0, size = 0, hellinger = 0, terms = 0;
        for (const Column& column : own.tables[t].columns)
        {
          const Column* other = find(result.reference, t, column.name);
          if (column.measure != measure || !other)
          {
            continue;
          }
          error += difference(column, *other);
          for (const double v : other->values)
          {
            size += std::isfinite(v) ? std::abs(v) : 0;
          }
          const std::size_t rows = std::max(column.values.size(), other->values.size());
          const auto mine = blockMoments(blocks, t, column, rows);
          const auto theirs = blockMoments(references, t, column, rows);
          if (column.beyond == 0)
          {
            double overlap = 0, p = 0, q = 0;
            for (std::size_t i = 0; i < rows; ++i)
            {
              const double a = std::isfinite(mine[i].mean) ? mine[i].mean : 0;
              const double b = std::isfinite(theirs[i].mean) ? theirs[i].mean : 0;
              overlap += std::sqrt(a * b);
              p += a;
              q += b;
            }
            hellinger += std::sqrt(std::max(0., 1 - overlap / std::sqrt(p * q)));
            ++terms;
          }
          else
          {
            for (std::size_t i = 0; i < rows; ++i)
            {
              const double d = hellingerOf(mine[i], theirs[i]);
              hellinger += std::isfinite(d) ? d : 0;
              terms += std::isfinite(d);
            }
          }
        }
        c.relativeError = size > 0 ? error / size : None;
        c.hellinger = terms > 0 ? hellinger / terms : None;
        c.score = scoreOf(blocks, references, [&](const Report& a, const Report& b)
        {
          double sum = 0;
          for (const Column& column : a.tables[t].columns)
          {
            const Column* other = find(b, t, column.name);
            sum += column.measure == measure && other ? difference(column, *other) : 0;
          }
          return sum;
        });
        result.comparisons.push_back(c);
      }
    }
    std::map<std::string, std::vector<double>> scores;
    for (const Comparison& c : result.comparisons)
    {
      scores[c.measure].push_back(c.score);
    }
    std::vector<double> means;
    for (const auto& [measure, values] : scores)
    {
      means.push_back(momentsOf(values).mean);
    }
    result.score = momentsOf(means).mean;
  }
  work.report(1);
  return result;
}

} // namespace vae::statistics
