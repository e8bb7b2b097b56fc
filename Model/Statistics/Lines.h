// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Mask.h"

// Measures along the grid's axes: two-point probability, lineal path, chords.
namespace vae::statistics
{

/// Pairs of voxels at distance r along an axis that both lie in the phase, for r = 0..maximumLag.
/// Exact. S2(r) = pairs[r] / valid[r]: without `periodic` the valid pairs are those inside the
/// volume, (n - r) a line; with it every voxel is the first of one pair.
struct PairCounts
{
  std::array<std::vector<std::int64_t>, 3> pairs; ///< [axis][r]; empty along an axis of one voxel
  std::array<std::vector<std::int64_t>, 3> valid;
  double s2(int axis, std::int64_t r) const
  {
    const auto a = static_cast<std::size_t>(axis);
    const auto i = static_cast<std::size_t>(r);
    return static_cast<double>(this->pairs[a][i]) / static_cast<double>(this->valid[a][i]);
  }
};
/// \param maximumLag voxels, less than the smallest side
PairCounts countPairs(const Mask& mask, std::int64_t maximumLag, bool periodic, const Work& work);

/// Runs of the phase (chords) and of the other phase along each axis, by their length in voxels.
struct Runs
{
  /// How many runs have length i; [0] is unused.
  using Histogram = std::vector<std::int64_t>;
  std::array<Histogram, 3> all;      ///< of the phase
  std::array<Histogram, 3> interior; ///< of the phase, not cut by a face of the volume
  std::array<Histogram, 3> otherAll, otherInterior;
  std::array<std::int64_t, 3> faces{}; ///< between the phase and the other, normal to each axis

  /// Mean length in voxels of the runs in a histogram; NaN if there are none.
  static double mean(const Histogram& histogram);

  /// Probability that a segment from a voxel's centre to one r voxels on lies wholly in the phase
  /// (Lu and Torquato 1992). On a line of the lattice it is the multiple-point connectivity of r
  /// steps (Krishnan and Journel 2003).
  static double linealPath(
    const Histogram& histogram, std::int64_t r, std::int64_t side, std::int64_t lines);
};
Runs countRuns(const Mask& mask, const Work& work);

} // namespace vae::statistics
