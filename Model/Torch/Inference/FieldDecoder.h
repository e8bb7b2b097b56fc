// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Inference.h"

namespace vae
{

/// A latent field and what it decodes to, tile by tile. As long as one lives it is an Inference.
class FieldDecoder
{
public:
  enum class Keep
  {
    Nothing,
    WhatFits ///< tiles that were decoded, on the device, as long as the memory budget has room
  };

  /// \param latent [channels][z][y][x], `margin` cells wider on each side than `dims` voxels; it
  ///        must outlive this
  FieldDecoder(const ModelInfo& info, const NetworkPtr& network, const Latent& latent,
    const Dims& dims, int margin, const RunOptions& run, Keep keep = Keep::Nothing);

  /// Tell it what will be written of each tile: a GPU then has room for it.
  void willWrite(const Outputs& outputs);

  /// Call `use` with each box of cells and what it decodes to (Inference::decode). What an earlier
  /// call has decoded is not decoded again if it was kept.
  void forEachTile(
    const Monitor& monitor, const std::function<void(const Box&, const at::Tensor&)>& use);

  Inference& inference() { return this->Runner; }
  bool hasKept() const { return this->Whole; } ///< all that it decodes to

private:
  void keep(const Box& box, const at::Tensor& decoded);
  void forget();

  Inference Runner;
  LatentGrid Field;
  Index3 Cells;
  Keep Wanted;
  double More = 0; ///< bytes a voxel for what is made of a tile
  double Room = 0; ///< bytes for what is kept
  bool Whole = false;
  std::vector<std::pair<Box, at::Tensor>> Kept;
};

/// The thresholds (Outputs::thresholds) at which drawing voxels gives the first phase these
/// fractions, one for each channel of the data.
std::vector<double> thresholdsFor(
  FieldDecoder& decoder, const std::vector<double>& fractions, const Monitor& monitor);

} // namespace vae
