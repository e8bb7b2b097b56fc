// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Rock.h"

#include "Random.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <limits>
#include <numbers>
#include <stdexcept>

namespace rock
{
namespace
{

constexpr std::uint8_t Grain = 255;

} // namespace

Voxels overlappingSpheres(const Options& o)
{
  Random random(o.seed);
  const double volume = std::pow(o.size, 3.);
  const double expected =
    -std::log(o.porosity) * volume / (4. / 3 * std::numbers::pi * std::pow(o.radius, 3));
  Voxels voxels(static_cast<std::size_t>(volume), 0);
  // A Poisson number of centres: exponential gaps up to the expected count.
  for (double t = -std::log(1 - random.uniform()); t < expected;
    t -= std::log(1 - random.uniform()))
  {
    around(random.point(o.size), o.radius + 1, o.size,
      [&](std::size_t i, double x, double y, double z)
    {
      if (x * x + y * y + z * z < o.radius * o.radius)
      {
        voxels[i] = Grain;
      }
    });
  }
  return voxels;
}

Voxels cementedGrains(const Options& o)
{
  struct Ellipsoid
  {
    Point centre;
    std::array<Point, 3> axes; ///< rows of a rotation, each divided by its half length
    double radius;             ///< largest half length
  };
  Random random(o.seed);
  std::vector<Ellipsoid> grains;
  // Random sequential addition, by bounding spheres, until it becomes hard.
  for (int failures = 0; failures < 20000;)
  {
    Ellipsoid g;
    g.centre = random.point(o.size);
    const double mean = o.radius * std::exp(0.25 * random.normal());
    std::array<double, 3> half;
    for (double& h : half)
    {
      h = mean * std::exp(0.15 * random.normal());
    }
    g.radius = *std::max_element(half.begin(), half.end());
    const bool free = std::none_of(grains.begin(), grains.end(), [&](const Ellipsoid& other)
    {
      double d2 = 0;
      for (int a = 0; a < 3; ++a)
      {
        const double d = periodic(g.centre[a] - other.centre[a], o.size);
        d2 += d * d;
      }
      const double reach = 0.8 * (g.radius + other.radius);
      return d2 < reach * reach;
    });
    if (!free)
    {
      ++failures;
      continue;
    }
    // A random rotation: two orthonormal vectors and their cross product.
    Point u, v;
    double length = 0, dot = 0;
    for (double& c : u)
    {
      c = random.normal();
      length += c * c;
    }
    for (double& c : u)
    {
      c /= std::sqrt(length);
    }
    for (int a = 0; a < 3; ++a)
    {
      v[a] = random.normal();
      dot += v[a] * u[a];
    }
    length = 0;
    for (int a = 0; a < 3; ++a)
    {
      v[a] -= dot * u[a];
      length += v[a] * v[a];
    }
    for (double& c : v)
    {
      c /= std::sqrt(length);
    }
    const Point w{ u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2],
      u[0] * v[1] - u[1] * v[0] };
    g.axes = { u, v, w };
    for (int a = 0; a < 3; ++a)
    {
      for (double& c : g.axes[a])
      {
        c /= half[a];
      }
    }
    grains.push_back(g);
  }

  // The scale at which the nearest grain reaches a voxel; the pore is where that is largest.
  const auto count = static_cast<std::size_t>(std::pow(o.size, 3.));
  std::vector<float> scale(count, std::numeric_limits<float>::max());
  for (const Ellipsoid& g : grains)
  {
    around(g.centre, 2.2 * g.radius, o.size, [&](std::size_t i, double x, double y, double z)
    {
      double s = 0;
      for (const Point& axis : g.axes)
      {
        const double d = axis[0] * x + axis[1] * y + axis[2] * z;
        s += d * d;
      }
      scale[i] = std::min(scale[i], static_cast<float>(s));
    });
  }
  std::vector<float> sorted = scale;
  const auto solid =
    static_cast<std::ptrdiff_t>(std::llround((1 - o.porosity) * static_cast<double>(count)));
  std::nth_element(sorted.begin(), sorted.begin() + solid, sorted.end());
  const float threshold = sorted[static_cast<std::size_t>(solid)];
  Voxels voxels(count);
  std::transform(scale.begin(), scale.end(), voxels.begin(),
    [threshold](float s) { return s < threshold ? Grain : std::uint8_t(0); });
  return voxels;
}

void writeMetaImage(const std::string& path, const Voxels& voxels, int size, double spacing)
{
  const auto dot = path.rfind(".mhd");
  if (dot == std::string::npos || dot + 4 != path.size())
  {
    throw std::runtime_error("the output '" + path + "' must end in .mhd");
  }
  const std::string raw = path.substr(0, dot) + ".raw";
  const auto slash = raw.rfind('/');
  std::ofstream data(raw, std::ios::binary);
  data.write(
    reinterpret_cast<const char*>(voxels.data()), static_cast<std::streamsize>(voxels.size()));
  std::ofstream header(path);
  const auto triple = [](auto v)
  {
    const std::string s = std::to_string(v);
    return s + ' ' + s + ' ' + s + '\n';
  };
  header << "ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\n"
         << "CompressedData = False\nDimSize = " << triple(size)
         << "ElementSpacing = " << triple(spacing) << "ElementType = MET_UCHAR\nElementDataFile = "
         << (slash == std::string::npos ? raw : raw.substr(slash + 1)) << "\n";
  if (!data.flush() || !header.flush())
  {
    throw std::runtime_error("cannot write '" + path + "'");
  }
}

} // namespace rock
