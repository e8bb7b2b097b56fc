// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "AnomalyScale.h"
#include "Texture.h"
#include "Torch/Priors/LatentField.h"
#include "Torch/Priors/LearnedPrior.h"

namespace vae
{

/// What the end of a training measures of its network. Each part is there or not.
struct Calibration
{
  std::optional<LatentField> field;            ///< of the training volume
  std::shared_ptr<const LearnedPrior> learned; ///< or null
  std::optional<double> priorSpread;           ///< see ModelInfo
  std::optional<AnomalyScale> anomalies;
  std::optional<NoiseShape> texture;
  std::vector<double> residuals;  ///< ChannelInfo::residual of each channel, or empty
  std::optional<Verdict> verdict; ///< of all of this
  std::string leftOut;            ///< what was not measured, and why: sentences; may be empty

  /// Put its numbers where a model's info shows them; others stay.
  void describe(ModelInfo& info) const;

  State state() const; ///< its numbers are in the info
  /// Older files lack some. \throws std::runtime_error saying what is wrong
  static Calibration fromState(const TensorReader& state, const NetworkOptions& network);
};

} // namespace vae
