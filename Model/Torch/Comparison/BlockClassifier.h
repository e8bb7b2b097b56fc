// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Partition.h"
#include "Torch/Runtime/Device.h"

#include <torch/nn/module.h>

#include <functional>
#include <memory>

namespace vae
{

/// Where blocks of one of the two classes come from.
struct BlockSource
{
  const std::vector<Volume>& volumes;
  const std::vector<Frame>& frames;
  Part training;              ///< blocks to learn from are drawn in it
  std::vector<Region> tested; ///< blocks that share no voxel with it
};
using TwoSources = std::array<BlockSource, 2>; ///< real, or its first half, first

/// What both classes have in common.
struct BlockRecipe
{
  static constexpr int Fold = 2; ///< voxels folded into channels, along each axis that is used

  std::vector<ChannelInfo> channels; ///< standardised: mean 0, deviation 1; or phases, by number
  int dimensions = 3;
  AugmentationSymmetry symmetry; ///< blocks to learn from are turned by
  Index3 block{};                ///< voxels
  int steps = 0;
};

/// Of volumes, folded as the classifier reads them.
std::vector<Frame> framesOf(const std::vector<Volume>& volumes, const NetworkOptions& network);

/// A small network that tells blocks apart: voxels are folded into channels as the VAE's are
/// (2^3 of them: finer, because what gives a volume away is often at its surfaces), four
/// convolutions, the mean over the block, normalised over the batch, one number. It is trained with
/// batches of 8 blocks of each class by AdamW, with a learning rate that ends near 0.
class BlockClassifier
{
public:
  BlockClassifier(const BlockRecipe& recipe, const ComputeDevice& place, std::uint64_t seed);
  ~BlockClassifier();

  std::int64_t parameters() const;

  /// \param each called after each step, from 1 on, with the batch's mean cross entropy in nats,
  /// and how much of the batch was told rightly
  void train(const TwoSources& sources, const std::function<void(int, double, double)>& each);

  /// Log odds of the second class, of each tested block of a source.
  std::vector<double> logits(const BlockSource& source) const;

  /// Absolute gradient of a block's logit by each voxel, [z][y][x].
  std::vector<float> saliency(const BlockSource& source, const Region& block) const;

private:
  class Net;

  /// Blocks as one tensor of the network's input.
  at::Tensor read(const BlockSource& source, const std::vector<Region>& blocks,
    const std::vector<Orientation>& orientations) const;

  BlockRecipe Recipe;
  ComputeDevice Place;
  std::mt19937_64 Random;
  std::shared_ptr<Net> Module;
};

} // namespace vae
