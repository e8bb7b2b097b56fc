// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Model.h"
#include "TrendMap.h"

namespace vae
{

/// A volume to generate. Ranges are checked by vae::check of the options.
struct GenerateRequest
{
  /// Voxels along x, y, z, each in [1, MostVoxels]; see dimsFor. With known data its dims count.
  Dims dims{ 128, 128, 128 };
  /// Prior, seed, realization, temperature, periodic axes (not with known data), texture (only of
  /// the learned prior, and not of phases around known data).
  GenerateOptions options;
  FractionOptions fraction;
  /// Fractions of the phase `fraction.phase`, or means of the first channel in the data's unit.
  /// Only the learned prior of a model of two phases, or of grey values, follows it by itself;
  /// FractionMode::TrendMap makes any prior follow.
  std::optional<TrendMap> trend;
  /// Values that the result has where the mask, which it must have, is not 0; others do not matter.
  /// Not together with a fraction mode or a trend.
  std::optional<Volume> known;
};

/// What was generated.
struct Generated
{
  Prior prior = Prior::Normal;   ///< that the latent field was drawn from, never Automatic
  std::vector<double> fractions; ///< of each phase of the first channel; empty for grey values
  Overwritten known;             ///< how near the decoder came to known data; 0 of 0 without
};

/// Generates volumes with a trained model: draws a latent field from a prior, around known data if
/// there are any, decodes it with a margin that is thrown away, so that the result has no border,
/// draws texture, and gives phases the fractions that are asked for. The same request gives the
/// same bytes, whatever was generated before.
class Generator
{
public:
  /// \param model must outlive this
  explicit Generator(const Model& model) : Source(model) {}

  /// \throws std::invalid_argument with one sentence if the request has a value out of its range,
  /// or
  ///         is not one for this model
  void check(const GenerateRequest& request) const;

  /// Voxels along x, y, z of the result.
  Dims dims(const GenerateRequest& request) const;

  /// Bytes of memory that generating takes beside the result, at most; tiles of the network are
  /// within RunOptions::memoryBudget and do not count.
  double bytes(const GenerateRequest& request) const;

  /// \param outputs arrays of dims(request), [z][y][x]: `values`, one for each channel of the
  ///        model, and `probability`, which may be empty. Its other members do not apply.
  /// \throws std::invalid_argument as check() does, or if `values` are not all there;
  ///         Stopped; std::bad_alloc
  Generated generate(const GenerateRequest& request, const Outputs& outputs,
    const RunOptions& run = {}, const Monitor& monitor = {}) const;

private:
  struct Plan;
  Plan plan(const GenerateRequest& request) const;

  const Model& Source;
};

} // namespace vae
