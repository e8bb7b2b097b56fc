// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Check.h"
#include "Presets.h"
#include "TwoSampleTest.h"

#include <algorithm>
#include <array>
#include <concepts>
#include <initializer_list>
#include <limits>
#include <type_traits>
#include <vector>

// What is known about every option beside its type, default and meaning, which Options.h has:
// label, name in model files, allowed values, when it applies. Checks (Check.cpp), model files
// (ModelInfo.cpp) and planning (Plan.cpp) follow from it. Testing/lint_xml.py compares it with the
// properties in the XML.
namespace vae
{

/// An entry of an enumeration: what users and the XML call it. Model files have the same in lower
/// case, with _ for a space.
struct Entry
{
  int value;
  const char* label;

  template <typename E>
  constexpr Entry(E e, const char* text) : value(static_cast<int>(e))
                                         , label(text)
  {
  }
};

///@{
/// The entries of an enumeration of Options.h; another value is refused.
template <typename E>
inline constexpr std::array<Entry, 0> EntriesOf{};
template <>
inline constexpr std::array EntriesOf<Likelihood>{ Entry{ Likelihood::Automatic, "Automatic" },
  Entry{ Likelihood::Bernoulli, "Bernoulli" }, Entry{ Likelihood::Gaussian, "Gaussian" },
  Entry{ Likelihood::Categorical, "Categorical" }, Entry{ Likelihood::Laplace, "Laplace" } };
template <>
inline constexpr std::array EntriesOf<Scale>{ Entry{ Scale::Analytic, "Analytic" },
  Entry{ Scale::Learned, "Learned" }, Entry{ Scale::Fixed, "Fixed" } };
template <>
inline constexpr std::array EntriesOf<KLSchedule>{ Entry{ KLSchedule::Linear, "Linear" },
  Entry{ KLSchedule::Cyclical, "Cyclical" } };
template <>
inline constexpr std::array EntriesOf<Architecture>{ Entry{ Architecture::Field, "Field" },
  Entry{ Architecture::Vector, "Vector" }, Entry{ Architecture::Dense, "Dense" },
  Entry{ Architecture::TorchScript, "TorchScript" } };
template <>
inline constexpr std::array EntriesOf<Precision>{ Entry{ Precision::Automatic, "Automatic" },
  Entry{ Precision::Float32, "Float32" }, Entry{ Precision::BFloat16, "BFloat16" } };
template <>
inline constexpr std::array EntriesOf<Symmetry>{ Entry{ Symmetry::None, "None" },
  Entry{ Symmetry::Flips, "Flips" }, Entry{ Symmetry::Cube, "Cube" },
  Entry{ Symmetry::Automatic, "Automatic" } };
template <>
inline constexpr std::array EntriesOf<StartFrom>{ Entry{ StartFrom::Automatic, "Automatic" },
  Entry{ StartFrom::Experience, "Experience" },
  Entry{ StartFrom::RandomWeights, "Random Weights" } };
template <>
inline constexpr std::array EntriesOf<BestBy>{ Entry{ BestBy::ValidationLoss, "Validation Loss" },
  Entry{ BestBy::Statistics, "Statistics" } };
template <>
inline constexpr std::array EntriesOf<Quality>{ Entry{ Quality::Preview, "Preview" },
  Entry{ Quality::Good, "Good" }, Entry{ Quality::Best, "Best" },
  Entry{ Quality::Custom, "Custom" } };
template <>
inline constexpr std::array EntriesOf<Purpose>{ Entry{ Purpose::NewVolumes, "New Volumes" },
  Entry{ Purpose::DenoiseAndAnomalies, "Denoise and Anomalies" },
  Entry{ Purpose::Compress, "Compress" }, Entry{ Purpose::Custom, "Custom" } };
template <>
inline constexpr std::array EntriesOf<Execution>{ Entry{ Execution::Automatic, "Automatic" },
  Entry{ Execution::Live, "Live" }, Entry{ Execution::Blocking, "Blocking" } };
template <>
inline constexpr std::array EntriesOf<ReconstructFrom>{ Entry{ ReconstructFrom::PosteriorMean,
                                                          "Posterior Mean" },
  Entry{ ReconstructFrom::PosteriorSample, "Posterior Sample" } };
template <>
inline constexpr std::array EntriesOf<AnomalyMeasure>{ Entry{ AnomalyMeasure::ReconstructionError,
                                                         "Reconstruction Error" },
  Entry{ AnomalyMeasure::KLDivergence, "KL Divergence" },
  Entry{ AnomalyMeasure::Product, "Product" } };
template <>
inline constexpr std::array EntriesOf<Prior>{ Entry{ Prior::Automatic, "Automatic" },
  Entry{ Prior::Normal, "Normal" }, Entry{ Prior::RandomField, "Random Field" },
  Entry{ Prior::Learned, "Learned" } };
template <>
inline constexpr std::array EntriesOf<FractionMode>{ Entry{ FractionMode::Off, "Off" },
  Entry{ FractionMode::TrainingData, "Training Data" },
  Entry{ FractionMode::TargetFraction, "Target Fraction" },
  Entry{ FractionMode::TrendMap, "Trend Map" } };
template <>
inline constexpr std::array EntriesOf<RealizationsAs>{
  Entry{ RealizationsAs::TimeSteps, "Time Steps" }, Entry{ RealizationsAs::Blocks, "Blocks" }
};
template <>
inline constexpr std::array EntriesOf<BlockEdge>{ Entry{ BlockEdge::Automatic, "Automatic" },
  Entry{ BlockEdge::Voxels16, "16" }, Entry{ BlockEdge::Voxels32, "32" },
  Entry{ BlockEdge::Voxels48, "48" }, Entry{ BlockEdge::Voxels64, "64" },
  Entry{ BlockEdge::Voxels96, "96" }, Entry{ BlockEdge::Voxels128, "128" } };
template <>
inline constexpr std::array EntriesOf<LatentSource>{ Entry{ LatentSource::Sample, "Sample" },
  Entry{ LatentSource::Mean, "Mean" }, Entry{ LatentSource::Volume, "Volume" } };
template <>
inline constexpr std::array EntriesOf<Walk>{ Entry{ Walk::Traverse, "Traverse" },
  Entry{ Walk::Linear, "Linear" }, Entry{ Walk::Spherical, "Spherical" } };
template <>
inline constexpr std::array EntriesOf<Phase>{ Entry{ Phase::Automatic, "Automatic" },
  Entry{ Phase::Label, "Label" }, Entry{ Phase::Below, "Below" },
  Entry{ Phase::AtOrAbove, "At Or Above" } };
template <>
inline constexpr std::array EntriesOf<Connectivity>{ Entry{ Connectivity::Faces, "Faces" },
  Entry{ Connectivity::Edges, "Edges" }, Entry{ Connectivity::Corners, "Corners" } };
template <>
inline constexpr std::array EntriesOf<FlowDirection>{ Entry{ FlowDirection::X, "X" },
  Entry{ FlowDirection::Y, "Y" }, Entry{ FlowDirection::Z, "Z" },
  Entry{ FlowDirection::All, "All" } };
template <>
inline constexpr std::array EntriesOf<FlowBoundary>{ Entry{ FlowBoundary::Walls, "Walls" },
  Entry{ FlowBoundary::Slip, "Slip" }, Entry{ FlowBoundary::Periodic, "Periodic" } };
///@}

/// Which numbers an option may be: any, if nothing is said (a real number must be finite).
struct Values
{
  static constexpr double Largest = std::numeric_limits<double>::max();

  double low = -Largest, high = Largest;
  std::array<int, 4> list{};     ///< or one of these, ascending,
  std::size_t listed = 0;        ///< of which so many are meant
  bool slider = false;           ///< the XML has both ends, so that the panel has a slider
  bool judgedByConsumer = false; ///< which knows `high`, and checks

  std::vector<int> choices() const
  {
    return { this->list.begin(), this->list.begin() + this->listed };
  }
  bool any() const { return this->low == -Largest && this->high == Largest; }
};

/// The panel offers a slider.
inline Values slider(double low, double high)
{
  return { .low = low, .high = high, .slider = true };
}
/// The range is too wide for a slider: the panel offers a box to type in, and the XML has `low`
/// only.
inline Values typed(double low, double high) { return { .low = low, .high = high }; }
template <std::size_t N>
Values oneOf(const int (&list)[N])
{
  Values values{
    .low = static_cast<double>(list[0]), .high = static_cast<double>(list[N - 1]), .listed = N
  };
  std::copy_n(list, N, values.list.begin());
  return values;
}
/// From 0 to what the model has.
inline Values indexInModel() { return { .low = 0, .judgedByConsumer = true }; }

/// That an option has an effect with some entries of another option only. The panel hides it
/// otherwise.
struct Condition
{
  const char* label;        ///< of the other option
  std::vector<int> entries; ///< of it; empty: see `withKLTerm`
  bool unused = false;      ///< so that now the value is ignored, whatever it is
};

/// The value is checked in any case.
template <typename E>
Condition shownFor(const char* label, std::initializer_list<E> entries)
{
  Condition c{ label, {} };
  for (const E e : entries)
  {
    c.entries.push_back(static_cast<int>(e));
  }
  return c;
}
/// The value is checked only if `now`, the other option, is one of the entries.
template <typename E>
Condition usedFor(const char* label, E now, std::initializer_list<E> entries)
{
  Condition c = shownFor(label, entries);
  c.unused = std::find(entries.begin(), entries.end(), now) == entries.end();
  return c;
}
/// The objective has a KL term. TestObjectives.cpp compares the XML with those that have one.
inline Condition withKLTerm() { return { "Objective", {} }; }

/// An option: a row of the table.
struct Option
{
  const char* label = "";           ///< of its property; empty: users do not set it
  const char* key = "";             ///< in model files; empty: they do not have it
  Values values = {};               ///< of numbers
  std::vector<Condition> when = {}; ///< all of them
  bool path = false;                ///< of a file; a model file does not tell it
  /// There are model files from before it. Without the key a file means the default, and a default
  /// is no part of fingerprints, so that those files keep their lineage: it must stay what they
  /// were trained with.
  bool later = false;
};

template <typename T, typename Options>
concept Is = std::same_as<std::remove_const_t<T>, Options>;

///@{
/// visitor(member, Option) for each member of the options, in their order.
void visitOptions(auto& v, Is<NetworkOptions> auto& o)
{
  using enum Architecture;
  const auto network = [&o](std::initializer_list<Architecture> users)
  { return usedFor("Network", o.architecture, users); };
  v(o.architecture, { .label = "Network", .key = "architecture" });
  v(o.dimensions, { .key = "dimensions", .values = typed(2, 3) });
  v(o.channels, { .key = "channels", .values = typed(1, 64) });
  v(o.width,
    { .label = "Width",
      .key = "width",
      .values = slider(8, 512),
      .when = { network({ Field, Vector }) } });
  v(o.blocks,
    { .label = "Blocks",
      .key = "blocks",
      .values = slider(1, 8),
      .when = { network({ Field, Vector }) } });
  v(o.latentChannels,
    { .label = "Latent Channels", .key = "latent_channels", .values = slider(1, 64) });
  v(o.latentStride,
    { .label = "Latent Stride",
      .key = "latent_stride",
      .values = oneOf({ 4, 8, 16, 32 }),
      .when = { network({ Field }) } });
  v(o.blockSize,
    { .label = "Block Size",
      .key = "block_size",
      .values = slider(2, 128),
      .when = { network({ Vector, Dense, TorchScript }) } });
  v(o.hiddenUnits,
    { .label = "Hidden Units",
      .key = "hidden_units",
      .values = slider(0, 65536),
      .when = { network({ Dense }) } });
  v(o.codes, { .key = "codes", .values = typed(0, 65536) });
  v(o.encoderFile,
    { .label = "Encoder File",
      .key = "encoder_file",
      .when = { network({ TorchScript }) },
      .path = true });
  v(o.decoderFile,
    { .label = "Decoder File",
      .key = "decoder_file",
      .when = { network({ TorchScript }) },
      .path = true });
}

void visitOptions(auto& v, Is<TrainOptions> auto& o)
{
  v(o.network, { .key = "network" });
  v(o.allowTorchScript,
    { .label = "Allow TorchScript",
      .when = { shownFor("Network", { Architecture::TorchScript }) } });
  v(o.startFrom,
    { .label = "Start From",
      .key = "start_from",
      .when = { shownFor("Network", { Architecture::Field }) },
      .later = true });
  v(o.objective, { .label = "Objective", .key = "objective" });
  v(o.parameters, { .key = "parameters" }); // see Objective.h
  v(o.klSchedule, { .label = "KL Schedule", .key = "kl_schedule", .when = { withKLTerm() } });
  v(o.klRamp,
    { .label = "KL Ramp", .key = "kl_ramp", .values = slider(0, 1), .when = { withKLTerm() } });
  v(o.klCycles,
    { .label = "KL Cycles",
      .key = "kl_cycles",
      .values = slider(1, 1000),
      .when = { shownFor("KL Schedule", { KLSchedule::Cyclical }) } });
  v(o.freeBits,
    { .label = "Free Bits",
      .key = "free_bits",
      .values = slider(0, 10),
      .when = { withKLTerm() } });
  v(o.likelihood, { .label = "Likelihood", .key = "likelihood" });
  v(o.scale,
    { .label = "Likelihood Scale",
      .key = "scale",
      .when = { shownFor(
        "Likelihood", { Likelihood::Automatic, Likelihood::Gaussian, Likelihood::Laplace }) } });
  v(o.fixedScale,
    { .label = "Fixed Scale",
      .key = "fixed_scale",
      .values = slider(1e-3, 1e3),
      .when = { shownFor("Likelihood Scale", { Scale::Fixed }) } });
  v(o.timeBudget,
    { .label = "Time Budget", .key = "time_budget", .values = typed(0, MostSeconds) });
  v(o.epochs, { .label = "Epochs", .key = "epochs", .values = typed(0, 10000000) });
  v(o.priorShare, { .label = "Prior Share", .key = "prior_share", .values = slider(0, 0.9) });
  v(o.patience, { .label = "Patience", .key = "patience", .values = typed(0, 10000000) });
  v(o.bestBy, { .label = "Best By", .key = "best_by" });
  v(o.stepsPerEpoch,
    { .label = "Steps Per Epoch", .key = "steps_per_epoch", .values = typed(1, 100000) });
  v(o.patchSize,
    { .label = "Patch Size",
      .key = "patch_size",
      .values = typed(o.network.stride(), 512),
      .when = { usedFor("Network", o.network.architecture, { Architecture::Field }) } });
  v(o.batchSize, { .label = "Batch Size", .key = "batch_size", .values = slider(0, 4096) });
  v(o.learningRate, { .label = "Learning Rate", .key = "learning_rate", .values = typed(1e-7, 1) });
  v(o.weightDecay, { .key = "weight_decay" });
  v(o.gradientClip, { .key = "gradient_clip" });
  v(o.symmetry, { .label = "Symmetry", .key = "symmetry" });
  v(o.validationFraction,
    { .label = "Validation Fraction", .key = "validation_fraction", .values = slider(0, 0.5) });
  v(o.classBalance, { .label = "Class Balance", .key = "class_balance", .values = slider(0, 1) });
  v(o.seed, { .label = "Seed", .key = "seed" });
  v(o.device, { .label = "Device", .key = "device" });
  v(o.precision, { .label = "Precision", .key = "precision" });
  v(o.threads, { .label = "Threads", .key = "threads", .values = typed(0, MostThreads) });
}

void visitOptions(auto& v, Is<PresetOptions> auto& o)
{
  v(o.quality, { .label = "Quality" });
  v(o.purpose, { .label = "Purpose" });
}

void visitOptions(auto& v, Is<SessionOptions> auto& o)
{
  v(o.execution, { .label = "Execution" });
  v(o.modelFile, { .label = "Model File" });
  v(o.alwaysTrain, { .label = "Always Train" });
  v(o.overwrite, { .label = "Overwrite Model File" });
  v(o.checkpointInterval, { .label = "Checkpoint Interval", .values = typed(0, MostSeconds) });
  v(o.refreshInterval, { .label = "Refresh Interval", .values = typed(0, MostSeconds) });
  v(o.saveOptimizer, { .label = "Save Optimizer" });
}

void visitOptions(auto& v, Is<LoadOptions> auto& o)
{
  v(o.allowTorchScript, { .label = "Allow TorchScript" });
}

void visitOptions(auto& v, Is<RunOptions> auto& o)
{
  v(o.device, { .label = "Device" });
  v(o.precision, { .label = "Precision" });
  v(o.threads, { .label = "Threads", .values = typed(0, MostThreads) });
  v(o.memoryBudget, { .label = "Memory Budget", .values = typed(0, 1e9) });
}

void visitOptions(auto& v, Is<ReconstructOptions> auto& o)
{
  v(o.reconstructFrom, { .label = "Reconstruct From" });
  v(o.realizations,
    { .label = "Realizations",
      .values = typed(1, MostSteps),
      .when = { shownFor("Reconstruct From", { ReconstructFrom::PosteriorSample }) } });
  v(o.realization, {});
  v(o.strength, { .label = "Strength", .values = slider(0, 1) });
  v(o.samples, { .label = "Samples", .values = slider(2, 10000) });
  v(o.seed, { .label = "Seed" });
  v(o.threshold, { .label = "Threshold" });
  v(o.anomalyMeasure, { .label = "Anomaly Measure" });
}

void visitOptions(auto& v, Is<GenerateOptions> auto& o)
{
  v(o.prior, { .label = "Prior" });
  v(o.seed, { .label = "Seed" });
  v(o.realization, {});
  v(o.reduceVariance, { .label = "Reduce Variance" });
  v(o.temperature, { .label = "Temperature", .values = slider(0, 10) });
  v(o.periodic[0], { .label = "Periodic X" });
  v(o.periodic[1], { .label = "Periodic Y" });
  v(o.periodic[2], { .label = "Periodic Z" });
  v(o.texture, { .label = "Texture" });
  v(o.correctLongWaves, { .label = "Correct Long Waves" });
  v(o.correctFraction, { .label = "Correct Fraction" });
}

void visitOptions(auto& v, Is<FractionOptions> auto& o)
{
  v(o.fractionMode, { .label = "Fraction Mode" });
  v(o.targetFraction,
    { .label = "Target Fraction",
      .values = slider(0, 1),
      .when = { shownFor("Fraction Mode", { FractionMode::TargetFraction }) } });
  v(o.phase, { .label = "Phase" });
}

void visitOptions(auto& v, Is<RealizationOptions> auto& o)
{
  v(o.realizations, { .label = "Realizations", .values = typed(1, MostSteps) });
  v(o.realizationsAs, { .label = "Realizations As" });
}

void visitOptions(auto& v, Is<WalkOptions> auto& o)
{
  const Condition traverse = shownFor("Walk", { Walk::Traverse }),
                  toEnd = shownFor("Walk", { Walk::Linear, Walk::Spherical });
  v(o.walk, { .label = "Walk" });
  v(o.steps, { .label = "Steps", .values = typed(2, MostSteps) });
  v(o.channel, { .label = "Channel", .values = indexInModel(), .when = { traverse } });
  v(o.range, { .label = "Range", .values = slider(0, 100), .when = { traverse } });
  v(o.start, { .label = "Start" });
  v(o.end, { .label = "End", .when = { toEnd } });
  v(o.startSeed,
    { .label = "Start Seed", .when = { shownFor("Start", { LatentSource::Sample }) } });
  v(o.endSeed,
    { .label = "End Seed", .when = { toEnd, shownFor("End", { LatentSource::Sample }) } });
}

void visitOptions(auto& v, Is<ExplorerOptions> auto& o)
{
  v(o.base, { .label = "Base" });
  v(o.seed, { .label = "Seed", .when = { shownFor("Base", { LatentSource::Sample }) } });
  v(o.blockSize, { .label = "Block Size", .values = typed(0, MostVoxels) });
}

void visitOptions(auto& v, Is<FeatureOptions> auto& o)
{
  v(o.blockSize, { .label = "Block Size", .values = typed(1, MostVoxels) });
}

void visitOptions(auto& v, Is<TwoSampleOptions> auto& o)
{
  v(o.blockSize, { .label = "Block Size" });
  v(o.steps, { .label = "Steps", .values = typed(1, 100000) });
  v(o.control, { .label = "Control" });
  v(o.distances, { .label = "Distances" });
  v(o.surestBlocks, { .label = "Surest Blocks", .values = slider(0, 64) });
  v(o.symmetry, { .label = "Symmetry" });
  v(o.seed, { .label = "Seed" });
}

void visitOptions(auto& v, Is<StatisticsOptions> auto& o)
{
  v(o.phase, { .label = "Phase" });
  v(o.value, { .label = "Value" });
  v(o.periodic, { .label = "Periodic" });
  v(o.maximumLag, { .label = "Maximum Lag", .values = typed(0, MostVoxels) });
  v(o.connectivity, { .label = "Connectivity" });
  v(o.cubeSize, { .label = "Cube Size", .values = typed(2, MostVoxels) });
  v(o.blockSize, { .label = "Block Size", .values = typed(0, MostVoxels) });
  v(o.thresholds, { .label = "Thresholds", .values = slider(0, 1000) });
  v(o.radial, { .label = "Radial" });
  v(o.cluster, { .label = "Cluster" });
  v(o.poreSize, { .label = "Pore Size" });
  v(o.localPercolation, { .label = "Local Percolation" });
  v(o.tortuosity, { .label = "Tortuosity" });
  v(o.threads, { .label = "Threads", .values = typed(0, MostThreads) });
}

void visitOptions(auto& v, Is<PermeabilityOptions> auto& o)
{
  v(o.phase, { .label = "Phase" });
  v(o.value, { .label = "Value" });
  v(o.direction, { .label = "Direction" });
  v(o.boundary, { .label = "Boundary" });
  v(o.tolerance, { .label = "Tolerance", .values = slider(1e-5, 0.1) });
  v(o.maximumIterations, { .label = "Maximum Iterations", .values = typed(1, 100000) });
  v(o.spacingInMetres, { .label = "Spacing In Metres", .values = typed(1e-15, 1e6) });
  v(o.tortuosity, { .label = "Tortuosity" });
  v(o.threads, { .label = "Threads", .values = typed(0, MostThreads) });
}
///@}

} // namespace vae
