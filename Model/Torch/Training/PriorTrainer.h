// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "AdamW.h"
#include "Torch/Data/Patches.h"
#include "Torch/Data/TrainingSet.h"
#include "Torch/Inference/TorchModel.h"
#include "Torch/Losses/Likelihood.h"
#include "Torch/Networks/Network.h"
#include "Torch/Priors/LearnedPrior.h"

#include <functional>
#include <random>

namespace vae
{

class StateReader;
class StateWriter;

/// A field of a volume's cells, [1, z, y, x], at the cells of a patch, which lie between them and
/// in another order: linear between cells, and beyond the border as it is there.
at::Tensor atPatch(const at::Tensor& field, const Patch& patch, const Frame& frame);

/// Random masks of known cells for training crops: in most crops none, so that whole fields can be
/// drawn; in the others all but a random box (a hole, a half), or only a random box (a borehole, a
/// slice, a partial scan).
struct KnownParts
{
  at::Tensor mask;        ///< [batch, 1, z, y, x], float32, on the device: 1 where known, else 0
  std::int64_t cells = 0; ///< that are known
};
/// \param size [batch, z, y, x]
KnownParts knownParts(const std::array<std::int64_t, 4>& size, std::mt19937_64& random,
  const at::Device& device = at::kCPU);

/// What a prior learns from: latent fields, and what they are normalised by.
struct PriorData
{
  /// [channels, z, y, x] and [1, z, y, x], normalised, on the device.
  std::vector<at::Tensor> fields, trends;
  at::Tensor mean, scale; ///< [channels]: of the latent vectors, on the CPU
  at::Tensor trendScale;  ///< [2]: mean and standard deviation of the smoothed local mean
  LatentField localMean;
};

/// Encode large patches of training volumes, in the symmetries of the grid.
/// \param network whose encoder makes the latent fields; it stays as it is
/// \param random draws the patches
/// \param more asked before each patch, with the number of those so far, whether to encode it;
///   empty: all. The first is encoded in any case.
PriorData priorDataOf(const TrainingSet& data, const ModelInfo& info, Network& network,
  const ObservationModel& seen, const ComputeDevice& place, std::mt19937_64& random,
  const std::function<bool(std::int64_t)>& more = {});

/// Trains a LearnedPrior on latent fields, of which it draws crops at each step.
class PriorTrainer
{
public:
  /// Whether there is anything to learn from: a field of some latent cells along each axis.
  static bool suits(const TrainingSet& data, const NetworkOptions& network);

  /// What a step takes most of its time for, of a network that knows nothing.
  static void tryStep(const ModelInfo& info, const ComputeDevice& place);

  /// Random numbers of a training: those that draw its data draw its crops afterwards.
  static std::mt19937_64 randomOf(const ModelInfo& info);

  /// \param start whose weights are the first, of a network of the same shape; null: random ones
  PriorTrainer(PriorData data, const ModelInfo& info, const ComputeDevice& place,
    const std::mt19937_64& random, const LearnedPrior* start = nullptr);

  /// Other fields, normalised by their own statistics, for number `i` of those that crops are drawn
  /// from: for a prior of many materials.
  void replace(std::size_t i, const PriorData& by);

  /// One optimiser step. \param progress of this training, 0..1
  /// \return mean squared error of the velocity, about 2 for a network that knows nothing
  double step(double progress, const ComputeDevice& place);

  std::int64_t steps() const { return this->Count; }
  std::int64_t patches() const { return static_cast<std::int64_t>(this->Fields.size()); }
  double voxelsAStep() const { return this->LastVoxels; } ///< that the last step's crops stand for

  /// The moving average of the weights so far.
  std::shared_ptr<const LearnedPrior> prior() const;

  ///@{
  /// What it needs to resume exactly: tensors and random generators.
  std::vector<at::Tensor> tensors() const;
  void store(StateWriter& state) const; ///< the generators
  void restore(std::int64_t steps, const StateReader& state);
  ///@}

private:
  int Dimensions;
  bool Started;                           ///< from weights that have learned
  std::vector<at::Tensor> Fields, Trends; ///< see PriorData
  std::array<std::int64_t, 3> Smallest{}; ///< cells that all of them have
  std::shared_ptr<VelocityUNet> Learning;
  LearnedPrior Average;      ///< a moving average of its weights
  at::Tensor AverageWeights; ///< all of them
  std::unique_ptr<AdamW> Optimiser;
  std::mt19937_64 Random;
  at::Generator Noise;
  std::int64_t Count = 0;
  double CellsAStep, LastVoxels = 0, VoxelsACell = 1;
};

} // namespace vae
