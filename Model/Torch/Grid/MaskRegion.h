// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Blocks.h"

namespace vae
{

/// Which part of each latent cell lies in a volume's mask, [1, z, y, x]; undefined without a mask.
at::Tensor insideMask(const Volume& volume, const Frame& frame);

/// A box of cells inside a mask, of insideMask(): the largest cube, grown where there is room.
/// Without a mask it is all cells, with an empty mask none.
Box maskedBox(const at::Tensor& inside, const Frame& frame);

/// The voxels of a box inside a volume, without a mask: copies.
Volume copyOf(const Volume& volume, const Frame& frame, const Box& voxels);

/// The voxels in a box of cells of a volume, without a mask: the arrays themselves of a volume that
/// has none, else copies.
Volume partOf(const Volume& volume, const Frame& frame, const Box& cells);

} // namespace vae
