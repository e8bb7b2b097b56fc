// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Blocks.h"
#include "Model.h"

#include <functional>

// Boxes of a grid: of voxels or of latent cells, [z, y, x].
namespace vae
{

/// `box`, wider by `halo` cells on each side but within [low, high).
Box widen(const Box& box, std::int64_t halo, const Index3& low, const Index3& high);

Box toVoxels(const Box& cells, const Index3& cell);

/// The box of the last three axes, as a view.
at::Tensor slice(const at::Tensor& t, const Index3& origin, const Index3& size);

/// Cells of a tile along each axis, and on each side of it those that are processed with it.
struct TileSize
{
  Index3 size{};
  int halo = 0;
};

/// Call `work` with boxes of at most `tile.size` cells that together are [0, cells), tell the
/// monitor before each, and stop where it says so. Where `work` runs out of memory, on the CPU or
/// on a GPU, it is called again with half the box, and from then on with no larger ones.
/// \throws std::bad_alloc where a smaller box would not help: it is one cell, or small beside its
/// halo, so that halves would take as much memory and ever more time
void forEachTile(const Index3& cells, const TileSize& tile, const Monitor& monitor,
  const std::function<void(const Box&)>& work);

} // namespace vae
