// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
//
// What a training needs to resume exactly where it stopped, as a model file stores it.
#include "StateJson.h"
#include "TorchTrainer.h"

#include <cmath>

namespace vae
{

std::shared_ptr<const TrainingState> TorchTrainer::state() const
{
  StateWriter all, network, clock, prior;
  this->Network->store(network);
  all.add("network", std::move(network));
  this->Clock.store(clock);
  all.add("clock", std::move(clock));
  if (this->Prior)
  {
    this->Prior->store(prior);
  }
  all.add("prior", std::move(prior)); // empty before its first step
  if (this->PriorStart)
  {
    StateWriter start;
    start.tensors = this->PriorStart->state();
    all.add("prior_start", std::move(start));
  }
  all.json["network_ending"] = static_cast<int>(this->Shared.networkEnding);
  all.json["prior_left_out"] = this->Shared.priorLeftOut;
  return std::make_shared<TrainingState>(TrainingState{ dumpJson(all.json), all.tensors });
}

std::shared_ptr<const LearnedPrior> priorStartIn(
  const TrainingState& state, const NetworkOptions& network)
{
  const TensorReader start = TensorReader(state.tensors).part("prior_start.");
  try
  {
    return start.bytes() > 0
      ? LearnedPrior::fromState(start, network.dimensions, network.latentChannels)
      : nullptr;
  }
  catch (const std::runtime_error& e)
  {
    StateReader::require(false, e.what());
  }
  return nullptr;
}

void TorchTrainer::restore(const TrainingState& state)
{
  const auto [json, tensors] = newestState(state);
  const StateReader all(json, TensorReader(tensors)), prior = all.part("prior");
  const auto ending = static_cast<Ending>(all.count("network_ending"));
  const std::string leftOut = all.text("prior_left_out");
  const bool hasPrior = prior.has("steps");
  const double ofPrior = hasPrior ? prior.seconds("seconds") : 0;
  this->Network->restore(all.part("network"));
  this->Clock.restore(all.part("clock"), ofPrior);
  // Whether the limits, which may be others now, have been reached. The prior came after.
  const double share = this->Clock.priorShare();
  if (!leftOut.empty())
  {
    this->Shared.leavePriorOut(leftOut);
  }
  if (ending != Ending::Patience && (ending != Ending::Budget || this->Clock.networkProgress() < 1))
  {
    // The network goes on, and its prior begins anew after it.
    this->Clock.setPriorShare(share);
    this->Shared.priorLeftOut.clear();
    this->Info.leftOut.clear();
    std::erase_if(
      this->Info.history, [](const EpochRecord& row) { return !std::isnan(row.priorLoss); });
    return;
  }
  StateReader::require(!this->Info.history.empty(), "the network is done, but there is no history");
  this->Shared.networkEnding = ending;
  this->Clock.restorePrior(ofPrior);
  if (hasPrior)
  {
    this->Prior = std::make_unique<PriorPhase>(this->Shared, *this->Network);
    this->Prior->restore(prior);
  }
}

} // namespace vae
