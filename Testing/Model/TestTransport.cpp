// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Statistics/Transport.h"

#include <gtest/gtest.h>

#include <cmath>

using namespace vae;
using namespace vae::statistics;

namespace
{

template <typename F>
Mask shape(const Dims& dims, F&& inside, const Spacing& spacing = { 1, 1, 1 })
{
  Mask m;
  m.dims = dims;
  m.spacing = spacing;
  m.data.reserve(static_cast<std::size_t>(m.count()));
  for (std::int64_t z = 0; z < dims[2]; ++z)
  {
    for (std::int64_t y = 0; y < dims[1]; ++y)
    {
      for (std::int64_t x = 0; x < dims[0]; ++x)
      {
        m.data.push_back(inside(x, y, z) ? 1 : 0);
      }
    }
  }
  return m;
}

PermeabilityOptions options(FlowBoundary boundary = FlowBoundary::Walls)
{
  PermeabilityOptions o;
  o.boundary = boundary;
  return o;
}

} // namespace

TEST(Transport, TortuosityOfStrips)
{
  const Mask straight =
    shape({ 20, 20, 20 }, [](auto x, auto y, auto) { return x < 10 && y < 10; });
  EXPECT_NEAR(diffuse(straight, 2, Work()).tortuosity, 1, 1e-5);
  EXPECT_NEAR(diffuse(straight, 2, Work()).formationFactor, 4, 1e-4);
  EXPECT_TRUE(std::isinf(diffuse(straight, 0, Work()).tortuosity));

  // A strip of 2 x 2 that moves one voxel sideways in both directions at each layer: resistors in
  // series, 37 of one voxel and two ends of 7/24.
  const Mask slanted = shape({ 21, 21, 20 },
    [](auto x, auto y, auto z) { return x >= z && x < z + 2 && y >= z && y < z + 2; });
  EXPECT_NEAR(diffuse(slanted, 2, Work()).tortuosity, (37 + 7. / 12) / 5, 1e-4); // 7.51667
  // Other units, another spacing across: the same numbers.
  Mask stretched = straight;
  stretched.spacing = { 3, 0.5, 2 };
  EXPECT_NEAR(diffuse(stretched, 2, Work()).tortuosity, 1, 1e-4);
}

TEST(Transport, LayersInSeries)
{
  // A wide and a narrow section: exact only far apart; bounds hold. Wiener: F >= 1 / phi.
  const Mask m =
    shape({ 40, 12, 12 }, [](auto x, auto y, auto z) { return x < 20 || (y < 6 && z < 12); });
  const double phi = 0.75;
  const Diffusion d = diffuse(m, 0, Work());
  EXPECT_GT(d.formationFactor, 1.5); // 20 of area 1 and 20 of area 1/2 in series
  EXPECT_LT(d.formationFactor, 1.7);
  EXPECT_NEAR(d.tortuosity, phi * d.formationFactor, 1e-9);
}

TEST(Transport, Slit)
{
  // Flow between parallel plates: k = phi H^2 / 12 with phi = H / n.
  const Mask m = shape({ 24, 24, 32 }, [](auto, auto, auto z) { return z >= 6 && z < 26; });
  for (const FlowBoundary b : { FlowBoundary::Slip, FlowBoundary::Periodic })
  {
    const Flow flow = solveFlow(m, 0, options(b), Work());
    EXPECT_TRUE(flow.converged);
    EXPECT_NEAR(flow.permeability[0] / (20. / 32 * 400 / 12), 1, 0.01);
    EXPECT_NEAR(flow.permeability[1], 0, 1e-3);
    EXPECT_NEAR(flow.tortuosity, 1, 1e-3);
  }
  const Flow blocked = solveFlow(m, 2, options(), Work());
  EXPECT_TRUE(blocked.blocked && blocked.converged);
  EXPECT_EQ(blocked.permeability, (std::array<double, 3>{ 0, 0, 0 }));
  EXPECT_TRUE(std::isinf(blocked.tortuosity));
  EXPECT_EQ(blocked.velocity, std::vector<float>(3 * m.data.size(), 0.f));
  EXPECT_TRUE(solveFlow(m, 2, options(FlowBoundary::Periodic), Work()).blocked);
}

TEST(Transport, NarrowSlits)
{
  // The discrete flow between plates is known exactly: H^3/12 + 1/36 for a unit force.
  for (const int width : { 1, 2, 3, 6 })
  {
    const Mask m = shape({ 8, 8, 10 }, [=](auto, auto, auto z) { return z >= 2 && z < 2 + width; });
    const double exact = std::pow(width, 3) / 12 + 1. / 36;
    EXPECT_NEAR(
      solveFlow(m, 1, options(FlowBoundary::Slip), Work()).permeability[1] * 10 / exact, 1, 1e-4)
      << width;
  }
}

TEST(Transport, Duct)
{
  // White, Viscous Fluid Flow: k = 0.035144 a^2 times the open fraction of the section.
  const auto open = [](auto a, auto b) { return a >= 4 && a < 28 && b >= 2 && b < 26; };
  const Mask along[3] = {
    shape({ 16, 32, 28 }, [&](auto, auto y, auto z) { return open(y, z); }),
    shape({ 32, 16, 28 }, [&](auto x, auto, auto z) { return open(x, z); }),
    shape({ 32, 28, 16 }, [&](auto x, auto y, auto) { return open(x, y); }),
  };
  const double exact = 0.035144 * 24 * 24 * (24. * 24) / (32. * 28);
  for (int a = 0; a < 3; ++a)
  {
    const Flow flow = solveFlow(along[a], a, options(), Work());
    EXPECT_NEAR(flow.permeability[static_cast<std::size_t>(a)] / exact, 1, 0.01) << a;
    // The pressure falls evenly from one end to the other.
    const auto middle = static_cast<std::size_t>(
      (along[a].dims[2] / 2 * along[a].dims[1] + along[a].dims[1] / 2) * along[a].dims[0] +
      along[a].dims[0] / 2);
    EXPECT_NEAR(flow.pressure[middle], 7.5, 0.05) << a;
  }
  // A duct is its own wall: without a wall round it the same flow.
  const Mask bare = shape({ 10, 24, 24 }, [](auto, auto, auto) { return true; });
  EXPECT_NEAR(
    solveFlow(bare, 0, options(), Work()).permeability[0] / (0.035144 * 24 * 24), 1, 0.01);

  // Half as many voxels along y, twice as long, in micrometres.
  const Mask flat = shape({ 16, 16, 28 },
    [](auto, auto y, auto z) { return y >= 2 && y < 14 && z >= 2 && z < 26; }, { 5, 10, 5 });
  EXPECT_NEAR(solveFlow(flat, 0, options(), Work()).permeability[0] / (exact * 25), 1, 0.02);
}

TEST(Transport, SimpleCubicSpheres)
{
  // Touching spheres of diameter d: k / d^2 = 2.518e-3 (drag factor 42.14: Sangani and Acrivos
  // 1982). An eighth of the cell between planes of symmetry is enough: d = 96 voxels. Steps instead
  // of spheres cost some flow: 2.3 % at d = 48, 1.5 % at 96.
  const auto octant = [](std::int64_t n)
  {
    return shape({ n, n, n }, [n](auto x, auto y, auto z)
    {
      const double a = static_cast<double>(x) + 0.5, b = static_cast<double>(y) + 0.5,
                   c = static_cast<double>(z) + 0.5;
      return a * a + b * b + c * c >= static_cast<double>(n * n);
    });
  };
  const Flow slip = solveFlow(octant(64), 2, options(FlowBoundary::Slip), Work());
  EXPECT_TRUE(slip.converged);
  std::cout << "k / d^2 / 2.518e-3 = " << slip.permeability[2] / (128 * 128) / 2.518e-3 << "\n";
  EXPECT_NEAR(slip.permeability[2] / (128 * 128) / 2.518e-3, 1, 0.02);
  // The velocity at the centres averages to the permeability as well.
  double sum = 0;
  for (std::size_t i = 2; i < slip.velocity.size(); i += 3)
  {
    sum += static_cast<double>(slip.velocity[i]);
  }
  EXPECT_NEAR(sum / 64 / 64 / 64 / slip.permeability[2], 1, 0.02);

  // The whole cell, periodic, is the same flow as its eighth.
  const Mask cell = shape({ 32, 32, 32 }, [](auto x, auto y, auto z)
  {
    const double a = static_cast<double>(x) - 15.5, b = static_cast<double>(y) - 15.5,
                 c = static_cast<double>(z) - 15.5;
    return a * a + b * b + c * c >= 256;
  });
  PermeabilityOptions exact = options(FlowBoundary::Periodic);
  exact.tolerance = 1e-5;
  const Flow periodic = solveFlow(cell, 0, exact, Work());
  exact.boundary = FlowBoundary::Slip;
  const Flow eighth = solveFlow(octant(16), 1, exact, Work());
  EXPECT_NEAR(periodic.permeability[0] / eighth.permeability[1], 1, 0.001);
  EXPECT_NEAR(periodic.permeability[2], 0, 1e-3 * periodic.permeability[0]);
}

TEST(Transport, StopsAndReports)
{
  const Mask m = shape({ 24, 24, 24 },
    [](auto x, auto y, auto z) { return (x / 6 + y / 6 + z / 6) % 2 == 0 || y % 6 < 3; });
  std::stop_source stop;
  Monitor monitor;
  monitor.stop = stop.get_token();
  int iterations = 0;
  EXPECT_THROW(solveFlow(m, 0, options(), Work(0, monitor),
                 [&](int, double, double)
  {
    if (++iterations == 2)
    {
      stop.request_stop();
    }
  }),
    Stopped);
  EXPECT_EQ(iterations, 2);
  PermeabilityOptions bad;
  bad.tolerance = 2;
  EXPECT_THROW(solveFlow(m, 0, bad, Work()), std::invalid_argument);
}
