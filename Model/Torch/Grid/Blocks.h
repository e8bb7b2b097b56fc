// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "ModelInfo.h"

#include <ATen/core/Tensor.h>

#include <random>

// Between the user's arrays and the network's folded tensors, one box at a time. Axes here
// are slowest first (z, y, x); a 2-D volume has one voxel along the first.
namespace vae
{

using Index3 = std::array<std::int64_t, 3>;

/// A volume's grid as the network sees it.
struct Frame
{
  int dimensions = 3;
  Index3 size{};   ///< voxels
  Index3 stride{}; ///< in the array, from one voxel to the next
  Index3 fold{};   ///< voxels folded into channels; 1 along an unused axis
  Index3 cell{};   ///< voxels a latent cell; 1 along an unused axis
  std::array<std::size_t, 3> axis{ 2, 1, 0 }; ///< x, y, z of each
  std::array<double, 3> spacing{};

  Frame() = default;
  Frame(const Dims& dims, const std::array<double, 3>& spacing, const NetworkOptions& network);

  Index3 cells() const; ///< latent cells that cover the volume
  /// Voxels folded into the channels of one cell of the network's input.
  std::int64_t folded() const { return this->fold[0] * this->fold[1] * this->fold[2]; }
  bool used(int a) const { return this->dimensions == 3 || a > 0; }
  /// Cells along x, y, z, with `margin` more on each side of the axes in use.
  Dims cellsWithMargin(int margin) const;
};

struct Box
{
  Index3 origin{}, size{}; ///< voxels
};

/// One of the grid's symmetries: axis a of the result is axis `from[a]`, mirrored if `flip[a]`.
struct Orientation
{
  std::array<int, 3> from{ 0, 1, 2 };
  std::array<bool, 3> flip{ false, false, false };
};

/// One that a patch may be turned by, all of them equally often.
Orientation randomOrientation(const Frame& frame, const Index3& patch,
  const AugmentationSymmetry& symmetry, std::mt19937_64& random);

/// Whether numbers of the type can be below 0.
bool hasSign(ScalarType type);

/// The first channel of each vector: an array of three components that have a sign, which are those
/// along x, y and z. Unsigned numbers (colours), phases and other numbers of components are
/// scalars.
std::vector<std::size_t> vectorsOf(const std::vector<ChannelInfo>& channels);

/// Of an oriented box: which channel of the volume gives a channel, and whether its sign changes.
/// Components of a vector are those of v' = R v, where R turns the grid; scalars stay.
struct TurnedChannel
{
  std::size_t from;
  bool negative;
};
std::vector<TurnedChannel> turnedChannels(
  const std::vector<ChannelInfo>& channels, const Frame& frame, const Orientation& orientation);

/// Where the voxels of a box lie in an array, along each axis of the oriented result, in which
/// those of axis a of the volume are `stride[a]` apart: a voxel's place is the sum of three. Flips,
/// permutations, and reflection at the volume's borders, become a gather.
std::array<std::vector<std::int64_t>, 3> offsetsOf(
  const Index3& volume, const Index3& stride, const Box& box, const Orientation& orientation);

/// Read a box (in the volume, before orientation), normalise it (a label becomes the index of its
/// phase, that of the nearest phase if it is none; what is not finite is taken for the training
/// data's mean), turn vectors and fold it into `out`, which
/// holds [z][y][x][channel][fold z][fold y][fold x] values: a channels-last tensor. Parts
/// outside the volume are filled by reflection.
void readFolded(const Volume& volume, const Frame& frame, const std::vector<ChannelInfo>& channels,
  const Box& box, const Orientation& orientation, float* out);

/// The same of one box as it lies, as a new tensor [1, channels * fold^3, cells...].
at::Tensor readFolded(const Volume& volume, const Frame& frame,
  const std::vector<ChannelInfo>& channels, const Box& box);

/// Folded values as they lie in the volume, [batch, channels, z, y, x].
at::Tensor toGrid(const at::Tensor& folded, const Frame& frame);

/// The mean of the first channel over each latent cell, [batch, 1, cells...], of folded values.
at::Tensor cellMeans(const at::Tensor& folded, const Frame& frame);

/// The same over a whole volume, [1, z, y, x], a slab of cells at a time.
/// \param of what of a folded value is averaged
at::Tensor cellMeans(const Volume& volume, const Frame& frame,
  const std::vector<ChannelInfo>& channels, at::Tensor (*of)(const at::Tensor&));

/// What a folded value becomes on its way to the user's array.
enum class Decode
{
  Value,    ///< grey: value * scale + offset, within the training data's range
  Phase,    ///< the index of a phase: its label
  Likelier, ///< a logit: the likelier of two labels
  Sigmoid,  ///< a logit: the probability of the larger of two labels
  Plain     ///< itself
};

/// The reverse of readFolded for the part of `box` that lies in the volume. `folded` covers
/// `covered`, which contains `box`.
/// \param shift added to each value first; -0 leaves all as they are, zeros included
void writeFolded(const float* folded, const Box& covered, const Box& box, const Frame& frame,
  int channels, int channel, const ChannelInfo& info, Decode what, const OutputChannel& out,
  float shift = -0.F);

/// An uninitialised channels-last tensor [batch, channels * fold^3, cells...] for `size` voxels,
/// 4-D or 5-D.
at::Tensor emptyFolded(std::int64_t batch, const Frame& frame, const Index3& size, int channels);

/// [batch, channels, z, y, x] as the network wants it: without z in 2-D, channels last.
at::Tensor toNetworkShape(const at::Tensor& t, int dimensions);
at::Tensor fromNetworkShape(const at::Tensor& t);

} // namespace vae
