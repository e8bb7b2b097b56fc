// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Blocks.h"

namespace vae
{

/// Which part of each latent cell lies in a volume's mask, [1, z, y, x]; undefined without a mask.
at::Tensor insideMask(const Volume& volume, const Frame& frame);

/// A box of cells inside a volume's mask: the largest cube, grown where there is room. Without a
/// mask it is all cells, with an empty mask none.
Box maskedBox(const Volume& volume, const Frame& frame);

/// The part of a volume for statistics of neighbouring voxels: all of it, or its maskedBox().
/// Voxels outside a mask (air around a core) are no data.
class MaskedPart
{
public:
  /// Of the volume with the largest part.
  /// \throws std::invalid_argument if none has a cell in its mask
  MaskedPart(const std::vector<Volume>& volumes, const NetworkOptions& network);

  /// Without a mask, of the same arrays as the volume, or of copies.
  const Volume& volume() const { return this->Part; }

private:
  Volume Part;
};

} // namespace vae
