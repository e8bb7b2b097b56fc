// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Bench.h"

#include "Generator.h"
#include "Torch/Inference/TorchModel.h"
#include "Torch/Training/TorchTrainer.h"

#include <torch/csrc/autograd/profiler_kineto.h>

#include <algorithm>
#include <map>
#include <stdexcept>

namespace bench
{
namespace
{

using namespace vae;

/// What was run on the device (of a CPU: operators, those that others call included), by name.
struct Sum
{
  std::int64_t calls = 0;
  double seconds = 0;
};

void profiled(const std::string& name, bool gpu, int times, const std::function<void()>& work)
{
  namespace profiler = torch::autograd::profiler;
  using torch::profiler::impl::ActivityType;
  const torch::profiler::impl::ProfilerConfig config(torch::profiler::impl::ProfilerState::KINETO);
  std::set<ActivityType> activities{ ActivityType::CPU };
  if (gpu)
  {
    activities.insert(ActivityType::CUDA);
  }
  profiler::prepareProfiler(config, activities);
  profiler::enableProfiler(config, activities);
  const double begin = now();
  for (int i = 0; i < times; ++i)
  {
    work();
  }
  const double seconds = now() - begin;
  const auto result = profiler::disableProfiler();
  std::map<std::string, Sum> sums;
  Sum all;
  for (const auto& event : result->events())
  {
    if ((event.deviceType() == at::kCPU) != gpu)
    {
      const double took = 1e-9 * static_cast<double>(event.durationNs());
      for (Sum* to : { &sums[event.name()], &all })
      {
        ++to->calls;
        to->seconds += took;
      }
    }
  }
  const double n = times;
  Json total{ { "profile", name }, { "ms", 1e3 * seconds / n },
    { "launches", static_cast<double>(all.calls) / n } };
  if (gpu)
  {
    total["device_ms"] = 1e3 * all.seconds / n;
  }
  print(total);
  std::vector<std::pair<std::string, Sum>> sorted(sums.begin(), sums.end());
  std::ranges::sort(sorted, std::greater(), [](const auto& s) { return s.second.seconds; });
  sorted.resize(std::min<std::size_t>(sorted.size(), 15));
  for (const auto& [kernel, sum] : sorted)
  {
    print({ { "profile", name }, { "kernel", kernel.substr(0, 120) },
      { "calls", static_cast<double>(sum.calls) / n }, { "ms", 1e3 * sum.seconds / n } });
  }
}

} // namespace

void profile(const std::vector<std::string>& arguments)
{
  if (arguments.size() < 3)
  {
    throw std::invalid_argument("profile needs train or generate, MODEL and EDGE");
  }
  const std::string& what = arguments[0];
  const std::int64_t edge = std::stol(arguments[2]);
  const bool gpu = device() != "cpu";
  if (what == "train")
  {
    const std::vector<std::uint8_t> voxels = rockOf(edge);
    TorchTrainer trainer(
      { volumeOf(voxels, edge) }, options(arguments.size() > 3 ? shapeOf(arguments[3]) : Shape()));
    for (int i = 0; i < 3; ++i)
    {
      trainer.step();
    }
    profiled("a training step", gpu, 10, [&] { trainer.step(); });
    return;
  }
  const auto model = TorchModel::load(arguments[1]);
  std::vector<std::uint8_t> labels(static_cast<std::size_t>(edge * edge * edge));
  Outputs outputs;
  outputs.values = { labelsTo(labels) };
  GenerateRequest request;
  request.dims = { edge, edge, edge };
  request.options.prior = Prior::Learned;
  const auto generate = [&] { Generator(*model).generate(request, outputs, run()); };
  generate();
  profiled("generation of " + std::to_string(edge) + "^3", gpu, 1, generate);
}

} // namespace bench
