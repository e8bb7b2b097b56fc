// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Options.h"
#include "Torch/Runtime/State.h"

namespace vae
{

/// Anomaly scores: how much each voxel and each latent cell differs from the training volume.
struct AnomalyScores
{
  at::Tensor voxels, cells; ///< any shape
};

/// Anomaly scores have no unit, so they are reported as percentiles of the training volume's
/// scores.
class AnomalyScale
{
public:
  /// Add the scores of a part of the training volume, one measure after the other. They stay on
  /// their device, the same for all.
  void add(AnomalyMeasure measure, const AnomalyScores& scores);
  /// Sort what was added, where it is.
  void finish();

  /// Percentile, 0 to 100, of each score.
  AnomalyScores percentiles(AnomalyMeasure measure, const AnomalyScores& scores) const;

  State state() const { return { { "quantiles", this->Quantiles } }; }
  static AnomalyScale fromState(const TensorReader& state); ///< \throws std::runtime_error

private:
  at::Tensor Quantiles; ///< [measure][voxels, cells][level], on the CPU
  std::array<std::array<std::vector<at::Tensor>, 2>, 3> Parts;
};

} // namespace vae
