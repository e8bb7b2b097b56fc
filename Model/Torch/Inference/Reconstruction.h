// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "AnomalyScale.h"
#include "Inference.h"

namespace vae
{

/// The posterior of a volume's cells, and what follows from it, tile by tile.
class Reconstruction
{
public:
  /// \param scale may be null: the outputs then have no percentiles
  Reconstruction(Inference& inference, const ModelInfo& info, const Volume& volume,
    const Latent& latent, const ReconstructOptions& options, const ReconstructOutputs& outputs,
    const AnomalyScale* scale);

  /// \throws std::invalid_argument if an output is wanted that the model cannot give
  void run(const Monitor& monitor);

  /// The scores of a box of cells, without padding, of the training volume's scale.
  void measure(const Box& box, AnomalyScale& scale);

private:
  at::Tensor mixed(const at::Tensor& decoded, const at::Tensor& x) const;
  /// What a posterior sample, z = mu + sigma eps, decodes to; `number` and the seed fix eps.
  at::Tensor decodeSample(const Box& box, std::int64_t number);
  void sample(const Box& box, const at::Tensor& decoded);
  AnomalyScores anomaly(
    const Box& box, const at::Tensor& decoded, const at::Tensor& x, AnomalyMeasure measure) const;
  void writeAnomaly(const Box& box, const at::Tensor& decoded, const at::Tensor& x);
  /// Folded values, one a voxel for each array of the list.
  void writeEach(const Box& box, const at::Tensor& values, const std::vector<OutputChannel>& list);

  Inference& Runner;
  const ModelInfo& Info;
  const Volume& Data;
  LatentGrid Mean, LogVariance;
  ReconstructOptions Options;
  ReconstructOutputs Out;
  const AnomalyScale* Scale;
};

} // namespace vae
