// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "ModelInfo.h"

#include "JsonText.h"
#include "ModelChecks.h"
#include "OptionTable.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <format>
#include <limits>
#include <stdexcept>
#include <string_view>

namespace vae
{
namespace
{

/// The labels of an option's entries as files have them: "validation_loss" for "Validation Loss".
template <typename Enum>
constexpr auto StoredNames = []
{
  std::array<std::array<char, 32>, EntriesOf<Enum>.size()> names{};
  for (std::size_t i = 0; i < names.size(); ++i)
  {
    const std::string_view label = EntriesOf<Enum>[i].label;
    std::transform(label.begin(), label.end(), names[i].begin(), [](char c)
    { return c == ' '          ? '_'
        : c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a')
                               : c; });
  }
  return names;
}();

///@{
/// What files and tables call the values of an enumeration, from 0.
using Names = std::vector<const char*>;
Names namesOf(ScalarType)
{
  return { "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32",
    "float64" };
}
Names namesOf(Ending) { return { "none", "budget", "patience", "stopped", "diverged" }; }
Names namesOf(Beginning) { return { "fresh", "resumed", "fine-tuned" }; }
template <typename Enum>
Names namesOf(Enum)
{
  static_assert(!EntriesOf<Enum>.empty());
  Names names;
  for (const auto& name : StoredNames<Enum>)
  {
    names.push_back(name.data());
  }
  return names;
}
///@}

template <typename Enum>
const char* nameOf(Enum value)
{
  const Names names = namesOf(value);
  const auto i = static_cast<std::size_t>(value);
  if (i >= names.size())
  {
    throw std::invalid_argument("A choice is " + std::to_string(static_cast<int>(value)) +
      "; it must be in [0, " + std::to_string(names.size() - 1) + "] (" + names.front() + " to " +
      names.back() + ")");
  }
  return names[i];
}

/// What a file may say of a number, or of each in a list, and how many there may be in the list.
struct Allowed
{
  double low = -std::numeric_limits<double>::max(), high = std::numeric_limits<double>::max();
  std::size_t most = 64;
  bool unknown = false; ///< null, which stands for not-a-number
};
constexpr double Largest = std::numeric_limits<double>::max(), LargestInt = 2147483647,
                 LargestWhole = 9007199254740992.;
constexpr Allowed Finite;
constexpr Allowed Measured{ .unknown = true };
constexpr Allowed Count{ 0, LargestInt }, LongCount{ 0, LargestWhole };
constexpr Allowed Fraction{ 0, 1 };
constexpr Allowed Positive{ 1e-300, Largest };
constexpr std::size_t LongestText = 10000;

/// Options under their keys, of those that have one. A network is made of what a file says, so its
/// ranges are those of the table. What else a training was asked for is judged by checkOptions().
template <typename V>
struct Stored
{
  V& Visitor;
  bool Ranges;

  template <typename T>
  void operator()(T& value, const Option& option) const
  {
    if constexpr (std::is_same_v<std::remove_const_t<T>, std::string>)
    {
      if (option.path)
      {
        this->Visitor.path(option.key, value);
        return;
      }
    }
    if (*option.key)
    {
      const Values& v = option.values;
      this->Visitor(option.key, value, this->Ranges ? Allowed{ v.low, v.high } : Finite);
    }
  }
};

// One list of members for each struct serves writing, reading and the fingerprint.
void visit(auto& v, Is<NetworkOptions> auto& o)
{
  const Stored<std::remove_reference_t<decltype(v)>> stored{ v, true };
  visitOptions(stored, o);
}

void visit(auto& v, Is<TrainOptions> auto& o)
{
  const Stored<std::remove_reference_t<decltype(v)>> stored{ v, false };
  visitOptions(stored, o);
}

void visit(auto& v, Is<ChannelInfo> auto& o)
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

void visit(auto& v, Is<EpochRecord> auto& o)
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

void visit(auto& v, Is<AugmentationSymmetry> auto& o)
{
  v("flips", o.flips);
  v("together", o.together);
  v("kind", o.kind, Allowed{ 0, 2 });
}

void visit(auto& v, Is<Lineage> auto& o)
{
  v("kind", o.kind);
  v("data", o.data);
  v("options", o.options);
  v("parent", o.parent);
}

void visit(auto& v, Is<ModelInfo> auto& o)
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
  v("device", o.device);
  v("producer", o.producer);
  v("parameters", o.parameters, LongCount);
  v("sigma", o.sigma, Allowed{ 1e-38, 1e38 });
  v("history", o.history, Allowed{ .most = 100000 });
  v("prior_steps", o.priorSteps, LongCount);
  v.later("prior_spread", o.priorSpread, Allowed{ .low = 0, .unknown = true });
  v("texture_width", o.textureWidth, Allowed{ 0, 16 });
  v.later("texture_white", o.textureWhite, Fraction);
  v("best_epoch", o.bestEpoch, Count);
  v("ending", o.ending);
  v("warning", o.warning);
  v.later("left_out", o.leftOut);
}

struct ToJson
{
  bool Paths; ///< written too; a file names none
  Json Out = Json::object();

  template <typename T>
  void operator()(const char* key, const T& value, const Allowed& = {})
  {
    this->Out[key] = this->convert(value);
  }
  template <typename T>
  void later(const char* key, const T& value, const Allowed& = {})
  {
    (*this)(key, value);
  }
  void path(const char* key, const std::string& value)
  {
    if (this->Paths)
    {
      (*this)(key, value);
    }
  }

  template <typename T>
  Json convert(const T& v) const
  {
    if constexpr (std::is_enum_v<T>)
    {
      return nameOf(v);
    }
    else if constexpr (std::is_floating_point_v<T>)
    {
      return v == std::floor(v) && std::abs(v) <= LargestWhole // 120, not 120.0
        ? Json(static_cast<std::int64_t>(v))
        : Json(v);
    }
    else if constexpr (std::is_arithmetic_v<T> || std::is_same_v<T, std::string>)
    {
      return v;
    }
    else
    {
      ToJson to{ this->Paths };
      visit(to, v);
      return std::move(to.Out);
    }
  }
  template <typename T, std::size_t N>
  Json convert(const std::array<T, N>& v) const
  {
    return this->list(v);
  }
  template <typename T>
  Json convert(const std::vector<T>& v) const
  {
    return this->list(v);
  }
  Json convert(const std::map<std::string, double>& v) const
  {
    Json o = Json::object();
    for (const auto& [key, value] : v)
    {
      o[key] = this->convert(value);
    }
    return o;
  }
  template <typename T>
  Json list(const T& values) const
  {
    Json a = Json::array();
    for (const auto& v : values)
    {
      a.push_back(this->convert(v));
    }
    return a;
  }
};

/// Reads one object. What it says is refused where it is not allowed: nobody need have written the
/// file in good faith.
struct FromJson
{
  const Json& In;
  std::string Path; ///< "network.", for messages

  /// What needs no range: true or false, text, choices, objects.
  template <typename T>
  void operator()(const char* key, T& value)
    requires std::is_same_v<T, bool> || std::is_same_v<T, std::string> || std::is_enum_v<T> ||
    (std::is_class_v<T> && !requires { value.size(); })
  {
    (*this)(key, value, {});
  }
  template <typename T>
  void operator()(const char* key, T& value, const Allowed& allowed)
  {
    convert(memberOf(this->In, key), value, this->Path + key, allowed);
  }
  /// What older files do not have.
  template <typename T, typename... Range>
  void later(const char* key, T& value, const Range&... allowed)
  {
    if (this->In.contains(key))
    {
      (*this)(key, value, allowed...);
    }
  }
  /// Whatever a file says, no path of it is taken.
  void path(const char*, std::string& value) { value.clear(); }

  static void inside(double v, const std::string& what, const Allowed& allowed)
  {
    const auto text = [](double x) { return dumpJson(ToJson{ false }.convert(x)); };
    if (!(v >= allowed.low && v <= allowed.high))
    {
      throw std::runtime_error(what + " is " + text(v) + "; it must be in [" + text(allowed.low) +
        ", " + text(allowed.high) + "]");
    }
  }
  static void few(std::size_t count, const std::string& what, std::size_t most)
  {
    if (count > most)
    {
      throw std::runtime_error(
        what + " has " + std::to_string(count) + " entries; it may have " + std::to_string(most));
    }
  }

  template <typename T>
  static void convert(const Json& j, T& v, const std::string& what, const Allowed& allowed)
  {
    if constexpr (std::is_same_v<T, bool>)
    {
      v = booleanOf(j, what);
    }
    else if constexpr (std::is_integral_v<T>)
    {
      const std::int64_t n = integerOf(j, what);
      inside(static_cast<double>(n), what, allowed);
      inside(static_cast<double>(n), what,
        { static_cast<double>(std::numeric_limits<T>::min()),
          static_cast<double>(std::numeric_limits<T>::max()) });
      v = static_cast<T>(n);
    }
    else if constexpr (std::is_enum_v<T>)
    {
      const std::string& text = stringOf(j, what);
      const Names names = namesOf(v);
      const auto found = std::find(names.begin(), names.end(), text);
      if (found == names.end())
      {
        throw std::runtime_error(what + " is " + inQuotes(text) + ", which is not known");
      }
      v = static_cast<T>(found - names.begin());
    }
    else
    {
      FromJson from{ j, what + '.' };
      visit(from, v);
    }
  }
  static void convert(const Json& j, double& v, const std::string& what, const Allowed& allowed)
  {
    v = allowed.unknown ? numberOrNaNOf(j, what) : numberOf(j, what);
    if (!std::isnan(v))
    {
      inside(v, what, allowed);
    }
  }
  static void convert(const Json& j, std::string& v, const std::string& what, const Allowed&)
  {
    v = stringOf(j, what);
    few(v.size(), what, LongestText);
  }
  template <typename T, std::size_t N>
  static void convert(
    const Json& j, std::array<T, N>& v, const std::string& what, const Allowed& allowed)
  {
    const Json::array_t& list = arrayOf(j, what);
    if (list.size() != N)
    {
      throw std::runtime_error(what + " has " + std::to_string(list.size()) +
        " entries; it must have " + std::to_string(N));
    }
    for (std::size_t i = 0; i < N; ++i)
    {
      convert(list[i], v[i], what + '[' + std::to_string(i) + ']', allowed);
    }
  }
  template <typename T>
  static void convert(
    const Json& j, std::vector<T>& v, const std::string& what, const Allowed& allowed)
  {
    const Json::array_t& list = arrayOf(j, what);
    few(list.size(), what, allowed.most);
    v.resize(list.size());
    for (std::size_t i = 0; i < v.size(); ++i)
    {
      convert(list[i], v[i], what + '[' + std::to_string(i) + ']', allowed);
    }
  }
  static void convert(const Json& j, std::map<std::string, double>& v, const std::string& what,
    const Allowed& allowed)
  {
    const Json::object_t& object = objectOf(j, what);
    few(object.size(), what, allowed.most);
    v.clear();
    for (const auto& [key, value] : object)
    {
      few(key.size(), "a name in " + what, LongestText);
      convert(value, v[key], what + '.' + key, allowed);
    }
  }
};

} // namespace

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
  return dumpJson(ToJson{ true }.convert(options));
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
