// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Options.h"
#include "Volume.h"

#include <limits>

// How the time of a training is divided: closed forms, no LibTorch.
namespace vae
{

/// A learned prior of fewer steps draws worse than the random field, so none is learned.
constexpr std::int64_t FewestPriorSteps = 200;
/// One that starts from the weights of another needs fewer (Documentation/experiments/036).
/// \param started whether it does
constexpr std::int64_t fewestPriorSteps(bool started) { return started ? 60 : FewestPriorSteps; }
/// One of so many has learned enough that its own surfaces are measured, and not the data's.
constexpr std::int64_t EnoughPriorSteps = 3000;
/// Of the prior's time, in which it may encode what it learns from.
constexpr double PriorDataShare = 0.2;

/// Seconds that the parts of a training take on one machine.
struct Costs
{
  double networkStep = 0;
  double priorStep = 0;
  double priorData = 0; ///< encoding what a prior is learned from, all of it
  /// What is measured at the end, all of it; infinite if not known.
  double closing = std::numeric_limits<double>::infinity();
};

/// \param voxels of the volume that is measured
/// \param speed floating-point operations a second of a step
/// \param priorSteps that are expected: a long training measures more of its prior
Costs costsOf(
  const TrainOptions& options, std::int64_t voxels, double speed, std::int64_t priorSteps = 0);

/// Seconds of a time budget that are reserved for the measurements at the end.
double closingTime(const TrainOptions& options, const Costs& costs);

/// Steps that a learned prior makes in so many seconds.
std::int64_t priorStepsIn(double seconds, const Costs& costs);

/// What a training will do. Seconds.
struct TimePlan
{
  double network = 0, prior = 0, closing = 0;
  std::int64_t networkSteps = 0, priorSteps = 0;
  bool priorLeftOut = false; ///< one is wanted, but would have too few steps
};
TimePlan timePlanOf(const TrainOptions& options, std::int64_t voxels, double speed);

/// A training in words: its size, and, where the speed is known, its time.
/// \param dims of the input; 0: not known
std::string describe(const TrainOptions& options, const Dims& dims, double speed);

} // namespace vae
