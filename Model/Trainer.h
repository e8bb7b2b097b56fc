// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Model.h"
#include "Stopwatch.h"

namespace vae
{

/// What one optimiser step did. Losses are nats a voxel.
struct StepRecord
{
  std::int64_t step = 0; ///< counted from 1
  int epoch = 0;         ///< counted from 1
  double loss = 0, reconstruction = 0, kl = 0;
  double progress = 0; ///< of the budget, 0..1
  double seconds = 0;  ///< since Apply, without those in which the training stood still
  double voxelsPerSecond = 0;
  bool prior = false;        ///< of the learned prior, whose loss it is; the network has ended
  bool networkEnded = false; ///< with this step; the prior's come next
  bool epochEnded = false;   ///< the history has a new row
  bool finished = false;     ///< it has ended (ModelInfo::ending); further steps are an error
};

/// Which model to make of a training.
struct ModelRequest
{
  bool best = true; ///< the weights of the best epoch on the held-out slab; else the newest
  /// Of the volume whose latent field is measured; 0: all, and what else the end of a training
  /// measures, as far as the time budget allows; Nothing: none. What is not all measured is a
  /// checkpoint, unless it was stopped.
  std::int64_t statisticsVoxels = 0;
  bool trainingState = false; ///< with the state from which a training resumes exactly
  bool stopped = false;       ///< by the user, should it not have ended by itself

  static constexpr std::int64_t Nothing = -1;
};

/// One training: a plain object whose caller makes the steps. Same options, data, thread count and
/// machine give the same weights when the limit is `epochs` (a time budget depends on speed: it is
/// the time of all, from Apply to the file); a thread count that is left open (0) may differ from
/// one training to the next.
/// A loss that explodes or is not a number puts the last good weights back and halves the
/// learning rate; the second time the training ends there.
class Trainer
{
public:
  virtual ~Trainer() = default;

  virtual StepRecord step() = 0;

  /// Where the options leave the number of threads open (0), steps take what is fastest while they
  /// run (Torch/Runtime/ThreadChoice.h), but never more than these; 0: than there are cores.
  virtual void limitThreads(int most) = 0;

  ///@{
  /// What the time budget counts: seconds of a watch that ran before there was a trainer, and those
  /// that its driver needs after the last measurement (a file).
  virtual void setWatch(std::shared_ptr<const Stopwatch> watch) = 0;
  virtual void keepFree(double seconds) = 0;
  ///@}

  /// What is known so far; grows by a row when a step says epochEnded.
  virtual const ModelInfo& info() const = 0;

  /// A copy of the network, with the statistics of its latent field that Model::sample needs. A
  /// measurement of the end that fails, or is stopped, is left out (ModelInfo::leftOut).
  virtual std::shared_ptr<const Model> model(
    const ModelRequest& request = {}, const Monitor& monitor = {}) const = 0;
};

} // namespace vae
