// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Options.h"
#include "Verdict.h"
#include "Volume.h"

#include <map>
#include <string>
#include <vector>

// What a model knows about itself: the metadata of its file.
namespace vae
{

/// How one channel of the data is normalised: x = (value - offset) / scale, or, where there are
/// phases, x = index of the value in them.
struct ChannelInfo
{
  std::string array;
  int component = 0;
  int components = 1;
  ScalarType type = ScalarType::Float32;
  double offset = 0, scale = 1;
  double minimum = 0, maximum = 1; ///< of the training data; outputs stay within
  double mean = 0;                 ///< of the training data
  std::vector<double> phases;      ///< Bernoulli, Categorical: the labels, ascending
  std::vector<double> fractions;   ///< of each in the training data
  double residual = 0;             ///< grey values: root mean square of x - E[x|z], normalised
};

/// One row of the history. Losses are nats a voxel; what concerns latents is measured on the
/// posteriors of the epoch's last batch, and not a number where there are no distributions.
struct EpochRecord
{
  int epoch = 0;
  std::int64_t step = 0;
  double seconds = 0;
  double loss = 0;              ///< of the objective, mean over the epoch
  double reconstruction = 0;    ///< -log p(x|z)
  double kl = 0;                ///< KL(q(z|x) || N(0, I)); VQ-VAE: from uniform use of the codes
  double validationLoss = 0;    ///< of the objective, of the held-out slab, schedule at its end
  double statisticsError = 0;   ///< of the held-out slab's variogram; only where it decides
  double validationQuality = 0; ///< voxel accuracy (phases) or PSNR in dB (grey values)
  double klWeight = 0;          ///< or whatever the KL Schedule drives, at the epoch's last step
  double learningRate = 0;
  double sigma = 0;      ///< grey values: mean width of the likelihood, in units of the data's own
  int activeLatents = 0; ///< channels whose mean varies: Var_x(E[z|x]) > 0.01 (Burda et al. 2016)
  std::vector<double> klOfLatents; ///< of each channel, nats a latent vector
  double mutualInformation = 0;    ///< between voxels and latent vector, nats; a lower bound
  double mmd = 0; ///< squared maximum mean discrepancy of aggregated posterior and prior
  std::map<std::string, double> measures; ///< of the objective itself
  double priorLoss = 0; ///< of the learned prior, not a number before its turn; the rest then stays
  double voxelsPerSecond = 0;
};

/// How a training ended.
enum class Ending
{
  None = 0,     ///< it has not: a checkpoint
  Budget = 1,   ///< Time Budget or Epochs is spent
  Patience = 2, ///< the validation loss no longer improved
  Stopped = 3,  ///< by the user
  Diverged = 4  ///< the loss exploded again and again; the last good weights are kept
};

/// Which of the grid's symmetries patches are turned by. Axes are the grid's, slowest first.
struct AugmentationSymmetry
{
  bool flips = false;                 ///< mirrored along each axis,
  bool together = false;              ///< but along all of them or none
  std::array<int, 3> kind{ 0, 1, 2 }; ///< axes of one kind are exchanged, if of equal spacing
};

/// How a training begins.
enum class Beginning
{
  Fresh = 0,      ///< from nothing
  Resumed = 1,    ///< where another was stopped, on the same data with the same options
  FineTuned = 2,  ///< from the weights of another, otherwise anew
  Experienced = 3 ///< from weights that have seen many materials, see Experience
};

/// Where a model comes from. Decided once, in TrainingStart.
struct Lineage
{
  Beginning kind = Beginning::Fresh;
  std::string data;    ///< hash of what it was trained on; older files do not say
  std::string options; ///< hash of every option that changes the result
  std::string parent;  ///< whose weights were the first, its fingerprint, step and best epoch
  /// Hash of the file whose weights were the first, also of what was resumed since; empty: none.
  std::string experience;
};

struct ModelInfo
{
  NetworkOptions network;
  Likelihood likelihood = Likelihood::Bernoulli; ///< never Automatic
  std::string likelihoodReason;                  ///< why this one, in words
  AugmentationSymmetry augmentation;
  std::string symmetryReason; ///< why patches are turned like that, in words
  std::vector<ChannelInfo> channels;
  std::array<double, 3> spacing{ 1, 1, 1 };
  Dims trainingDims{ 0, 0, 0 };
  bool cellData = false;
  TrainOptions options;    ///< as asked for; what was left open, as chosen for the device
  std::string fingerprint; ///< of data, options, parent; equal: training again gives the same
  Lineage lineage;
  std::string startReason; ///< why it began with these weights: a sentence; may be empty
  std::string device;      ///< where it was trained, and why there
  std::string producer;    ///< program and LibTorch version
  std::int64_t parameters = 0;
  std::vector<double> sigma; ///< grey values: width of the likelihood a channel, normalised units
  std::vector<EpochRecord> history;
  int priorWidth = 64;         ///< channels of the learned prior's network
  int priorCells = 7000;       ///< latent cells of a step of its training, in all crops
  std::int64_t priorSteps = 0; ///< of the learned prior; 0: there is none
  bool priorStarted = false;   ///< its first weights were those of a learned prior
  double priorSpread = 1;      ///< variance of its latent fields over that of what it learned from
  double textureWidth = 0;     ///< of Texture's noise, voxels; 0: not known, or not needed
  double textureWhite = 0;     ///< the part of its variance that is white, [0, 1]
  int bestEpoch = 0;           ///< whose weights the model has; 0 before the first
  Ending ending = Ending::None;
  std::string warning; ///< what went wrong and what cures it; may be empty
  Verdict verdict;     ///< on what it draws
  std::string leftOut; ///< what was not learned or measured, and why: sentences; may be empty

  int latentChannels() const { return this->network.latentChannels; }
  bool hasPhases() const { return !this->channels.empty() && !this->channels[0].phases.empty(); }
};

/// The metadata as one JSON text, and back. \throws std::runtime_error naming what is wrong.
std::string toJson(const ModelInfo& info);
ModelInfo modelInfoFromJson(const std::string& text);

/// What the format of model files is called in them.
constexpr const char* ModelFormat = "vae-paraview-5";
/// What a file says of its model. \throws std::runtime_error naming the file and what is wrong
ModelInfo modelInfoOf(const std::string& path, const std::map<std::string, std::string>& metadata);

/// Every option that changes the result; equal texts mean equal options.
std::string toText(const TrainOptions& options);

/// Hash of what is trained on and of every option that changes the result. `summaries` are those
/// of each volume's channels, and of its mask where it has one.
std::string fingerprint(const std::vector<Volume>& volumes,
  const std::vector<std::vector<ChannelSummary>>& summaries, const TrainOptions& options);

/// The same of the data alone.
std::string dataHash(
  const std::vector<Volume>& volumes, const std::vector<std::vector<ChannelSummary>>& summaries);

std::string hashOf(const std::string& text);

/// The same options but for those that only say when to end: with them a stopped training can go
/// on.
TrainOptions withLimitsOf(TrainOptions options, const TrainOptions& limits);

/// Name written to files and tables, e.g. "bernoulli".
const char* name(Likelihood likelihood);
const char* name(Architecture architecture);
const char* name(ScalarType type);
const char* name(Ending ending);

} // namespace vae
