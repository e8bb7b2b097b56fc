// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "ModelInfo.h"

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>

namespace vae
{

/// How a caller follows a long call, and ends it. On a stop the call throws Stopped.
struct Monitor
{
  std::function<void(double)> progress; ///< called with 0..1, now and then; may be empty
  std::stop_token stop;
};

struct Stopped : std::runtime_error
{
  Stopped() : std::runtime_error("stopped") {}
};

/// The latent field of a volume. Arrays are [channel][z][y][x], x fastest.
struct Latent
{
  Dims dims{ 0, 0, 0 }; ///< cells along x, y, z
  int channels = 0;
  std::vector<float> mean;
  std::vector<float> logVariance; ///< may be empty
};

/// Cells along x, y, z of the latent field that covers a volume of dims voxels.
Dims latentDims(const Dims& dims, const NetworkOptions& network);

/// One latent channel over the training volume: the aggregated posterior q(z) = E_x q(z|x).
struct LatentStatistics
{
  double mean = 0;
  double stddev = 1;             ///< sqrt(Var_x E[z|x] + E_x Var[z|x])
  double posteriorStddev = 0;    ///< sqrt(E_x Var[z|x]); 0 where the model does not know it
  std::vector<double> quantiles; ///< of E[z|x], at equally spaced normal scores in [-4, 4]
};

/// Where a decoded volume goes: for each channel of the model an array of the volume's
/// size. Empty vectors, or null data, mean that it is not wanted.
struct Outputs
{
  std::vector<OutputChannel> values;      ///< labels (the likelier one), or grey values
  std::vector<OutputChannel> probability; ///< Bernoulli: of the larger label, 0..1
};

/// A trained network. Immutable: every call is const, may come from any thread, and leaves
/// LibTorch's process-wide settings as they were.
class Model
{
public:
  virtual ~Model() = default;

  virtual const ModelInfo& info() const = 0;

  /// \throws std::runtime_error if the file cannot be written; an older file is then whole
  virtual void save(const std::string& path) const = 0;

  /// Mean and log variance of q(z|x) over the whole volume: one cell for stride() voxels,
  /// sizes that the stride does not divide are padded by reflection.
  /// \throws std::invalid_argument if the volume does not fit the model
  virtual Latent encode(
    const Volume& volume, const RunOptions& run, const Monitor& monitor = {}) const = 0;

  /// Decode a latent field to dims voxels, tile by tile; the result does not depend on the
  /// tiles. `margin` cells of the field on each side are context and give no voxels.
  virtual void decode(const Latent& latent, const Dims& dims, int margin, const Outputs& outputs,
    const RunOptions& run, const Monitor& monitor = {}) const = 0;

  /// A new latent field that decodes to dims voxels, `margin` cells wider on each side.
  virtual Latent sample(const Dims& dims, int margin, const GenerateOptions& options) const = 0;

  /// Of each latent channel. A model without statistics says N(0, 1).
  virtual std::vector<LatentStatistics> latentStatistics() const = 0;

  /// Cells on each side beyond which a latent cell does not influence a voxel.
  virtual int decodeHalo() const = 0;

  /// In words, what decode() of so many voxels will use: tiles, memory, why so much.
  virtual std::string memoryPlan(const Dims& dims, const RunOptions& run) const = 0;

  /// The prior that Automatic stands for in this model.
  virtual Prior bestPrior() const = 0;
};

/// \throws std::invalid_argument with one sentence, unless the volume has what the model needs
void checkFits(const Volume& volume, const ModelInfo& info);

} // namespace vae
