// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "LocalPorosity.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace vae::statistics
{

std::array<std::vector<double>, 3> sliceProfiles(const Mask& mask, const Work& work)
{
  const auto [nx, ny, nz] = mask.dims;
  struct Sums
  {
    std::vector<std::int64_t> x, y, z;
  };
  std::vector<Sums> parts(static_cast<std::size_t>(work.threads()));
  for (Sums& s : parts)
  {
    s.x.assign(static_cast<std::size_t>(nx), 0);
    s.y.assign(static_cast<std::size_t>(ny), 0);
    s.z.assign(static_cast<std::size_t>(nz), 0);
  }
  work.forEach(nz, [&](std::int64_t z, int thread)
  {
    Sums& s = parts[static_cast<std::size_t>(thread)];
    std::vector<std::int32_t> columns(static_cast<std::size_t>(nx), 0);
    for (std::int64_t y = 0; y < ny; ++y)
    {
      const std::uint8_t* row = mask.row(y, z);
      std::int32_t sum = 0;
      for (std::int64_t x = 0; x < nx; ++x)
      {
        sum += row[x];
        columns[static_cast<std::size_t>(x)] += row[x];
      }
      s.y[static_cast<std::size_t>(y)] += sum;
      s.z[static_cast<std::size_t>(z)] += sum;
    }
    std::transform(s.x.begin(), s.x.end(), columns.begin(), s.x.begin(), std::plus<>());
  });
  std::array<std::vector<double>, 3> profiles;
  for (std::size_t a = 0; a < 3; ++a)
  {
    const std::int64_t n = mask.dims[a];
    profiles[a].assign(static_cast<std::size_t>(n), 0);
    for (const Sums& s : parts)
    {
      const auto& from = a == 0 ? s.x : a == 1 ? s.y : s.z;
      for (std::size_t i = 0; i < from.size(); ++i)
      {
        profiles[a][i] += static_cast<double>(from[i]);
      }
    }
    for (double& p : profiles[a])
    {
      p /= static_cast<double>(mask.count() / n);
    }
  }
  return profiles;
}

BoxSums::BoxSums(const Mask& mask, const Work& work)
  : Size{ mask.dims[0] + 1, mask.dims[1] + 1, mask.dims[2] + 1 }
  , Sums(static_cast<std::size_t>(voxels(Size)), 0)
{
  const auto [nx, ny, nz] = mask.dims;
  const std::int64_t row = this->Size[0], slice = row * this->Size[1];
  work.part(0, 0.6).forEach(nz, [&](std::int64_t z)
  {
    std::uint32_t* out = this->Sums.data() + (z + 1) * slice;
    for (std::int64_t y = 0; y < ny; ++y)
    {
      const std::uint8_t* in = mask.row(y, z);
      std::uint32_t sum = 0;
      for (std::int64_t x = 0; x < nx; ++x)
      {
        sum += in[x];
        out[(y + 1) * row + x + 1] = out[y * row + x + 1] + sum;
      }
    }
  });
  work.part(0.6, 1).forEach(ny, [&](std::int64_t y)
  {
    for (std::int64_t z = 0; z < nz; ++z)
    {
      const std::uint32_t* before = this->Sums.data() + z * slice + (y + 1) * row;
      std::uint32_t* out = this->Sums.data() + (z + 1) * slice + (y + 1) * row;
      for (std::int64_t x = 1; x <= nx; ++x)
      {
        out[x] += before[x];
      }
    }
  });
}

std::int64_t BoxSums::sum(const Dims& o, const Dims& d) const
{
  const auto at = [&](std::int64_t x, std::int64_t y, std::int64_t z)
  { return this->Sums[static_cast<std::size_t>((z * this->Size[1] + y) * this->Size[0] + x)]; };
  const std::int64_t x = o[0] + d[0], y = o[1] + d[1], z = o[2] + d[2];
  const std::uint32_t sum = at(x, y, z) - at(o[0], y, z) - at(x, o[1], z) - at(x, y, o[2]) +
    at(o[0], o[1], z) + at(o[0], y, o[2]) + at(x, o[1], o[2]) - at(o[0], o[1], o[2]);
  return sum;
}

Cells measureCells(const Mask& mask, const BoxSums& sums, std::int64_t size, bool percolation,
  Connectivity connectivity, const Work& work)
{
  Dims cell, number;
  const std::int64_t step = std::max<std::int64_t>(1, size / 2);
  for (std::size_t a = 0; a < 3; ++a)
  {
    cell[a] = mask.dims[a] > 1 ? size : 1;
    number[a] = mask.dims[a] > 1 ? (mask.dims[a] - size) / step + 1 : 1;
  }
  Cells cells;
  cells.size = size;
  const auto count = static_cast<std::size_t>(voxels(number));
  cells.porosity.resize(count);
  cells.percolates.resize(percolation ? count : 0);
  const Work quiet = work.alone();
  work.forEach(voxels(number), [&](std::int64_t i)
  {
    const std::array<std::int64_t, 3> k{ i % number[0], i / number[0] % number[1],
      i / number[0] / number[1] };
    const Dims origin{ k[0] * step, k[1] * step, k[2] * step };
    const std::int64_t pores = sums.sum(origin, cell);
    cells.porosity[static_cast<std::size_t>(i)] =
      static_cast<double>(pores) / static_cast<double>(voxels(cell));
    if (percolation)
    {
      std::uint8_t bits = 0;
      const Components c = findComponents(mask, connectivity, origin, cell, quiet);
      for (const std::uint8_t t : c.touches)
      {
        for (int a = 0; a < 3; ++a)
        {
          bits = static_cast<std::uint8_t>(bits | ((t >> (2 * a) & 3) == 3 ? 1 << a : 0));
        }
      }
      cells.percolates[static_cast<std::size_t>(i)] = bits;
    }
  });
  return cells;
}

double Cells::mean() const
{
  return std::accumulate(this->porosity.begin(), this->porosity.end(), 0.) /
    static_cast<double>(this->porosity.size());
}

double Cells::stddev() const
{
  const double m = this->mean();
  double squares = 0;
  for (const double p : this->porosity)
  {
    squares += (p - m) * (p - m);
  }
  return this->porosity.size() < 2
    ? std::numeric_limits<double>::quiet_NaN()
    : std::sqrt(squares / static_cast<double>(this->porosity.size() - 1));
}

double Cells::percolating(int wanted, bool any) const
{
  const auto yes = std::count_if(this->percolates.begin(), this->percolates.end(),
    [&](std::uint8_t b) { return any ? (b & wanted) != 0 : (b & wanted) == wanted; });
  return this->percolates.empty()
    ? std::numeric_limits<double>::quiet_NaN()
    : static_cast<double>(yes) / static_cast<double>(this->percolates.size());
}

LocalPorosity localPorosity(const Cells& cells, const Dims& dims, int bins)
{
  LocalPorosity result;
  const auto n = static_cast<std::size_t>(bins);
  std::vector<double> number(n, 0);
  std::array<std::vector<double>, 5> yes;
  yes.fill(std::vector<double>(n, 0));
  int every = 0;
  for (const int a : axesOf(dims))
  {
    every |= 1 << a;
  }
  for (std::size_t i = 0; i < cells.porosity.size(); ++i)
  {
    const auto bin = std::min(n - 1, static_cast<std::size_t>(cells.porosity[i] * bins));
    ++number[bin];
    if (!cells.percolates.empty())
    {
      const int bits = cells.percolates[i];
      for (std::size_t a = 0; a < 3; ++a)
      {
        yes[a][bin] += bits >> a & 1;
      }
      yes[3][bin] += (bits & every) == every;
      yes[4][bin] += (bits & every) != 0;
    }
  }
  for (std::size_t b = 0; b < n; ++b)
  {
    result.porosity.push_back((static_cast<double>(b) + 0.5) / bins);
    result.density.push_back(
      number[b] * bins / std::max(1., static_cast<double>(cells.porosity.size())));
    for (std::size_t k = 0; k < 5 && !cells.percolates.empty(); ++k)
    {
      result.percolating[k].push_back(
        number[b] > 0 ? yes[k][b] / number[b] : std::numeric_limits<double>::quiet_NaN());
    }
  }
  return result;
}

} // namespace vae::statistics
