// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>

// Every choice a training or a run can make, and the only copy of each default. Labels, ranges and
// when an option applies are in Source/OptionTable.h, which has a row for each member. (The
// parameters of an objective, and their defaults, are in its file under Torch/Losses/Objectives.)
namespace vae
{

/// p(x|z). Automatic takes Bernoulli when every channel holds exactly two values, Categorical when
/// the one channel holds 3 to 16 whole numbers, else Gaussian.
enum class Likelihood
{
  Automatic = 0,
  Bernoulli = 1,   ///< one probability a voxel; -log p = binary cross entropy
  Gaussian = 2,    ///< one standard deviation a channel, see Scale
  Categorical = 3, ///< one probability for each of n phases; -log p = cross entropy
  Laplace = 4      ///< one mean absolute deviation a channel, see Scale; sharper edges, robust
};

/// Where the width of a Gaussian or Laplace likelihood comes from.
enum class Scale
{
  Analytic = 0, ///< the best for the current errors (sigma-VAE, Rybkin et al. 2021, Eq. 8)
  Learned = 1,  ///< a parameter, by gradients
  Fixed = 2     ///< FixedScale
};

/// How the weight of the KL term rises.
enum class KLSchedule
{
  Linear = 0,  ///< from 0, over KLRamp of the training
  Cyclical = 1 ///< the same in each of KLCycles equal parts (Fu et al. 2019)
};

enum class Architecture
{
  Field = 0,      ///< fully convolutional, one latent vector for a cell of LatentStride voxels
  Vector = 1,     ///< convolutions to one latent vector for a whole block
  Dense = 2,      ///< two fully connected layers to one latent vector for a block, two back
  TorchScript = 3 ///< the user's own encoder and decoder, one latent vector for a block
};

/// Arithmetic of the convolutions; weights and losses are always float32.
enum class Precision
{
  Automatic = 0, ///< BFloat16 where the device computes in it natively, else Float32
  Float32 = 1,
  BFloat16 = 2
};

/// Which symmetries of the grid patches are drawn with.
enum class Symmetry
{
  None = 0,
  Flips = 1,    ///< mirror images along each axis
  Cube = 2,     ///< flips and permutations of axes with equal spacing: 48 in 3-D, 8 in 2-D
  Automatic = 3 ///< those of Cube that the data's variograms have
};

/// What is fixed when a network is made; see Torch/Networks.
struct NetworkOptions
{
  Architecture architecture = Architecture::Field;
  int dimensions = 3;     ///< 2 or 3
  int channels = 1;       ///< values a voxel that it reads and gives: data channels, or phases
  int width = 32;         ///< Field, Vector: channels at 1/4 resolution, more below
  int blocks = 1;         ///< Field, Vector: residual blocks a level
  int latentChannels = 8; ///< numbers in a latent vector
  int latentStride = 8;   ///< Field: voxels a latent cell along each axis; 4, 8, 16 or 32
  int blockSize = 32;     ///< the others: voxels of a block along each axis
  int hiddenUnits = 400;  ///< Dense: of the hidden layers; 0: none, a linear autoencoder
  int codes = 0;          ///< of the codebook of a VQ-VAE; 0: none
  std::string encoderFile, decoderFile; ///< TorchScript

  /// Voxels folded into channels, along each axis, before the first layer.
  int fold() const
  {
    return this->architecture == Architecture::Field || this->architecture == Architecture::Vector
      ? 4
      : 1;
  }
  /// Voxels a latent cell, along each axis.
  int stride() const
  {
    return this->architecture == Architecture::Field ? this->latentStride : this->blockSize;
  }
};

/// Which weights a training begins with. An Initial Model has its own in any case.
enum class StartFrom
{
  Automatic = 0,    ///< Experience where it is installed and fits, else RandomWeights
  Experience = 1,   ///< those that have seen many materials (Data/README.md)
  RandomWeights = 2 ///< none that know anything
};

/// Which epoch's weights are kept, and end a training by Patience.
enum class BestBy
{
  ValidationLoss = 0, ///< the objective's loss of held-out patches, EpochRecord::validationLoss
  Statistics = 1      ///< the error of the variogram of rebuilt held-out patches
};

/// What VAE Train does. "Epoch" is a row of the history: stepsPerEpoch optimiser steps. Defaults
/// are a processor's; a GPU may get a larger width, patches and batches
/// (Torch/Training/StepScale.h).
struct TrainOptions
{
  NetworkOptions network;
  bool allowTorchScript = false; ///< TorchScript files are programs
  StartFrom startFrom = StartFrom::Automatic;

  std::string objective = "VAE";            ///< a name of objectives() in Objectives.h
  std::map<std::string, double> parameters; ///< of the objective; its own defaults where absent
  KLSchedule klSchedule = KLSchedule::Linear;
  double klRamp = 0.3; ///< fraction of the training, or of a cycle, over which the weight rises
  int klCycles = 4;
  double freeBits = 0; ///< nats of each latent channel a cell that cost nothing

  Likelihood likelihood = Likelihood::Automatic;
  Scale scale = Scale::Analytic;
  double fixedScale = 0.1; ///< in standard deviations of the data

  double timeBudget = 120;  ///< seconds; 0 for no limit
  int epochs = 0;           ///< 0 for no limit; one of the two limits must be set
  double priorShare = 0.65; ///< of the training, its last part, for the learned prior
  int patience = 0;         ///< epochs without a better validation loss that end it; 0 for never
  BestBy bestBy = BestBy::ValidationLoss;
  int stepsPerEpoch = 20;

  int patchSize = 48; ///< Field: voxels along each axis; thinner volumes take what they have
  int batchSize = 0;  ///< patches a step; 0: 2 of Field's patches, 64 blocks of the others
  double learningRate = 2e-3;
  double weightDecay = 0.01;
  double gradientClip = 1.0; ///< largest norm of the gradient of the loss a voxel
  Symmetry symmetry = Symmetry::Automatic;
  double validationFraction = 0.1; ///< end of the last axis held out, never sampled
  double classBalance = 0; ///< two-phase data: fraction of patches centred on the rarer phase

  std::int64_t seed = 0;
  std::string device = "auto"; ///< auto, cpu, cuda or cuda:N
  Precision precision = Precision::Automatic;
  int threads = 0; ///< 0: what is fastest while it runs, at most as many as there are cores

  int patch() const
  {
    return this->network.architecture == Architecture::Field ? this->patchSize
                                                             : this->network.blockSize;
  }
  int batch() const
  {
    return this->batchSize > 0                            ? this->batchSize
      : this->network.architecture == Architecture::Field ? 2
                                                          : 64;
  }
};

/// Whether an update waits for the end of a training.
enum class Execution
{
  Automatic = 0, ///< Live where a window polls, else Blocking
  Live = 1,
  Blocking = 2
};

/// How a training is driven; nothing here changes what is learned.
struct SessionOptions
{
  Execution execution = Execution::Automatic;
  std::string modelFile;          ///< empty: none is written
  bool alwaysTrain = false;       ///< also where modelFile fits data and options
  bool overwrite = false;         ///< modelFile, whatever it is; else only models of the same data
  double checkpointInterval = 30; ///< seconds between files written while training; 0 for none
  double refreshInterval = 2;     ///< seconds between the models handed out while training
  bool saveOptimizer = false;     ///< keep the optimiser's state when a training has run to its end
};

/// What may be taken from a model file.
struct LoadOptions
{
  bool allowTorchScript = false; ///< networks that are programs
};

/// How inference runs.
struct RunOptions
{
  std::string device = "auto";
  Precision precision = Precision::Automatic;
  int threads = 0;
  double memoryBudget = 0; ///< MiB of activations a tile may use; 0: from what is free
};

/// What makes a place unlike the training volume. Zimmerer et al. 2019 (arXiv 1907.02796) multiply
/// the reconstruction error by the KL term's gradient; here the term itself, which needs no way
/// back.
enum class AnomalyMeasure
{
  ReconstructionError = 0, ///< -log p(x|z) above its least possible value, nats
  KLDivergence = 1,        ///< KL(q(z|x) || N(0, I)) of the latent cell, nats a voxel
  Product = 2              ///< of the two
};

/// Which latent vectors VAE Reconstruct decodes.
enum class ReconstructFrom
{
  PosteriorMean = 0,  ///< z = mu
  PosteriorSample = 1 ///< z = mu + sigma eps, eps from N(0, I) (Kingma and Welling 2014, Eq. 4)
};

/// What VAE Reconstruct does beside encoding and decoding.
struct ReconstructOptions
{
  ReconstructFrom reconstructFrom = ReconstructFrom::PosteriorMean;
  int realizations = 1; ///< posterior samples to hand out, as time steps
  /// Number of the posterior sample: those of the standard deviation begin with the same ones.
  std::int64_t realization = 0;
  double strength = 1; ///< 0: the input, 1: the reconstruction
  int samples = 16;    ///< of the posterior, for standard deviation, entropy, exceedance
  std::int64_t seed = 0;
  double threshold = 0; ///< of the exceedance, in the data's unit
  AnomalyMeasure anomalyMeasure = AnomalyMeasure::ReconstructionError;
};

/// Where VAE Generate draws latent fields from.
enum class Prior
{
  Automatic = 0,   ///< the best the model holds
  Normal = 1,      ///< N(0, I) in each cell, the textbook's
  RandomField = 2, ///< stationary Gaussian field with the training volume's own statistics
  Learned = 3      ///< a second network's, trained on the training volume's latent field
};

struct GenerateOptions
{
  Prior prior = Prior::Automatic;
  std::int64_t seed = 0;
  /// Each has its own stream of random numbers.
  std::int64_t realization = 0;
  /// Not independent: a learned prior's realizations come in tens (0 to 9, 10 to 19...) whose local
  /// means are drawn together, in pairs of opposite normal scores that are shifted until the ten
  /// have the data's mean. Means over a ten then scatter less (antithetic variates), and intervals
  /// that take the ten for independent are wrong.
  bool reduceVariance = false;
  double temperature = 1.0; ///< factor on the field's standard deviation
  /// Along x, y, z: the volume's end fits its beginning. Its size is then a multiple of stride().
  std::array<bool, 3> periodic{ false, false, false };
  bool texture = true; ///< values are drawn from p(x|z), not its likeliest
  ///@{
  /// Of the learned prior. The local mean that it is told lacks the part of long waves that it adds
  /// by itself; phases are cut where a volume has the fraction that its local mean asks for.
  bool correctLongWaves = true;
  bool correctFraction = true;
  ///@}
};

/// Which fraction of one phase VAE Generate makes exact: not the likelier phase is written, but as
/// many voxels as are wanted have it, those with the largest log odds.
enum class FractionMode
{
  Off = 0,            ///< the likelier phase in each voxel; the fraction is not forced
  TrainingData = 1,   ///< the training data's own fraction
  TargetFraction = 2, ///< FractionOptions::targetFraction
  TrendMap = 3        ///< the mean of a map, locally as the map says
};

struct FractionOptions
{
  FractionMode fractionMode = FractionMode::Off;
  double targetFraction = 0.2;     ///< of all voxels
  std::string phase = "Automatic"; ///< its label, or Automatic: statistics::automaticPhase()
};

/// How VAE Generate hands out several volumes.
enum class RealizationsAs
{
  TimeSteps = 0,
  Blocks = 1 ///< of a multi-block
};

/// How many volumes VAE Generate makes, and as what.
struct RealizationOptions
{
  int realizations = 1;
  RealizationsAs realizationsAs = RealizationsAs::TimeSteps;
};

/// Where a latent field to explore from comes from.
enum class LatentSource
{
  Sample = 0, ///< the model's best prior, by a seed
  Mean = 1,   ///< the mean of each channel, everywhere
  Volume = 2  ///< the encoding of a volume
};

/// How VAE Latent Walk goes.
enum class Walk
{
  Traverse = 0, ///< one channel from -range to +range
  Linear = 1,   ///< a straight line between two fields
  Spherical = 2 ///< an arc between two fields
};

struct WalkOptions
{
  Walk walk = Walk::Traverse;
  int steps = 21;   ///< time steps
  int channel = 0;  ///< that is traversed
  double range = 3; ///< standard deviations of the channel to either side
  LatentSource start = LatentSource::Sample;
  LatentSource end = LatentSource::Sample;
  std::int64_t startSeed = 0;
  std::int64_t endSeed = 1;
};

struct ExplorerOptions
{
  LatentSource base = LatentSource::Sample;
  std::int64_t seed = 0;
  int blockSize = 64; ///< voxels along each axis that are decoded while a slider moves; 0: all
};

/// What VAE Features averages over.
struct FeatureOptions
{
  int blockSize = 1; ///< latent cells along each axis
};

} // namespace vae
