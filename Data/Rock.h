// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <string>
#include <vector>

// Volumes the project makes itself: two phases, pore = 0 and grain = 255.
namespace rock
{

struct Options
{
  int size = 128;        ///< voxels along each axis
  double porosity = 0.2; ///< target; (0, 1)
  double radius = 12;    ///< of the spheres or mean grains, voxels; > 0
  std::uint64_t seed = 0;
};

using Voxels = std::vector<std::uint8_t>; ///< x fastest

/// Spheres of one radius at random places, overlapping freely, periodic; the void between
/// them is the pore. Its statistics are known exactly: with v = 4/3 pi R^3 and porosity
/// exp(-n v), S2(r) = porosity^(1 + 3r/4R - r^3/16R^3) for r < 2R, and the lineal path
/// L(z) = porosity^(1 + 3z/4R) (Torquato, Random Heterogeneous Materials, 2002, ch. 5-6).
Voxels overlappingSpheres(const Options& options);

/// Grains of different sizes and shapes, packed without overlap and then grown into each other
/// until the porosity is reached to the voxel, as in a cemented sandstone; periodic.
Voxels cementedGrains(const Options& options);

/// MetaImage, a header and raw voxels beside it. \throws std::runtime_error
void writeMetaImage(const std::string& path, const Voxels& voxels, int size, double spacing);

} // namespace rock
