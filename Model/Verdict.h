// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Options.h"
#include "Volume.h"

#include <cmath>
#include <limits>
#include <string>

namespace vae
{

struct ModelInfo;

/// How like its training volume what a model draws is, found at the end of a training by
/// Torch/Calibration/Judge.h. Blocks are compared with real ones by the measures that neither a
/// training nor VAE Generate fits or forces (Statistics/FreeMeasures.h). Numbers are mean scores of
/// these measures, 1 + D / E|Y-Y'| with the energy distance D (MeasureComparison::score): 1 means
/// that both vary alike, the unit is the mean difference of two real blocks.
struct Verdict
{
  ///@{
  /// The only copy of what words stand for. Two normal distributions of the same width score 1.5
  /// where their means are one standard deviation apart, and 2.7 where they are two.
  static constexpr double Passes = 1.5, Close = 2.7;
  ///@}
  static constexpr double Unknown = std::numeric_limits<double>::quiet_NaN();

  double generated = Unknown;     ///< of what is drawn from the best prior; NaN: not judged
  double rebuilt = Unknown;       ///< of the real blocks, encoded and decoded
  double control = Unknown;       ///< of real blocks of the rest of the volume
  Prior prior = Prior::Automatic; ///< that was the best
  bool heldOut = false;           ///< the real blocks are of the slab that no step has seen
  Dims block{ 0, 0, 0 };          ///< voxels of a block along x, y, z
  int blocks = 0;                 ///< that were drawn
  int realBlocks = 0;             ///< that they were compared with
  std::string without = {};       ///< why there can be none, in words; may be empty

  bool judged() const { return !std::isnan(this->generated); }
};

enum class Likeness
{
  Unknown = 0,
  Passes = 1, ///< within the scatter of real blocks
  Close = 2,  ///< up to two standard deviations of real blocks away
  Apart = 3   ///< told from the training volume at a glance
};

/// Where parts of the volume itself differ by more than Verdict::Passes, so may what is drawn.
Likeness likenessOf(const Verdict& verdict);

/// The verdict in sentences, with what would help; why there is none; or empty, where nothing is
/// known of it.
std::string verdictInWords(const ModelInfo& info);

/// The same beside volumes that were drawn from this prior, never empty.
std::string verdictInWords(const ModelInfo& info, Prior drawnFrom);

} // namespace vae
