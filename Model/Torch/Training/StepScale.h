// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "ModelInfo.h"

#include <functional>
#include <optional>

namespace vae
{

/// What a step of a training does. The defaults of Options.h are those of a processor, which leave
/// most of a GPU idle: on one a step of a larger network, of more and larger patches takes as long.
struct StepScale
{
  int width, patchSize, batchSize, stepsPerEpoch; ///< see NetworkOptions, TrainOptions
  int priorWidth, priorCells;                     ///< see ModelInfo

  bool operator==(const StepScale&) const = default;

  /// From small to large.
  static const std::vector<StepScale>& all();
  void applyTo(TrainOptions& options) const;
  std::string inWords() const; ///< "Width 64, ..."
};

/// A GPU, or what a test imagines of one.
struct Measurable
{
  /// Seconds of a step with such options; not a number where there is no memory for it.
  std::function<double(const TrainOptions&)> secondsOfStep;
  std::optional<double> freeBytes;
  int bytes = 2; ///< of an activation, 2 or 4
};

/// The largest scale at which the device makes at least 50 steps a second (fewer steps learn less,
/// however large: experiment 002) in a quarter of its free memory, which others use as well.
/// Nothing, where that is none.
/// \param options with the defaults of a processor
std::optional<StepScale> fastest(const TrainOptions& options, const Measurable& device);

/// Whether a training leaves its scale open: a Time Budget of at least half a minute is its limit,
/// its network is Field, and Width, Patch Size, Batch Size, Steps Per Epoch have their defaults.
/// Where one of them is chosen, all are as they stand.
bool leavesScaleOpen(const TrainOptions& options);

/// What fastest() says of the GPU that the options name, measured in about a second, once in a
/// process. On a CPU nothing.
std::optional<StepScale> measuredScale(const TrainOptions& options);

} // namespace vae
