// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Components.h"

#include <algorithm>
#include <cstring>
#include <limits>

namespace vae::statistics
{
namespace
{

/// Where the value at `from` ends, eight voxels at a time.
std::int32_t endOfRun(const std::uint8_t* row, std::int32_t from, std::int32_t n, bool value)
{
  const std::uint64_t same = value ? 0x0101010101010101ull : 0;
  std::int32_t x = from;
  while (x + 8 <= n)
  {
    std::uint64_t eight;
    std::memcpy(&eight, row + x, 8);
    if (eight != same)
    {
      break;
    }
    x += 8;
  }
  while (x < n && (row[x] != 0) == value)
  {
    ++x;
  }
  return x;
}

std::int32_t find(std::vector<std::int32_t>& parent, std::int32_t i)
{
  while (parent[static_cast<std::size_t>(i)] != i)
  {
    std::int32_t& p = parent[static_cast<std::size_t>(i)];
    p = parent[static_cast<std::size_t>(p)];
    i = p;
  }
  return i;
}

void unite(std::vector<std::int32_t>& parent, std::int32_t a, std::int32_t b)
{
  a = find(parent, a);
  b = find(parent, b);
  if (a < b)
  {
    parent[static_cast<std::size_t>(b)] = a;
  }
  else
  {
    parent[static_cast<std::size_t>(a)] = b;
  }
}

/// The runs of each row, and where those of a row begin.
void findRuns(
  Components& c, const Mask& mask, const Dims& origin, const Dims& dims, const Work& work)
{
  const auto [nx, ny, nz] = dims;
  // The runs of each slice, then one list.
  std::vector<std::vector<Components::Run>> slices(static_cast<std::size_t>(nz));
  c.firstRun.assign(static_cast<std::size_t>(ny * nz) + 1, 0);
  work.forEach(nz, [&](std::int64_t z)
  {
    auto& runs = slices[static_cast<std::size_t>(z)];
    for (std::int64_t y = 0; y < ny; ++y)
    {
      const std::uint8_t* row = mask.row(origin[1] + y, origin[2] + z) + origin[0];
      const std::size_t before = runs.size();
      const auto n = static_cast<std::int32_t>(nx);
      for (std::int32_t x = endOfRun(row, 0, n, false); x < n;)
      {
        const std::int32_t end = endOfRun(row, x, n, true);
        runs.push_back({ x, end, 0 });
        x = endOfRun(row, end, n, false);
      }
      c.firstRun[static_cast<std::size_t>(z * ny + y) + 1] =
        static_cast<std::int64_t>(runs.size() - before);
    }
  });
  for (std::size_t i = 1; i < c.firstRun.size(); ++i)
  {
    c.firstRun[i] += c.firstRun[i - 1];
  }
  if (c.firstRun.back() > std::numeric_limits<std::int32_t>::max())
  {
    throw std::invalid_argument("The phase has " + std::to_string(c.firstRun.back()) +
      " runs of voxels; components are found for up to 2147483647");
  }
  c.runs.reserve(static_cast<std::size_t>(c.firstRun.back()));
  for (auto& s : slices)
  {
    c.runs.insert(c.runs.end(), s.begin(), s.end());
    std::vector<Components::Run>().swap(s);
  }
}

/// A row that touches row (y, z), among those before it, and how far in x their runs may be off.
struct Neighbour
{
  int dy, dz, reach;
};

std::vector<Neighbour> neighboursOf(Connectivity connectivity)
{
  switch (connectivity)
  {
    case Connectivity::Faces:
      return { { -1, 0, 0 }, { 0, -1, 0 } };
    case Connectivity::Edges:
      return { { -1, 0, 1 }, { 0, -1, 1 }, { -1, -1, 0 }, { 1, -1, 0 } };
    case Connectivity::Corners:
      return { { -1, 0, 1 }, { 0, -1, 1 }, { -1, -1, 1 }, { 1, -1, 1 } };
  }
  return {};
}

/// Unite the runs of two rows that touch.
void uniteRows(std::vector<std::int32_t>& parent, const Components& c, std::size_t row,
  std::size_t other, int reach)
{
  std::int64_t i = c.firstRun[row], j = c.firstRun[other];
  const std::int64_t iEnd = c.firstRun[row + 1], jEnd = c.firstRun[other + 1];
  while (i < iEnd && j < jEnd)
  {
    const Components::Run& a = c.runs[static_cast<std::size_t>(i)];
    const Components::Run& b = c.runs[static_cast<std::size_t>(j)];
    if (a.begin < b.end + reach && b.begin < a.end + reach)
    {
      unite(parent, static_cast<std::int32_t>(i), static_cast<std::int32_t>(j));
    }
    if (a.end < b.end)
    {
      ++i;
    }
    else
    {
      ++j;
    }
  }
}

/// \return for each run another one of its component, or itself
std::vector<std::int32_t> uniteRuns(
  const Components& c, Connectivity connectivity, const Dims& dims, const Work& work)
{
  const auto [nx, ny, nz] = dims;
  std::vector<std::int32_t> parent(c.runs.size());
  for (std::size_t i = 0; i < parent.size(); ++i)
  {
    parent[i] = static_cast<std::int32_t>(i);
  }
  const std::vector<Neighbour> neighbours = neighboursOf(connectivity);
  for (std::int64_t z = 0; z < nz; ++z)
  {
    for (std::int64_t y = 0; y < ny; ++y)
    {
      const auto row = static_cast<std::size_t>(z * ny + y);
      for (const Neighbour& n : neighbours)
      {
        const std::int64_t oy = y + n.dy, oz = z + n.dz;
        if (oy < 0 || oy >= ny || oz < 0)
        {
          continue;
        }
        const auto other = static_cast<std::size_t>(oz * ny + oy);
        uniteRows(parent, c, row, other, n.reach);
      }
    }
    if ((z & 15) == 0)
    {
      work.report(static_cast<double>(z) / static_cast<double>(nz));
    }
  }
  return parent;
}

/// Number the components, and measure them.
void labelRuns(Components& c, std::vector<std::int32_t> parent, const Dims& dims)
{
  const auto [nx, ny, nz] = dims;
  // Roots come before the runs that point at them.
  std::vector<std::int32_t> label(parent.size());
  for (std::int64_t z = 0; z < nz; ++z)
  {
    for (std::int64_t y = 0; y < ny; ++y)
    {
      const auto row = static_cast<std::size_t>(z * ny + y);
      for (std::int64_t k = c.firstRun[row]; k < c.firstRun[row + 1]; ++k)
      {
        const auto i = static_cast<std::size_t>(k);
        const std::int32_t root = find(parent, static_cast<std::int32_t>(k));
        if (root == static_cast<std::int32_t>(k))
        {
          label[i] = static_cast<std::int32_t>(c.sizes.size());
          c.sizes.push_back(0);
          c.touches.push_back(0);
        }
        else
        {
          label[i] = label[static_cast<std::size_t>(root)];
        }
        Components::Run& run = c.runs[i];
        run.label = label[i];
        const auto l = static_cast<std::size_t>(label[i]);
        c.sizes[l] += run.end - run.begin;
        c.touches[l] = static_cast<std::uint8_t>(c.touches[l] | (run.begin == 0 ? 1 : 0) |
          (run.end == nx ? 2 : 0) | (y == 0 ? 4 : 0) | (y == ny - 1 ? 8 : 0) | (z == 0 ? 16 : 0) |
          (z == nz - 1 ? 32 : 0));
      }
    }
  }
}

} // namespace

std::int64_t Components::largest() const
{
  return this->sizes.empty() ? 0 : *std::max_element(this->sizes.begin(), this->sizes.end());
}

std::int64_t Components::spanningVoxels(int axis) const
{
  const int both = 3 << (2 * axis);
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < this->sizes.size(); ++i)
  {
    sum += (this->touches[i] & both) == both ? this->sizes[i] : 0;
  }
  return sum;
}

std::int64_t Components::spanning(int axis) const
{
  const int both = 3 << (2 * axis);
  return std::count_if(this->touches.begin(), this->touches.end(),
    [both](std::uint8_t t) { return (t & both) == both; });
}

Components findComponents(const Mask& mask, Connectivity connectivity, const Work& work)
{
  return findComponents(mask, connectivity, { 0, 0, 0 }, mask.dims, work);
}

Components findComponents(const Mask& mask, Connectivity connectivity, const Dims& origin,
  const Dims& dims, const Work& work)
{
  Components c;
  findRuns(c, mask, origin, dims, work.part(0, 0.6));
  labelRuns(c, uniteRuns(c, connectivity, dims, work.part(0.6, 0.9)), dims);
  work.report(1);
  return c;
}

Mask spanningPart(const Mask& mask, const Components& components, int axis)
{
  Mask part;
  part.dims = mask.dims;
  part.spacing = mask.spacing;
  part.data.assign(mask.data.size(), 0);
  const int both = 3 << (2 * axis);
  const std::int64_t rows = mask.dims[1] * mask.dims[2];
  for (std::int64_t row = 0; row < rows; ++row)
  {
    std::uint8_t* out = part.data.data() + row * mask.dims[0];
    for (std::int64_t k = components.firstRun[static_cast<std::size_t>(row)];
      k < components.firstRun[static_cast<std::size_t>(row) + 1]; ++k)
    {
      const Components::Run& run = components.runs[static_cast<std::size_t>(k)];
      if ((components.touches[static_cast<std::size_t>(run.label)] & both) == both)
      {
        std::memset(out + run.begin, 1, static_cast<std::size_t>(run.end - run.begin));
      }
    }
  }
  return part;
}

std::array<std::vector<std::int64_t>, 3> countClusterPairs(
  const Mask& mask, const Components& components, std::int64_t maximumLag, const Work& work)
{
  // The largest component, which in most media is nearly all of the phase, by the pair counts of
  // its own mask; the others voxel by voxel.
  std::array<std::vector<std::int64_t>, 3> pairs;
  Mask largest;
  largest.dims = mask.dims;
  largest.data.assign(mask.data.size(), 0);
  struct Voxel
  {
    std::int64_t index;
    std::int32_t label;
  };
  std::vector<Voxel> others;
  const std::int32_t main = components.sizes.empty()
    ? -1
    : static_cast<std::int32_t>(std::max_element(components.sizes.begin(), components.sizes.end()) -
        components.sizes.begin());
  std::vector<std::int32_t> labels(mask.data.size(), -1);
  const std::int64_t nx = mask.dims[0], rows = mask.dims[1] * mask.dims[2];
  for (std::int64_t row = 0; row < rows; ++row)
  {
    for (std::int64_t k = components.firstRun[static_cast<std::size_t>(row)];
      k < components.firstRun[static_cast<std::size_t>(row) + 1]; ++k)
    {
      const Components::Run& run = components.runs[static_cast<std::size_t>(k)];
      for (std::int64_t x = run.begin; x < run.end; ++x)
      {
        const std::int64_t i = row * nx + x;
        if (run.label == main)
        {
          largest.data[static_cast<std::size_t>(i)] = 1;
        }
        else
        {
          labels[static_cast<std::size_t>(i)] = run.label;
          others.push_back({ i, run.label });
        }
      }
    }
  }
  const PairCounts counts = countPairs(largest, maximumLag, false, work.part(0, 0.4));
  const std::array<std::int64_t, 3> step{ 1, nx, nx * mask.dims[1] };
  double done = 0.4;
  for (const int axis : axesOf(mask.dims))
  {
    const auto a = static_cast<std::size_t>(axis);
    std::vector<std::vector<std::int64_t>> sums(static_cast<std::size_t>(work.threads()),
      std::vector<std::int64_t>(static_cast<std::size_t>(maximumLag) + 1, 0));
    work.part(done, done + 0.2)
      .forRanges(static_cast<std::int64_t>(others.size()),
        [&](std::int64_t begin, std::int64_t end, int thread)
    {
      std::vector<std::int64_t>& sum = sums[static_cast<std::size_t>(thread)];
      for (std::int64_t k = begin; k < end; ++k)
      {
        const Voxel& v = others[static_cast<std::size_t>(k)];
        const std::int64_t room = mask.dims[a] - 1 - v.index / step[a] % mask.dims[a];
        const std::int32_t* at = labels.data() + v.index;
        for (std::int64_t r = 0; r <= std::min(room, maximumLag); ++r)
        {
          sum[static_cast<std::size_t>(r)] += at[r * step[a]] == v.label;
        }
      }
    });
    done += 0.2;
    pairs[a] = counts.pairs[a];
    for (const auto& sum : sums)
    {
      std::transform(
        pairs[a].begin(), pairs[a].end(), sum.begin(), pairs[a].begin(), std::plus<>());
    }
  }
  return pairs;
}

} // namespace vae::statistics
