// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Statistics/LocalPorosity.h"
#include "Statistics/Minkowski.h"
#include "Statistics/Report.h"
#include "Statistics/Thickness.h"
#include "Volumes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <numeric>
#include <random>
#include <thread>

using namespace vae;
using namespace vae::statistics;

namespace
{

Mask solid(const Dims& dims, std::uint8_t value = 0)
{
  Mask m;
  m.dims = dims;
  m.data.assign(static_cast<std::size_t>(voxels(dims)), value);
  return m;
}

/// inside(x, y, z) of voxel centres, whole numbers.
template <typename F>
Mask shape(const Dims& dims, F&& inside, const Spacing& spacing = { 1, 1, 1 })
{
  Mask m = solid(dims);
  m.spacing = spacing;
  for (std::int64_t z = 0; z < dims[2]; ++z)
  {
    for (std::int64_t y = 0; y < dims[1]; ++y)
    {
      for (std::int64_t x = 0; x < dims[0]; ++x)
      {
        m.row(y, z)[x] =
          inside(static_cast<double>(x), static_cast<double>(y), static_cast<double>(z)) ? 1 : 0;
      }
    }
  }
  return m;
}

double square(double v) { return v * v; }

Mask ball(std::int64_t n, double radius, const Spacing& h = { 1, 1, 1 })
{
  const double c = (static_cast<double>(n) - 1) / 2;
  return shape({ n, n, n }, [=](double x, double y, double z)
  {
    return square((x - c) * h[0]) + square((y - c) * h[1]) + square((z - c) * h[2]) <
      radius * radius;
  }, h);
}

/// The void between overlapping spheres: science's exactly known medium.
Mask spheres(int size, double radius, std::uint64_t seed)
{
  const rock::Voxels v = rock::overlappingSpheres({ size, 0.2, radius, seed });
  Mask m = solid({ size, size, size });
  std::transform(v.begin(), v.end(), m.data.begin(), [](std::uint8_t g) { return g == 0; });
  return m;
}

Mask noise(const Dims& dims, double fraction, unsigned seed = 1)
{
  std::mt19937 random(seed);
  Mask m = solid(dims);
  for (std::uint8_t& v : m.data)
  {
    v = (random() & 0xffff) < fraction * 0x10000;
  }
  return m;
}

Minkowski functionals(const Mask& m)
{
  return minkowski(countConfigurations(m, Work()), countRuns(m, Work()).faces, m.spacing);
}

} // namespace

TEST(Statistics, PairCountsEqualBruteForce)
{
  const Mask m = noise({ 131, 9, 14 }, 0.3); // more than two words, not a multiple
  for (const bool periodic : { false, true })
  {
    const PairCounts c = countPairs(m, 8, periodic, Work());
    for (int a = 0; a < 3; ++a)
    {
      for (std::int64_t r = 0; r <= 8; ++r)
      {
        std::int64_t pairs = 0, valid = 0;
        for (std::int64_t z = 0; z < m.dims[2]; ++z)
        {
          for (std::int64_t y = 0; y < m.dims[1]; ++y)
          {
            for (std::int64_t x = 0; x < m.dims[0]; ++x)
            {
              std::int64_t p[3] = { x, y, z };
              p[a] += r;
              if (p[a] >= m.dims[static_cast<std::size_t>(a)])
              {
                if (!periodic)
                {
                  continue;
                }
                p[a] -= m.dims[static_cast<std::size_t>(a)];
              }
              ++valid;
              pairs += m.row(y, z)[x] && m.row(p[1], p[2])[p[0]];
            }
          }
        }
        EXPECT_EQ(c.pairs[static_cast<std::size_t>(a)][static_cast<std::size_t>(r)], pairs)
          << a << " " << r;
        EXPECT_EQ(c.valid[static_cast<std::size_t>(a)][static_cast<std::size_t>(r)], valid);
      }
    }
  }
}

TEST(Statistics, LongLagsAlongX)
{
  const Mask m = noise({ 200, 3, 3 }, 0.5);
  // The smallest side bounds the lag in general; along x alone any shift must be right.
  Mask line = solid({ 200, 1, 1 });
  std::copy_n(m.row(1, 1), 200, line.row(0, 0));
  const PairCounts c = countPairs(line, 199, false, Work());
  for (std::int64_t r = 0; r < 200; ++r)
  {
    std::int64_t pairs = 0;
    for (std::int64_t x = 0; x + r < 200; ++x)
    {
      pairs += line.row(0, 0)[x] && line.row(0, 0)[x + r];
    }
    EXPECT_EQ(c.pairs[0][static_cast<std::size_t>(r)], pairs) << r;
  }
  EXPECT_TRUE(c.pairs[1].empty());
}

TEST(Statistics, OverlappingSpheres)
{
  // R = 10, porosity 0.2: closed forms of Torquato 2002, ch. 5 and 6. Four realisations.
  const double R = 10;
  std::array<double, 25> s2{}, path{};
  double phi = 0, chord = 0, crofton = 0, faces = 0;
  constexpr int Number = 4;
  for (int seed = 0; seed < Number; ++seed)
  {
    const Mask m = spheres(224, R, static_cast<std::uint64_t>(seed) + 3);
    const double n = static_cast<double>(m.count());
    phi += static_cast<double>(volumeOf(m)) / n / Number;
    const PairCounts c = countPairs(m, 24, true, Work());
    const Runs runs = countRuns(m, Work());
    for (int r = 0; r <= 24; ++r)
    {
      for (std::size_t a = 0; a < 3; ++a)
      {
        s2[static_cast<std::size_t>(r)] += c.s2(static_cast<int>(a), r) / 3 / Number;
        path[static_cast<std::size_t>(r)] +=
          Runs::linealPath(runs.all[a], r, 224, 224 * 224) / 3 / Number;
      }
    }
    for (std::size_t a = 0; a < 3; ++a)
    {
      chord += Runs::mean(runs.all[a]) / 3 / Number;
    }
    const Minkowski k = functionals(m);
    crofton += k.specificSurfaceCrofton13 / Number;
    faces += k.surfaceFaces / n / Number;
  }
  EXPECT_NEAR(phi, 0.2, 0.005);
  for (const int r : { 1, 2, 5, 10 })
  {
    const double exact =
      std::pow(phi, 1 + 3 * r / (4 * R) - std::pow(r, 3) / (16 * std::pow(R, 3)));
    EXPECT_NEAR(s2[static_cast<std::size_t>(r)] / exact, 1, 0.02) << r;
  }
  EXPECT_NEAR(s2[24] / (phi * phi), 1, 0.05);
  for (const int z : { 5, 10, 20 })
  {
    EXPECT_NEAR(path[static_cast<std::size_t>(z)] / std::pow(phi, 1 + 3 * z / (4 * R)), 1, 0.04)
      << z;
  }
  // s = -4 S2'(0) = 3 eta phi / R with eta = -ln phi, and the mean chord is 4 phi / s. On a grid
  // the slope is taken over one step d, of which the closed form is known as well.
  const double s = -3 * std::log(phi) * phi / R;
  const auto slope = [&](double d)
  {
    return 4 * (phi - std::pow(phi, 1 + 3 * d / (4 * R) - std::pow(d, 3) / (16 * std::pow(R, 3)))) /
      d;
  };
  const std::array<double, 13> w = croftonWeights({ 1, 1, 1 });
  const double s13 =
    3 * w[0] * slope(1) + 6 * w[3] * slope(std::sqrt(2.)) + 4 * w[9] * slope(std::sqrt(3.));
  EXPECT_NEAR(faces * 2 / 3 / slope(1), 1, 0.01);
  EXPECT_NEAR(crofton / s13, 1, 0.01);
  // A line of 224 voxels begins 223 (phi - S2(1)) chords inside and, with probability phi, one that
  // the face cuts.
  EXPECT_NEAR(chord / (224 * phi / (223 * slope(1) / 4 + phi)), 1, 0.01);
  EXPECT_NEAR(faces * 2 / 3 / s, 1, 0.08);
  EXPECT_NEAR(crofton / s, 1, 0.10);
  EXPECT_NEAR(chord / (4 * phi / s), 1, 0.06);
}

TEST(Statistics, LinealPathIsCountedSegments)
{
  const Mask m = noise({ 40, 12, 10 }, 0.7);
  const Runs runs = countRuns(m, Work());
  for (std::size_t a = 0; a < 3; ++a)
  {
    for (std::int64_t r = 0; r < 9; ++r)
    {
      std::int64_t whole = 0, all = 0;
      for (std::int64_t z = 0; z < m.dims[2]; ++z)
      {
        for (std::int64_t y = 0; y < m.dims[1]; ++y)
        {
          for (std::int64_t x = 0; x < m.dims[0]; ++x)
          {
            std::int64_t p[3] = { x, y, z };
            if (p[a] + r >= m.dims[a])
            {
              continue;
            }
            ++all;
            bool in = true;
            for (std::int64_t k = 0; k <= r; ++k, ++p[a])
            {
              in = in && m.row(p[1], p[2])[p[0]];
            }
            whole += in;
          }
        }
      }
      EXPECT_DOUBLE_EQ(Runs::linealPath(runs.all[a], r, m.dims[a], m.count() / m.dims[a]),
        static_cast<double>(whole) / static_cast<double>(all))
        << a << " " << r;
    }
  }
  const std::int64_t faces = runs.faces[0] + runs.faces[1] + runs.faces[2];
  EXPECT_EQ(static_cast<double>(faces), functionals(m).surfaceFaces);
}

TEST(Statistics, ChordsOfAStack)
{
  // Layers of 3 in a period of 8 along y: interior chords are 3 long, one is cut.
  const Mask m = shape({ 5, 42, 4 }, [](double, double y, double) { return std::fmod(y, 8) < 3; });
  const Runs runs = countRuns(m, Work());
  EXPECT_EQ(runs.all[1][3], 5 * 4 * 5);
  EXPECT_EQ(runs.all[1][2], 5 * 4);
  EXPECT_EQ(runs.interior[1][3], 4 * 5 * 4);
  EXPECT_EQ(runs.interior[1][2], 0);
  EXPECT_EQ(runs.otherInterior[1][5], 5 * 5 * 4);
  EXPECT_EQ(runs.interior[0][5], 0); // from face to face
}

TEST(Statistics, EulerOfBodies)
{
  const Mask one = ball(24, 8);
  EXPECT_EQ(functionals(one).euler26, 1);
  EXPECT_EQ(functionals(one).euler6, 1);

  const Mask torus = shape({ 40, 40, 16 }, [](double x, double y, double z)
  {
    const double r = std::hypot(x - 19.5, y - 19.5) - 12;
    return r * r + square(z - 7.5) < 16;
  });
  EXPECT_EQ(functionals(torus).euler26, 0);
  EXPECT_EQ(functionals(torus).euler6, 0);

  Mask hollow = ball(24, 10);
  const Mask core = ball(24, 5);
  std::transform(hollow.data.begin(), hollow.data.end(), core.data.begin(), hollow.data.begin(),
    [](std::uint8_t a, std::uint8_t b) { return a && !b; });
  EXPECT_EQ(functionals(hollow).euler26, 2);
  EXPECT_EQ(functionals(hollow).euler6, 2);

  const Mask two = shape({ 40, 20, 20 }, [](double x, double y, double z)
  { return std::min(square(x - 10), square(x - 30)) + square(y - 10) + square(z - 10) < 36; });
  EXPECT_EQ(functionals(two).euler26, 2);
  EXPECT_EQ(functionals(two).euler6, 2);

  // Two voxels that share an edge: one body of closed voxels, two of open ones.
  Mask touching = solid({ 4, 4, 4 });
  touching.row(1, 1)[1] = touching.row(2, 1)[2] = 1;
  EXPECT_EQ(functionals(touching).euler26, 1);
  EXPECT_EQ(functionals(touching).euler6, 2);
}

TEST(Statistics, EulerAgainstComponentsAndDuality)
{
  for (const unsigned seed : { 1u, 2u, 3u })
  {
    const Mask m = noise({ 23, 19, 17 }, 0.4, seed);
    Mask padded = solid({ 25, 21, 19 }, 1);
    for (std::int64_t z = 0; z < 17; ++z)
    {
      for (std::int64_t y = 0; y < 19; ++y)
      {
        for (std::int64_t x = 0; x < 23; ++x)
        {
          padded.row(y + 1, z + 1)[x + 1] = m.row(y, z)[x] ? 0 : 1;
        }
      }
    }
    // The boundary of A is that of its complement in space, and chi(A) = chi(boundary) / 2 for
    // both; the padded complement has one more outer surface, a sphere: chi = 1.
    EXPECT_EQ(functionals(m).euler26 + 1, functionals(padded).euler6);
    EXPECT_EQ(functionals(m).euler6 + 1, functionals(padded).euler26);
    EXPECT_EQ(findComponents(m, Connectivity::Faces, Work()).count() >=
        findComponents(m, Connectivity::Edges, Work()).count(),
      true);
  }
}

TEST(Statistics, SurfaceAndCurvatureOfABall)
{
  const double R = 30;
  const Minkowski k = functionals(ball(72, R));
  EXPECT_NEAR(k.volume / (4 * M_PI * R * R * R / 3), 1, 0.002);
  EXPECT_NEAR(k.surfaceCrofton13 / (4 * M_PI * R * R), 1, 0.01);
  EXPECT_NEAR(k.surfaceFaces / (6 * M_PI * R * R), 1, 0.01);
  EXPECT_NEAR(k.integralMeanCurvature / (4 * M_PI * R), 1, 0.01);

  // The same ball on a grid that is coarser along z, in other units.
  const Spacing h{ 0.5, 0.5, 1 };
  const double c = 35.5 * 0.5, cz = 17.5;
  const Mask flat = shape({ 72, 72, 36 }, [&](double x, double y, double z)
  { return square(x * 0.5 - c) + square(y * 0.5 - c) + square(z - cz) < 225; }, h);
  const Minkowski f = functionals(flat);
  EXPECT_NEAR(f.volume / (4 * M_PI * 3375 / 3), 1, 0.005);
  EXPECT_NEAR(f.surfaceCrofton13 / (4 * M_PI * 225), 1, 0.02);
  EXPECT_NEAR(f.surfaceFaces / (6 * M_PI * 225), 1, 0.02);
  EXPECT_NEAR(f.integralMeanCurvature / (4 * M_PI * 15), 1, 0.02);
}

// What the faces of the volume cut off does not count: layers through all of it are flat.
TEST(Statistics, CurvatureOfTheInterior)
{
  const double R = 20;
  const Minkowski one = functionals(ball(52, R));
  EXPECT_NEAR(one.integralMeanCurvatureInterior, one.integralMeanCurvature, 1e-9);
  EXPECT_NEAR(one.integralMeanCurvatureInterior / (4 * M_PI * R), 1, 0.02);
  // A quarter of a ball at an edge of the volume has a quarter of it.
  const Mask quarter = shape({ 41, 41, 81 },
    [=](double x, double y, double z) { return square(x) + square(y) + square(z - 40) < R * R; });
  EXPECT_NEAR(functionals(quarter).integralMeanCurvatureInterior / (M_PI * R), 1, 0.6 / R);
  const Mask layers = shape(
    { 24, 20, 30 }, [](double, double, double z) { return std::fmod(z, 10) < 4; }, { 1, 2, 0.5 });
  EXPECT_NEAR(functionals(layers).integralMeanCurvatureInterior, 0, 1e-9);
  EXPECT_GT(functionals(layers).integralMeanCurvature, 100);
  // The other phase is curved the other way.
  Mask hole = ball(52, R);
  for (std::uint8_t& v : hole.data)
  {
    v = !v;
  }
  EXPECT_NEAR(functionals(hole).integralMeanCurvatureInterior / (-4 * M_PI * R), 1, 0.1);
}

// In an image the specific surface is the perimeter per area.
TEST(Statistics, PerimeterOfADisc)
{
  const double R = 60, side = 200;
  for (const double unit : { 1., 0.5 })
  {
    const Mask disc = shape({ 200, 200, 1 }, [=](double x, double y, double)
    { return square(x - 99.5) + square(y - 99.5) < R * R; }, { unit, unit, 3 });
    StatisticsOptions o;
    o.radial = o.cluster = o.poreSize = o.localPercolation = false;
    o.periodic = true; // else pairs at the border, where nothing is, do not count
    const Report report = measure(disc, o, {}, {});
    const double perimeter = 2 * M_PI * R / (side * side * unit);
    for (const char* estimator : { "Faces x pi/4", "S2 Slope at Lag 1", "S2 Slope over Lags 0-4" })
    {
      EXPECT_NEAR(report[std::string("Specific Surface (") + estimator + ")"] / perimeter, 1, 0.01)
        << estimator;
    }
    EXPECT_THROW(report["Specific Surface (Faces x 2/3)"], std::out_of_range);
  }
}

TEST(Statistics, CroftonWeights)
{
  const auto sum = [](const std::array<double, 13>& w)
  { return std::accumulate(w.begin(), w.end(), 0.); };
  const std::array<double, 13> cubic = croftonWeights({ 1, 1, 1 });
  EXPECT_NEAR(sum(cubic), 1, 1e-8);
  // The general way gives the published weights too.
  const std::array<double, 13> nearly = croftonWeights({ 1, 1, 1 + 1e-9 });
  EXPECT_NEAR(sum(nearly), 1, 1e-8);
  for (std::size_t k = 0; k < 13; ++k)
  {
    EXPECT_NEAR(nearly[k], cubic[k], 2e-4) << k;
  }
}

TEST(Statistics, FloatingCubeHasItsFaces)
{
  const Mask m = shape({ 20, 20, 20 }, [](double x, double y, double z)
  { return std::min({ x, y, z }) >= 5 && std::max({ x, y, z }) < 15; });
  EXPECT_EQ(functionals(m).surfaceFaces / 8000, 0.075);
  EXPECT_DOUBLE_EQ(functionals(m).integralMeanCurvature, 2 * M_PI * 10);
}

TEST(Statistics, ComponentsByConnectivity)
{
  Mask m = solid({ 6, 6, 6 });
  m.row(0, 0)[0] = m.row(1, 0)[1] = 1; // share an edge
  m.row(2, 1)[2] = 1;                  // shares a corner with the second
  m.row(5, 5)[5] = m.row(5, 5)[4] = 1;
  EXPECT_EQ(findComponents(m, Connectivity::Faces, Work()).count(), 4);
  EXPECT_EQ(findComponents(m, Connectivity::Edges, Work()).count(), 3);
  const Components c = findComponents(m, Connectivity::Corners, Work());
  EXPECT_EQ(c.count(), 2);
  EXPECT_EQ(c.largest(), 3);
  EXPECT_EQ(c.sizes[1], 2);
}

TEST(Statistics, ComponentsEqualFloodFill)
{
  for (const Connectivity connectivity :
    { Connectivity::Faces, Connectivity::Edges, Connectivity::Corners })
  {
    const Mask m = noise({ 40, 21, 33 }, connectivity == Connectivity::Faces ? 0.33 : 0.12);
    const int most = connectivity == Connectivity::Faces ? 1
      : connectivity == Connectivity::Edges              ? 2
                                                         : 3;
    std::vector<int> seen(m.data.size(), 0);
    std::vector<std::int64_t> sizes;
    for (std::int64_t s = 0; s < m.count(); ++s)
    {
      if (!m.data[static_cast<std::size_t>(s)] || seen[static_cast<std::size_t>(s)])
      {
        continue;
      }
      std::vector<std::int64_t> todo{ s };
      seen[static_cast<std::size_t>(s)] = 1;
      std::int64_t size = 0;
      while (!todo.empty())
      {
        const std::int64_t i = todo.back();
        todo.pop_back();
        ++size;
        const std::int64_t x = i % 40, y = i / 40 % 21, z = i / 840;
        for (int k = 0; k < 27; ++k)
        {
          const int d[3] = { k % 3 - 1, k / 3 % 3 - 1, k / 9 - 1 };
          const std::int64_t a = x + d[0], b = y + d[1], e = z + d[2];
          if (std::abs(d[0]) + std::abs(d[1]) + std::abs(d[2]) > most || a < 0 || a >= 40 ||
            b < 0 || b >= 21 || e < 0 || e >= 33)
          {
            continue;
          }
          const auto j = static_cast<std::size_t>((e * 21 + b) * 40 + a);
          if (m.data[j] && !seen[j])
          {
            seen[j] = 1;
            todo.push_back(static_cast<std::int64_t>(j));
          }
        }
      }
      sizes.push_back(size);
    }
    Components c = findComponents(m, connectivity, Work());
    std::sort(sizes.begin(), sizes.end());
    std::sort(c.sizes.begin(), c.sizes.end());
    EXPECT_EQ(c.sizes, sizes) << most;
  }
}

TEST(Statistics, SpanningPart)
{
  // A bar along x that reaches both ends, a stub that does not, and a bar along z.
  Mask m = solid({ 10, 8, 9 });
  for (int x = 0; x < 10; ++x)
  {
    m.row(1, 1)[x] = 1;
    m.row(5, 1)[x] = x < 9;
  }
  for (int z = 0; z < 9; ++z)
  {
    m.row(3, z)[7] = 1;
  }
  const Components c = findComponents(m, Connectivity::Faces, Work());
  EXPECT_EQ(c.count(), 3);
  EXPECT_EQ(c.spanningVoxels(0), 10);
  EXPECT_EQ(c.spanningVoxels(1), 0);
  EXPECT_EQ(c.spanningVoxels(2), 9);
  EXPECT_EQ(c.spanning(0), 1);
  const Mask part = spanningPart(m, c, 0);
  EXPECT_EQ(volumeOf(part), 10);
  EXPECT_EQ(part.row(1, 1)[4], 1);
}

TEST(Statistics, ClusterPairsEqualBruteForce)
{
  const Mask m = noise({ 31, 17, 19 }, 0.3);
  const Components c = findComponents(m, Connectivity::Faces, Work());
  std::vector<int> labels(m.data.size(), -1);
  for (std::size_t row = 0; row + 1 < c.firstRun.size(); ++row)
  {
    for (auto k = c.firstRun[row]; k < c.firstRun[row + 1]; ++k)
    {
      const Components::Run& run = c.runs[static_cast<std::size_t>(k)];
      std::fill(labels.begin() + static_cast<std::ptrdiff_t>(row) * 31 + run.begin,
        labels.begin() + static_cast<std::ptrdiff_t>(row) * 31 + run.end, run.label);
    }
  }
  const auto pairs = countClusterPairs(m, c, 10, Work());
  const std::int64_t step[3] = { 1, 31, 31 * 17 };
  for (std::size_t a = 0; a < 3; ++a)
  {
    for (std::int64_t r = 0; r <= 10; ++r)
    {
      std::int64_t same = 0;
      for (std::int64_t i = 0; i < m.count(); ++i)
      {
        if (i / step[a] % m.dims[a] + r < m.dims[a])
        {
          const int l = labels[static_cast<std::size_t>(i)];
          same += l >= 0 && l == labels[static_cast<std::size_t>(i + r * step[a])];
        }
      }
      EXPECT_EQ(pairs[a][static_cast<std::size_t>(r)], same) << a << " " << r;
    }
  }
}

TEST(Statistics, DistancesEqualBruteForce)
{
  for (const Spacing& h : { Spacing{ 1, 1, 1 }, Spacing{ 0.5, 2, 1.25 } })
  {
    Mask m = noise({ 21, 18, 13 }, 0.97);
    m.spacing = h;
    const std::vector<float> d = squaredDistances(m, Work());
    for (std::int64_t i = 0; i < m.count(); ++i)
    {
      double best = m.data[static_cast<std::size_t>(i)] ? 1e30 : 0;
      for (std::int64_t j = 0; j < m.count() && best > 0; ++j)
      {
        if (!m.data[static_cast<std::size_t>(j)])
        {
          best = std::min(best,
            square(static_cast<double>(i % 21 - j % 21) * h[0]) +
              square(static_cast<double>(i / 21 % 18 - j / 21 % 18) * h[1]) +
              square(static_cast<double>(i / 378 - j / 378) * h[2]));
        }
      }
      ASSERT_NEAR(d[static_cast<std::size_t>(i)], best, 1e-4 * best) << i;
    }
  }
  const std::vector<float> none = squaredDistances(solid({ 3, 4, 5 }, 1), Work());
  EXPECT_TRUE(std::isinf(none[0]));
}

TEST(Statistics, LocalThicknessEqualsBruteForce)
{
  for (const Spacing& h : { Spacing{ 1, 1, 1 }, Spacing{ 1, 0.75, 1.5 } })
  {
    Mask m = noise({ 19, 22, 17 }, 0.985);
    m.spacing = h;
    const std::vector<float> d = squaredDistances(m, Work());
    const std::vector<float> r = localThickness(m, d, Work());
    for (std::int64_t i = 0; i < m.count(); ++i)
    {
      double best = 0;
      for (std::int64_t j = 0; j < m.count(); ++j)
      {
        const double s = d[static_cast<std::size_t>(j)];
        const double distance = square(static_cast<double>(i % 19 - j % 19) * h[0]) +
          square(static_cast<double>(i / 19 % 22 - j / 19 % 22) * h[1]) +
          square(static_cast<double>(i / 418 - j / 418) * h[2]);
        if (distance < s * (1 - 1e-6))
        {
          best = std::max(best, s);
        }
      }
      ASSERT_NEAR(square(r[static_cast<std::size_t>(i)]), best, 1e-4 * best) << i;
    }
  }
}

TEST(Statistics, LocalThicknessDoesNotDependOnTheUnit)
{
  // 5.345 squared has no exact float: voxels at just the radius must stay outside all the same.
  Mask m = spheres(64, 8, 5);
  const std::vector<float> one = localThickness(m, squaredDistances(m, Work()), Work());
  m.spacing = { 5.345, 5.345, 5.345 };
  const std::vector<float> other = localThickness(m, squaredDistances(m, Work()), Work());
  for (std::size_t i = 0; i < one.size(); ++i)
  {
    ASSERT_NEAR(other[i], 5.345 * one[i], 1e-4) << i;
  }
}

TEST(Statistics, PoreSizeOfASlitAndABall)
{
  // A slit of 9 voxels between walls: the farthest centre is 5 from the wall's.
  const Mask slit =
    shape({ 30, 20, 20 }, [](double, double, double z) { return z >= 5 && z < 14; });
  const PoreSizes s =
    poreSizes(slit, localThickness(slit, squaredDistances(slit, Work()), Work()), Work());
  EXPECT_DOUBLE_EQ(s.mean, 10);
  EXPECT_EQ(s.diameter.back(), 10);
  EXPECT_EQ(s.cumulative.back(), 1);
  EXPECT_EQ(s.density.back(), 0.5); // a bin is 2 wide

  const Mask b = ball(40, 15, { 1, 1, 1 });
  const PoreSizes p = poreSizes(b, localThickness(b, squaredDistances(b, Work()), Work()), Work());
  EXPECT_NEAR(p.mean, 30, 2); // voxels at the rim are missed by the largest ball
}

TEST(Statistics, LocalPorosityOfLayers)
{
  // Open below z = 32, closed above: cells are open, closed, or half.
  const Mask m = shape({ 64, 64, 64 }, [](double, double, double z) { return z < 32; });
  const BoxSums sums(m, Work());
  EXPECT_EQ(sums.sum({ 3, 5, 30 }, { 7, 4, 10 }), 7 * 4 * 2);
  const Cells cells = measureCells(m, sums, 16, true, Connectivity::Faces, Work());
  ASSERT_EQ(cells.porosity.size(), 343u);
  EXPECT_NEAR(cells.mean(), 0.5, 1e-12);
  EXPECT_NEAR(cells.percolating(4), 3. / 7, 1e-12);
  EXPECT_NEAR(cells.percolating(1), 4. / 7, 1e-12);
  const LocalPorosity l = localPorosity(cells, m.dims, 10);
  double integral = 0;
  for (const double d : l.density)
  {
    integral += d / 10;
  }
  EXPECT_NEAR(integral, 1, 1e-12);
  EXPECT_EQ(l.percolating[2][5], 0); // half open: along z it does not percolate
  EXPECT_EQ(l.percolating[0][5], 1);
  EXPECT_EQ(l.percolating[3][9], 1);
  const auto profile = sliceProfiles(m, Work());
  EXPECT_EQ(profile[2][31], 1);
  EXPECT_EQ(profile[2][32], 0);
  EXPECT_EQ(profile[0][7], 0.5);
}

TEST(Statistics, PhaseOfAVolume)
{
  Volume v = test::volume<std::uint8_t>({ 3, 7, 7, 3, 3, 7, 7, 7 }, { 2, 2, 2 });
  const ChannelSummary two = summarise(v.channels[0], 8);
  const PhaseChoice automatic = choosePhase(v.channels[0], two, Phase::Automatic, 0);
  EXPECT_EQ(automatic.text, "v = 3");
  EXPECT_EQ(volumeOf(maskOf(v, automatic)), 3);
  EXPECT_EQ(volumeOf(maskOf(v, choosePhase(v.channels[0], two, Phase::AtOrAbove, 7))), 5);
  EXPECT_EQ(volumeOf(maskOf(v, choosePhase(v.channels[0], two, Phase::Below, 7))), 3);
  Volume grey = test::volume<float>({ 0, 1, 2, std::nanf(""), 4, 5, 6, 7 }, { 2, 2, 2 });
  const ChannelSummary many = summarise(grey.channels[0], 8);
  EXPECT_THROW(choosePhase(grey.channels[0], many, Phase::Automatic, 0), std::invalid_argument);
  EXPECT_EQ(volumeOf(maskOf(grey, choosePhase(grey.channels[0], many, Phase::Below, 100))), 7);
}

// One rule for all filters: what is pore by the name of the array, or else the rarer value.
TEST(Statistics, AutomaticPhase)
{
  const auto taken = [](const char* array, std::vector<std::uint8_t> values)
  {
    Volume v = test::volume(values, { 2, 2, 2 });
    v.channels[0].array = array;
    const ChannelSummary s = summarise(v.channels[0], 8);
    return choosePhase(v.channels[0], s, Phase::Automatic, 0).value;
  };
  const std::vector<std::uint8_t> few{ 1, 1, 0, 0, 0, 0, 0, 0 }, many{ 1, 1, 1, 1, 1, 1, 0, 0 };
  EXPECT_EQ(taken("im", few), 1); // PoreSpy: True is pore
  EXPECT_EQ(taken("im", many), 0);
  EXPECT_EQ(taken("im", { 1, 1, 1, 1, 0, 0, 0, 0 }), 0);
  EXPECT_EQ(taken("Pores", many), 1); // of a foam
  EXPECT_EQ(taken("void_space", many), 1);
  EXPECT_EQ(taken("solid", few), 0);
  EXPECT_EQ(taken("Grains", few), 0);
  EXPECT_EQ(taken("pore or grain", few), 1); // tells nothing
}

TEST(Statistics, WorkStopsAndPassesExceptionsOn)
{
  std::stop_source stop;
  Monitor monitor;
  monitor.stop = stop.get_token();
  std::vector<double> seen;
  monitor.progress = [&](double f)
  {
    seen.push_back(f);
    if (f > 0.3)
    {
      stop.request_stop();
    }
  };
  const Work work = Work(2, monitor).part(0.2, 0.6);
  EXPECT_THROW(work.forEach(100000, [](std::int64_t) {}), Stopped);
  ASSERT_FALSE(seen.empty());
  EXPECT_GE(seen.front(), 0.2);
  EXPECT_LE(seen.back(), 0.6);
  EXPECT_THROW(Work(2).forEach(10,
                 [](std::int64_t i)
  {
    if (i == 7)
    {
      throw std::domain_error("seven");
    }
  }),
    std::domain_error);
}

TEST(Statistics, SharedWorkIsDoneOnceAndWithinItself)
{
  const Work work(4);
  const std::thread::id self = std::this_thread::get_id();
  std::thread::id first;
  for (int loop = 0; loop < 200; ++loop)
  {
    // Each of four calls, and each of three within the second one: a loop in a loop does not wait
    // for the threads that it is on.
    std::array<std::atomic<int>, 4> outer{};
    std::array<std::atomic<int>, 3> inner{};
    work.share(4, [&](int i)
    {
      ++outer[static_cast<std::size_t>(i)];
      if (i == 0)
      {
        first = std::this_thread::get_id();
      }
      if (i == 1)
      {
        work.share(3, [&](int k) { ++inner[static_cast<std::size_t>(k)]; });
      }
    });
    for (const auto& n : outer)
    {
      EXPECT_EQ(n, 1);
    }
    for (const auto& n : inner)
    {
      EXPECT_EQ(n, 1);
    }
    EXPECT_EQ(first, self);
  }
}

TEST(Statistics, TwoThreadsShareOneTeam)
{
  const Work work(3);
  const auto count = [&](std::int64_t& sum)
  {
    for (int loop = 0; loop < 100; ++loop)
    {
      std::atomic<std::int64_t> here{ 0 };
      work.part(0, 0.5).forEach(100, [&](std::int64_t i) { here += i; });
      sum += here;
    }
  };
  std::int64_t mine = 0, other = 0;
  {
    const std::jthread thread([&] { count(other); });
    count(mine);
  }
  EXPECT_EQ(mine, 100 * 4950);
  EXPECT_EQ(other, 100 * 4950);
}
