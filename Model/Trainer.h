// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Model.h"

namespace vae
{

/// What one optimiser step did. Losses are nats a voxel.
struct StepRecord
{
  std::int64_t step = 0; ///< counted from 1
  int epoch = 0;         ///< counted from 1
  double loss = 0, reconstruction = 0, kl = 0;
  double progress = 0; ///< of the budget, 0..1
  double seconds = 0;  ///< spent in steps so far
  double voxelsPerSecond = 0;
  bool epochEnded = false; ///< the history has a new row
  bool finished = false;   ///< the budget is spent; further steps are an error
};

/// One training: a plain object that its driver steps. Same options, data, thread count and
/// machine give the same weights when the limit is `epochs` (a time budget depends on speed).
class Trainer
{
public:
  virtual ~Trainer() = default;

  virtual StepRecord step() = 0;

  /// What is known so far; grows by a row when a step says epochEnded.
  virtual const ModelInfo& info() const = 0;

  /// A copy of the network as it is now, with the statistics of its latent field that
  /// Model::sample needs.
  virtual std::shared_ptr<const Model> model(const Monitor& monitor = {}) const = 0;
};

} // namespace vae
