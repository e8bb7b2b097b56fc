// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <string>

// Every choice a training or a run can make, and the only copy of each default.
namespace vae
{

/// p(x|z). Automatic takes Bernoulli when every channel holds exactly two values, else Gaussian.
enum class Likelihood
{
  Automatic = 0,
  Bernoulli = 1, ///< one probability a voxel; -log p = binary cross entropy
  Gaussian = 2   ///< one standard deviation a channel, learned (Rybkin et al. 2021)
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
  Flips = 1, ///< mirror images along each axis
  Cube = 2   ///< flips and permutations of axes with equal spacing: 48 in 3-D, 8 in 2-D
};

/// The fully convolutional network. Space is folded into channels before the first
/// convolution and unfolded after the last; the latent field has 1/8 of the resolution.
struct NetworkOptions
{
  int dimensions = 3;     ///< 2 or 3
  int channels = 1;       ///< of the data
  int fold = 4;           ///< voxels folded into channels, along each axis
  int width = 32;         ///< channels at 1/4 resolution; twice that at 1/8; [8, 512]
  int blocks = 1;         ///< residual blocks a level of the encoder; the decoder adds one; [1, 8]
  int latentChannels = 8; ///< [1, 64]

  int stride() const { return this->fold * 2; } ///< voxels a latent cell
};

/// What VAE Train does. "Epoch" is a row of the history: stepsPerEpoch optimiser steps.
struct TrainOptions
{
  NetworkOptions network;

  Likelihood likelihood = Likelihood::Automatic;
  double klWeight = 1.0; ///< beta of Higgins et al. 2017, Eq. 4; 1 is the evidence lower bound
  double klRamp = 0.3;   ///< fraction of the training over which the weight rises from 0

  double timeBudget = 120; ///< seconds; 0 for no limit
  int epochs = 0;          ///< 0 for no limit; one of the two limits must be set
  int patience = 0;        ///< epochs without a better validation loss that end it; 0 for never
  int stepsPerEpoch = 20;

  int patchSize = 48; ///< voxels along each axis; thinner volumes take what they have
  int batchSize = 2;
  double learningRate = 2e-3;
  double weightDecay = 0.01;
  double gradientClip = 1.0; ///< largest norm of the gradient of the loss a voxel
  Symmetry symmetry = Symmetry::Cube;
  double validationFraction = 0.1; ///< end of the last axis held out, never sampled
  double classBalance = 0; ///< two-phase data: fraction of patches centred on the rarer phase

  std::int64_t seed = 0;
  std::string device = "auto"; ///< auto, cpu, cuda or cuda:N
  Precision precision = Precision::Automatic;
  int threads = 0; ///< 0: as many as there are cores
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
  double checkpointInterval = 30; ///< seconds between files written while training; 0 for none
  double refreshInterval = 2;     ///< seconds between the models handed out while training
  bool saveOptimizer = false;     ///< keep the optimiser's state when a training has run to its end
};

/// How inference runs.
struct RunOptions
{
  std::string device = "auto";
  Precision precision = Precision::Automatic;
  int threads = 0;
  double memoryBudget = 0; ///< MiB of activations a tile may use; 0: from what is free
};

/// Where VAE Generate draws latent fields from.
enum class Prior
{
  Automatic = 0,  ///< the best the model holds
  Normal = 1,     ///< N(0, I) in each cell, the textbook's
  RandomField = 2 ///< stationary Gaussian field with the training volume's own statistics
};

struct GenerateOptions
{
  Prior prior = Prior::Automatic;
  std::int64_t seed = 0;
  std::int64_t realization = 0; ///< each has its own stream of random numbers
  double temperature = 1.0;     ///< factor on the field's standard deviation
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
  int steps = 21;    ///< time steps; at least 2
  int channel = 0;   ///< that is traversed
  double range = 3;  ///< standard deviations of the channel to either side
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
