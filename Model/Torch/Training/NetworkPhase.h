// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "AdamW.h"
#include "DivergenceGuard.h"
#include "StepGraph.h"
#include "Torch/Data/Patches.h"
#include "Torch/Losses/Objective.h"
#include "TrainingPhase.h"

namespace vae
{

/// Trains the network: patches, the objective, held-out data, the best weights.
class NetworkPhase : public TrainingPhase
{
public:
  /// \param shared whose info gets the number of parameters
  NetworkPhase(TrainingContext& shared, PatchSampler& patches);

  StepRecord step() override;
  std::int64_t steps() const override { return this->Steps; }
  void recover() override { this->putBack(); }
  void store(StateWriter& state) const override;
  void restore(const StateReader& state) override;

  /// Begin with another network's weights, which stand in the same order.
  void startFrom(const Network& other);
  /// The weights as they are now are those to put back.
  void keepGood();

  const Network& network() const { return *this->Net; }
  /// A copy of the network with the weights of the best epoch, if there is one, and the likelihood
  /// that belongs to them.
  std::pair<NetworkPtr, std::unique_ptr<ObservationModel>> best() const;

private:
  /// What a step made, beside its losses.
  struct Made
  {
    std::map<std::string, double> measures; ///< of the objective itself
    double gradientNorm = 0, learningRate = 0, klSchedule = 0, voxels = 0;
  };

  /// What changes from step to step.
  struct Inputs
  {
    at::Tensor x; ///< folded patches
    StepScalar learningRate = 0, schedule = 0;
  };
  /// What a step leaves, on the device.
  struct Outputs
  {
    Posterior q;
    at::Tensor numbers; ///< norm of the gradient, loss, reconstruction, KL divergence, measures
    std::vector<std::string> measures; ///< their names
  };

  at::Tensor drawPatches();
  /// Patches, whose posteriors are `q`, through the rest of the network. \param training lets a
  /// codebook and an analytic scale follow
  Batch forward(const at::Tensor& x, const Posterior& q, const Draws& noise, bool training);
  /// Patches, learn(), and its numbers. \param record gets the losses
  Made optimise(double progress, StepRecord& record);
  /// Forward, backward, and the optimiser's update, to Last. All that a CUDA graph repeats: nothing
  /// in here waits for a device, and on one nothing but Inputs and Noise changes from step to step.
  void learn(const Inputs& in);
  /// learn() by the graph, from tensors that stay where they are.
  void learnByGraph(const at::Tensor& x, const Made& made);
  void endEpoch(StepRecord& record, const Made& last);
  /// What the held-out slab says: the objective's loss, and how good z = mu is.
  void validate(EpochRecord& row);
  void keepBest(const EpochRecord& row);
  void watchForCollapse(const EpochRecord& row);
  /// Back to the last good weights at half the learning rate, or, where that has not helped, the
  /// end.
  void retreat(StepRecord& record);
  void putBack();
  /// Divide the time budget: a prior that would have too few steps is left out.
  void considerPrior();
  void end(Ending how);
  std::vector<at::Tensor> weights() const { return weightsOf(*this->Net, *this->Observation); }
  std::vector<at::Tensor> everything() const; ///< weights, then the optimiser's state

  PatchSampler& Patches;
  std::mt19937_64 Random;
  Draws Noise;
  double Vectors = 0; ///< latent vectors in the training data
  at::Tensor HeldOut; ///< folded patches of the held-out slab; undefined without one
  NetworkPtr Net;
  std::unique_ptr<Objective> Goal;
  std::unique_ptr<ObservationModel> Observation;
  std::unique_ptr<AdamW> Optimiser;
  Outputs Last;                            ///< of the last step
  std::unique_ptr<StepGraph> Graph;        ///< null: none is wanted
  at::Tensor Kept, KeptRate, KeptSchedule; ///< what the graph reads

  std::int64_t Steps = 0;
  DivergenceGuard Guard;
  Snapshot Best;       ///< weights of ModelInfo::bestEpoch
  double BestLoss = 0; ///< on the held-out slab, or the error of its statistics
};

} // namespace vae
