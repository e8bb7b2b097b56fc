// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Model.h"
#include "Torch/Grid/Boxes.h"
#include "Torch/Runtime/Device.h"
#include "Torch/Runtime/Room.h"

// Volumes larger than memory: boxes of latent cells that are worked on one after the other, each
// with the network's true halo, so that the result does not depend on them.
namespace vae
{

/// Memory that a tile may use.
struct Budget
{
  double bytes = 0;
  std::string reason; ///< "a quarter of 21.3 GiB free"
};
/// \throws std::invalid_argument if the budget asked for is below 0
Budget budgetOf(const RunOptions& run, const ComputeDevice& place);

/// Bytes that a voxel of a tile takes while the network runs.
double bytesPerVoxel(const NetworkOptions& network, const ComputeDevice& place);

/// Cells along each axis of the tiles that process the fewest voxels, halos included, within so
/// many voxels a tile. `cells` cover the volume; those at its borders need no halo there.
Index3 tileSize(const Index3& cells, const Index3& cell, int halo, double mostVoxels);

} // namespace vae
