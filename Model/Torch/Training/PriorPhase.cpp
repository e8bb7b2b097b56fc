// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "PriorPhase.h"

#include "StateJson.h"
#include "Torch/Runtime/KeptMemory.h"
#include "Torch/Runtime/Room.h"

#include <algorithm>

namespace vae
{

void PriorPhase::begin(const std::function<bool(std::int64_t)>& more)
{
  TrainingContext& all = this->Shared;
  const auto [network, seen] = this->Network.best();
  network->to(all.place.device);
  std::mt19937_64 random = PriorTrainer::randomOf(all.info);
  PriorData data = priorDataOf(all.data, all.info, *network, *seen, all.place, random, more);
  this->Prior = std::make_unique<PriorTrainer>(
    std::move(data), all.info, all.place, random, all.priorStart.get());
  if (all.threads)
  {
    all.threads->workChanged();
  }
}

StepRecord PriorPhase::step()
{
  TrainingContext& all = this->Shared;
  const double started = all.clock.spent();
  StepRecord record;
  record.step = this->Network.steps() + this->steps();
  record.epoch = all.info.history.back().epoch;
  record.prior = true;
  try
  {
    if (!this->Prior)
    {
      const double end = started + PriorDataShare * all.clock.priorTime();
      std::function<bool(std::int64_t)> more; // without a time budget all patches
      if (all.info.options.timeBudget > 0)
      {
        more = [&all, end](std::int64_t) { return all.clock.spent() < end; };
      }
      this->begin(more);
    }
    const auto begin = std::chrono::steady_clock::now();
    record.loss = this->Prior->step(all.clock.priorProgress(), all.place);
    all.stepped(begin, this->Prior->voxelsAStep());
  }
  catch (const std::exception& e)
  {
    if (!isOutOfMemory(e))
    {
      throw;
    }
    // The network is there and stays, and so does a prior that has learned enough.
    if (all.info.priorSteps < fewestPriorSteps(all.info.priorStarted))
    {
      all.leavePriorOut("there was not enough memory");
      this->Prior.reset();
    }
    KeptMemory::giveBackAll();
    all.info.ending = all.networkEnding;
    return record;
  }
  all.info.priorSteps = this->Prior->steps();
  all.clock.setPriorSteps(this->Prior->steps());
  record.step = this->Network.steps() + this->Prior->steps();
  record.epoch += 1;
  const double took = std::max(all.clock.spent() - started, 1e-9),
               voxels = this->Prior->voxelsAStep();
  record.voxelsPerSecond = voxels / took;
  this->Log.add(record, {}, took, voxels);
  if (all.clock.progress() >= 1)
  {
    all.info.ending = all.networkEnding;
  }
  if (all.info.ending != Ending::None || this->Prior->steps() % all.info.options.stepsPerEpoch == 0)
  {
    this->endEpoch(record);
  }
  return record;
}

void PriorPhase::endEpoch(StepRecord& record)
{
  ModelInfo& info = this->Shared.info;
  const EpochRecord means = this->Log.close(
    static_cast<double>((this->Prior->steps() - 1) % info.options.stepsPerEpoch + 1));
  EpochRecord row = info.history.back(); // the network has not changed
  row.epoch = record.epoch;
  row.step = record.step;
  row.priorLoss = means.loss;
  row.voxelsPerSecond = means.voxelsPerSecond;
  row.seconds = this->Shared.clock.spent();
  info.history.push_back(row);
  record.epochEnded = true;
}

void PriorPhase::store(StateWriter& state) const
{
  if (!this->Prior)
  {
    return;
  }
  state.store("prior", this->Prior->tensors());
  state.json["steps"] = this->Prior->steps();
  state.json["seconds"] = this->Shared.clock.sinceNetwork();
  state.json["patches"] = this->Prior->patches();
  this->Prior->store(state);
  this->Log.store(state);
}

void PriorPhase::restore(const StateReader& state)
{
  const std::int64_t patches = state.count("patches");
  this->begin([patches](std::int64_t n) { return n < patches; });
  state.load("prior", this->Prior->tensors());
  this->Prior->restore(state.count("steps"), state);
  this->Log.restore(state);
  this->Shared.info.priorSteps = this->Prior->steps();
  this->Shared.clock.setPriorSteps(this->Prior->steps());
}

} // namespace vae
