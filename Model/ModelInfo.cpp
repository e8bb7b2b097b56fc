// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "ModelInfo.h"

#include "Json.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <stdexcept>

namespace vae
{
namespace
{

constexpr const char* ScalarNames[] = { "int8", "uint8", "int16", "uint16", "int32", "uint32",
  "int64", "uint64", "float32", "float64" };
constexpr const char* LikelihoodNames[] = { "automatic", "bernoulli", "gaussian", "categorical",
  "laplace" };
constexpr const char* ScaleNames[] = { "analytic", "learned", "fixed" };
constexpr const char* ScheduleNames[] = { "linear", "cyclical" };
constexpr const char* ArchitectureNames[] = { "field", "vector", "dense", "torchscript" };
constexpr const char* PrecisionNames[] = { "automatic", "float32", "bfloat16" };
constexpr const char* BestByNames[] = { "validation_loss", "statistics" };
constexpr const char* SymmetryNames[] = { "none", "flips", "cube", "automatic" };
constexpr const char* EndingNames[] = { "none", "budget", "patience", "stopped", "diverged" };

template <typename Enum, std::size_t N>
Enum fromName(const char* const (&names)[N], const Json& value, const char* what)
{
  for (std::size_t i = 0; i < N; ++i)
  {
    if (value.string() == names[i])
    {
      return static_cast<Enum>(i);
    }
  }
  throw std::runtime_error(std::string(what) + " \"" + value.string() + "\" is not known");
}

// One list of members for each struct serves writing, reading and the fingerprint.
template <typename V, typename T>
void visit(V& v, T& o)
  requires std::is_same_v<std::remove_const_t<T>, NetworkOptions>
{
  v("architecture", o.architecture);
  v("dimensions", o.dimensions);
  v("channels", o.channels);
  v("width", o.width);
  v("blocks", o.blocks);
  v("latent_channels", o.latentChannels);
  v("latent_stride", o.latentStride);
  v("block_size", o.blockSize);
  v("hidden_units", o.hiddenUnits);
  v("codes", o.codes);
  v("encoder_file", o.encoderFile);
  v("decoder_file", o.decoderFile);
}

template <typename V, typename T>
void visit(V& v, T& o)
  requires std::is_same_v<std::remove_const_t<T>, TrainOptions>
{
  v("network", o.network);
  v("objective", o.objective);
  v("parameters", o.parameters);
  v("kl_schedule", o.klSchedule);
  v("kl_ramp", o.klRamp);
  v("kl_cycles", o.klCycles);
  v("free_bits", o.freeBits);
  v("likelihood", o.likelihood);
  v("scale", o.scale);
  v("fixed_scale", o.fixedScale);
  v("time_budget", o.timeBudget);
  v("epochs", o.epochs);
  v("prior_share", o.priorShare);
  v("patience", o.patience);
  v("best_by", o.bestBy);
  v("steps_per_epoch", o.stepsPerEpoch);
  v("patch_size", o.patchSize);
  v("batch_size", o.batchSize);
  v("learning_rate", o.learningRate);
  v("weight_decay", o.weightDecay);
  v("gradient_clip", o.gradientClip);
  v("symmetry", o.symmetry);
  v("validation_fraction", o.validationFraction);
  v("class_balance", o.classBalance);
  v("seed", o.seed);
  v("device", o.device);
  v("precision", o.precision);
  v("threads", o.threads);
}

template <typename V, typename T>
void visit(V& v, T& o)
  requires std::is_same_v<std::remove_const_t<T>, ChannelInfo>
{
  v("array", o.array);
  v("component", o.component);
  v("components", o.components);
  v("type", o.type);
  v("offset", o.offset);
  v("scale", o.scale);
  v("minimum", o.minimum);
  v("maximum", o.maximum);
  v("mean", o.mean);
  v("phases", o.phases);
  v("fractions", o.fractions);
  v("residual", o.residual);
}

template <typename V, typename T>
void visit(V& v, T& o)
  requires std::is_same_v<std::remove_const_t<T>, EpochRecord>
{
  v("epoch", o.epoch);
  v("step", o.step);
  v("seconds", o.seconds);
  v("loss", o.loss);
  v("reconstruction", o.reconstruction);
  v("kl", o.kl);
  v("validation_loss", o.validationLoss);
  v("statistics_error", o.statisticsError);
  v("validation_quality", o.validationQuality);
  v("kl_weight", o.klWeight);
  v("learning_rate", o.learningRate);
  v("sigma", o.sigma);
  v("active_latents", o.activeLatents);
  v("kl_of_latents", o.klOfLatents);
  v("mutual_information", o.mutualInformation);
  v("mmd", o.mmd);
  v("measures", o.measures);
  v("prior_loss", o.priorLoss);
  v("voxels_per_second", o.voxelsPerSecond);
}

template <typename V, typename T>
void visit(V& v, T& o)
  requires std::is_same_v<std::remove_const_t<T>, Turns>
{
  v("flips", o.flips);
  v("together", o.together);
  v("kind", o.kind);
}

template <typename V, typename T>
void visit(V& v, T& o)
  requires std::is_same_v<std::remove_const_t<T>, ModelInfo>
{
  v("network", o.network);
  v("likelihood", o.likelihood);
  v("likelihood_reason", o.likelihoodReason);
  v.later("turns", o.turns);
  v.later("symmetry_reason", o.symmetryReason);
  v("channels", o.channels);
  v("spacing", o.spacing);
  v("training_dims", o.trainingDims);
  v("cell_data", o.cellData);
  v("options", o.options);
  v("fingerprint", o.fingerprint);
  v("device", o.device);
  v("producer", o.producer);
  v("parameters", o.parameters);
  v("sigma", o.sigma);
  v("history", o.history);
  v("prior_steps", o.priorSteps);
  v.later("prior_spread", o.priorSpread);
  v("texture_width", o.textureWidth);
  v.later("texture_white", o.textureWhite);
  v("best_epoch", o.bestEpoch);
  v("ending", o.ending);
  v("warning", o.warning);
}

struct ToJson
{
  Json::Object Out;

  template <typename T>
  void operator()(const char* key, const T& value)
  {
    this->Out.emplace(key, convert(value));
  }
  template <typename T>
  void later(const char* key, const T& value)
  {
    (*this)(key, value);
  }

  static Json convert(bool v) { return v; }
  static Json convert(int v) { return v; }
  static Json convert(std::int64_t v) { return v; }
  static Json convert(double v) { return v; }
  static Json convert(const std::string& v) { return v; }
  static Json convert(Likelihood v) { return LikelihoodNames[static_cast<int>(v)]; }
  static Json convert(Scale v) { return ScaleNames[static_cast<int>(v)]; }
  static Json convert(KLSchedule v) { return ScheduleNames[static_cast<int>(v)]; }
  static Json convert(Architecture v) { return ArchitectureNames[static_cast<int>(v)]; }
  static Json convert(Precision v) { return PrecisionNames[static_cast<int>(v)]; }
  static Json convert(BestBy v) { return BestByNames[static_cast<int>(v)]; }
  static Json convert(Symmetry v) { return SymmetryNames[static_cast<int>(v)]; }
  static Json convert(Ending v) { return EndingNames[static_cast<int>(v)]; }
  static Json convert(ScalarType v) { return ScalarNames[static_cast<int>(v)]; }
  template <typename T>
  static Json list(const T& values)
  {
    Json::Array a;
    for (const auto& v : values)
    {
      a.push_back(convert(v));
    }
    return a;
  }
  template <typename T, std::size_t N>
  static Json convert(const std::array<T, N>& v)
  {
    return list(v);
  }
  template <typename T>
  static Json convert(const std::vector<T>& v)
  {
    return list(v);
  }
  static Json convert(const std::map<std::string, double>& v)
  {
    return Json::Object(v.begin(), v.end());
  }
  template <typename T>
  static Json convert(const T& o)
    requires std::is_class_v<T>
  {
    ToJson to;
    visit(to, o);
    return std::move(to.Out);
  }
};

struct FromJson
{
  const Json& In;

  template <typename T>
  void operator()(const char* key, T& value)
  {
    try
    {
      convert(this->In.at(key), value);
    }
    catch (const std::exception& e)
    {
      throw std::runtime_error("\"" + std::string(key) + "\": " + e.what());
    }
  }
  /// What older files do not have.
  template <typename T>
  void later(const char* key, T& value)
  {
    if (this->In.has(key))
    {
      (*this)(key, value);
    }
  }

  static void convert(const Json& j, bool& v) { v = j.boolean(); }
  static void convert(const Json& j, int& v)
  {
    const long long n = j.integer();
    if (n != static_cast<int>(n))
    {
      throw std::runtime_error("a number is out of range");
    }
    v = static_cast<int>(n);
  }
  static void convert(const Json& j, std::int64_t& v) { v = j.integer(); }
  static void convert(const Json& j, double& v) { v = j.number(); }
  static void convert(const Json& j, std::string& v) { v = j.string(); }
  static void convert(const Json& j, Likelihood& v)
  {
    v = fromName<Likelihood>(LikelihoodNames, j, "likelihood");
  }
  static void convert(const Json& j, Scale& v) { v = fromName<Scale>(ScaleNames, j, "scale"); }
  static void convert(const Json& j, KLSchedule& v)
  {
    v = fromName<KLSchedule>(ScheduleNames, j, "KL schedule");
  }
  static void convert(const Json& j, Architecture& v)
  {
    v = fromName<Architecture>(ArchitectureNames, j, "network");
  }
  static void convert(const Json& j, Precision& v)
  {
    v = fromName<Precision>(PrecisionNames, j, "precision");
  }
  static void convert(const Json& j, BestBy& v) { v = fromName<BestBy>(BestByNames, j, "best_by"); }
  static void convert(const Json& j, Symmetry& v)
  {
    v = fromName<Symmetry>(SymmetryNames, j, "symmetry");
  }
  static void convert(const Json& j, Ending& v) { v = fromName<Ending>(EndingNames, j, "ending"); }
  static void convert(const Json& j, ScalarType& v)
  {
    v = fromName<ScalarType>(ScalarNames, j, "scalar type");
  }
  template <typename T, std::size_t N>
  static void convert(const Json& j, std::array<T, N>& v)
  {
    if (j.array().size() != N)
    {
      throw std::runtime_error("a list has the wrong length");
    }
    for (std::size_t i = 0; i < N; ++i)
    {
      convert(j.array()[i], v[i]);
    }
  }
  template <typename T>
  static void convert(const Json& j, std::vector<T>& v)
  {
    v.resize(j.array().size());
    for (std::size_t i = 0; i < v.size(); ++i)
    {
      convert(j.array()[i], v[i]);
    }
  }
  static void convert(const Json& j, std::map<std::string, double>& v)
  {
    v.clear();
    for (const auto& [key, value] : j.object())
    {
      v[key] = value.number();
    }
  }
  template <typename T>
  static void convert(const Json& j, T& o)
    requires std::is_class_v<T>
  {
    FromJson from{ j };
    visit(from, o);
  }
};

void check(bool good, const char* what)
{
  if (!good)
  {
    throw std::runtime_error(what);
  }
}

} // namespace

const char* name(Likelihood likelihood) { return LikelihoodNames[static_cast<int>(likelihood)]; }

const char* name(Architecture architecture)
{
  return ArchitectureNames[static_cast<int>(architecture)];
}

const char* name(ScalarType type) { return ScalarNames[static_cast<int>(type)]; }

const char* name(Ending ending) { return EndingNames[static_cast<int>(ending)]; }

std::string toJson(const ModelInfo& info) { return ToJson::convert(info).dump(); }

std::string toText(const TrainOptions& options) { return ToJson::convert(options).dump(); }

ModelInfo modelInfoFromJson(const std::string& text)
{
  ModelInfo info;
  FromJson::convert(Json::parse(text), info);
  const NetworkOptions& n = info.network;
  check(n.dimensions == 2 || n.dimensions == 3, "the network is neither 2-D nor 3-D");
  check(!info.channels.empty() && info.channels.size() <= 64 &&
      static_cast<std::size_t>(n.channels) ==
        (info.likelihood == Likelihood::Categorical ? info.channels[0].phases.size()
                                                    : info.channels.size()),
    "the network's channels are not those of the data");
  check(n.latentStride == 4 || n.latentStride == 8 || n.latentStride == 16 || n.latentStride == 32,
    "the latent stride is not 4, 8, 16 or 32");
  check(n.blockSize >= 2 && n.blockSize <= 128, "the block size is outside [2, 128]");
  check(n.hiddenUnits >= 0 && n.hiddenUnits <= 65536, "the hidden units are outside [0, 65536]");
  check(n.codes >= 0 && n.codes <= 65536, "the codes are outside [0, 65536]");
  check(n.width >= 8 && n.width <= 512, "the network's width is outside [8, 512]");
  check(n.blocks >= 1 && n.blocks <= 8, "the network's blocks are outside [1, 8]");
  check(n.latentChannels >= 1 && n.latentChannels <= 64,
    "the network's latent channels are outside [1, 64]");
  check(info.likelihood != Likelihood::Automatic, "the likelihood was not chosen");
  check((info.likelihood != Likelihood::Gaussian && info.likelihood != Likelihood::Laplace) ||
      info.sigma.size() == info.channels.size(),
    "there is no width of the likelihood for each channel");
  for (const ChannelInfo& c : info.channels)
  {
    check(c.scale != 0 && c.scale == c.scale, "a channel's scale is zero or not a number");
    check(info.likelihood == Likelihood::Bernoulli
        ? c.phases.size() == 2
        : (info.likelihood == Likelihood::Categorical) == (c.phases.size() > 2),
      "a channel's phases do not fit the likelihood");
    check(
      c.fractions.size() == c.phases.size(), "a channel's fractions are not those of its phases");
    check(std::is_sorted(c.phases.begin(), c.phases.end()), "a channel's phases are not ascending");
  }
  return info;
}

namespace
{

std::string hashOf(const std::string& text)
{
  std::uint64_t h = 14695981039346656037ull; // FNV-1a
  for (const char c : text)
  {
    h = (h ^ static_cast<unsigned char>(c)) * 1099511628211ull;
  }
  char buffer[20];
  std::snprintf(buffer, sizeof buffer, "%016" PRIx64, h);
  return buffer;
}

} // namespace

std::string fingerprint(const std::vector<Volume>& volumes,
  const std::vector<std::vector<ChannelSummary>>& summaries, const TrainOptions& options)
{
  std::string text = toText(options);
  for (std::size_t i = 0; i < volumes.size(); ++i)
  {
    const Volume& v = volumes[i];
    ToJson to;
    to("dims", v.dims);
    to("spacing", v.spacing);
    to("cell_data", v.cellData);
    text += Json(std::move(to.Out)).dump();
    for (const Channel& c : v.channels)
    {
      text += c.array + '/' + std::to_string(c.component) + '/' + name(c.type) + '/';
    }
    for (const ChannelSummary& s : summaries[i])
    {
      text += std::to_string(s.hash) + '/';
    }
  }
  return hashOf(text);
}

std::string fineTuned(const std::string& fingerprint, const ModelInfo& initial)
{
  const EpochRecord last = initial.history.empty() ? EpochRecord() : initial.history.back();
  return hashOf(fingerprint + initial.fingerprint + std::to_string(last.step) +
    std::to_string(initial.bestEpoch));
}

TrainOptions withLimitsOf(TrainOptions options, const TrainOptions& limits)
{
  options.timeBudget = limits.timeBudget;
  options.epochs = limits.epochs;
  options.patience = limits.patience;
  return options;
}

} // namespace vae
