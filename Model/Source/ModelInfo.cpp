// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "ModelInfo.h"

#include "ModelChecks.h"
#include "StoredJson.h"

#include <cstdio>
#include <format>

namespace vae
{
namespace
{

constexpr double Largest = std::numeric_limits<double>::max(), LargestInt = 2147483647,
                 LargestWhole = ToJson::LargestWhole;
constexpr Allowed Finite;
constexpr Allowed Measured{ .unknown = true };
constexpr Allowed Count{ 0, LargestInt }, LongCount{ 0, LargestWhole };
constexpr Allowed Fraction{ 0, 1 };
constexpr Allowed Positive{ 1e-300, Largest };

} // namespace

static Names namesOf(ScalarType)
{
  return { "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32",
    "float64" };
}
static Names namesOf(Ending) { return { "none", "budget", "patience", "stopped", "diverged" }; }
static Names namesOf(Beginning) { return { "fresh", "resumed", "fine-tuned", "experienced" }; }

///@{
/// The members of each struct. Outside a nameless namespace, where StoredJson.h finds them.
static void visit(auto& v, Is<NetworkOptions> auto& o)
{
  const Stored<std::remove_reference_t<decltype(v)>> stored{ v, true };
  visitOptions(stored, o);
}

static void visit(auto& v, Is<TrainOptions> auto& o)
{
  const Stored<std::remove_reference_t<decltype(v)>> stored{ v, false };
  visitOptions(stored, o);
}

static void visit(auto& v, Is<ChannelInfo> auto& o)
{
  v("array", o.array);
  v("component", o.component, Count);
  v("components", o.components, Allowed{ 1, 64 });
  v("type", o.type);
  v("offset", o.offset, Finite);
  v("scale", o.scale, Positive);
  v("minimum", o.minimum, Finite);
  v("maximum", o.maximum, Finite);
  v("mean", o.mean, Finite);
  v("phases", o.phases, Allowed{ .most = MostPhases });
  v("fractions", o.fractions, Allowed{ 0, 1, MostPhases });
  v("residual", o.residual, Allowed{ 0, Largest });
}

static void visit(auto& v, Is<EpochRecord> auto& o)
{
  v("epoch", o.epoch, Count);
  v("step", o.step, LongCount);
  v("seconds", o.seconds, Measured);
  v("loss", o.loss, Measured);
  v("reconstruction", o.reconstruction, Measured);
  v("kl", o.kl, Measured);
  v("validation_loss", o.validationLoss, Measured);
  v("statistics_error", o.statisticsError, Measured);
  v("validation_quality", o.validationQuality, Measured);
  v("kl_weight", o.klWeight, Measured);
  v("learning_rate", o.learningRate, Measured);
  v("sigma", o.sigma, Measured);
  v("active_latents", o.activeLatents, Allowed{ 0, 64 });
  v("kl_of_latents", o.klOfLatents, Measured);
  v("mutual_information", o.mutualInformation, Measured);
  v("mmd", o.mmd, Measured);
  v("measures", o.measures, Measured);
  v("prior_loss", o.priorLoss, Measured);
  v("voxels_per_second", o.voxelsPerSecond, Measured);
}

static void visit(auto& v, Is<AugmentationSymmetry> auto& o)
{
  v("flips", o.flips);
  v("together", o.together);
  v("kind", o.kind, Allowed{ 0, 2 });
}

static void visit(auto& v, Is<Lineage> auto& o)
{
  v("kind", o.kind);
  v("data", o.data);
  v("options", o.options);
  v("parent", o.parent);
  v.later("experience", o.experience);
}

static void visit(auto& v, Is<Verdict> auto& o)
{
  v("generated", o.generated, Measured);
  v("rebuilt", o.rebuilt, Measured);
  v("control", o.control, Measured);
  v("prior", o.prior);
  v("held_out", o.heldOut);
  v("block", o.block, Count);
  v("blocks", o.blocks, Count);
  v("real_blocks", o.realBlocks, Count);
  v("without", o.without);
}

static void visit(auto& v, Is<ModelInfo> auto& o)
{
  v("network", o.network);
  v("likelihood", o.likelihood);
  v("likelihood_reason", o.likelihoodReason);
  v.later("turns", o.augmentation);
  v.later("symmetry_reason", o.symmetryReason);
  v("channels", o.channels, Allowed{ .most = 64 });
  v("spacing", o.spacing, Positive);
  v("training_dims", o.trainingDims, Allowed{ 1, LargestInt });
  v("cell_data", o.cellData);
  v("options", o.options);
  v("fingerprint", o.fingerprint);
  v.later("lineage", o.lineage);
  v.later("start_reason", o.startReason);
  v("device", o.device);
  v("producer", o.producer);
  v("parameters", o.parameters, LongCount);
  v("sigma", o.sigma, Allowed{ 1e-38, 1e38 });
  v("history", o.history, Allowed{ .most = 100000 });
  v.later("prior_width", o.priorWidth, Allowed{ 1, 4096 });
  v.later("prior_cells", o.priorCells, Allowed{ 1, 1 << 24 });
  v("prior_steps", o.priorSteps, LongCount);
  v.later("prior_started", o.priorStarted);
  v.later("prior_spread", o.priorSpread, Allowed{ .low = 0, .unknown = true });
  v("texture_width", o.textureWidth, Allowed{ 0, 16 });
  v.later("texture_white", o.textureWhite, Fraction);
  v("best_epoch", o.bestEpoch, Count);
  v("ending", o.ending);
  v("warning", o.warning);
  v.later("left_out", o.leftOut);
  v.later("verdict", o.verdict);
}
///@}

const char* name(Likelihood likelihood) { return nameOf(likelihood); }
const char* name(Architecture architecture) { return nameOf(architecture); }
const char* name(ScalarType type) { return nameOf(type); }
const char* name(Ending ending) { return nameOf(ending); }

std::string toJson(const ModelInfo& info)
{
  // So many rows that a file's header stays within what a reader allows: every second one, or
  // fewer, of a very long history.
  const std::size_t values = 22 + static_cast<std::size_t>(std::max(info.latentChannels(), 0)) +
    (info.history.empty() ? 0 : info.history.back().measures.size());
  const std::size_t most = 350000 / values, rows = info.history.size(), step = rows / most + 1;
  if (step == 1)
  {
    return dumpJson(ToJson{ false }.convert(info));
  }
  ModelInfo shorter = info;
  shorter.history.clear();
  for (std::size_t i = (rows - 1) % step; i < rows; i += step) // the last one, too
  {
    shorter.history.push_back(info.history[i]);
  }
  return dumpJson(ToJson{ false }.convert(shorter));
}

std::string toText(const TrainOptions& options)
{
  Json json = ToJson{ true }.convert(options);
  leaveOutLaterDefaults<TrainOptions>(json);
  leaveOutLaterDefaults<NetworkOptions>(json["network"]);
  return dumpJson(json);
}

ModelInfo modelInfoFromJson(const std::string& text)
{
  ModelInfo info;
  const Json json = parseJson(text);
  FromJson from{ json, {} };
  visit(from, info);
  checkConsistent(info);
  return info;
}

ModelInfo modelInfoOf(const std::string& path, const std::map<std::string, std::string>& metadata)
{
  const auto format = metadata.find("format"), model = metadata.find("model");
  if (format == metadata.end() || format->second != ModelFormat || model == metadata.end())
  {
    throw std::runtime_error(path + ": is a safetensors file, but not a VAE model (format " +
      (format == metadata.end() ? "missing" : '"' + format->second.substr(0, 80) + '"') +
      ", expected \"" + ModelFormat + "\")");
  }
  try
  {
    return modelInfoFromJson(model->second);
  }
  catch (const std::runtime_error& e)
  {
    throw std::runtime_error(path + ": is not a usable VAE model: " + e.what());
  }
}

std::string hashOf(const std::string& text)
{
  std::uint64_t h = 14695981039346656037ull; // FNV-1a
  for (const char c : text)
  {
    h = (h ^ static_cast<unsigned char>(c)) * 1099511628211ull;
  }
  return std::format("{:016x}", h);
}

namespace
{

std::string textOf(
  const std::vector<Volume>& volumes, const std::vector<std::vector<ChannelSummary>>& summaries)
{
  std::string text;
  for (std::size_t i = 0; i < volumes.size(); ++i)
  {
    const Volume& v = volumes[i];
    ToJson to{ true };
    to("dims", v.dims);
    to("spacing", v.spacing);
    to("cell_data", v.cellData);
    text += dumpJson(to.Out);
    for (const Channel& c : v.channels)
    {
      text += c.array + '/' + std::to_string(c.component) + '/' + name(c.type) + '/';
    }
    for (const ChannelSummary& s : summaries[i])
    {
      text += std::to_string(s.hash) + '/';
    }
  }
  return text;
}

} // namespace

std::string fingerprint(const std::vector<Volume>& volumes,
  const std::vector<std::vector<ChannelSummary>>& summaries, const TrainOptions& options)
{
  return hashOf(toText(options) + textOf(volumes, summaries));
}

std::string dataHash(
  const std::vector<Volume>& volumes, const std::vector<std::vector<ChannelSummary>>& summaries)
{
  return hashOf(textOf(volumes, summaries));
}

TrainOptions withLimitsOf(TrainOptions options, const TrainOptions& limits)
{
  options.timeBudget = limits.timeBudget;
  options.epochs = limits.epochs;
  options.patience = limits.patience;
  return options;
}

} // namespace vae
