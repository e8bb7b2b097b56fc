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
  double voxels = 0;  ///< most of a tile
  std::string reason; ///< "a quarter of 21.3 GiB free"
};
/// \throws std::invalid_argument if the budget asked for is below 0
Budget budgetOf(const RunOptions& run, const ComputeDevice& place);

/// Bytes that a voxel of a tile takes while the network runs.
double bytesPerVoxel(const NetworkOptions& network, const ComputeDevice& place);

/// The same of what is made of a decoded tile on a GPU, until it has been sent: drawing its values,
/// and the arrays that are wanted. On the CPU 0, where each array is written before the next is
/// made.
double outputBytesPerVoxel(
  const ModelInfo& info, const Outputs& outputs, const ComputeDevice& place);

/// Cells along each axis of the tiles that process the fewest voxels, halos included, within so
/// many voxels a tile. `cells` cover the volume; those at its borders need no halo there.
Index3 tileSize(const Index3& cells, const Index3& cell, int halo, double mostVoxels);

} // namespace vae
