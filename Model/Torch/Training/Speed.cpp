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
  options.timeBudget = 0;
  options.epochs = 1; // one that does not end
  options.stepsPerEpoch = 100000;
  options.priorShare = 0;
  options.validationFraction = 0;
  TorchTrainer trainer({ volume }, options);
  const Plan plan = planOf(trainer.info().options);
  constexpr double seconds = 0.5;
  // A step ends with its loss on the CPU: then the device has done it.
  return plan.operationsPerVoxel *
    steadySpeed(
      [&] { return trainer.step().voxelsPerSecond; }, seconds, Stopwatch::steady, monitor.stop);
}

double steadySpeed(const std::function<double()>& step, double seconds, const Stopwatch::Now& now,
  const std::stop_token& stop)
{
  constexpr int cold = 2;
  for (int i = 0; i < cold && !stop.stop_requested(); ++i)
  {
    step();
  }
  std::vector<double> speeds;
  const double begin = now();
  do
  {
    speeds.push_back(step());
  } while (now() - begin < seconds && !stop.stop_requested());
  const auto middle = speeds.begin() + static_cast<std::ptrdiff_t>(speeds.size() / 2);
  std::ranges::nth_element(speeds, middle);
  return *middle;
}

} // namespace vae
