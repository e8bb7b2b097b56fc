// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Options.h"

#include <functional>
#include <string>
#include <vector>

// Names for values of several options of a training, which users choose instead of numbers. A
// preset sets options and does nothing else, so what is set last counts.
namespace vae
{

/// How long VAE Train takes.
enum class Quality
{
  Preview = 0,
  Good = 1,
  Best = 2,
  Custom = 3 ///< sets nothing
};

/// What a model is for.
enum class Purpose
{
  NewVolumes = 0,          ///< a learned prior, to draw from
  DenoiseAndAnomalies = 1, ///< no learned prior: all of the time is the autoencoder's
  Compress = 2,            ///< the same, and a latent field of fewer numbers
  Custom = 3               ///< sets nothing
};

/// The presets that TrainOptions has by default.
struct PresetOptions
{
  Quality quality = Quality::Good;
  Purpose purpose = Purpose::NewVolumes;
};

struct Preset
{
  struct Setting
  {
    const char* label; ///< of an option, see Source/OptionTable.h
    double value;
  };

  const char* label; ///< of its own property
  /// What each entry of the enumeration sets: the same options; nothing for the last, Custom.
  std::vector<std::vector<Setting>> entries;

  /// The entry that has these values; else Custom.
  /// \param value of the option with a label
  int entryOf(const std::function<double(const char* label)>& value) const;
};

/// What the entries of Quality and of Purpose set: the only place that says it.
const std::vector<Preset>& presets();

/// Set what the presets say.
void apply(const PresetOptions& chosen, TrainOptions& options);

/// The presets that options have.
PresetOptions presetsOf(const TrainOptions& options);

/// "Quality Good, Purpose New Volumes"
std::string inWords(const PresetOptions& presets);

/// \throws std::invalid_argument see Check.h
void check(const PresetOptions& presets);

} // namespace vae
