// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Speed.h"

#include "Plan.h"
#include "TorchTrainer.h"

#include <algorithm>

namespace vae
{

double measureSpeed(
  const std::string& device, Precision precision, int threads, const Monitor& monitor)
{
  // A noise volume of two phases, a trainer as any other.
  constexpr std::int64_t edge = 64;
  auto voxels = std::make_shared<std::vector<std::uint8_t>>(edge * edge * edge);
  std::mt19937_64 random(1);
  std::generate(voxels->begin(), voxels->end(), [&] { return random() & 1; });
  Volume volume;
  volume.dims = { edge, edge, edge };
  Channel& channel = volume.channels.emplace_back();
  channel.data = voxels->data();
  channel.owner = voxels;
  channel.type = ScalarType::UInt8;

  TrainOptions options;
  options.device = device;
  options.precision = precision;
  options.threads = threads;
  options.timeBudget = 0.5;
  options.priorShare = 0;
  options.validationFraction = 0;
  TorchTrainer trainer({ volume }, options);
  const Plan plan = planOf(trainer.info().options);
  std::vector<double> speeds;
  StepRecord record;
  do
  {
    record = trainer.step();
    speeds.push_back(record.voxelsPerSecond);
  } while (!record.finished && !monitor.stop.stop_requested());
  // The median: the first steps also make the device's kernels.
  std::nth_element(
    speeds.begin(), speeds.begin() + static_cast<std::ptrdiff_t>(speeds.size() / 2), speeds.end());
  return speeds[speeds.size() / 2] * plan.operationsPerVoxel;
}

} // namespace vae
