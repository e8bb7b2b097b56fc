// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Blocks.h"

namespace vae
{

/// Which part of each latent cell lies in a volume's mask, [1, z, y, x]; undefined without a mask.
at::Tensor insideMask(const Volume& volume, const Frame& frame);

/// Cells that lie in a volume's mask: the largest cube of them, grown where there is room. Without
/// a mask all cells, in an empty one none.
Box maskedBox(const Volume& volume, const Frame& frame);

/// The part of a volume that statistics of neighbouring voxels can be of: all of it, or maskedBox()
/// of it. What is outside of a mask (air around a core) is not what was learned.
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
