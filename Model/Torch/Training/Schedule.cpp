// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace vae
{

namespace
{

constexpr double WarmUpSteps = 30, ExperiencedRate = 0.5; // of Learning Rate
// Of the learned prior; started from weights that have learned, which need no long warm-up.
constexpr double PriorRate = 1e-3, StartedPriorRate = 5e-4;
constexpr double PriorWarmUpSteps = 50, StartedPriorWarmUpSteps = 20;

/// 1 at the beginning, `floor` at the end.
double cosine(double progress, double floor)
{
  const double part = std::clamp(progress, 0., 1.);
  return floor + (1 - floor) * 0.5 * (1 + std::cos(std::numbers::pi * part));
}

double warmUp(std::int64_t step, double steps)
{
  return std::min(1., static_cast<double>(step) / steps);
}

} // namespace

double klScheduleAt(const TrainOptions& o, double progress, bool experienced)
{
  double part = std::clamp(progress, 0., 1.);
  if (o.klSchedule == KLSchedule::Cyclical && part < 1)
  {
    part = std::fmod(part * o.klCycles, 1.);
  }
  else if (experienced)
  {
    return 1;
  }
  return o.klRamp > 0 ? std::min(1., part / o.klRamp) : 1.;
}

double learningRateAt(const TrainOptions& o, std::int64_t step, double progress, bool experienced)
{
  const double peak = o.learningRate * (experienced ? ExperiencedRate : 1);
  return peak * warmUp(step, WarmUpSteps) * cosine(progress, 1. / 200);
}

double priorRateAt(bool started, std::int64_t step, double progress)
{
  return started ? StartedPriorRate * warmUp(step, StartedPriorWarmUpSteps) * cosine(progress, 0.01)
                 : PriorRate * warmUp(step, PriorWarmUpSteps) * cosine(progress, 0.01);
}

} // namespace vae
