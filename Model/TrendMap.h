// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Options.h"
#include "Volume.h"

#include <array>
#include <span>
#include <vector>

namespace vae
{

/// A map of what is wanted where, on a grid of its own, seen from the grid of a volume: linear
/// between the map's values, beyond its border the border's.
struct TrendMap
{
  Dims dims{ 1, 1, 1 };      ///< values along x, y, z
  std::vector<float> values; ///< [z][y][x]: fractions in [0, 1], or means in the data's unit
  ///@{
  /// Continuous index (x, y, z) into the map of the volume's voxel (0, 0, 0), and its changes from
  /// a voxel to the next along x, y, z.
  std::array<double, 3> first{};
  std::array<std::array<double, 3>, 3> steps{ { { 1, 0, 0 }, { 0, 1, 0 }, { 0, 0, 1 } } };
  ///@}

  /// At a voxel (x, y, z), or between voxels.
  double at(const std::array<double, 3>& voxel) const;

  /// At voxels of a row along x, from voxel (x, y, z) on.
  void row(std::int64_t x, std::int64_t y, std::int64_t z, std::span<double> to) const;

  /// In the middle of the latent cells of a volume, and of `margin` more on each side: [z][y][x].
  /// Along a periodic axis those beyond the end are those of the beginning.
  std::vector<float> onCells(const Dims& volume, const NetworkOptions& network, int margin,
    const std::array<bool, 3>& periodic) const;
};

} // namespace vae
