// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Speed.h"

#include "Plan.h"
#include "Torch/Runtime/Room.h"
#include "TorchTrainer.h"

#include <algorithm>
#include <cmath>

namespace vae
{

namespace
{

/// Of warm steps on noise of two phases, by a trainer as any other. Of the options those count that
/// say where and of which shape.
double voxelsPerSecond(const TrainOptions& asked, double seconds, const std::stop_token& stop)
{
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
  options.device = asked.device;
  options.precision = asked.precision;
  options.threads = asked.threads;
  options.network.width = asked.network.width;
  options.patchSize = asked.patchSize;
  options.batchSize = asked.batchSize;
  options.timeBudget = 0;
  options.epochs = 1; // one that does not end
  options.stepsPerEpoch = 100000;
  options.priorShare = 0;
  options.validationFraction = 0;
  TorchTrainer trainer({ volume }, options);
  // A step ends with its loss on the CPU: then the device has done it.
  return steadySpeed(
    [&] { return trainer.step().voxelsPerSecond; }, seconds, Stopwatch::steady, stop);
}

} // namespace

double measureSpeed(
  const std::string& device, Precision precision, int threads, const Monitor& monitor)
{
  TrainOptions options;
  options.device = device;
  options.precision = precision;
  options.threads = threads;
  constexpr double seconds = 0.5;
  return planOf(options).operationsPerVoxel * voxelsPerSecond(options, seconds, monitor.stop);
}

double secondsOfStep(const TrainOptions& options, double seconds)
{
  try
  {
    return static_cast<double>(planOf(options).voxelsPerStep) /
      voxelsPerSecond(options, seconds, {});
  }
  catch (const std::exception& e)
  {
    if (!isOutOfMemory(e))
    {
      throw;
    }
    return std::nan("");
  }
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
