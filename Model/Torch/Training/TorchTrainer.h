// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "PriorPhase.h"
#include "StepScale.h"
#include "Torch/Inference/TorchModel.h"
#include "Torch/Runtime/KeptMemory.h"
#include "Trainer.h"

namespace vae
{

/// A training made of parts: two phases, the network and the prior, that share data, clock and
/// threads (TrainingContext).
class TorchTrainer : public Trainer
{
public:
  explicit TorchTrainer(const TrainingStart& start);
  TorchTrainer(std::vector<Volume> volumes, TrainOptions options,
    std::shared_ptr<const Model> initial = nullptr);

  StepRecord step() override;
  void limitThreads(int most) override;
  void setWatch(std::shared_ptr<const Stopwatch> watch) override
  {
    this->Clock.setWatch(std::move(watch));
  }
  void keepFree(double seconds) override { this->Clock.keepFree(seconds); }
  const ModelInfo& info() const override { return this->Info; }
  std::shared_ptr<const Model> model(
    const ModelRequest& request, const Monitor& monitor) const override;

private:
  /// After a step that ran out of memory: as after the last good epoch, and nothing is kept.
  /// \throws OutOfMemory
  [[noreturn]] void ranOutOfMemory(TrainingPhase& current);
  TrainingPhase& phase();
  void tellPlace();              ///< where it trains, and what was chosen for that
  void tell(StepRecord& record); ///< where the training stands
  /// The first weights are another model's; where the training is resumed, all is.
  void startFrom(const TorchModel& initial);
  std::shared_ptr<const TrainingState> state() const;
  void restore(const TrainingState& state);

  CudaCacheReleaser Returned{ CudaCacheReleaser::Of::Training };
  KeptMemory Memory;
  const std::optional<StepScale> Scale;                 ///< if the options leave it open
  const std::shared_ptr<const LearnedPrior> PriorStart; ///< whose weights the prior begins with
  ModelInfo Info;
  ComputeDevice Where;
  std::optional<ThreadChoice> Choice; ///< of Where.threads, where it is left open
  PatchSampler Patches;
  TrainingSet Data;
  TrainingClock Clock;
  TrainingContext Shared;
  std::unique_ptr<NetworkPhase> Network;
  std::unique_ptr<PriorPhase> Prior; ///< once the network has ended
  double Progress = 0;               ///< that was told last
};

} // namespace vae
