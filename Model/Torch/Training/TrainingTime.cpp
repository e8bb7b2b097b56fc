// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
//
// How a training divides its time: the network, the learned prior, what is measured at the end.
#include "TorchTrainer.h"

#include "Plan.h"
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

void TorchTrainer::setWatch(std::shared_ptr<const Stopwatch> watch)
{
  this->Watch = std::move(watch);
}

double TorchTrainer::spent() const { return this->Carried + this->Watch->seconds(); }

double TorchTrainer::usable() const
{
  const double budget = this->Info.options.timeBudget;
  return std::max(0.5 * budget, budget - this->Closing - this->Spare);
}

double TorchTrainer::priorTime() const
{
  const double most = this->PriorShare * this->usable();
  const bool ended = this->NetworkEnding != Ending::None;
  const double begin =
    ended ? this->NetworkSeconds : std::max(this->spent(), this->usable() - most);
  return std::clamp(this->usable() - begin, 0., most);
}

double TorchTrainer::networkProgress() const
{
  const TrainOptions& o = this->Info.options;
  const double time =
    o.timeBudget > 0 ? this->spent() / (this->usable() * (1 - this->PriorShare)) : 0;
  const double steps = o.epochs > 0
    ? static_cast<double>(this->Step) / (static_cast<double>(o.epochs) * o.stepsPerEpoch)
    : 0;
  return std::min(1., std::max(time, steps));
}

double TorchTrainer::progress() const
{
  const TrainOptions& o = this->Info.options;
  const double share = this->PriorShare;
  if (this->NetworkEnding == Ending::None)
  {
    return (1 - share) * this->networkProgress();
  }
  if (share == 0)
  {
    return 1;
  }
  const double time = o.timeBudget > 0
    ? (this->spent() - this->NetworkSeconds) / std::max(this->priorTime(), 1e-9)
    : 0;
  // As many steps as the share says: Epochs counts those of the network.
  const double all = static_cast<double>(o.epochs) * o.stepsPerEpoch * share / (1 - share);
  const double steps =
    o.epochs > 0 && this->Prior ? static_cast<double>(this->Prior->steps()) / all : 0;
  return 1 - share + share * std::min(1., std::max(time, steps));
}

void TorchTrainer::tell(StepRecord& record)
{
  this->Progress = std::max(this->Progress, this->progress());
  record.progress = this->Progress;
  record.seconds = this->spent();
  record.finished = this->Info.ending != Ending::None;
}

Costs TorchTrainer::costs(std::int64_t priorSteps) const
{
  TrainOptions options = this->Info.options;
  options.network = this->Info.network;
  std::vector<double> speeds(this->Speeds.begin(), this->Speeds.end());
  const auto middle = speeds.begin() + static_cast<std::ptrdiff_t>(speeds.size() / 2);
  std::nth_element(speeds.begin(), middle, speeds.end()); // the first steps also make kernels
  Costs costs = costsOf(options, voxels(this->Measured->volume().dims),
    *middle * planOf(options).operationsPerVoxel, priorSteps);
  if (this->PriorStep > 0)
  {
    costs.priorStep = this->PriorStep;
  }
  return costs;
}

void TorchTrainer::divideTime()
{
  if (this->Info.options.timeBudget > 0 &&
    ((!this->Divided && this->spent() >= FirstLook * this->usable()) ||
      (this->PriorShare > 0 && this->networkProgress() >= 1)))
  {
    this->considerPrior();
  }
}

void TorchTrainer::considerPrior()
{
  const TrainOptions& o = this->Info.options;
  if (o.timeBudget <= 0 || this->Speeds.empty())
  {
    return;
  }
  if (this->PriorShare > 0)
  {
    this->timePrior();
  }
  const auto steps = [&] { return priorStepsIn(this->priorTime(), this->costs(0)); };
  if (!this->Divided)
  {
    this->Closing = closingTime(o, this->costs(this->PriorShare > 0 ? steps() : 0));
    this->Divided = true;
  }
  const double asked = o.epochs > 0
    ? static_cast<double>(o.epochs) * o.stepsPerEpoch * this->PriorShare / (1 - this->PriorShare)
    : static_cast<double>(FewestPriorSteps);
  if (const std::int64_t n = this->PriorShare > 0 ? steps() : FewestPriorSteps;
    static_cast<double>(n) < std::min(static_cast<double>(FewestPriorSteps), std::floor(asked)))
  {
    this->leavePriorOut("the time budget has room for about " + std::to_string(n) +
      " of its steps, and it needs " + std::to_string(FewestPriorSteps));
    this->Closing = closingTime(o, this->costs(0));
  }
}

void TorchTrainer::timePrior()
{
  try
  {
    for (int i = this->PriorStep > 0 ? 1 : 0; i < 2; ++i) // the first also makes kernels
    {
      const double begin = this->spent();
      PriorTrainer::tryStep(this->Info, this->Where);
      this->PriorStep = std::max(this->spent() - begin, 1e-9);
    }
  }
  catch (const std::exception& e)
  {
    if (!isOutOfMemory(e))
    {
      throw;
    }
    this->leavePriorOut("there was not enough memory");
  }
}

void TorchTrainer::leavePriorOut(const std::string& why)
{
  this->PriorShare = 0;
  this->Prior.reset();
  this->Info.priorSteps = 0;
  this->PriorLeftOut = why;
  this->Info.leftOut = "No prior was learned: " + why + ".";
}

std::function<double()> TorchTrainer::timeToMeasure() const
{
  const double budget = this->Info.options.timeBudget;
  if (budget <= 0)
  {
    return {};
  }
  // A training that goes on from one that had ended has none of its own.
  const double end = std::max(budget - this->Spare, this->spent() + 0.5 * this->Closing);
  return [this, end] { return end - this->spent(); };
}

void TorchTrainer::end(Ending how)
{
  if (this->NetworkEnding == Ending::None)
  {
    this->NetworkEnding = how;
    this->NetworkSeconds = this->spent();
    if (this->PriorShare > 0)
    {
      this->considerPrior(); // it may have ended long before its time
    }
    if (this->PriorShare > 0)
    {
      return;
    }
  }
  this->Info.ending = this->NetworkEnding;
}

void TorchTrainer::makePrior()
{
  const auto [network, seen] = this->bestNetwork();
  std::function<bool(std::int64_t)> more;
  if (this->PatchesOfPrior > 0) // of the training that this one goes on from
  {
    more = [this](std::int64_t n) { return n < this->PatchesOfPrior; };
  }
  else if (this->Info.options.timeBudget > 0)
  {
    const double end = this->spent() + PriorDataShare * this->priorTime();
    more = [this, end](std::int64_t) { return this->spent() < end; };
  }
  this->Prior =
    std::make_unique<PriorTrainer>(this->Data, this->Info, *network, *seen, this->Where, more);
  if (this->Choice)
  {
    this->Choice->workChanged();
  }
}

StepRecord TorchTrainer::priorStep()
{
  const TrainOptions& o = this->Info.options;
  const double begin = this->spent(), share = this->PriorShare;
  StepRecord record;
  record.step = this->Step;
  record.epoch = this->Info.history.back().epoch;
  record.prior = true;
  try
  {
    if (!this->Prior)
    {
      this->makePrior();
    }
    const auto stepping = std::chrono::steady_clock::now();
    record.loss = this->Prior->step((this->progress() - (1 - share)) / share, this->Where);
    this->stepTook(stepping, this->Prior->voxelsAStep());
  }
  catch (const std::exception& e)
  {
    if (!isOutOfMemory(e))
    {
      throw;
    }
    // The network is there and stays, and so does a prior that has learned enough.
    if (this->Info.priorSteps < FewestPriorSteps)
    {
      this->leavePriorOut("there was not enough memory");
    }
    KeptMemory::giveBackAll();
    this->end(this->NetworkEnding);
    this->tell(record);
    return record;
  }
  this->Info.priorSteps = this->Prior->steps();
  record.step += this->Prior->steps();
  record.epoch += 1;
  const double took = std::max(this->spent() - begin, 1e-9);
  record.voxelsPerSecond = this->Prior->voxelsAStep() / took;
  this->Running.priorLoss += record.loss;
  this->Running.seconds += took;
  this->Running.voxelsPerSecond += this->Prior->voxelsAStep();
  this->tell(record);
  if (record.progress >= 1)
  {
    this->end(this->NetworkEnding);
    record.finished = true;
  }
  if (record.finished || this->Prior->steps() % o.stepsPerEpoch == 0)
  {
    const auto sinceRow = static_cast<double>((this->Prior->steps() - 1) % o.stepsPerEpoch + 1);
    EpochRecord row = this->Info.history.back(); // the network has not changed
    row.epoch = record.epoch;
    row.step = record.step;
    row.priorLoss = this->Running.priorLoss / sinceRow;
    row.voxelsPerSecond = this->Running.voxelsPerSecond / this->Running.seconds;
    row.seconds = record.seconds;
    this->Info.history.push_back(row);
    this->Running = {};
    record.epochEnded = true;
  }
  return record;
}

} // namespace vae
