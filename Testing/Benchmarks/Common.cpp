// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Bench.h"

#include "Rock.h"
#include "Torch/Inference/TorchModel.h"
#include "Torch/Training/TorchTrainer.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>

using namespace vae;

namespace bench
{
namespace
{

constexpr std::int64_t Period = 64;

std::string variable(const char* name)
{
  const char* text = std::getenv(name);
  return text ? text : "";
}

} // namespace

Timing timedCold(const std::function<void()>& work, double seconds)
{
  std::vector<double> all;
  const double end = now() + seconds;
  do
  {
    const double begin = now();
    work();
    all.push_back(now() - begin);
  } while (now() < end);
  Timing t;
  t.first = all.front();
  const auto middle = all.begin() + static_cast<std::ptrdiff_t>(all.size() / 2);
  std::nth_element(all.begin(), middle, all.end());
  t.median = *middle;
  return t;
}

void print(const Json& result) { std::cout << result.dump() << std::endl; }

std::string device()
{
  const std::string named = variable("VAE_BENCH_DEVICE");
  return named.empty() ? "cpu" : named;
}

Precision precision()
{
  return variable("VAE_BENCH_PRECISION") == "float32" ? Precision::Float32 : Precision::Automatic;
}

int threads() { return std::atoi(variable("VAE_BENCH_THREADS").c_str()); }

RunOptions run()
{
  RunOptions r;
  r.device = device();
  r.precision = precision();
  r.threads = threads();
  return r;
}

double now()
{
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double patience()
{
  const std::string text = variable("VAE_BENCH_SECONDS");
  return text.empty() ? 6 : std::atof(text.c_str());
}

Timing timed(const std::function<void()>& work, double seconds)
{
  const double begin = now();
  work();
  const double first = now() - begin;
  Timing t = timedCold(work, seconds);
  t.first = first;
  return t;
}

std::vector<std::uint8_t> rockOf(std::int64_t edge)
{
  const rock::Voxels unit = rock::cementedGrains({ static_cast<int>(Period), 0.2, 8, 1 });
  std::vector<std::uint8_t> all(static_cast<std::size_t>(edge * edge * edge));
  for (std::int64_t z = 0, i = 0; z < edge; ++z)
  {
    for (std::int64_t y = 0; y < edge; ++y)
    {
      for (std::int64_t x = 0; x < edge; ++x, ++i)
      {
        const std::int64_t at = (z % Period * Period + y % Period) * Period + x % Period;
        all[static_cast<std::size_t>(i)] = unit[static_cast<std::size_t>(at)];
      }
    }
  }
  return all;
}

Volume volumeOf(const std::vector<std::uint8_t>& voxels, std::int64_t edge)
{
  Volume v;
  v.dims = { edge, edge, edge };
  Channel& c = v.channels.emplace_back();
  c.data = voxels.data();
  c.type = ScalarType::UInt8;
  c.array = "rock";
  return v;
}

Shape shapeOf(const std::string& text)
{
  Shape s;
  char rest = 0;
  if (std::sscanf(text.c_str(), "%d/%d/%d%c", &s.width, &s.patch, &s.batch, &rest) != 3)
  {
    throw std::invalid_argument("The shape is '" + text + "'; it must be WIDTH/PATCH/BATCH");
  }
  return s;
}

TrainOptions options(const Shape& shape)
{
  TrainOptions o;
  o.network.width = shape.width;
  o.patchSize = shape.patch;
  o.batchSize = shape.batch;
  o.timeBudget = 0;
  o.epochs = 100000;
  o.priorShare = 0;
  o.validationFraction = 0; // what the others do not do either
  o.device = device();
  o.precision = precision();
  o.threads = threads();
  return o;
}

std::shared_ptr<const TorchModel> modelOf(
  const Volume& volume, const TrainOptions& options, bool everything)
{
  TorchTrainer trainer({ volume }, options);
  while (!trainer.step().finished)
  {
  }
  ModelRequest request;
  request.statisticsVoxels = everything ? 0 : 1 << 20;
  return std::dynamic_pointer_cast<const TorchModel>(trainer.model(request, {}));
}

OutputChannel labelsTo(std::vector<std::uint8_t>& labels)
{
  OutputChannel to;
  to.data = labels.data();
  to.type = ScalarType::UInt8;
  return to;
}

double peakGiB()
{
  double kib = 0;
  if (std::FILE* status = std::fopen("/proc/self/status", "r"))
  {
    char line[200];
    while (std::fgets(line, sizeof line, status))
    {
      std::sscanf(line, "VmHWM: %lf", &kib);
    }
    std::fclose(status);
  }
  return kib / 1048576;
}

} // namespace bench
