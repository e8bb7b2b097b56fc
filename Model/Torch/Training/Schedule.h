// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Options.h"

namespace vae
{

/// Factor of the KL term at `progress` of the training, 0..1, by KLSchedule.
double klScheduleAt(const TrainOptions& options, double progress);

/// Learning rate: linear warm-up over the first steps, then a cosine to 1/200 of its peak.
double learningRateAt(const TrainOptions& options, std::int64_t step, double progress);

} // namespace vae
