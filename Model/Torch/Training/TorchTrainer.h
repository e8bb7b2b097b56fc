// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "AdamW.h"
#include "Lineage.h"
#include "PriorTrainer.h"
#include "TimePlan.h"
#include "Torch/Data/Patches.h"
#include "Torch/Grid/InsideMask.h"
#include "Torch/Inference/TorchModel.h"
#include "Torch/Losses/Objective.h"
#include "Torch/Runtime/KeptMemory.h"
#include "Torch/Runtime/ThreadChoice.h"
#include "Trainer.h"

#include <chrono>
#include <deque>

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
  void setWatch(std::shared_ptr<const Stopwatch> watch) override;
  void keepFree(double seconds) override { this->Spare = seconds; }
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
  /// Seconds: since the training began; of the time budget, for steps; of those, for the prior's.
  double spent() const;
  double usable() const;
  double priorTime() const;
  ///@}
  /// 0..1: of the network's part, of all.
  double networkProgress() const;
  double progress() const;
  Costs costs(std::int64_t priorSteps) const; ///< by the speed of the last steps
  /// Divide the time budget, once the speed is known, and again where the prior would begin: one
  /// that would have too few steps is left out.
  void divideTime();
  void considerPrior();
  void timePrior();
  void leavePriorOut(const std::string& why);
  /// Seconds that are left for what is measured at the end; empty where there is no time budget.
  std::function<double()> timeToMeasure() const;
  /// What the last step comes to: the end of the network's part, or of all.
  void end(Ending how);
  void tell(StepRecord& record); ///< where the training stands
  StepRecord priorStep();
  /// For the threads of the next one.
  void stepTook(std::chrono::steady_clock::time_point begin, double voxels);
  void makePrior(); ///< its data, in the time that it has for them
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
  double PriorShare = 0;              ///< 0 where nothing can be learned, or in too little time
  std::string PriorLeftOut;           ///< why
  at::Tensor HeldOut; ///< folded patches of the held-out slab; undefined without one
  NetworkPtr Net;
  std::unique_ptr<Objective> Goal;
  std::unique_ptr<Observation> Seen;
  double Vectors = 0; ///< latent vectors in the training data
  std::unique_ptr<AdamW> Optimiser;
  std::mt19937_64 Random;
  at::Generator Noise;

  std::int64_t Step = 0;
  std::shared_ptr<const Stopwatch> Watch;
  double Carried = 0;        ///< seconds of the training that this one goes on from
  double Spare = 0;          ///< seconds: see keepFree()
  double Closing = 0;        ///< seconds of the time budget for what is measured at the end
  bool Divided = false;      ///< the time budget, by the speed that was seen
  std::deque<double> Speeds; ///< voxels a second, of the network's last steps
  double Progress = 0;       ///< that was told last
  Ending NetworkEnding = Ending::None;
  std::unique_ptr<PriorTrainer> Prior;  ///< once the network has ended
  double PriorStep = 0;                 ///< seconds of its step, once they are measured
  double NetworkSeconds = 0;            ///< spent when the network ended
  std::int64_t PatchesOfPrior = 0;      ///< of a training that this one goes on from
  EpochRecord Running;                  ///< sums over the epoch so far
  double BestLoss = 0;                  ///< on the held-out slab, once Info.bestEpoch is set
  Snapshot Best;                        ///< weights of Info.bestEpoch
  Snapshot Good;                        ///< weights and optimiser of the last epoch that went well
  std::int64_t GoodStep = 0;            ///< after which that was
  double FirstLoss = 0, LowestLoss = 0; ///< means of epochs
  double RateFactor = 1;                ///< of the learning rate: less after a retreat
};

} // namespace vae
