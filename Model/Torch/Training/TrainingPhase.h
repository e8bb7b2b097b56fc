// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "EpochLog.h"
#include "Torch/Data/TrainingSet.h"
#include "Torch/Priors/LearnedPrior.h"
#include "Torch/Runtime/Device.h"
#include "Torch/Runtime/ThreadChoice.h"
#include "TrainingClock.h"

#include <chrono>
#include <optional>

namespace vae
{

/// What the phases of a training share.
struct TrainingContext
{
  const TrainingSet& data;
  ModelInfo& info;
  ComputeDevice& place;
  TrainingClock& clock;
  std::optional<ThreadChoice>& threads;           ///< where their number is left open
  std::shared_ptr<const LearnedPrior> priorStart; ///< whose weights the prior begins with, or null

  Ending networkEnding = Ending::None;
  std::string priorLeftOut = {}; ///< why

  void leavePriorOut(const std::string& why);

  /// A step is over: for the number of threads of the next one.
  void stepped(std::chrono::steady_clock::time_point begin, double voxels);
};

/// A part of a training with weights and an optimiser of its own: the network, then the prior that
/// is learned from it.
class TrainingPhase
{
public:
  explicit TrainingPhase(TrainingContext& shared) : Shared(shared) {}
  virtual ~TrainingPhase() = default;

  /// One optimiser step, and what the end of an epoch brings with it: a row of the history, the end
  /// of the phase.
  virtual StepRecord step() = 0;

  virtual std::int64_t steps() const = 0; ///< so far

  /// After a step that ran out of memory: as after the last good epoch.
  virtual void recover() = 0;

  virtual void store(StateWriter& state) const = 0;
  virtual void restore(const StateReader& state) = 0;

protected:
  TrainingContext& Shared;
  EpochLog Log;
};

} // namespace vae
