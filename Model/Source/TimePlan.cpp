// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "TimePlan.h"

#include "Check.h"
#include "Plan.h"
#include "Presets.h"

#include <algorithm>
#include <cmath>
#include <format>
#include <limits>
#include <stdexcept>

namespace vae
{
namespace
{

constexpr double ClosingShare = 0.15; ///< of a time budget, at most

/// Of a step of the prior: its multiplications are of larger matrices than the network's.
double priorStepOperations(const NetworkOptions& n)
{
  constexpr double width = 64, cells = 7000; // as in Torch/Training/PriorTrainer.cpp
  const double kernel = std::pow(3, n.dimensions), half = std::pow(2, n.dimensions);
  const double latent = n.latentChannels;
  const double fine = (2 * latent + 2) * width + 8 * width * width + width * latent,
               coarse = 8 * 4 * width * width / half, between = 2 * 2 * width * width;
  return 3 * 2 * cells * (kernel * (fine + coarse) + between);
}

/// Steps of a prior. Whether experience fits is not known here: describe() says what if not.
std::int64_t fewestOf(const TrainOptions& options)
{
  return fewestPriorSteps(options.startFrom != StartFrom::RandomWeights);
}

/// Voxels that are encoded for the prior.
double priorDataVoxels(const NetworkOptions& n, double voxels)
{
  constexpr double edge = 28, most = 48, least = 8,
                   symmetries = 12; // as in Torch/Training/PriorTrainer.cpp
  const double patch = std::min(voxels, std::pow(edge * n.stride(), n.dimensions));
  return patch * std::clamp(std::ceil(symmetries * voxels / patch), least, most);
}

} // namespace

Costs costsOf(
  const TrainOptions& options, std::int64_t voxels, double speed, std::int64_t priorSteps)
{
  const NetworkOptions& n = options.network;
  const Plan plan = planOf(options);
  const auto all = static_cast<double>(voxels);
  // Encoding or decoding a voxel; tiles have halos.
  const double pass = 1.2 * plan.operationsPerVoxel / 6 / speed;
  Costs costs;
  costs.networkStep = static_cast<double>(plan.voxelsPerStep) * plan.operationsPerVoxel / speed;
  costs.priorStep = priorStepOperations(n) / speed;
  costs.priorData = pass * priorDataVoxels(n, all);
  constexpr double scored = 1 << 22, textured = 1 << 21;
  costs.closing = pass * (all + 2 * std::min(all, scored) + 9 * std::min(all, textured));
  if (n.architecture == Architecture::Field)
  {
    constexpr double looks = 49, cells = 20000; // halos, and the phases' threshold, included
    costs.closing += looks * cells * std::pow(n.stride(), n.dimensions) * pass;
    // Samples of the prior, in 50 passes each: of 28 cells along each axis, of 12.
    constexpr double passes = 50. / 3 / 7000, large = 21952, small = 1728, stepsASample = 750;
    const double samples = std::clamp(static_cast<double>(priorSteps) / stepsASample, 1., 8.);
    constexpr double judged = 4; // volumes that the verdict draws, as large as the small one
    costs.closing +=
      priorSteps > 0 ? (samples * large + (1 + judged) * small) * passes * costs.priorStep : 0;
    costs.closing +=
      2 * pass * (std::min(all, 1e6) + judged * small * std::pow(n.stride(), n.dimensions));
  }
  return costs;
}

double closingTime(const TrainOptions& options, const Costs& costs)
{
  const double most = options.timeBudget > 0 ? ClosingShare * options.timeBudget
                                             : std::numeric_limits<double>::infinity();
  return std::isfinite(costs.closing) ? std::min(costs.closing, most) : most;
}

std::int64_t priorStepsIn(double seconds, const Costs& costs)
{
  const double left = std::max(0., seconds - std::min(PriorDataShare * seconds, costs.priorData));
  return static_cast<std::int64_t>(std::min(left / costs.priorStep, 1e15));
}

TimePlan timePlanOf(const TrainOptions& options, std::int64_t voxels, double speed)
{
  constexpr double infinity = std::numeric_limits<double>::infinity();
  const double share = options.priorShare;
  const double steps =
    options.epochs > 0 ? static_cast<double>(options.epochs) * options.stepsPerEpoch : infinity;
  const double priorSteps = steps * share / (1 - share); // Epochs counts those of the network
  Costs costs = costsOf(options, voxels, speed);
  TimePlan plan;
  const auto divide = [&](double part)
  {
    plan.closing = closingTime(options, costs);
    const double usable = options.timeBudget > 0 ? options.timeBudget - plan.closing : infinity;
    plan.network = std::min((1 - part) * usable, steps * costs.networkStep);
    plan.prior =
      part > 0 ? std::min(part * usable, priorSteps * costs.priorStep + costs.priorData) : 0;
    plan.networkSteps = std::llround(plan.network / costs.networkStep);
    plan.priorSteps = part > 0 ? priorStepsIn(plan.prior, costs) : 0;
  };
  divide(share);
  costs = costsOf(options, voxels, speed, plan.priorSteps);
  divide(share);
  plan.priorLeftOut = share > 0 && options.timeBudget > 0 &&
    static_cast<double>(plan.priorSteps) <
      std::min(static_cast<double>(fewestOf(options)), std::floor(priorSteps));
  if (plan.priorLeftOut)
  {
    costs = costsOf(options, voxels, speed);
    divide(0);
  }
  return plan;
}

std::string describe(const TrainOptions& asked, const Dims& dims, double speed)
{
  TrainOptions options = asked;
  try
  {
    check(options);
  }
  catch (const std::invalid_argument& e)
  {
    return e.what() + std::string(".");
  }
  const Plan plan = planOf(options);
  std::string words = std::format(
    "{:.2f} million parameters; the receptive field is {} voxels along each axis; about {:.0f} MiB "
    "for the model and {:.0f} MiB for a batch. {}.",
    static_cast<double>(plan.parameters) / 1e6, plan.receptiveField, plan.modelMemory / 1048576,
    plan.batchMemory / 1048576, inWords(presetsOf(asked)));
  const bool limited = options.timeBudget > 0 || options.epochs > 0;
  if (!(speed > 0) || !(plan.operationsPerVoxel > 0) || !limited)
  {
    return words;
  }
  // As PriorTrainer::suits() has it.
  const bool small = std::any_of(dims.begin(), dims.end(),
    [&](std::int64_t n) { return n > 1 && n <= 7 * options.network.stride(); });
  if (small || options.network.architecture != Architecture::Field)
  {
    options.priorShare = 0;
  }
  const TimePlan time = timePlanOf(options, voxels(dims), speed);
  words +=
    std::format(" About {:.1f} million voxels/s here: {:.0f} s for the autoencoder ({} steps), ",
      speed / plan.operationsPerVoxel / 1e6, time.network, time.networkSteps);
  if (time.priorSteps > 0)
  {
    words += std::format("{:.0f} s for the prior ({} steps), ", time.prior, time.priorSteps);
  }
  words += std::format("{:.0f} s for the measurements at the end.", time.closing);
  if (time.priorLeftOut)
  {
    words += " No prior is learned: it would have fewer than " + std::to_string(fewestOf(options)) +
      " steps.";
  }
  else if (time.priorSteps > 0 && time.priorSteps < FewestPriorSteps && options.timeBudget > 0 &&
    fewestOf(options) < FewestPriorSteps)
  {
    words += std::format(" Where experience does not fit, no prior is learned: from random weights "
                         "it needs {} steps.",
      FewestPriorSteps);
  }
  return words;
}

} // namespace vae
