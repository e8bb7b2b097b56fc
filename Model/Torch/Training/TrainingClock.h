// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "ModelInfo.h"
#include "Stopwatch.h"
#include "TimePlan.h"

#include <deque>
#include <functional>
#include <memory>

namespace vae
{

class StateReader;
class StateWriter;

/// Divides the limits of a training, Time Budget and Epochs, between the network, the learned prior
/// and what is measured at the end. Times are seconds.
class TrainingClock
{
public:
  /// \param measured voxels of the volume that is measured at the end
  /// \param priorShare of the time for steps: 0 where no prior can be learned
  TrainingClock(const ModelInfo& info, std::int64_t measured, double priorShare);

  /// What the time budget counts: a watch that may have run before there was a training, and
  /// seconds that its caller needs after the last measurement.
  void setWatch(std::shared_ptr<const Stopwatch> watch) { this->Watch = std::move(watch); }
  void keepFree(double seconds) { this->Spare = seconds; }

  ///@{
  /// What has been done: steps of the network with their speed, steps of the prior.
  void networkStepped(std::int64_t steps, double voxelsPerSecond);
  void setNetworkSteps(std::int64_t steps) { this->NetworkSteps = steps; }
  void setPriorSteps(std::int64_t steps) { this->PriorSteps = steps; }
  void endNetwork();
  ///@}

  double spent() const; ///< since the training began, without time in which it was stopped
  ///@{
  /// 0..1: of the network's part, of the prior's, of both.
  double networkProgress() const;
  double priorProgress() const;
  double progress() const;
  ///@}
  double priorTime() const; ///< that the steps of a prior have, and its data
  double priorShare() const { return this->PriorShare; }
  double sinceNetwork() const { return this->spent() - this->NetworkSeconds; }

  /// Whether the time budget should be divided now: once the speed is known well enough, and again
  /// where the network's part ends.
  bool mustDivide() const;
  /// Divide it, if there is one and the speed is known.
  /// \param tryPrior takes a step of a prior, to time it
  /// \return why no prior should be learned; empty where one should, or none was wanted
  std::string divide(const std::function<void()>& tryPrior);
  void setPriorShare(double share) { this->PriorShare = share; }

  /// Seconds that are left for what is measured at the end; empty where there is no time budget.
  std::function<double()> timeToMeasure() const;

  void store(StateWriter& state) const;
  /// \param ofPrior of its seconds, those in which a prior was trained
  void restore(const StateReader& state, double ofPrior);
  /// The prior's seconds count as well.
  void restorePrior(double ofPrior);

private:
  double usable() const; ///< of the time budget, for steps
  Costs costs(std::int64_t priorSteps) const;
  bool timePrior(const std::function<void()>& tryPrior);
  std::int64_t priorStepsThatFit() const { return priorStepsIn(this->priorTime(), this->costs(0)); }

  TrainOptions Options; ///< with the network as it is
  std::int64_t Measured;
  double PriorShare;
  std::int64_t FewestOfPrior; ///< steps
  std::shared_ptr<const Stopwatch> Watch;
  double Carried = 0;   ///< of the training that this one resumes
  double Spare = 0;     ///< see keepFree()
  double Closing = 0;   ///< for what is measured at the end
  bool Divided = false; ///< by the speed that was seen
  std::int64_t NetworkSteps = 0, PriorSteps = 0;
  std::deque<double> Speeds; ///< voxels a second, of the network's last steps
  double PriorStep = 0;      ///< of a step of the prior, once it is measured
  bool NetworkEnded = false;
  double NetworkSeconds = 0; ///< spent when the network ended
};

} // namespace vae
