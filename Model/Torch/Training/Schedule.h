// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Options.h"

namespace vae
{

// Weights of experience have seen many materials. They are near the goal, and large steps would
// lose what they know.

/// Factor of the KL term at `progress` of the training, 0..1, by KLSchedule. Experience was learned
/// with all of the KL term, so Linear then has all of it from the beginning: no KL Ramp.
double klScheduleAt(const TrainOptions& options, double progress, bool experienced = false);

/// Learning rate: linear warm-up over the first steps, then a cosine to 1/200 of its peak, which is
/// Learning Rate, with experience half of it.
double learningRateAt(
  const TrainOptions& options, std::int64_t step, double progress, bool experienced = false);

/// Likewise of the learned prior, to 1/100.
/// \param started from weights that have learned
/// \param step counted from 1
double priorRateAt(bool started, std::int64_t step, double progress);

} // namespace vae
