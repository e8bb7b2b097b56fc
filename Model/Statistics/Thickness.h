// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Mask.h"

// Sizes of pores.
namespace vae::statistics
{

/// For each voxel of the phase the square of the Euclidean distance from its centre to the centre
/// of the nearest voxel outside the phase, exact, in the unit of the spacing; 0 outside the phase,
/// infinite if all voxels are inside. What lies beyond the volume counts as neither. (Separable
/// lower envelope of parabolas: Felzenszwalb and Huttenlocher 2012.)
std::vector<float> squaredDistances(const Mask& mask, const Work& work);

/// For each voxel of the phase the radius of the largest ball inside the phase, about the centre
/// of any voxel, that contains it (local thickness / 2: Hildebrand and Ruegsegger 1997); 0 outside
/// the phase. A ball of radius r, the distance to the nearest voxel outside, contains the centres
/// nearer than r.
/// \param squared squaredDistances(mask)
std::vector<float> localThickness(
  const Mask& mask, const std::vector<float>& squared, const Work& work);

/// How the phase's volume is spread over pore diameters (2 r, by local thickness). r goes from the
/// centre of a voxel to the centre of the nearest one outside, not to the surface between them: a
/// slit of n voxels has the diameter n + 1 (n odd) or n (n even), up to one voxel more than from
/// surface to surface.
struct PoreSizes
{
  std::vector<double> diameter; ///< upper ends of the bins: one smallest spacing of the radius wide
  std::vector<double> density;  ///< fraction of the volume per length; integrates to 1
  std::vector<double> cumulative; ///< fraction of the volume with this diameter or less
  double mean = 0;                ///< by volume; NaN without pores
};
PoreSizes poreSizes(const Mask& mask, const std::vector<float>& radius, const Work& work);

} // namespace vae::statistics
