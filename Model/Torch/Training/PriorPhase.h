// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "NetworkPhase.h"
#include "PriorTrainer.h"

namespace vae
{

/// Trains a learned prior on the latent fields of the best network.
class PriorPhase : public TrainingPhase
{
public:
  PriorPhase(TrainingContext& shared, const NetworkPhase& network)
    : TrainingPhase(shared)
    , Network(network)
  {
  }

  StepRecord step() override;
  std::int64_t steps() const override { return this->Prior ? this->Prior->steps() : 0; }
  void recover() override {} ///< what it has learned until then stays
  void store(StateWriter& state) const override;
  void restore(const StateReader& state) override;

  /// Null before the first step.
  std::shared_ptr<const LearnedPrior> prior() const
  {
    return this->Prior ? this->Prior->prior() : nullptr;
  }

private:
  /// Its data. \param more whether to encode another patch, after so many
  void begin(const std::function<bool(std::int64_t)>& more);
  void endEpoch(StepRecord& record);

  const NetworkPhase& Network;
  std::unique_ptr<PriorTrainer> Prior;
};

} // namespace vae
