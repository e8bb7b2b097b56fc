// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Blocks.h"

#include "Torch/Runtime/Device.h"

// What Blocks does, for a network on a device: voxels travel in the array's own type, by way of
// memory that the system does not move, and are converted there. LibTorch keeps that memory, and
// uses it again for the next tile.
namespace vae
{

/// readFolded() on a device; on the CPU the same call.
at::Tensor readFolded(const Volume& volume, const Frame& frame,
  const std::vector<ChannelInfo>& channels, const Box& box, const at::Device& device);

///@{
/// The same in two halves. A box of an array, [z, y, x], reflected at the volume's borders, as bits
/// of the type: those of unsigned integers are in signed ones of the same size, which all of
/// LibTorch knows.
/// \param pinned in memory that the system does not move
at::Tensor gathered(const Channel& channel, const Frame& frame, const Box& box, bool pinned);
/// What that has made, one for each channel, normalised and folded where the tensors are, to the
/// same bits as readFolded() has.
at::Tensor foldedOf(const std::vector<at::Tensor>& gathered, const std::vector<Channel>& from,
  const Frame& frame, const std::vector<ChannelInfo>& channels);
///@}

/// Labels of a channel's phases as arrays of a type hold them, see unfolded().
at::Tensor labelsOf(const ChannelInfo& info, ScalarType type, const at::Device& device);

///@{
/// writeFolded() in two halves, the first where the tensor is, so that a GPU is quick to send what
/// it made: one of `channels` values of each voxel, [z, y, x], as the array holds it (bits of
/// unsigned integers as above); of 64-bit integers as float64. For `shift` see writeFolded().
at::Tensor unfolded(const at::Tensor& folded, const Frame& frame, std::int64_t channels,
  std::int64_t channel, const ChannelInfo& info, Decode what, ScalarType type, float shift = -0.F);
/// What that has made, on the CPU, into an array. `box` is in voxels.
void writeUnfolded(
  const at::Tensor& values, const Box& box, const Frame& frame, const OutputChannel& out);
///@}

/// Folded tensors on their way into arrays, which must live until they are there.
class FoldedWrites
{
public:
  /// One of `channels` values of each voxel of a box: from the CPU it is written at once, from a
  /// GPU when it has arrived and flush() is called, so that nothing waits for it.
  /// \param shift see writeFolded()
  void write(const at::Tensor& folded, const Box& voxels, const Frame& frame, int channels,
    int channel, const ChannelInfo& info, Decode what, const OutputChannel& to, float shift);
  void flush();

private:
  struct Pending
  {
    HostCopy values;
    Box voxels;
    Frame frame;
    OutputChannel to;
  };
  std::vector<Pending> All;
};

} // namespace vae
