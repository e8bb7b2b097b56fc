// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Presets.h"

#include "OptionTable.h"

#include <algorithm>
#include <cmath>
#include <string_view>

namespace vae
{
namespace
{

/// Calls `use` with the number that has the label.
template <typename Use>
struct ByLabel
{
  std::string_view label;
  const Use& use;

  template <typename T>
  void operator()(T& member, const Option& option) const
  {
    using Member = std::remove_const_t<T>;
    if constexpr (std::is_same_v<Member, NetworkOptions>)
    {
      visitOptions(*this, member);
    }
    else if constexpr (std::is_same_v<Member, int> || std::is_same_v<Member, double>)
    {
      if (this->label == option.label)
      {
        this->use(member);
      }
    }
  }
};

void withOption(auto& options, const char* label, const auto& use)
{
  const ByLabel<std::remove_cvref_t<decltype(use)>> visitor{ label, use };
  visitOptions(visitor, options);
}

int entryIn(const Preset& preset, const TrainOptions& options)
{
  return preset.entryOf([&](const char* label)
  {
    double value = std::nan("");
    withOption(options, label, [&](const auto& number) { value = static_cast<double>(number); });
    return value;
  });
}

void set(const Preset& preset, int entry, TrainOptions& options)
{
  if (entry < 0 || entry >= static_cast<int>(preset.entries.size()))
  {
    return;
  }
  for (const Preset::Setting& s : preset.entries[static_cast<std::size_t>(entry)])
  {
    withOption(options, s.label,
      [&](auto& number) { number = static_cast<std::remove_cvref_t<decltype(number)>>(s.value); });
  }
}

template <typename E>
const char* labelOf(E entry)
{
  const auto found = std::ranges::find(
    EntriesOf<E>, static_cast<int>(entry), [](const Entry& e) { return e.value; });
  return found == EntriesOf<E>.end() ? "unknown" : found->label;
}

} // namespace

const std::vector<Preset>& presets()
{
  const auto purpose = [](double share, double channels, double stride)
  {
    return std::vector<Preset::Setting>{ { "Prior Share", share }, { "Latent Channels", channels },
      { "Latent Stride", stride } };
  };
  static const TrainOptions usual;
  static const double channels = usual.network.latentChannels, stride = usual.network.latentStride;
  static const std::vector<Preset> all{
    { "Quality",
      { { { "Time Budget", 30 } }, { { "Time Budget", usual.timeBudget } },
        { { "Time Budget", 900 } }, {} } },
    // A cell of 16 voxels has eight times the voxels, and twice the numbers.
    { "Purpose",
      { purpose(usual.priorShare, channels, stride), purpose(0, channels, stride),
        purpose(0, 2 * channels, 2 * stride), {} } },
  };
  return all;
}

int Preset::entryOf(const std::function<double(const char* label)>& value) const
{
  const auto has = [&](const std::vector<Setting>& settings)
  {
    return std::ranges::all_of(
      settings, [&](const Setting& s) { return value(s.label) == s.value; });
  };
  return static_cast<int>(std::ranges::find_if(this->entries, has) - this->entries.begin());
}

void apply(const PresetOptions& chosen, TrainOptions& options)
{
  set(presets()[0], static_cast<int>(chosen.quality), options);
  set(presets()[1], static_cast<int>(chosen.purpose), options);
}

PresetOptions presetsOf(const TrainOptions& options)
{
  return { static_cast<Quality>(entryIn(presets()[0], options)),
    static_cast<Purpose>(entryIn(presets()[1], options)) };
}

std::string inWords(const PresetOptions& presets)
{
  return std::string("Quality ") + labelOf(presets.quality) + ", Purpose " +
    labelOf(presets.purpose);
}

} // namespace vae
