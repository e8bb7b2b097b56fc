// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "TestDevice.h"
#include "Torch/Grid/Correlation.h"
#include "Volumes.h"

#include <ATen/Parallel.h>

#include <gtest/gtest.h>

#include <cmath>
#include <random>

using namespace vae;
using namespace vae::statistics;

namespace
{

RunOptions onDevice()
{
  RunOptions run;
  run.device = test::device();
  return run;
}

} // namespace

TEST(Correlation, RadialEqualsBruteForce)
{
  std::mt19937 random(5);
  for (const Spacing& h : { Spacing{ 1, 1, 1 }, Spacing{ 2, 3, 2.5 } })
  {
    for (const bool periodic : { false, true })
    {
      Mask m;
      m.dims = { 18, 15, 13 };
      m.spacing = h;
      for (std::int64_t i = 0; i < m.count(); ++i)
      {
        m.data.push_back(random() % 3 == 0);
      }
      constexpr int Lags = 6;
      std::array<double, Lags + 1> pairs{}, valid{}, distance{};
      const double bin = h[0];
      for (std::int64_t i = 0; i < m.count(); ++i)
      {
        const std::int64_t p[3] = { i % 18, i / 18 % 15, i / 270 };
        for (int z = -7; z <= 7; ++z)
        {
          for (int y = -7; y <= 7; ++y)
          {
            for (int x = -7; x <= 7; ++x)
            {
              std::int64_t q[3] = { p[0] + x, p[1] + y, p[2] + z };
              bool in = true;
              for (int a = 0; a < 3; ++a)
              {
                const std::int64_t n = m.dims[static_cast<std::size_t>(a)];
                in = in && (periodic || (q[a] >= 0 && q[a] < n));
                q[a] = (q[a] + n) % n;
              }
              const double r = std::hypot(x * h[0], y * h[1], z * h[2]);
              const auto b = static_cast<std::size_t>(r / bin + 0.5);
              if (in && b <= Lags)
              {
                ++valid[b];
                distance[b] += r;
                pairs[b] += m.data[static_cast<std::size_t>(i)] && m.row(q[1], q[2])[q[0]];
              }
            }
          }
        }
      }
      const RadialS2 radial = radialS2(m, Lags, periodic, onDevice(), {});
      ASSERT_EQ(radial.s2.size(), pairs.size());
      for (std::size_t b = 0; b <= Lags; ++b)
      {
        EXPECT_NEAR(radial.s2[b], pairs[b] / valid[b], 1e-6) << b;
        EXPECT_NEAR(radial.distance[b], distance[b] / valid[b], 1e-9) << b;
      }
    }
  }
}

TEST(Correlation, DistancesAreThoseOfHypotToTheLastBit)
{
  Mask m;
  m.dims = { 18, 15, 13 };
  m.spacing = { 2, 3, 2.5 };
  m.data.assign(static_cast<std::size_t>(m.count()), 1);
  constexpr int Lags = 6;
  std::array<double, Lags + 1> valid{}, distance{};
  for (int z = 0; z <= 5; ++z)
  {
    std::array<double, Lags + 1> ofSlice{};
    for (int y = -4; y <= 4; ++y)
    {
      for (int x = -6; x <= 6; ++x)
      {
        const double r = std::hypot(x * 2., y * 3., z * 2.5);
        const double pairs =
          (z == 0 ? 1. : 2.) * (18 - std::abs(x)) * (15 - std::abs(y)) * (13 - z);
        if (const auto b = static_cast<std::size_t>(r / 2 + 0.5); b <= Lags)
        {
          valid[b] += pairs;
          ofSlice[b] += pairs * r;
        }
      }
    }
    for (std::size_t b = 0; b <= Lags; ++b)
    {
      distance[b] += ofSlice[b];
    }
  }
  const RadialS2 radial = radialS2(m, Lags, false, onDevice(), {});
  for (std::size_t b = 0; b <= Lags; ++b)
  {
    EXPECT_EQ(radial.distance[b], distance[b] / valid[b]) << b;
  }
}

TEST(Correlation, OverlappingSpheresAllRound)
{
  const double R = 10;
  const rock::Voxels v = rock::overlappingSpheres({ 192, 0.2, R, 7 });
  Mask m;
  m.dims = { 192, 192, 192 };
  for (const std::uint8_t g : v)
  {
    m.data.push_back(g == 0);
  }
  const double phi = static_cast<double>(volumeOf(m)) / static_cast<double>(m.count());
  const int threads = at::get_num_threads();
  const RadialS2 radial = radialS2(m, 40, true, onDevice(), {});
  EXPECT_EQ(at::get_num_threads(), threads);
  EXPECT_NEAR(radial.s2[0], phi, 1e-6);
  for (const std::size_t i : { 1, 2, 5, 10, 15 })
  {
    const double r = radial.distance[i];
    EXPECT_NEAR(
      radial.s2[i] / std::pow(phi, 1 + 3 * r / (4 * R) - std::pow(r, 3) / (16 * std::pow(R, 3))), 1,
      0.03)
      << i;
  }
  EXPECT_NEAR(radial.s2[40] / (phi * phi), 1, 0.05);
}

TEST(Correlation, Stops)
{
  std::stop_source stop;
  stop.request_stop();
  Monitor monitor;
  monitor.stop = stop.get_token();
  Mask m;
  m.dims = { 32, 32, 32 };
  m.data.assign(32768, 1);
  EXPECT_THROW(radialS2(m, 8, false, onDevice(), monitor), Stopped);
}
