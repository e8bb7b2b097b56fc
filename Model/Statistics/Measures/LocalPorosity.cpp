// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
//
// Where the porosity is: by slice, by cell of one size (local porosity distribution mu and local
// percolation probability lambda), and by size of cell (LocalPorosity.h).
#include "Statistics/LocalPorosity.h"
#include "Measures.h"

#include <algorithm>

namespace vae::statistics
{
namespace
{

constexpr int Bins = 50;
const std::array<std::string, 5> Kinds{ "x", "y", "z", "all axes", "any axis" };

/// Bit a for each axis a of the volume.
int everyAxis(const Subject& s)
{
  int every = 0;
  for (const int a : s.axes)
  {
    every |= 1 << a;
  }
  return every;
}

/// Those of Kinds that are measured.
std::vector<std::size_t> kindsOf(const Subject& s)
{
  std::vector<std::size_t> kinds;
  for (std::size_t k = 0; k < Kinds.size() && s.options.localPercolation; ++k)
  {
    if (k > 2 || (everyAxis(s) >> k & 1))
    {
      kinds.push_back(k);
    }
  }
  return kinds;
}

void addSlices(const Subject& s, Collector& add)
{
  std::size_t longest = 0;
  for (const int a : s.axes)
  {
    longest = std::max(longest, s.profiles[static_cast<std::size_t>(a)].size());
  }
  add.abscissa(Curves::Slices, multiples(longest, s.unit));
  for (const int a : s.axes)
  {
    const auto i = static_cast<std::size_t>(a);
    add.curve({ .table = Curves::Slices, .name = "Porosity of slices normal to " + AxisName[i] },
      resample(s.profiles[i], s.mask.spacing[i], s.unit));
  }
}

void measureCellsOfOneSize(const Subject& s, const BoxSums& sums, Collector& add, const Work& work)
{
  const auto size = std::min<std::int64_t>(s.options.cubeSize, smallestSide(s.mask.dims));
  const Cells cells =
    measureCells(s.mask, sums, size, s.options.localPercolation, s.options.connectivity, work);
  const statistics::LocalPorosity local = localPorosity(cells, s.mask.dims, Bins);
  add.abscissa(Curves::LocalPorosity, local.porosity);
  add.curve({ .table = Curves::LocalPorosity,
              .name = "Density mu",
              .beyond = 0,
              .measure = "Local Porosity" },
    local.density);
  for (const std::size_t k : kindsOf(s))
  {
    add.curve({ .table = Curves::LocalPorosity, .name = "Percolating lambda " + Kinds[k] },
      local.percolating[k]);
  }
}

void measureCellsOfAllSizes(const Subject& s, const BoxSums& sums, Collector& add, const Work& work)
{
  std::vector<std::int64_t> sizes;
  for (const std::int64_t size : { 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512 })
  {
    if (size <= smallestSide(s.mask.dims) / 2)
    {
      sizes.push_back(size);
    }
  }
  std::vector<double> edge, mean, low, high, scatter;
  std::array<std::vector<double>, 5> percolating;
  const int every = everyAxis(s);
  for (std::size_t i = 0; i < sizes.size(); ++i)
  {
    const double from = static_cast<double>(i) / static_cast<double>(sizes.size());
    const double to = static_cast<double>(i + 1) / static_cast<double>(sizes.size());
    const Cells cube = measureCells(s.mask, sums, sizes[i], s.options.localPercolation,
      s.options.connectivity, work.part(from, to));
    edge.push_back(static_cast<double>(sizes[i]) * s.unit);
    mean.push_back(cube.mean());
    scatter.push_back(cube.stddev());
    low.push_back(mean[i] - scatter[i]);
    high.push_back(mean[i] + scatter[i]);
    for (int k = 0; k < 3; ++k)
    {
      percolating[static_cast<std::size_t>(k)].push_back(cube.percolating(1 << k));
    }
    percolating[3].push_back(cube.percolating(every));
    percolating[4].push_back(cube.percolating(every, true));
  }
  const Curves table = Curves::CellSizes;
  add.abscissa(table, edge);
  add.curve({ table, "Porosity of cells, mean" }, mean);
  add.curve({ table, "Porosity of cells, mean - standard deviation" }, low);
  add.curve({ table, "Porosity of cells, mean + standard deviation" }, high);
  add.curve({ table, "Porosity of cells, standard deviation" }, scatter);
  for (const std::size_t k : kindsOf(s))
  {
    add.curve({ .table = table,
                .name = "Percolating fraction p " + Kinds[k],
                .measure = k == 3 ? "Local Percolation" : "" },
      percolating[k]);
  }
}

} // namespace

const Family measures::LocalPorosity{ .share = 0.18,
  .measure = [](const Subject& s, Collector& add, const Work& work)
{
  if (s.extent == Extent::Volume)
  {
    addSlices(s, add);
  }
  const BoxSums sums(s.mask, work.part(0, 0.1));
  measureCellsOfOneSize(s, sums, add, work.part(0.1, 0.3));
  measureCellsOfAllSizes(s, sums, add, work.part(0.3, 1));
} };

} // namespace vae::statistics
