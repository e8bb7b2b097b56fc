// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "StepScale.h"

#include "Plan.h"
#include "Speed.h"
#include "Torch/Runtime/Device.h"

#include <format>
#include <map>
#include <mutex>

namespace vae
{
namespace
{

constexpr double LongestStep = 0.02;       // seconds
constexpr double ShortestBudget = 30;      // seconds; else measuring would take much of it
constexpr double PartOfMemory = 0.25;      // of a GPU's free memory
constexpr double UnknownMemory = 1 << 30;  // bytes, where the driver does not tell
constexpr double SecondsOfMeasuring = 0.1; // of warm steps, for each scale

} // namespace

const std::vector<StepScale>& StepScale::all()
{
  // Each step takes three to five times as many operations as that before.
  static const std::vector<StepScale> list{ { 32, 64, 4, 50, 64, 7000 },
    { 48, 64, 8, 100, 96, 14000 }, { 64, 64, 16, 200, 128, 28000 } };
  return list;
}

void StepScale::applyTo(TrainOptions& options) const
{
  options.network.width = this->width;
  options.patchSize = this->patchSize;
  options.batchSize = this->batchSize;
  options.stepsPerEpoch = this->stepsPerEpoch;
}

std::string StepScale::inWords() const
{
  return std::format("Width {}, Patch Size {}, Batch Size {}, Steps Per Epoch {}", this->width,
    this->patchSize, this->batchSize, this->stepsPerEpoch);
}

std::optional<StepScale> fastest(const TrainOptions& options, const Measurable& device)
{
  const auto isFast = [&](const TrainOptions& o) { return device.secondsOfStep(o) <= LongestStep; };
  std::optional<StepScale> best;
  if (!isFast(options))
  {
    return best;
  }
  for (const StepScale& scale : StepScale::all())
  {
    TrainOptions o = options;
    scale.applyTo(o);
    const Plan plan = planOf(o, device.bytes);
    if (plan.modelMemory + plan.batchMemory >
        PartOfMemory * device.freeBytes.value_or(UnknownMemory) ||
      !isFast(o))
    {
      break;
    }
    best = scale;
  }
  return best;
}

bool leavesScaleOpen(const TrainOptions& o)
{
  const TrainOptions defaults;
  return o.timeBudget >= ShortestBudget && o.epochs == 0 &&
    o.network.architecture == Architecture::Field && o.network.width == defaults.network.width &&
    o.patchSize == defaults.patchSize && o.batchSize == defaults.batchSize &&
    o.stepsPerEpoch == defaults.stepsPerEpoch;
}

std::optional<StepScale> measuredScale(const TrainOptions& options)
{
  const ComputeDevice place = chooseDevice(options.device, options.precision, options.threads);
  if (place.onCpu())
  {
    return {};
  }
  Measurable gpu;
  gpu.freeBytes = freeMemoryOf(place.device);
  gpu.bytes = place.compute == at::kBFloat16 ? 2 : 4;
  gpu.secondsOfStep = [](const TrainOptions& o)
  {
    static std::mutex mutex;
    static std::map<std::string, double> known;
    const std::lock_guard lock(mutex);
    const std::string shape = std::format("{} {} {} {} {}", o.device, static_cast<int>(o.precision),
      o.network.width, o.patch(), o.batch());
    const auto found = known.find(shape);
    return found != known.end() ? found->second
                                : known[shape] = secondsOfStep(o, SecondsOfMeasuring);
  };
  return fastest(options, gpu);
}

} // namespace vae
