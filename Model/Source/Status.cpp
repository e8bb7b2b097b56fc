// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Status.h"

#include <algorithm>
#include <cmath>
#include <format>

namespace vae
{

std::string minutes(double seconds)
{
  const int s = static_cast<int>(seconds + 0.5);
  return std::format("{}:{:02}", s / 60, s % 60);
}

const char* name(State state)
{
  constexpr const char* names[] = { "Idle", "Preparing", "Training", "Stopping", "Stopped",
    "Finished", "Loaded", "Failed" };
  return names[static_cast<int>(state)];
}

void showHistory(Status& s, const ModelInfo& info)
{
  s.device = info.device;
  s.likelihood = std::string(name(info.likelihood)) + ": " + info.likelihoodReason;
  s.parameters = info.parameters;
  s.latentChannels = info.latentChannels();
  if (!info.history.empty() && s.step.step == 0)
  {
    s.epoch = info.history.back();
    s.step.step = s.epoch.step;
    s.step.epoch = s.epoch.epoch;
    s.step.seconds = s.epoch.seconds;
  }
}

std::string messageOf(const StepRecord& record, const EpochRecord& row, const ModelInfo& info)
{
  if (!record.prior)
  {
    std::string words = "Training on " + info.device + ".";
    for (const std::string& more : { info.startReason, info.leftOut })
    {
      words += more.empty() ? "" : " " + more;
    }
    return words;
  }
  return std::format(
    "The autoencoder is trained; learning the prior for VAE Generate (loss {:.3f}).",
    std::isnan(row.priorLoss) ? record.loss : row.priorLoss);
}

double secondsLeft(const StepRecord& record, const TrainOptions& options)
{
  if (options.timeBudget > 0 && options.epochs == 0)
  {
    return std::max(0., options.timeBudget - record.seconds);
  }
  return record.progress > 0 ? record.seconds * (1 - record.progress) / record.progress
                             : std::nan("");
}

std::string howItEnded(const ModelInfo& info, const StepRecord& record, bool stopped)
{
  std::string how = "Trained on " + info.device + " in " + minutes(record.seconds) + " (" +
    std::to_string(record.step) + " steps" +
    (info.priorSteps > 0 ? ", " + std::to_string(info.priorSteps) + " of them for the prior" : "");
  const auto ofPrior = std::find_if(info.history.begin(), info.history.end(),
    [](const EpochRecord& row) { return !std::isnan(row.priorLoss); });
  const auto networkEpochs = ofPrior - info.history.begin();
  if (const int best = info.bestEpoch; best > 0 && best < networkEpochs)
  {
    how += ", weights of epoch " + std::to_string(best) + ", the best on the held-out slab";
  }
  how += info.ending == Ending::Patience ? "); the validation loss no longer improved."
    : info.ending == Ending::Diverged    ? "); the loss diverged."
    : stopped                            ? "); stopped."
                                         : ").";
  for (const std::string& more : { info.startReason, info.leftOut, verdictInWords(info) })
  {
    how += (more.empty() ? "" : " ") + more;
  }
  return how;
}

} // namespace vae
