// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Bench.h"

#include "Generator.h"
#include "Rock.h"
#include "TimePlan.h"
#include "Torch/Calibration/Calibrator.h"
#include "Torch/Inference/TorchModel.h"
#include "Torch/Training/TorchTrainer.h"

#include <algorithm>
#include <cmath>
#include <ctime>
#include <map>
#include <stdexcept>
#include <thread>

namespace bench
{
namespace
{

using namespace vae;

/// Seconds that the machine would have taken alone: those of the processor, over the threads. Other
/// programs do not count.
double alone()
{
  const double cores = threads() > 0 ? threads() : std::thread::hardware_concurrency();
  timespec t{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec)) / cores;
}

/// Two-point probability of label 0 at lags from 0 on, the mean of the axes.
std::vector<double> twoPoint(const std::vector<std::uint8_t>& voxels, std::int64_t edge)
{
  constexpr std::int64_t lags = 24;
  std::vector<double> all;
  for (std::int64_t lag = 0; lag <= lags; ++lag)
  {
    std::int64_t both = 0, pairs = 0;
    for (const std::int64_t stride : { std::int64_t(1), edge, edge * edge })
    {
      for (std::int64_t i = 0; i < edge * edge * edge; ++i)
      {
        if (i / stride % edge + lag < edge)
        {
          ++pairs;
          both += voxels[static_cast<std::size_t>(i)] == 0 &&
            voxels[static_cast<std::size_t>(i + lag * stride)] == 0;
        }
      }
    }
    all.push_back(static_cast<double>(both) / static_cast<double>(pairs));
  }
  return all;
}

/// What is drawn from the random field, beside the rock.
void judge(const Model& model, const std::vector<std::uint8_t>& rock, std::int64_t edge)
{
  constexpr int count = 8;
  constexpr std::int64_t size = 96;
  const std::vector<double> wanted = twoPoint(rock, edge);
  std::vector<double> mean(wanted.size()), porosity;
  std::vector<std::uint8_t> labels(static_cast<std::size_t>(size * size * size));
  Outputs outputs;
  outputs.values = { labelsTo(labels) };
  GenerateRequest request;
  request.dims = { size, size, size };
  request.options.prior = Prior::RandomField;
  for (int i = 0; i < count; ++i)
  {
    request.options.realization = i;
    Generator(model).generate(request, outputs, run());
    const std::vector<double> seen = twoPoint(labels, size);
    porosity.push_back(seen.front());
    std::ranges::transform(
      mean, seen, mean.begin(), [](double a, double b) { return a + b / count; });
  }
  // Of the covariance: S2 beyond its lags tells the porosity only.
  const auto covariance = [](const std::vector<double>& s2, std::size_t lag)
  { return s2[lag] - s2[0] * s2[0]; };
  double error = 0, excess = 0, scatter = 0;
  for (std::size_t lag = 0; lag < wanted.size(); ++lag)
  {
    error += std::abs(covariance(mean, lag) - covariance(wanted, lag));
    excess += std::abs(covariance(wanted, lag));
  }
  for (const double p : porosity)
  {
    scatter += (p - mean[0]) * (p - mean[0]) / (count - 1);
  }
  print({ { "prior", "random field" }, { "covariance_error", error / excess },
    { "porosity", mean[0] }, { "scatter", std::sqrt(scatter) }, { "of_the_data", wanted[0] } });
}

} // namespace

void closing(const std::vector<std::string>& arguments)
{
  if (arguments.size() < 3)
  {
    throw std::invalid_argument("closing needs EDGE, STEPS and SECONDS");
  }
  const std::int64_t edge = std::stol(arguments[0]);
  const double budget = std::stod(arguments[2]);
  constexpr std::int64_t whole = 160; // larger rocks are copies of a small one
  const std::vector<std::uint8_t> voxels =
    edge <= whole ? rock::cementedGrains({ static_cast<int>(edge), 0.2, 8, 1 }) : rockOf(edge);
  TrainOptions o = options();
  o.epochs = 1;
  o.stepsPerEpoch = std::stoi(arguments[1]);
  o.priorShare = arguments.size() > 3 ? std::stod(arguments[3]) : 0;
  const auto data = std::make_shared<const DataSet>(std::vector<Volume>{ volumeOf(voxels, edge) });
  const auto plain = modelOf(data->volumes.front(), o);
  const TrainingSet set(data, plain->info());
  const ModelInfo& info = plain->info();
  std::vector<const char*> names{ "latent field", "match of the random field" };
  if (plain->calibration().learned)
  {
    names.insert(names.end(), { "match of the learned prior", "spread of the learned prior" });
  }
  names.insert(names.end(), { "anomaly scores", "texture" });
  if (plain->calibration().learned && info.priorSteps >= EnoughPriorSteps)
  {
    names.push_back("texture of what is drawn");
  }
  names.push_back("verdict");
  const double begin = alone();
  std::map<double, double> begun{ { 0, begin } }; // by the progress that is told then
  Monitor monitor;
  monitor.progress = [&](double fraction) { begun.try_emplace(fraction, alone()); };
  Calibration given;
  given.learned = plain->calibration().learned;
  Calibrator calibrator(plain->info(), plain->network(), std::move(given), set, run());
  constexpr double share = 0.1; // of the budget
  const auto left = [&] { return share * budget - (alone() - begin); };
  Calibration found = calibrator.all(monitor, budget > 0 ? std::function<double()>(left) : nullptr);
  const double end = alone();
  const auto tell = [&](const char* part, double seconds, Json line)
  {
    line.update(
      { { "part", part }, { "seconds", seconds }, { "share", budget > 0 ? seconds / budget : 0 } });
    print(line);
  };
  std::size_t number = 0;
  for (auto it = begun.begin(); it != begun.end() && number < names.size(); ++number)
  {
    const double from = it->second, to = ++it == begun.end() ? end : it->second;
    tell(names[number], to - from, {});
  }
  tell("all", end - begin, { { "told", found.leftOut } });
  judge(TorchModel(plain->info(), plain->network(), std::move(found)), voxels, edge);
}

} // namespace bench
