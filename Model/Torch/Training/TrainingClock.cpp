// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "TrainingClock.h"

#include "Plan.h"
#include "StateJson.h"
#include "Torch/Runtime/Room.h"

#include <algorithm>
#include <cmath>

namespace vae
{
namespace
{

/// Of the time budget, after which the speed is known well enough to divide the rest.
constexpr double FirstLook = 0.1;

} // namespace

TrainingClock::TrainingClock(const ModelInfo& info, std::int64_t measured, double priorShare)
  : Options(info.options)
  , Measured(measured)
  , PriorShare(priorShare)
  , FewestOfPrior(fewestPriorSteps(info.priorStarted))
{
  this->Options.network = info.network;
  auto watch = std::make_shared<Stopwatch>();
  watch->start();
  this->Watch = std::move(watch);
  this->Closing = info.options.timeBudget > 0 ? closingTime(info.options, {}) : 0;
}

void TrainingClock::networkStepped(std::int64_t steps, double voxelsPerSecond)
{
  constexpr std::size_t recent = 31;
  this->NetworkSteps = steps;
  this->Speeds.push_back(voxelsPerSecond);
  if (this->Speeds.size() > recent)
  {
    this->Speeds.pop_front();
  }
}

void TrainingClock::endNetwork()
{
  this->NetworkEnded = true;
  this->NetworkSeconds = this->spent();
}

double TrainingClock::spent() const { return this->Carried + this->Watch->seconds(); }

double TrainingClock::usable() const
{
  const double budget = this->Options.timeBudget;
  return std::max(0.5 * budget, budget - this->Closing - this->Spare);
}

double TrainingClock::priorTime() const
{
  const double most = this->PriorShare * this->usable();
  const double begin =
    this->NetworkEnded ? this->NetworkSeconds : std::max(this->spent(), this->usable() - most);
  return std::clamp(this->usable() - begin, 0., most);
}

double TrainingClock::networkProgress() const
{
  const TrainOptions& o = this->Options;
  const double time =
    o.timeBudget > 0 ? this->spent() / (this->usable() * (1 - this->PriorShare)) : 0;
  const double steps = o.epochs > 0
    ? static_cast<double>(this->NetworkSteps) / (static_cast<double>(o.epochs) * o.stepsPerEpoch)
    : 0;
  return std::min(1., std::max(time, steps));
}

double TrainingClock::progress() const
{
  const TrainOptions& o = this->Options;
  const double share = this->PriorShare;
  if (!this->NetworkEnded)
  {
    return (1 - share) * this->networkProgress();
  }
  if (share == 0)
  {
    return 1;
  }
  const double time =
    o.timeBudget > 0 ? this->sinceNetwork() / std::max(this->priorTime(), 1e-9) : 0;
  // As many steps as the share says: Epochs counts those of the network.
  const double all = static_cast<double>(o.epochs) * o.stepsPerEpoch * share / (1 - share);
  const double steps = o.epochs > 0 ? static_cast<double>(this->PriorSteps) / all : 0;
  return 1 - share + share * std::min(1., std::max(time, steps));
}

double TrainingClock::priorProgress() const
{
  return (this->progress() - (1 - this->PriorShare)) / this->PriorShare;
}

Costs TrainingClock::costs(std::int64_t priorSteps) const
{
  std::vector<double> speeds(this->Speeds.begin(), this->Speeds.end());
  const auto middle = speeds.begin() + static_cast<std::ptrdiff_t>(speeds.size() / 2);
  std::nth_element(speeds.begin(), middle, speeds.end()); // the first steps also make kernels
  Costs costs = costsOf(
    this->Options, this->Measured, *middle * planOf(this->Options).operationsPerVoxel, priorSteps);
  if (this->PriorStep > 0)
  {
    costs.priorStep = this->PriorStep;
  }
  return costs;
}

bool TrainingClock::mustDivide() const
{
  return this->Options.timeBudget > 0 &&
    ((!this->Divided && this->spent() >= FirstLook * this->usable()) ||
      (this->PriorShare > 0 && this->networkProgress() >= 1));
}

std::string TrainingClock::divide(const std::function<void()>& tryPrior)
{
  const TrainOptions& o = this->Options;
  std::string why;
  if (o.timeBudget <= 0 || this->Speeds.empty())
  {
    return why;
  }
  if (this->PriorShare > 0 && !this->timePrior(tryPrior))
  {
    this->setPriorShare(0);
    why = "there was not enough memory";
  }
  if (!this->Divided)
  {
    this->Closing =
      closingTime(o, this->costs(this->PriorShare > 0 ? this->priorStepsThatFit() : 0));
    this->Divided = true;
  }
  const auto fewest = static_cast<double>(this->FewestOfPrior);
  const double asked = o.epochs > 0
    ? static_cast<double>(o.epochs) * o.stepsPerEpoch * this->PriorShare / (1 - this->PriorShare)
    : fewest;
  if (const std::int64_t n = this->PriorShare > 0 ? this->priorStepsThatFit() : this->FewestOfPrior;
    static_cast<double>(n) < std::min(fewest, std::floor(asked)))
  {
    this->setPriorShare(0);
    this->Closing = closingTime(o, this->costs(0));
    why = "the time budget has room for about " + std::to_string(n) +
      " of its steps, and it needs " + std::to_string(this->FewestOfPrior);
  }
  return why;
}

bool TrainingClock::timePrior(const std::function<void()>& tryPrior)
{
  try
  {
    for (int i = this->PriorStep > 0 ? 1 : 0; i < 2; ++i) // the first also makes kernels
    {
      const double begin = this->spent();
      tryPrior();
      this->PriorStep = std::max(this->spent() - begin, 1e-9);
    }
    return true;
  }
  catch (const std::exception& e)
  {
    if (!isOutOfMemory(e))
    {
      throw;
    }
    return false;
  }
}

std::function<double()> TrainingClock::timeToMeasure() const
{
  const double budget = this->Options.timeBudget;
  if (budget <= 0)
  {
    return {};
  }
  // One that resumes a training that had ended has none of its own.
  const double end = std::max(budget - this->Spare, this->spent() + 0.5 * this->Closing);
  return [this, end] { return end - this->spent(); };
}

void TrainingClock::store(StateWriter& state) const
{
  state.json["seconds"] = this->spent();
  state.json["closing_seconds"] = this->Closing + this->Spare;
}

void TrainingClock::restore(const StateReader& state, double ofPrior)
{
  this->Carried = state.seconds("seconds") - ofPrior;
  this->Closing = std::min(state.seconds("closing_seconds"), this->Options.timeBudget);
}

void TrainingClock::restorePrior(double ofPrior)
{
  this->NetworkEnded = true;
  this->NetworkSeconds = this->Carried;
  this->Carried += ofPrior;
}

} // namespace vae
