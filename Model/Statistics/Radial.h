// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>
#include <vector>

namespace vae::statistics
{

/// S2 over the length of the lag, all directions of the lattice together: entry i is the mean over
/// all pairs of voxels whose distance is nearest to i smallest spacings.
struct RadialS2
{
  std::vector<double> distance; ///< mean over those pairs, in the unit of the spacing
  std::vector<double> s2;       ///< NaN where there is no pair
  std::string note;             ///< where it was computed, if not where that was asked for
};

} // namespace vae::statistics
