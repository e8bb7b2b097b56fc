// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Patches.h"

namespace vae
{

/// Training volumes as the network reads them, normalised, float32, in the memory of a device,
/// where patches are cut by one gather, whatever their places and orientations.
class ResidentVolumes
{
public:
  /// \param frames of the volumes
  ResidentVolumes(const std::vector<Volume>& volumes, const std::vector<Frame>& frames,
    const std::vector<ChannelInfo>& channels, const at::Device& device);

  /// Bytes that so many take.
  static double bytes(const std::vector<Volume>& volumes, std::size_t channels);

  /// What PatchSampler::read() reads, on the device.
  at::Tensor read(const std::vector<Patch>& patches) const;

private:
  /// Values of patches, [batch, voxels, channels], whose vectors turn as the patches do.
  at::Tensor turned(const at::Tensor& values, const std::vector<Patch>& patches) const;

  std::vector<Frame> Frames;
  std::vector<ChannelInfo> Channels;
  std::vector<std::int64_t> First; ///< voxel of each volume
  at::Tensor Values;               ///< [voxels of all, channels], the slowest axis first
};

} // namespace vae
