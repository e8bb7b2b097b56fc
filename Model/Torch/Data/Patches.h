// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Torch/Grid/Blocks.h"

// Where training patches come from: several volumes, less a slab of each that is held out for
// validation, within a mask, more often where the rarer phase is.
namespace vae
{

class ResidentVolumes;

struct Patch
{
  std::size_t volume = 0;
  Box box; ///< in the volume, before orientation
  Orientation orientation;
};

/// Voxels at the end of the last axis in use that are held out of a volume for validation.
std::int64_t heldOutVoxels(const Frame& grid, const TrainOptions& options);

class PatchSampler
{
public:
  /// \param info of the training: channels, network, and how patches are turned
  /// \param options patch size, batch, and what is held out or balanced
  /// \throws std::invalid_argument if the volumes leave no room for a patch
  PatchSampler(std::vector<Volume> volumes, const ModelInfo& info, const TrainOptions& options);

  /// Latent vectors in all that is sampled.
  double vectors() const;

  Patch draw(std::mt19937_64& random) const;

  /// Up to a batch of patches of the held-out slabs, spread evenly; empty if none is held out.
  std::vector<Patch> heldOut() const;

  /// Copy the volumes to a device, and read patches from there.
  void keepOn(const at::Device& device);

  /// Patches of one size as one folded, normalised tensor: on the CPU, or where the volumes are.
  at::Tensor read(const std::vector<Patch>& patches) const;

  const Index3& size() const { return this->Size; }

private:
  struct Source
  {
    Frame grid;
    Index3 sampled{};               ///< voxels that patches come from: the grid less the slab
    Index3 cells{};                 ///< of the whole grid
    std::vector<int> inside;        ///< masked: summed table of the cells that lie in the mask
    std::vector<int> candidates;    ///< masked: cells at which a patch lies in mask and `sampled`
    std::vector<std::int64_t> rare; ///< balanced: running sum over cells of the rarer phase
  };
  void limitTo(const Volume& volume, Source& source) const;
  void countRarer(const Volume& volume, Source& source, bool upper) const;
  bool lies(
    const Source& source, const Index3& cell, const Index3& size, const Index3& limit) const;
  Index3 cellOf(const Source& source, std::int64_t index) const;

  std::vector<Volume> Volumes;
  std::vector<ChannelInfo> Channels;
  std::vector<Source> Sources;
  std::shared_ptr<const ResidentVolumes> Resident; ///< if the volumes are kept on a device
  std::vector<double> Share; ///< running sum of the volumes' possible patches, the last is 1
  Index3 Size{}, Cell{};     ///< voxels
  int Last = 0;              ///< the slowest axis in use, along which slabs are held out
  AugmentationSymmetry Augmentation;
  double Balance;
  int Batch;
};

} // namespace vae
