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

  /// Of a part of the call, between two fractions of it.
  Monitor part(double from, double to) const;
  /// \throws Stopped
  void report(double fraction) const;
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

/// Values drawn from p(x|z), alike in neighbouring voxels as far as the training data's are,
/// instead of the likeliest: surfaces as rough as the data's, grey values with their noise.
struct Texture
{
  std::int64_t seed = 0, sample = 0;                   ///< of the random numbers
  std::array<bool, 3> periodic{ false, false, false }; ///< along x, y, z
};

/// Where a decoded volume goes: for each channel of the model an array of the volume's
/// size. Empty vectors, or null data, mean that it is not wanted.
struct Outputs
{
  std::vector<OutputChannel> values; ///< labels (the likelier one), or grey values
  /// 0..1. Bernoulli: of the larger label, one a channel. Categorical: one a phase.
  std::vector<OutputChannel> probability;
  /// Log odds of the phase of this number, in the first channel, against the others: they order the
  /// voxels where probabilities have all become 0 or 1. With them the values of that channel are
  /// the likeliest of the other phases.
  OutputChannel logOdds;
  int phase = 0;
  /// Exactly this part of the voxels, those with the largest log odds of `phase`, have it in the
  /// first channel; the others have the likeliest of the other phases. Not with `logOdds`.
  std::optional<double> fraction;
  /// Values and log odds are drawn; probabilities stay. A model of a training that has not ended
  /// knows no texture, and gives the likeliest.
  std::optional<Texture> texture;
  /// Subtracted from the log odds of the first phase: LatentSample::thresholds.
  std::vector<double> thresholds;
};

/// A latent field to draw from a prior.
struct SampleRequest
{
  Dims dims{ 1, 1, 1 }; ///< voxels along x, y, z of the volume that it is to decode to
  int margin = 0;       ///< cells that the field is wider on each side
  GenerateOptions options{};
  /// Wanted local mean of the data's first channel, [z][y][x] on the cells of the field, margin
  /// included: of phases the fraction of the larger label, else in the data's unit; empty: it is
  /// drawn too. Only the learned prior can follow it.
  std::vector<float> trend{};
  /// What is known of the volume: its mask is not 0 where its values are known; other values do not
  /// matter. The field then decodes to it, nearly, and to what the prior makes of the rest; dims
  /// are the volume's, and options.periodic and trend do not apply.
  const Volume* known = nullptr;
};

struct LatentSample
{
  Latent latent{};
  /// Log odds of the first phase, one for each channel of the data, at which it has the data's
  /// fraction (Outputs::thresholds): a decoder that is unsure of a field that was drawn gives
  /// phases other fractions. Empty: all are 0.
  std::vector<double> thresholds{};
};

/// What else a reconstruction gives, one for each channel of the data, or one for all of them.
struct ReconstructOutputs : Outputs
{
  ///@{
  /// Over posterior samples z_k ~ q(z|x), one a channel. Of phases with probabilities p_k: the
  /// standard deviation sqrt(sum over phases of Var_k p / 2); the entropy of the mean of p_k, nats;
  /// the mean probability of the phases above the threshold. Of grey values, which are distributed
  /// about a mean m_k with the likelihood's width: the standard deviation, noise included, in the
  /// data's unit; the entropy of a normal distribution of that width, nats; the mean of
  /// P(x > threshold | z_k).
  std::vector<OutputChannel> stddev, entropy, exceedance;
  ///@}
  ///@{
  /// The anomaly of all channels together, in each voxel, and (constant within it) in each latent
  /// cell: the score, and its percentile among those of the training volume.
  OutputChannel anomaly, anomalyPercentile, cellAnomaly, cellAnomalyPercentile;
  ///@}
};

/// A trained network. Immutable: every call is const, may come from any thread, and leaves
/// LibTorch's process-wide settings as they were.
class Model
{
public:
  virtual ~Model() = default;

  virtual const ModelInfo& info() const = 0;

  /// \throws std::runtime_error if the file cannot be written; an older file is then whole
  /// \param mayReplace see AtomicFile::commit
  virtual void save(
    const std::string& path, const std::function<void()>& mayReplace = {}) const = 0;

  /// Mean and log variance of q(z|x) over the whole volume: one cell for stride() voxels,
  /// sizes that the stride does not divide are padded by reflection.
  /// \throws std::invalid_argument if the volume does not fit the model
  virtual Latent encode(
    const Volume& volume, const RunOptions& run, const Monitor& monitor = {}) const = 0;

  /// Decode a latent field to dims voxels, tile by tile; the result does not depend on the
  /// tiles. `margin` cells of the field on each side are context and give no voxels.
  virtual void decode(const Latent& latent, const Dims& dims, int margin, const Outputs& outputs,
    const RunOptions& run = {}, const Monitor& monitor = {}) const = 0;

  /// Encode, and decode the means, or samples of q(z|x), of which only a variational model has any;
  /// in the same tiles, whatever else is wanted. Anomalies are those of the means. With a strength
  /// below 1 values are mixed with the data: grey values linearly, phases by their probabilities,
  /// so that a label changes where the network is sure.
  /// \throws std::invalid_argument if the volume, or what is wanted, does not fit the model
  virtual void reconstruct(const Volume& volume, const ReconstructOptions& options,
    const ReconstructOutputs& outputs, const RunOptions& run,
    const Monitor& monitor = {}) const = 0;

  /// A new latent field.
  /// \throws std::invalid_argument if the model does not hold the prior, sizes do not fit, what is
  ///         known does not fit the model, or nothing is known
  virtual LatentSample sample(const SampleRequest& request, const RunOptions& run = {},
    const Monitor& monitor = {}) const = 0;

  /// sample(), and decode() of what it gives with its thresholds: the same values, in less time,
  /// since what finds the thresholds is decoded once where memory allows. `outputs.thresholds` do
  /// not apply.
  virtual void sampleAndDecode(const SampleRequest& request, const Outputs& outputs,
    const RunOptions& run = {}, const Monitor& monitor = {}) const = 0;

  /// Of each latent channel. A model without statistics says N(0, 1).
  virtual std::vector<LatentStatistics> latentStatistics() const = 0;

  /// Cells on each side beyond which a latent cell does not influence a voxel.
  virtual int decodeHalo() const = 0;

  /// Cells on each side that a field needs to decode to a volume without a border: those that have
  /// a noticeable influence, and where an axis is periodic all that have any.
  virtual int margin(const std::array<bool, 3>& periodic = {}) const = 0;

  /// In words, what decode() of so many voxels will use: tiles, memory, why so much.
  virtual std::string memoryPlan(const Dims& dims, const RunOptions& run) const = 0;

  /// Whether it holds what its training needs to go on.
  virtual bool hasTrainingState() const = 0;

  /// Whether it knows the anomaly scores of its training volume.
  virtual bool hasAnomalyScale() const = 0;

  /// The prior that Automatic stands for in this model.
  virtual Prior bestPrior() const = 0;
};

/// \throws std::invalid_argument with one sentence, unless the volume has what the model needs
void checkFits(const Volume& volume, const ModelInfo& info);

/// Voxels along x, y, z of a volume that a model makes: a 2-D model ignores the axis that its
/// training image did not have.
Dims dimsFor(const ModelInfo& info, Dims wanted);

/// Bytes that the latent field of so many voxels takes while it is made: twice, as it is and as it
/// is handed out.
double latentBytes(const Dims& dims, int margin, const ModelInfo& info);

/// In words, e.g. "random field".
const char* name(Prior prior);

/// \throws std::invalid_argument with one sentence, unless something of the volume is known (its
/// mask is not 0), and what is known are values that the model can give
void checkKnown(const Volume& volume, const ModelInfo& info);

} // namespace vae
