// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "../Lineage.h"
#include "../Trainer.h"
#include "AdamW.h"
#include "InsideMask.h"
#include "KeptMemory.h"
#include "Objective.h"
#include "Patches.h"
#include "PriorTrainer.h"
#include "ThreadChoice.h"
#include "TorchModel.h"

#include <chrono>

namespace vae
{

class TorchTrainer : public Trainer
{
public:
  explicit TorchTrainer(const TrainingStart& start);
  TorchTrainer(std::vector<Volume> volumes, TrainOptions options,
    std::shared_ptr<const Model> initial = nullptr);

  StepRecord step() override;
  void limitThreads(int most) override;
  const ModelInfo& info() const override { return this->Info; }
  std::shared_ptr<const Model> model(
    const ModelRequest& request, const Monitor& monitor) const override;

private:
  /// A moment of the training, in memory of its own.
  struct Snapshot
  {
    std::vector<at::Tensor> tensors;
    void take(const std::vector<at::Tensor>& from);
  };

  /// \throws OutOfMemory if the machine has less than the training will take
  void checkMemory() const;
  /// After a step that ran out of memory: as after the last good epoch, and nothing is kept.
  void recover();
  StepRecord networkStep();
  void validate(EpochRecord& record);
  void endEpoch(StepRecord& record, const Posterior& last);
  void watchForCollapse(const EpochRecord& row);
  /// Back to the last good weights at half the learning rate, or, where that has not helped, the
  /// end.
  void retreat(StepRecord& record);
  void keepGood();
  void putBack(); ///< what was kept
  ///@{
  /// 0..1, after so many seconds: of the network's part, of all.
  double networkProgress(double seconds) const;
  double progress() const;
  ///@}
  /// What the last step comes to: the end of the network's part, or of all.
  void end(Ending how);
  StepRecord priorStep();
  /// For the threads of the next one.
  void stepTook(std::chrono::steady_clock::time_point begin, double voxels);
  /// A copy of the network with the weights of the best epoch, if there is one, and the likelihood
  /// that belongs to them.
  std::pair<NetworkPtr, std::unique_ptr<Observation>> bestNetwork() const;
  std::vector<at::Tensor> weights() const;    ///< the network's, then the likelihood's
  std::vector<at::Tensor> everything() const; ///< weights, then the optimiser's state
  std::shared_ptr<const TrainingState> state() const;
  void restore(const TrainingState& state);
  /// The first weights are another model's; where the training is resumed, all is.
  void goOnFrom(const TorchModel& initial);

  GpuMemory Returned;
  KeptMemory Memory;
  std::vector<Volume> Data;
  ModelInfo Info;
  Place Where;
  std::optional<ThreadChoice> Choice; ///< of Where.threads, where it is left open
  std::optional<PatchSampler> Patches;
  std::optional<MaskedPart> Measured; ///< what a model's statistics are of
  double PriorShare = 0;              ///< 0 where nothing can be learned
  at::Tensor HeldOut; ///< folded patches of the held-out slab; undefined without one
  NetworkPtr Net;
  std::unique_ptr<Objective> Goal;
  std::unique_ptr<Observation> Seen;
  double Vectors = 0; ///< latent vectors in the training data
  std::unique_ptr<AdamW> Optimiser;
  std::mt19937_64 Random;
  at::Generator Noise;

  std::int64_t Step = 0;
  double Seconds = 0; ///< of all steps
  Ending NetworkEnding = Ending::None;
  std::unique_ptr<PriorTrainer> Prior;  ///< once the network has ended
  double PriorSeconds = 0;              ///< of Seconds
  EpochRecord Running;                  ///< sums over the epoch so far
  double BestLoss = 0;                  ///< on the held-out slab, once Info.bestEpoch is set
  Snapshot Best;                        ///< weights of Info.bestEpoch
  Snapshot Good;                        ///< weights and optimiser of the last epoch that went well
  std::int64_t GoodStep = 0;            ///< after which that was
  double FirstLoss = 0, LowestLoss = 0; ///< means of epochs
  double RateFactor = 1;                ///< of the learning rate: less after a retreat
};

} // namespace vae
