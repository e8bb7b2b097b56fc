// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Check.h"

#include "Memory.h"
#include "OptionTable.h"

#include <algorithm>
#include <cmath>
#include <format>
#include <stdexcept>
#include <thread>

namespace vae
{

std::string inWords(double value) { return std::format("{:.10g}", value); }

void require(const std::string& label, double value, double low, double high)
{
  if (!(value >= low && value <= high))
  {
    throw std::invalid_argument(label + " is " + inWords(value) + "; it must be in [" +
      inWords(low) + ", " + inWords(high) + "]");
  }
}

void requireOneOf(const std::string& label, int value, const std::vector<int>& allowed)
{
  if (std::find(allowed.begin(), allowed.end(), value) != allowed.end())
  {
    return;
  }
  std::string list;
  for (const int& a : allowed)
  {
    list += &a == &allowed.front() ? "" : &a == &allowed.back() ? " or " : ", ";
    list += std::to_string(a);
  }
  throw std::invalid_argument(label + " is " + std::to_string(value) + "; it must be " + list);
}

void requireFinite(const std::string& label, double value)
{
  if (!std::isfinite(value))
  {
    throw std::invalid_argument(label + " is " + inWords(value) + "; it must be a finite number");
  }
}

void requireMemory(const std::string& what, double bytes)
{
  const double left = freeMemory();
  if (!(bytes <= left))
  {
    constexpr double gibibyte = 1 << 30;
    throw std::invalid_argument(
      std::format("{} takes {:.3g} GiB of memory, but only {:.3g} GiB are free", what,
        bytes / gibibyte, left / gibibyte));
  }
}

void requireDimensions(const int dimensions[3])
{
  for (int a = 0; a < 3; ++a)
  {
    if (dimensions[a] < 1 || dimensions[a] > MostVoxels)
    {
      throw std::invalid_argument("Dimensions is " + std::to_string(dimensions[0]) + " x " +
        std::to_string(dimensions[1]) + " x " + std::to_string(dimensions[2]) +
        "; each must be in [1, " + std::to_string(MostVoxels) + "]");
    }
  }
}

void requireOffsets(const std::vector<double>& offsets)
{
  for (const double offset : offsets)
  {
    require("Latent Offsets", offset, -100, 100);
  }
}

int threadsOf(int wanted)
{
  const int cores = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  return wanted > 0 ? std::min(wanted, 4 * cores) : cores;
}

namespace
{

template <typename T>
void requireAllowed(const char* label, T value, const Values& allowed)
{
  if constexpr (std::is_enum_v<T>)
  {
    static_assert(!EntriesOf<T>.empty());
    std::vector<int> values;
    for (const Entry& entry : EntriesOf<T>)
    {
      values.push_back(entry.value);
    }
    const int last = values.back();
    if (last + 1 == static_cast<int>(values.size()))
    {
      require(label, value, static_cast<T>(last));
    }
    else
    {
      requireOneOf(label, static_cast<int>(value), values);
    }
  }
  else if constexpr (std::is_arithmetic_v<T>)
  {
    if (allowed.listed > 0)
    {
      requireOneOf(label, static_cast<int>(value), allowed.choices());
    }
    else if (!allowed.any() && !allowed.judgedByConsumer)
    {
      require(label, static_cast<double>(value), allowed.low, allowed.high);
    }
    else
    {
      requireFinite(label, static_cast<double>(value));
    }
  }
}

/// Refuses what the table does not allow. What relates two options is checked beside it.
struct Checker
{
  template <typename T>
  void operator()(const T& value, const Option& option) const
  {
    const bool unused = std::ranges::any_of(option.when, &Condition::unused);
    if (*option.label && !unused)
    {
      requireAllowed(option.label, value, option.values);
    }
  }
};

void checkEach(const auto& options)
{
  const Checker checker;
  visitOptions(checker, options);
}

void check(const NetworkOptions& n)
{
  checkEach(n);
  if (n.architecture == Architecture::Vector && n.blockSize % 4 != 0)
  {
    throw std::invalid_argument("Block Size is " + std::to_string(n.blockSize) +
      "; the network Vector needs a multiple of 4 in [4, 128]");
  }
}

} // namespace

void check(const TrainOptions& o)
{
  check(o.network);
  if (o.network.architecture == Architecture::TorchScript && !o.allowTorchScript)
  {
    throw std::invalid_argument(
      "Network is TorchScript, but Allow TorchScript is off; switch it on only if you trust the "
      "authors of Encoder File and Decoder File, because TorchScript is code");
  }
  checkEach(o);
  if (o.epochs == 0 && o.timeBudget == 0)
  {
    throw std::invalid_argument(
      "Time Budget and Epochs are both 0 (no limit); one of them must be set");
  }
  if (o.patience > 0 && o.validationFraction == 0)
  {
    throw std::invalid_argument("Patience is " + std::to_string(o.patience) +
      ", but Validation Fraction is 0; without held-out data Patience must be 0");
  }
}

void check(const PresetOptions& o) { checkEach(o); }
void check(const SessionOptions& o) { checkEach(o); }
void check(const RunOptions& o) { checkEach(o); }
void check(const ReconstructOptions& o) { checkEach(o); }
void check(const GenerateOptions& o) { checkEach(o); }
void check(const FractionOptions& o) { checkEach(o); }
void check(const RealizationOptions& o) { checkEach(o); }
void check(const WalkOptions& o) { checkEach(o); }
void check(const ExplorerOptions& o) { checkEach(o); }
void check(const FeatureOptions& o) { checkEach(o); }
void check(const TwoSampleOptions& o) { checkEach(o); }
void check(const StatisticsOptions& o) { checkEach(o); }
void check(const PermeabilityOptions& o) { checkEach(o); }

} // namespace vae
