// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Mask.h"

// Minkowski functionals from the 256 configurations of 2 x 2 x 2 voxels (Ohser and Muecklich,
// Statistical Analysis of Microstructures in Materials Science, 2000, ch. 4).
namespace vae::statistics
{

/// How often each configuration of 2 x 2 x 2 neighbouring voxels occurs. Bit dx + 2 dy + 4 dz is
/// voxel (x + dx, y + dy, z + dz).
struct Configurations
{
  /// Those wholly inside the volume.
  std::array<std::int64_t, 256> interior{};
  /// Also those over its border, voxels outside counting as the other phase ("closed").
  std::array<std::int64_t, 256> closed{};
};
Configurations countConfigurations(const Mask& mask, const Work& work);

/// Numbers per volume and absolute ones. Lengths in the unit of the spacing.
struct Minkowski
{
  double volume = 0; ///< voxels of the phase times the volume of one
  /// Area of the voxel faces between the phase and the other, inside the volume. For an isotropic
  /// smooth surface 3/2 of its area.
  double surfaceFaces = 0;
  /// Cauchy-Crofton formula with 13 directions: twice the mean number of intersections with a line
  /// per length (Ohser and Muecklich 2000; Legland et al. 2007). Of the interior configurations,
  /// so the volume is that of the box of the voxels' centres. The area in it, and that per volume
  /// (NaN for a volume of one voxel's thickness).
  double surfaceCrofton13 = 0, specificSurfaceCrofton13 = 0;
  /// 2 pi times the mean over the axes of the integrated Euler number of plane sections
  /// (Crofton formula, 3 directions), of the union of closed voxels, closed border.
  double integralMeanCurvature = 0;
  /// The same from the interior configurations alone: unbiased for the density in a larger medium,
  /// where the volume is that of the box of the voxels' centres. Faces of the volume do not count.
  double integralMeanCurvatureInterior = 0;
  /// Euler number b0 - b1 + b2, voxels outside the volume counting as the other phase: of the
  /// union of closed voxels (26 neighbours) and of open ones (6 neighbours).
  double euler26 = 0, euler6 = 0;
  /// The same from the interior configurations alone, each vertex, edge and face counted by the
  /// share of it that is inside: unbiased for the Euler number per volume of a larger medium.
  double euler26Interior = 0, euler6Interior = 0;
};
/// \param faces of voxels between the phase and the other, by axis (countRuns)
Minkowski minkowski(const Configurations& configurations, const std::array<std::int64_t, 3>& faces,
  const Spacing& spacing);

/// Weights of the 13 directions of a grid with this spacing: the parts of the sphere that are
/// nearer to each than to the others; they sum to 1. The 3 axes first, then the 6 diagonals of
/// faces (+-y, +-z with x, then z with y) and the 4 of the cell.
std::array<double, 13> croftonWeights(const Spacing& spacing);

} // namespace vae::statistics
