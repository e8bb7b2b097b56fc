// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Lines.h"

// Connected components of a phase and what follows from them.
namespace vae::statistics
{

/// The components (clusters) of a phase.
struct Components
{
  struct Run
  {
    std::int32_t begin, end; ///< voxels [begin, end) of a row along x
    std::int32_t label;      ///< of its component, from 0
  };
  std::vector<Run> runs;              ///< in the order of the rows
  std::vector<std::int64_t> firstRun; ///< of row y + z * dims[1], and one past the last row
  std::vector<std::int64_t> sizes;    ///< voxels of each component
  /// For each component which faces of the volume it touches: bit 2 * axis the lower one, bit
  /// 2 * axis + 1 the upper one.
  std::vector<std::uint8_t> touches;

  std::int64_t count() const { return static_cast<std::int64_t>(this->sizes.size()); }
  std::int64_t largest() const; ///< voxels of the largest one; 0 if there are none

  /// Voxels in components that touch both faces along an axis: the effective porosity times the
  /// volume. And how many such components there are.
  std::int64_t spanningVoxels(int axis) const;
  std::int64_t spanning(int axis) const;
};

/// Components of the voxels of a box of the mask, by union-find over runs of voxels.
Components findComponents(const Mask& mask, Connectivity connectivity, const Dims& origin,
  const Dims& dims, const Work& work);
Components findComponents(const Mask& mask, Connectivity connectivity, const Work& work);

/// 1 where the voxel is in a component that touches both faces along `axis`.
Mask spanningPart(const Mask& mask, const Components& components, int axis);

/// Pairs of voxels at distance r along an axis that lie in the same component, for
/// r = 0..maximumLag: the two-point cluster function is C2(r) = pairs[r] / valid pairs of
/// PairCounts, without `periodic` (Torquato, Beasley, Chiew 1988; Jiao, Stillinger, Torquato
/// 2009). Exact.
std::array<std::vector<std::int64_t>, 3> countClusterPairs(
  const Mask& mask, const Components& components, std::int64_t maximumLag, const Work& work);

} // namespace vae::statistics
