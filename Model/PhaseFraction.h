// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Model.h"
#include "Statistics/Work.h"

#include <memory>
#include <span>

namespace vae
{

/// The number of a model's phase by its label, or for "Automatic" (or "auto") that of
/// statistics::automaticPhase() of the training data.
/// \throws std::invalid_argument if the model has no phases, or not this one
int phaseOf(const ModelInfo& info, const std::string& label);

/// The fraction of a phase in the training data.
double trainingFraction(const ModelInfo& info, int phase);

/// A wanted local fraction: a row of it along x, from a voxel on.
using Rows =
  std::function<void(std::int64_t x, std::int64_t y, std::int64_t z, std::span<double> row)>;

/// Gives one phase of a model's first channel an exact fraction of a volume, by where its log odds
/// are largest; the other voxels take the likeliest of the other phases.
class PhaseFraction
{
public:
  PhaseFraction(const ModelInfo& info, int phase, const Dims& dims);

  /// Ask for what set() needs. The values of the first channel must be wanted.
  void ask(Outputs& outputs);

  ///@{
  /// After decoding: as many voxels as come nearest to the fraction.
  void set(double fraction, const statistics::Work& work = statistics::Work(1));
  /// The same with a fraction that varies: as many voxels as its mean says, distributed by
  /// thresholds that vary smoothly.
  void set(const Rows& fraction, const statistics::Work& work);
  ///@}

private:
  std::span<float> values()
  {
    return { this->LogOdds.get(), static_cast<std::size_t>(this->Count) };
  }

  Dims Size;
  std::int64_t Count;
  int Phase;
  double Label;
  std::unique_ptr<float[]> LogOdds;
  OutputChannel Labels;
};

/// Thresholds above which each block of about `block` voxels holds the wanted fraction, as a field
/// that is linear between the middles of blocks, are subtracted from `values`.
/// \return the mean of what is wanted
double levelLocally(std::span<float> values, const Dims& dims, const Rows& wanted, int block,
  const statistics::Work& work);

} // namespace vae
