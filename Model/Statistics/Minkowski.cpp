// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Minkowski.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numbers>

namespace vae::statistics
{
namespace
{

using Step = std::array<int, 3>;

/// One of each pair of opposite directions to the 26 neighbours.
constexpr std::array<Step, 13> Directions{ { { 1, 0, 0 }, { 0, 1, 0 }, { 0, 0, 1 }, { 1, 1, 0 },
  { 1, -1, 0 }, { 1, 0, 1 }, { 1, 0, -1 }, { 0, 1, 1 }, { 0, 1, -1 }, { 1, 1, 1 }, { -1, 1, 1 },
  { 1, -1, 1 }, { 1, 1, -1 } } };

constexpr int bit(int x, int y, int z) { return x + 2 * y + 4 * z; }
bool set(int configuration, int i) { return (configuration >> i & 1) != 0; }

} // namespace

Configurations countConfigurations(const Mask& mask, const Work& work)
{
  const auto [nx, ny, nz] = mask.dims;
  std::vector<Configurations> parts(static_cast<std::size_t>(work.threads()));
  const std::vector<std::uint8_t> outside(static_cast<std::size_t>(nx), 0);
  // Corner (x, y, z) of the grid of voxels: the 8 voxels from (x - 1, y - 1, z - 1) to (x, y, z).
  work.forEach(nz + 1, [&](std::int64_t z, int thread)
  {
    std::array<std::int64_t, 256> inner{}, border{};
    for (std::int64_t y = 0; y <= ny; ++y)
    {
      const auto rowAt = [&](std::int64_t j, std::int64_t k)
      { return j < 0 || j >= ny || k < 0 || k >= nz ? outside.data() : mask.row(j, k); };
      const std::uint8_t* r00 = rowAt(y - 1, z - 1);
      const std::uint8_t* r10 = rowAt(y, z - 1);
      const std::uint8_t* r01 = rowAt(y - 1, z);
      const std::uint8_t* r11 = rowAt(y, z);
      const bool inside = y > 0 && y < ny && z > 0 && z < nz;
      std::array<std::int64_t, 256>& h = inside ? inner : border;
      // Bits 1, 3, 5, 7 are the voxels at x; shifted down they are those at x - 1.
      unsigned code = 0;
      const auto step = [&](std::int64_t x)
      {
        code = code >> 1 & 0x55u;
        code |= static_cast<unsigned>(r00[x]) << 1 | static_cast<unsigned>(r10[x]) << 3 |
          static_cast<unsigned>(r01[x]) << 5 | static_cast<unsigned>(r11[x]) << 7;
      };
      step(0);
      ++border[code];
      for (std::int64_t x = 1; x < nx; ++x)
      {
        step(x);
        ++h[code];
      }
      ++border[code >> 1 & 0x55u];
    }
    Configurations& sum = parts[static_cast<std::size_t>(thread)];
    for (std::size_t i = 0; i < 256; ++i)
    {
      sum.interior[i] += inner[i];
      sum.closed[i] += inner[i] + border[i];
    }
  });
  Configurations sum;
  for (const Configurations& p : parts)
  {
    for (std::size_t i = 0; i < 256; ++i)
    {
      sum.interior[i] += p.interior[i];
      sum.closed[i] += p.closed[i];
    }
  }
  return sum;
}

std::array<double, 13> croftonWeights(const Spacing& spacing)
{
  std::array<double, 13> weights{};
  if (spacing[0] == spacing[1] && spacing[1] == spacing[2])
  {
    // Areas of the cells of the 26 directions on the unit sphere (Ohser and Muecklich 2000).
    for (std::size_t k = 0; k < 13; ++k)
    {
      weights[k] = 2 * (k < 3 ? 0.04577789120476 : k < 9 ? 0.03698062787608 : 0.03519563978232);
    }
    return weights;
  }
  std::array<std::array<double, 3>, 13> unit;
  for (std::size_t k = 0; k < 13; ++k)
  {
    double length = 0;
    for (std::size_t a = 0; a < 3; ++a)
    {
      unit[k][a] = Directions[k][a] * spacing[a];
      length += unit[k][a] * unit[k][a];
    }
    for (double& u : unit[k])
    {
      u /= std::sqrt(length);
    }
  }
  // Points of a spiral that are spread evenly over the half sphere.
  constexpr int Points = 200000;
  const double turn = std::numbers::pi * (3 - std::sqrt(5.));
  for (int i = 0; i < Points; ++i)
  {
    const double z = (i + 0.5) / Points, r = std::sqrt(1 - z * z), angle = turn * i;
    const std::array<double, 3> p{ r * std::cos(angle), r * std::sin(angle), z };
    std::size_t nearest = 0;
    double best = -1;
    for (std::size_t k = 0; k < 13; ++k)
    {
      const double c = std::abs(p[0] * unit[k][0] + p[1] * unit[k][1] + p[2] * unit[k][2]);
      if (c > best)
      {
        best = c;
        nearest = k;
      }
    }
    weights[nearest] += 1. / Points;
  }
  return weights;
}

Minkowski minkowski(
  const Configurations& configurations, const std::array<std::int64_t, 3>& faces, const Spacing& h)
{
  const double voxel = h[0] * h[1] * h[2];
  const std::array<double, 3> faceArea{ h[1] * h[2], h[0] * h[2], h[0] * h[1] };
  Minkowski m;
  for (std::size_t a = 0; a < 3; ++a)
  {
    m.surfaceFaces += static_cast<double>(faces[a]) * faceArea[a];
  }

  // Cells of the union of closed voxels, by their extent, from the shares that one configuration
  // (the surroundings of one corner of the grid) has of each: a corner wholly, an edge by half, a
  // face by a quarter, a voxel by an eighth.
  struct Counts
  {
    double euler26, euler6, curvature, cubes;
  };
  const auto count = [&](const std::array<std::int64_t, 256>& histogram)
  {
    double vertices = 0, cubes = 0, open = 0;
    std::array<double, 3> edges{}, squares{}; // a square by its normal
    for (int c = 1; c < 256; ++c)
    {
      const auto n = static_cast<double>(histogram[static_cast<std::size_t>(c)]);
      if (n == 0)
      {
        continue;
      }
      vertices += n;
      cubes += n * std::popcount(static_cast<unsigned>(c)) / 8;
      // Open voxels: a voxel, a pair, a square of four, all eight are a vertex, an edge, ...
      open += n * std::popcount(static_cast<unsigned>(c)) / 8;
      open -= c == 255 ? n : 0;
      for (int a = 0; a < 3; ++a)
      {
        const int da = 1 << a, db = 1 << (a + 1) % 3, dc = 1 << (a + 2) % 3;
        for (int side = 0; side < 2; ++side)
        {
          // The half edge along a: present if any of the four voxels around it is.
          const int s = side * da;
          const bool any = set(c, s) || set(c, s + db) || set(c, s + dc) || set(c, s + db + dc);
          const bool all = set(c, s) && set(c, s + db) && set(c, s + dc) && set(c, s + db + dc);
          edges[static_cast<std::size_t>(a)] += any ? n / 2 : 0;
          open += all ? n / 2 : 0;
        }
        for (const int s : { 0, db, dc, db + dc })
        {
          squares[static_cast<std::size_t>(a)] += set(c, s) || set(c, s + da) ? n / 4 : 0;
          open -= set(c, s) && set(c, s + da) ? n / 4 : 0;
        }
      }
    }
    const double edgeSum = edges[0] + edges[1] + edges[2];
    const double squareSum = squares[0] + squares[1] + squares[2];
    // Cells that extend along a: voxels, faces with another normal, edges along it. Their Euler
    // number is that of all sections normal to a.
    double widths = 0;
    for (std::size_t a = 0; a < 3; ++a)
    {
      const double sections = cubes - (squareSum - squares[a]) + edges[a];
      widths += h[a] * sections;
    }
    return Counts{ .euler26 = vertices - edgeSum + squareSum - cubes,
      .euler6 = open,
      .curvature = 2 * std::numbers::pi * widths / 3,
      .cubes = cubes };
  };
  const Counts closed = count(configurations.closed), interior = count(configurations.interior);
  m.volume = closed.cubes * voxel;
  m.integralMeanCurvature = closed.curvature;
  m.euler26 = closed.euler26;
  m.euler6 = closed.euler6;
  m.integralMeanCurvatureInterior = interior.curvature;
  m.euler26Interior = interior.euler26;
  m.euler6Interior = interior.euler6;

  double corners = 0;
  for (const std::int64_t n : configurations.interior)
  {
    corners += static_cast<double>(n);
  }
  if (corners == 0)
  {
    const double none = std::numeric_limits<double>::quiet_NaN();
    m.specificSurfaceCrofton13 = m.euler26Interior = m.euler6Interior =
      m.integralMeanCurvatureInterior = none;
    return m;
  }
  const std::array<double, 13> weights = croftonWeights(h);
  double density = 0;
  for (std::size_t k = 0; k < 13; ++k)
  {
    const Step& d = Directions[k];
    double length = 0, crossings = 0, pairs = 0;
    for (std::size_t a = 0; a < 3; ++a)
    {
      length += d[a] * h[a] * d[a] * h[a];
    }
    // All pairs of voxels of a configuration that are one step apart in this direction.
    for (int i = 0; i < 8; ++i)
    {
      const int x = (i & 1) + d[0], y = (i >> 1 & 1) + d[1], z = (i >> 2 & 1) + d[2];
      if (std::min({ x, y, z }) < 0 || std::max({ x, y, z }) > 1)
      {
        continue;
      }
      for (int c = 0; c < 256; ++c)
      {
        const auto n = static_cast<double>(configurations.interior[static_cast<std::size_t>(c)]);
        pairs += n;
        crossings += set(c, i) != set(c, bit(x, y, z)) ? n : 0;
      }
    }
    density += weights[k] * crossings / (pairs * std::sqrt(length));
  }
  m.specificSurfaceCrofton13 = 2 * density;
  m.surfaceCrofton13 = 2 * density * corners * voxel;
  return m;
}

} // namespace vae::statistics
