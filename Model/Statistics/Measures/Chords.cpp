// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
//
// Lines along the axes: the lineal path L(r), and the chords, the runs of each phase (Lines.h).
#include "Measures.h"

#include <algorithm>
#include <format>

namespace vae::statistics
{
namespace
{

/// Of the lengths of chords, by number, along each axis; all as long as the longest one.
std::vector<std::vector<double>> densities(
  const Subject& s, const std::array<Runs::Histogram, 3>& histograms)
{
  std::vector<std::vector<double>> values;
  for (const int axis : s.axes)
  {
    const auto a = static_cast<std::size_t>(axis);
    const double h = s.mask.spacing[a];
    const Runs::Histogram& number = histograms[a];
    double sum = 0;
    std::size_t last = 0;
    for (std::size_t i = 1; i < number.size(); ++i)
    {
      sum += static_cast<double>(number[i]);
      last = number[i] > 0 ? i : last;
    }
    // A bin of this axis is h long; chords of i voxels are in the bin about i h.
    std::vector<double> density{ 0 };
    for (std::size_t i = 1; i <= last; ++i)
    {
      density.push_back(static_cast<double>(number[i]) / sum / h);
    }
    values.push_back(resample(density, h, s.unit));
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
}

void addMeans(const Subject& s, Collector& add, const std::string& name,
  const std::array<Runs::Histogram, 3>& all, const std::array<Runs::Histogram, 3>& interior,
  double fromSlope)
{
  const auto chords = [&](const char* which, const std::array<Runs::Histogram, 3>& number)
  {
    for (const int axis : s.axes)
    {
      const auto a = static_cast<std::size_t>(axis);
      add.scalar(
        { .name = std::format("{} ({}, {})", name, which, AxisName[a]), .unit = Unit::Length },
        Runs::mean(number[a]) * s.mask.spacing[a]);
    }
  };
  chords("All", all);
  chords("Interior", interior);
  add.scalar({ .name = name + " (S2 Slope over Lags 0-4)", .unit = Unit::Length }, fromSlope);
}

} // namespace

const Family measures::Chords{ .share = 0,
  .measure = [](const Subject& s, Collector& add, const Work&)
{
  const Dims& dims = s.mask.dims;
  add.curves({ .table = Curves::LinealPath, .name = "L", .measure = "Lineal Path" }, s,
    s.overLags([&](std::size_t a, std::int64_t r)
  { return Runs::linealPath(s.runs.all[a], r, dims[a], s.mask.count() / dims[a]); }));
  add.curves({ .table = Curves::Chords,
               .name = "Chord density",
               .unit = Unit::PerLength,
               .beyond = 0,
               .measure = "Chord Lengths" },
    s, densities(s, s.runs.all));
  add.curves({ .table = Curves::Chords,
               .name = "Chord density, other phase",
               .unit = Unit::PerLength,
               .beyond = 0,
               .measure = "Chord Lengths of the Other Phase" },
    s, densities(s, s.runs.otherAll));
  addMeans(s, add, "Mean Chord", s.runs.all, s.runs.interior, -s.porosity / s.slopeFitted);
  addMeans(s, add, "Mean Chord of the Other Phase", s.runs.otherAll, s.runs.otherInterior,
    -(1 - s.porosity) / s.slopeFitted);
} };

} // namespace vae::statistics
