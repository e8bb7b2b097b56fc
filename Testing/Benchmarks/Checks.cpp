// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
//
// vae_bench check: does the library work on this device? Each check is a process of its own, since
// what fails on a GPU may take all that comes later with it.
#include "Bench.h"

#include "Torch/Inference/TorchModel.h"
#include "Torch/Priors/LogOddsHistogram.h"
#include "Torch/Runtime/Device.h"
#include "Torch/Training/TorchTrainer.h"

#include <ATen/Functions.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <stdexcept>
#include <thread>

namespace bench
{
namespace
{

using namespace vae;
using Labels = std::vector<std::uint8_t>;

/// Parts of the voxels that differ: of all, and of the worst of 16 slabs. A tile that is wrong is
/// seen in its slab.
struct Difference
{
  double all = 0, worst = 0;
};
Difference between(const Labels& a, const Labels& b)
{
  constexpr std::size_t slabs = 16;
  Difference found;
  const std::size_t size = (a.size() + slabs - 1) / slabs;
  for (std::size_t begin = 0; begin < a.size(); begin += size)
  {
    const std::size_t end = std::min(begin + size, a.size());
    std::size_t differ = 0;
    for (std::size_t i = begin; i < end; ++i)
    {
      differ += a[i] != b[i];
    }
    found.all += static_cast<double>(differ) / static_cast<double>(a.size());
    found.worst =
      std::max(found.worst, static_cast<double>(differ) / static_cast<double>(end - begin));
  }
  return found;
}

/// Rounding moves log odds by 1 part in 256 (bfloat16), and layers add it up: a label changes where
/// they are that near to 0. An estimate: no GPU has been measured.
constexpr double Rounding = 0.02;

Json agreement(const Difference& d)
{
  return { { "passed", d.worst <= Rounding }, { "differ", d.all },
    { "differ_in_the_worst_slab", d.worst } };
}

/// A cube that decodes to noise: a field that takes no time to draw.
struct Cube
{
  std::shared_ptr<const TorchModel> model;
  Dims dims;
  int margin = 0;
  Latent latent;

  Cube(const std::string& file, std::int64_t edge)
    : model(TorchModel::load(file))
    , dims{ edge, edge, edge }
    , margin(model->margin())
  {
    SampleRequest request{ dims, margin };
    request.options.prior = Prior::Normal;
    latent = model->sample(request, bench::run()).latent;
  }
  std::size_t size() const { return static_cast<std::size_t>(voxels(dims)); }
  Labels labels(const RunOptions& run) const
  {
    Labels all(size());
    Outputs outputs;
    outputs.values = { labelsTo(all) };
    model->decode(latent, dims, margin, outputs, run);
    return all;
  }
};

/// What a check is given.
struct Case
{
  std::string file; ///< of the model
  std::int64_t edge = 0;
  Shape shape{};
  int steps = 20; ///< an epoch
};

/// A whole training, with all that its end measures, to a file.
Json checkTrain(const Case& c)
{
  const std::vector<std::uint8_t> voxels = rockOf(c.edge);
  TrainOptions o = options(c.shape);
  o.epochs = 6;
  o.stepsPerEpoch = c.steps;
  o.priorShare = 0.5;
  const double begin = now();
  const auto model = modelOf(volumeOf(voxels, c.edge), o, true);
  model->save(c.file);
  const ModelInfo& info = model->info();
  Json line;
  // Not the loss, in which the weight of the KL term rises.
  const double first = info.history.front().reconstruction;
  const double last = info.history.back().reconstruction;
  line["passed"] = std::isfinite(last) && last < first && info.priorSteps > 0 &&
    info.leftOut.empty() && info.ending == Ending::Budget;
  line["first_reconstruction_loss"] = first;
  line["last_reconstruction_loss"] = last;
  line["prior_steps"] = info.priorSteps;
  line["prior_loss"] = info.history.back().priorLoss;
  line["left_out"] = info.leftOut;
  line["device"] = info.device;
  line["training_seconds"] = info.history.back().seconds;
  line["seconds"] = now() - begin;
  line["mib"] = static_cast<double>(std::filesystem::file_size(c.file)) / 1048576;
  return line;
}

/// Loss of each of the first steps. \param graph whether the environment wants a graph of them
std::vector<double> lossesOf(const Case& c, const TrainOptions& o, bool graph, std::string& place)
{
  const char* before = std::getenv("VAE_CUDA_GRAPHS");
  const std::string kept = before ? before : "0";
  ::setenv("VAE_CUDA_GRAPHS", graph ? "1" : "0", 1);
  const std::vector<std::uint8_t> voxels = rockOf(c.edge);
  TorchTrainer trainer({ volumeOf(voxels, c.edge) }, o);
  ::setenv("VAE_CUDA_GRAPHS", kept.c_str(), 1);
  std::vector<double> losses(static_cast<std::size_t>(c.steps));
  for (double& loss : losses)
  {
    loss = trainer.step().loss;
  }
  place = trainer.info().device;
  return losses;
}

/// Steps that a CUDA graph repeats have the losses of plain ones. The weights hardly move, so that
/// a step shows its own patches, noise and weight of the KL term, and not what those before it did.
Json checkGraph(const Case& c)
{
  TrainOptions o = options(c.shape);
  o.precision = Precision::Float32;
  o.learningRate = 1e-7; // the least
  o.epochs = 1;
  o.stepsPerEpoch = 2 * c.steps; // the weight of the KL term rises in the first 30 %
  std::string place;
  const std::vector<double> plain = lossesOf(c, o, false, place);
  const std::vector<double> graph = lossesOf(c, o, true, place);
  double most = 0, change = 0;
  for (std::size_t i = 0; i < plain.size(); ++i)
  {
    most = std::max(most, std::abs(graph[i] / plain[i] - 1));
    change += i == 0 ? 0 : std::abs(plain[i] / plain[i - 1] - 1);
  }
  change /= static_cast<double>(plain.size() - 1);
  return { { "passed", most < 0.05 * change }, { "differ", most },
    { "differ_from_step_to_step", change }, { "place", place } };
}

/// What was trained on the device rebuilds the same volume on the CPU.
Json checkCpu(const Case& c)
{
  const std::vector<std::uint8_t> voxels = rockOf(c.edge);
  const Volume volume = volumeOf(voxels, c.edge);
  const auto model = TorchModel::load(c.file);
  const auto rebuilt = [&](const std::string& device)
  {
    RunOptions where = run();
    where.device = device;
    Labels labels(voxels.size());
    ReconstructOutputs outputs;
    outputs.values = { labelsTo(labels) };
    model->reconstruct(volume, {}, outputs, where, {});
    return labels;
  };
  const Labels here = rebuilt("cpu");
  Json line = agreement(between(rebuilt(device()), here));
  line["accuracy"] = 1 - between(here, voxels).all;
  return line;
}

/// A thread that has not used the device yet.
Json checkThread(const Case& c)
{
  const Cube cube(c.file, c.edge);
  const Labels here = cube.labels(run());
  Labels there;
  std::string problem;
  const auto work = [&]
  {
    try
    {
      there = cube.labels(run());
    }
    catch (const std::exception& e)
    {
      problem = e.what();
    }
  };
  std::thread(work).join();
  if (!problem.empty())
  {
    throw std::runtime_error(problem);
  }
  const ComputeDevice place = chooseDevice(device(), precision(), threads());
  Json line = agreement(between(here, there));
  if (!place.device.is_cpu())
  {
    std::optional<double> left, leftThere;
    left = freeMemoryOf(place.device);
    std::thread([&] { leftThere = freeMemoryOf(place.device); }).join();
    line["free_gib"] = left.value_or(0) / 1073741824;
    line["free_gib_on_the_thread"] = leftThere.value_or(0) / 1073741824;
    line["passed"] = line["passed"].get<bool>() && left && leftThere && *leftThere > 0.5 * *left;
  }
  return line;
}

/// The largest tiles that are made, against 64 or more: results do not depend on them.
Json checkTiles(const Case& c)
{
  const Cube cube(c.file, c.edge);
  RunOptions few = run(), many = run();
  few.memoryBudget =
    25e-6 * static_cast<double>(cube.size()); // a single tile, if it may be so large
  many.memoryBudget = few.memoryBudget / 64;
  Json line = agreement(between(cube.labels(few), cube.labels(many)));
  line["large"] = cube.model->memoryPlan(cube.dims, few);
  line["small"] = cube.model->memoryPlan(cube.dims, many);
  return line;
}

/// The device's memory is nearly all taken: tiles are halved until they fit, and nothing else
/// changes.
Json checkMemory(const Case& c)
{
  const ComputeDevice place = chooseDevice(device(), precision(), threads());
  if (place.device.is_cpu())
  {
    return { { "skipped", "what the CPU's memory does is in the tests" } };
  }
  const Cube cube(c.file, c.edge);
  RunOptions where = run();
  where.memoryBudget = 40e-6 * static_cast<double>(cube.size()); // more than a single tile
  const Labels before = cube.labels(where);
  const std::optional<double> left = freeMemoryOf(place.device);
  const double kept = 10 * static_cast<double>(cube.size()); // a tile takes about twice that
  if (!left || *left < 2 * kept)
  {
    return { { "passed", false }, { "why", "the free memory is not known, or too little" } };
  }
  const at::Tensor taken = at::empty(
    { static_cast<std::int64_t>(*left - kept) }, at::TensorOptions(place.device).dtype(at::kByte));
  Json line = agreement(between(before, cube.labels(where)));
  line["taken_gib"] = static_cast<double>(taken.nbytes()) / 1073741824;
  line["left_gib"] = kept / 1073741824;
  return line;
}

/// Beyond 2^24 a float32 counts no further. \param edge of the cube of voxels that are counted
Json checkCounts(const Case& c)
{
  const ComputeDevice place = chooseDevice(device(), precision(), threads());
  const auto found = [edge = c.edge](const at::Device& where, std::int64_t times)
  {
    LogOddsHistogram all;
    const at::TensorOptions on = at::TensorOptions(at::kFloat).device(where);
    all.add(at::full({ 2 * times * edge * edge * edge }, 2., on)); // two thirds of the voxels
    all.add(at::full({ times * edge * edge * edge }, -2., on));
    return all.threshold(0.5);
  };
  const double right = found(at::kCPU, 1), there = found(place.device, 64);
  return { { "passed", std::abs(right - there) < 1e-4 },
    { "voxels", 3 * 64 * c.edge * c.edge * c.edge }, { "threshold", there }, { "right", right } };
}

} // namespace

bool check(const std::vector<std::string>& arguments)
{
  const std::map<std::string, Json (*)(const Case&)> checks{ { "train", checkTrain },
    { "graph", checkGraph }, { "cpu", checkCpu }, { "thread", checkThread },
    { "tiles", checkTiles }, { "memory", checkMemory }, { "counts", checkCounts } };
  if (arguments.size() < 3 || !checks.contains(arguments[0]))
  {
    throw std::invalid_argument(
      "A check is train, graph, cpu, thread, tiles, memory or counts, then "
      "MODEL EDGE [SHAPE [STEPS]]");
  }
  Case given{ arguments[1], std::stol(arguments[2]) };
  if (arguments.size() > 3)
  {
    given.shape = shapeOf(arguments[3]);
  }
  if (arguments.size() > 4)
  {
    given.steps = std::stoi(arguments[4]);
  }
  Json line{ { "check", arguments[0] } };
  line.update(checks.at(arguments[0])(given));
  print(line);
  return line.value("passed", true);
}

} // namespace bench
