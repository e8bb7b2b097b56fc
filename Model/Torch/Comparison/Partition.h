// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Torch/Grid/Blocks.h"

// How an input is cut into parts that share no voxel, and parts into blocks.
namespace vae
{

/// A box of one of an input's volumes.
struct Region
{
  std::size_t volume = 0;
  Box box;
};
using Part = std::vector<Region>;

class Partition
{
public:
  /// \param frames of the input's volumes; those that are smaller than a block are left out
  /// \param block voxels along each axis, 1 along one that is not used
  Partition(const std::vector<Frame>& frames, const Index3& block);

  /// What a part can be made of: whole volumes, where there are at least as many as parts.
  bool byVolume(std::size_t parts) const { return this->Volumes.size() >= parts; }

  /// How many of those there are; else how many layers of blocks along an axis.
  std::int64_t units(std::size_t parts, int axis) const;

  /// The axis of the most units; of several the slowest.
  int longestAxis(std::size_t parts) const;

  /// Parts of so many consecutive units, one after the other.
  std::vector<Part> cut(const std::vector<std::int64_t>& counts, int axis) const;

  /// Blocks that do not overlap, in all of the input.
  std::int64_t blocks() const;

private:
  struct Usable
  {
    std::size_t number; ///< of the volume, in the input
    Index3 size;        ///< voxels
  };
  std::vector<Usable> Volumes;
  Index3 Block;
};

/// As many blocks as fit without overlap, spread evenly.
std::vector<Region> blocksOf(const Part& part, const Index3& block);

/// A block at a place that is drawn from all of the part.
Region drawBlock(const Part& part, const Index3& block, std::mt19937_64& random);

} // namespace vae
