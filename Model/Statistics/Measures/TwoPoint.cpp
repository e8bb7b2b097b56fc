// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
//
// Correlation of two points: S2(r), the probability that both ends of a lag lie in the phase, and
// the variogram, along the axes (Lines.h); S2 over the distance by Fourier transforms (Radial.h).
#include "Measures.h"

namespace vae::statistics
{
namespace
{

/// A curve known at any ascending places, read at 0, unit, 2 unit, ...
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
      result.push_back(Unknown);
    }
  }
  return result;
}

/// Half the mean square difference of the pairs: the mean of their ends, less S2.
double variogram(const Subject& s, std::size_t axis, std::int64_t lag)
{
  double ends = 0;
  const std::vector<double>& p = s.profiles[axis];
  const auto n = static_cast<std::int64_t>(p.size());
  const std::int64_t valid = s.options.periodic ? n : n - lag;
  for (std::int64_t i = 0; i < valid; ++i)
  {
    ends += p[static_cast<std::size_t>(i)] + p[static_cast<std::size_t>((i + lag) % n)];
  }
  return ends / 2 / static_cast<double>(valid) - s.pairs.s2(static_cast<int>(axis), lag);
}

void measureRadial(const Subject& s, Collector& add, const Work& work)
{
  Monitor monitor;
  monitor.progress = [&](double f)
  {
    try
    {
      work.report(f);
    }
    catch (const Stopped&)
    {
      // The transforms see the stop themselves.
    }
  };
  monitor.stop = work.token();
  const RadialS2 r = s.radial(s.mask, s.lags, s.options.periodic, monitor);
  add.curve({ .table = Curves::TwoPoint, .name = "S2 radial" },
    interpolate(r.distance, r.s2, s.unit, static_cast<std::size_t>(s.lags) + 1));
}

} // namespace

const Family measures::TwoPoint{ .share = 0.18,
  .measure = [](const Subject& s, Collector& add, const Work& work)
{
  const auto s2 = s.overLags(
    [&](std::size_t axis, std::int64_t lag) { return s.pairs.s2(static_cast<int>(axis), lag); });
  add.curves(
    { .table = Curves::TwoPoint, .name = "S2", .measure = "Two-Point Probability" }, s, s2);
  add.curves({ .table = Curves::TwoPoint, .name = "Variogram" }, s,
    s.overLags([&](std::size_t axis, std::int64_t lag) { return variogram(s, axis, lag); }));
  std::vector<double> normalised;
  const double phi = s.porosity;
  for (const double v : meanOf(s2))
  {
    normalised.push_back((v - phi * phi) / (phi - phi * phi));
  }
  add.curve({ .table = Curves::TwoPoint, .name = "S2 mean of axes, normalised" }, normalised);
  if (s.options.radial && s.radial && s.extent == Extent::Volume)
  {
    measureRadial(s, add, work);
  }
} };

} // namespace vae::statistics
