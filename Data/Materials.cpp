// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Materials.h"

#include "Vectors.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace rock
{
namespace
{

constexpr std::uint8_t Pore = 0, Binder = 128, Solid = 255;
constexpr float Far = std::numeric_limits<float>::max();

struct Ellipsoid
{
  Point centre;
  std::array<Point, 3> axes; ///< rows of a rotation, each divided by its half length
  double radius;             ///< largest half length
};

/// Ellipsoids at random places by random sequential addition, until it becomes hard.
/// \param flat half length along z over those along x and y; below 1 they lie nearly in the xy
/// plane
std::vector<Ellipsoid> pack(Random& random, const Options& o, double flat)
{
  std::vector<Ellipsoid> packed;
  for (int failures = 0; failures < 5000;)
  {
    Ellipsoid e;
    e.centre = random.point(o.size);
    const double mean = o.radius * random.uniform(0.7, 1.3);
    const Point half{ mean * random.uniform(0.85, 1.15), mean * random.uniform(0.85, 1.15),
      mean * flat * random.uniform(0.85, 1.15) };
    e.radius = *std::max_element(half.begin(), half.end());
    const bool free = std::none_of(packed.begin(), packed.end(), [&](const Ellipsoid& other)
    {
      const double x = periodic(e.centre[0] - other.centre[0], o.size),
                   y = periodic(e.centre[1] - other.centre[1], o.size),
                   z = periodic(e.centre[2] - other.centre[2], o.size) / flat,
                   reach = 0.8 * (e.radius + other.radius);
      return x * x + y * y + z * z < reach * reach;
    });
    if (!free)
    {
      ++failures;
      continue;
    }
    const Point tilt = inBall(random), turn = inBall(random);
    const Point w =
      flat < 1 ? unit({ 0.2 * tilt[0], 0.2 * tilt[1], 1 + 0.2 * tilt[2] }) : unit(tilt);
    const Point u = unit(cross(w, turn)), v = cross(w, u);
    e.axes = { u, v, w };
    for (std::size_t a = 0; a < 3; ++a)
    {
      for (double& c : e.axes[a])
      {
        c /= half[a];
      }
    }
    packed.push_back(e);
  }
  return packed;
}

/// The squared factors by which the nearest two ellipsoids must grow to reach a voxel, and which
/// one is the nearest; -1 where none is near.
struct Scales
{
  std::vector<float> first, second;
  std::vector<int> nearest;

  Scales(const std::vector<Ellipsoid>& ellipsoids, int size)
  {
    const auto count = static_cast<std::size_t>(size) * size * size;
    this->first.assign(count, Far);
    this->second.assign(count, Far);
    this->nearest.assign(count, -1);
    for (std::size_t n = 0; n < ellipsoids.size(); ++n)
    {
      const Ellipsoid& e = ellipsoids[n];
      around(e.centre, 2.2 * e.radius, size, [&](std::size_t i, double x, double y, double z)
      {
        double s = 0;
        for (const Point& axis : e.axes)
        {
          const double d = dot(axis, { x, y, z });
          s += d * d;
        }
        const auto scale = static_cast<float>(s);
        if (scale < this->first[i])
        {
          this->second[i] = this->first[i];
          this->first[i] = scale;
          this->nearest[i] = static_cast<int>(n);
        }
        else
        {
          this->second[i] = std::min(this->second[i], scale);
        }
      });
    }
  }
};

/// Solid where the field is smallest.
Voxels solidBelow(const std::vector<float>& field, double porosity)
{
  const float threshold = quantile(field, 1 - porosity);
  Voxels voxels(field.size());
  std::transform(field.begin(), field.end(), voxels.begin(),
    [threshold](float f) { return f < threshold ? Solid : Pore; });
  return voxels;
}

double target(const Options& o, double fraction)
{
  return fraction * static_cast<double>(o.size) * o.size * o.size;
}

constexpr Material All[] = {
  { "grains", "cemented grains, a sandstone", 0.2, 12, cementedGrains },
  { "spheres", "overlapping spheres", 0.2, 12, overlappingSpheres },
  { "carbonate", "grains with pores of a second scale", 0.3, 14, carbonate },
  { "fibres", "curved fibres in layers", 0.75, 3.5, fibres },
  { "layers", "flat particles in layers", 0.35, 14, layeredParticles },
  { "foam", "an open-cell foam", 0.85, 14, foam },
  { "phases", "particles, binder and pores", 0.35, 11, threePhases },
  { "grey", "a scan of sand, grey values", 0.35, 11, greySand },
};

} // namespace

std::span<const Material> materials() { return All; }

Voxels carbonate(const Options& o)
{
  Random random(o.seed);
  const std::vector<Ellipsoid> grains = pack(random, o, 1);
  const Scales scales(grains, o.size);
  Voxels voxels = solidBelow(scales.first, o.porosity * 2 / 3);
  std::vector<bool> porous(grains.size());
  for (std::size_t n = 0; n < grains.size(); ++n)
  {
    porous[n] = random.uniform() < 0.5;
  }
  const double radius = std::max(o.radius / 6, 1.5);
  auto pores = static_cast<double>(std::count(voxels.begin(), voxels.end(), Pore));
  const double wanted = target(o, o.porosity);
  // Where no grain is porous the attempts end.
  for (int attempts = 0; pores < wanted && attempts < 100 * o.size * o.size; ++attempts)
  {
    const Point centre = random.point(o.size);
    const auto index = [&](int a) { return std::min(static_cast<int>(centre[a]), o.size - 1); };
    const int nearest =
      scales.nearest[(static_cast<std::size_t>(index(2)) * o.size + index(1)) * o.size + index(0)];
    if (nearest < 0 || !porous[static_cast<std::size_t>(nearest)])
    {
      continue;
    }
    around(centre, radius + 1, o.size, [&](std::size_t i, double x, double y, double z)
    {
      if (x * x + y * y + z * z < radius * radius && voxels[i] == Solid &&
        scales.nearest[i] == nearest)
      {
        voxels[i] = Pore;
        ++pores;
      }
    });
  }
  return voxels;
}

Voxels fibres(const Options& o)
{
  Random random(o.seed);
  Voxels voxels(static_cast<std::size_t>(o.size) * o.size * o.size, Pore);
  const double wanted = target(o, 1 - o.porosity);
  double solid = 0;
  while (solid < wanted)
  {
    Point at = random.point(o.size);
    const Point first = inBall(random);
    Point along = unit({ first[0], first[1], 0.25 * first[2] });
    // Spheres, one voxel apart.
    for (int step = 0; step < static_cast<int>(30 * o.radius) && solid < wanted; ++step)
    {
      around(at, o.radius + 1, o.size, [&](std::size_t i, double x, double y, double z)
      {
        if (x * x + y * y + z * z < o.radius * o.radius && voxels[i] == Pore)
        {
          voxels[i] = Solid;
          ++solid;
        }
      });
      const Point bend = inBall(random);
      along = unit(
        { along[0] + 0.05 * bend[0], along[1] + 0.05 * bend[1], 0.99 * along[2] + 0.02 * bend[2] });
      for (std::size_t a = 0; a < 3; ++a)
      {
        at[a] += along[a];
      }
    }
  }
  return voxels;
}

Voxels layeredParticles(const Options& o)
{
  Random random(o.seed);
  return solidBelow(Scales(pack(random, o, 1. / 3), o.size).first, o.porosity);
}

Voxels foam(const Options& o)
{
  Random random(o.seed);
  const auto count = static_cast<std::size_t>(o.size) * o.size * o.size;
  std::array<std::vector<float>, 3> nearest; // distances of the nearest three centres
  nearest.fill(std::vector<float>(count, Far));
  for (const Ellipsoid& cell : pack(random, o, 1))
  {
    around(cell.centre, 3.5 * o.radius, o.size, [&](std::size_t i, double x, double y, double z)
    {
      auto d = static_cast<float>(std::sqrt(x * x + y * y + z * z));
      for (std::vector<float>& n : nearest)
      {
        if (d < n[i])
        {
          std::swap(d, n[i]);
        }
      }
    });
  }
  std::vector<float> field(count);
  std::transform(nearest[2].begin(), nearest[2].end(), nearest[0].begin(), field.begin(),
    [](float third, float first) { return third < Far ? third - first : Far; });
  return solidBelow(field, o.porosity);
}

Voxels threePhases(const Options& o)
{
  Random random(o.seed);
  const Scales scales(pack(random, o, 1), o.size);
  const double particles = 0.75 * (1 - o.porosity);
  Voxels voxels = solidBelow(scales.first, 1 - particles);
  std::vector<float> between = scales.second;
  for (std::size_t i = 0; i < voxels.size(); ++i)
  {
    between[i] = voxels[i] == Solid ? 0 : between[i];
  }
  const float neck = quantile(between, 1 - o.porosity);
  for (std::size_t i = 0; i < voxels.size(); ++i)
  {
    voxels[i] = voxels[i] == Solid ? Solid : between[i] < neck ? Binder : Pore;
  }
  return voxels;
}

Voxels greySand(const Options& o)
{
  constexpr double pore = 70, grain = 160, scatter = 18, noise = 14;
  Random random(o.seed);
  const std::vector<Ellipsoid> grains = pack(random, o, 1);
  const Scales scales(grains, o.size);
  std::vector<double> level(grains.size());
  for (double& l : level)
  {
    l = grain + random.uniform(-scatter, scatter);
  }
  const Voxels solid = solidBelow(scales.first, o.porosity);
  std::vector<double> values(solid.size());
  for (std::size_t i = 0; i < solid.size(); ++i)
  {
    values[i] = solid[i] == Solid ? level[static_cast<std::size_t>(scales.nearest[i])] : pore;
  }
  const auto n = static_cast<std::size_t>(o.size);
  for (const std::size_t stride : { std::size_t{ 1 }, n, n * n })
  {
    const std::vector<double> before = values;
    for (std::size_t i = 0; i < values.size(); ++i)
    {
      const std::size_t at = i / stride % n, row = i - at * stride;
      values[i] = (before[row + (at + n - 1) % n * stride] + before[i] +
                    before[row + (at + 1) % n * stride]) /
        3;
    }
  }
  Voxels voxels(values.size());
  for (std::size_t i = 0; i < values.size(); ++i)
  {
    double sum = -2; // of four uniform numbers, near normal with variance 1/3
    for (int k = 0; k < 4; ++k)
    {
      sum += random.uniform();
    }
    voxels[i] =
      static_cast<std::uint8_t>(std::clamp(std::floor(values[i] + noise * sum + 0.5), 0., 255.));
  }
  return voxels;
}

} // namespace rock
