// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "../Model.h"
#include "Blocks.h"
#include "Device.h"
#include "Room.h"

// Volumes larger than memory: boxes of latent cells that are worked on one after the other, each
// with the network's true halo, so that the result does not depend on them.
namespace vae
{

struct Halo;

/// Memory that a tile may use.
struct Budget
{
  double bytes = 0;
  std::string reason; ///< "a quarter of 21.3 GiB free"
};
/// \throws std::invalid_argument if the budget asked for is below 0
Budget budgetOf(const RunOptions& run, const Place& place);

/// Bytes that a voxel of a tile takes while the network runs.
double bytesPerVoxel(const NetworkOptions& network, const Place& place);

/// Cells along each axis of the tiles that process the fewest voxels, halos included, within so
/// many voxels a tile. `cells` cover the volume; those at its borders need no halo there.
Index3 tileSize(const Index3& cells, const Index3& cell, int halo, double mostVoxels);

/// `box`, wider by `halo` cells on each side but within [low, high).
Box widen(const Box& box, std::int64_t halo, const Index3& low, const Index3& high);

/// What `wide` has around `box`, along the axes of the network's tensors.
Halo around(const Box& box, const Box& wide, int dimensions);

Box toVoxels(const Box& cells, const Index3& cell);

/// The box of the last three axes, as a view.
at::Tensor slice(const at::Tensor& t, const Index3& origin, const Index3& size);

/// Call `work` with boxes of at most `size` cells that together are [0, cells), tell the monitor
/// before each, and stop where it says so. Where `work` runs out of memory, on the CPU or on a GPU,
/// it is called again with half the box, and from then on with no larger ones.
/// \throws std::bad_alloc where one cell is still too much
void forEachTile(const Index3& cells, const Index3& size, const Monitor& monitor,
  const std::function<void(const Box&)>& work);

/// Report progress; \throws Stopped
void report(const Monitor& monitor, double progress);

} // namespace vae
