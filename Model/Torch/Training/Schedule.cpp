// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace vae
{

double klScheduleAt(const TrainOptions& o, double progress)
{
  double part = std::clamp(progress, 0., 1.);
  if (o.klSchedule == KLSchedule::Cyclical && part < 1)
  {
    part = std::fmod(part * o.klCycles, 1.);
  }
  return o.klRamp > 0 ? std::min(1., part / o.klRamp) : 1.;
}

double learningRateAt(const TrainOptions& o, std::int64_t step, double progress)
{
  constexpr double warmUpSteps = 30, floor = 1. / 200;
  const double warm = std::min(1., static_cast<double>(step) / warmUpSteps);
  const double cosine = 0.5 * (1 + std::cos(std::numbers::pi * std::clamp(progress, 0., 1.)));
  return o.learningRate * warm * (floor + (1 - floor) * cosine);
}

} // namespace vae
