// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Check.h"

#include "Memory.h"

#include <algorithm>
#include <cmath>
#include <format>
#include <stdexcept>
#include <thread>

namespace vae
{

std::string inWords(double value) { return std::format("{:.10g}", value); }

void require(const std::string& label, double value, double low, double high)
{
  if (!(value >= low && value <= high))
  {
    throw std::invalid_argument(label + " is " + inWords(value) + "; it must be in [" +
      inWords(low) + ", " + inWords(high) + "]");
  }
}

void requireOneOf(const std::string& label, int value, std::initializer_list<int> allowed)
{
  if (std::find(allowed.begin(), allowed.end(), value) != allowed.end())
  {
    return;
  }
  std::string list;
  for (const int& a : allowed)
  {
    list += &a == allowed.begin() ? "" : &a + 1 == allowed.end() ? " or " : ", ";
    list += std::to_string(a);
  }
  throw std::invalid_argument(label + " is " + std::to_string(value) + "; it must be " + list);
}

void requireFinite(const std::string& label, double value)
{
  if (!std::isfinite(value))
  {
    throw std::invalid_argument(label + " is " + inWords(value) + "; it must be a finite number");
  }
}

void requireMemory(const std::string& what, double bytes)
{
  const double left = freeMemory();
  if (!(bytes <= left))
  {
    constexpr double gibibyte = 1 << 30;
    throw std::invalid_argument(
      std::format("{} takes {:.3g} GiB of memory, but only {:.3g} GiB are free", what,
        bytes / gibibyte, left / gibibyte));
  }
}

void requireDimensions(const int dimensions[3])
{
  for (int a = 0; a < 3; ++a)
  {
    if (dimensions[a] < 1 || dimensions[a] > MostVoxels)
    {
      throw std::invalid_argument("Dimensions is " + std::to_string(dimensions[0]) + " x " +
        std::to_string(dimensions[1]) + " x " + std::to_string(dimensions[2]) +
        "; each must be in [1, " + std::to_string(MostVoxels) + "]");
    }
  }
}

void requireOffsets(const std::vector<double>& offsets)
{
  for (const double offset : offsets)
  {
    require("Latent Offsets", offset, -100, 100);
  }
}

int threadsOf(int wanted)
{
  const int cores = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  return wanted > 0 ? std::min(wanted, 4 * cores) : cores;
}

namespace
{

void requireThreads(int threads) { require("Threads", threads, 0, MostThreads); }

void check(const NetworkOptions& n)
{
  require("Network", n.architecture, Architecture::TorchScript);
  require("Latent Channels", n.latentChannels, 1, 64);
  const bool field = n.architecture == Architecture::Field;
  if (field || n.architecture == Architecture::Vector)
  {
    require("Width", n.width, 8, 512);
    require("Blocks", n.blocks, 1, 8);
  }
  if (field)
  {
    requireOneOf("Latent Stride", n.latentStride, { 4, 8, 16, 32 });
    return;
  }
  require("Block Size", n.blockSize, 2, 128);
  if (n.architecture == Architecture::Vector && n.blockSize % 4 != 0)
  {
    throw std::invalid_argument("Block Size is " + std::to_string(n.blockSize) +
      "; the network Vector needs a multiple of 4 in [4, 128]");
  }
  if (n.architecture == Architecture::Dense)
  {
    require("Hidden Units", n.hiddenUnits, 0, 65536);
  }
}

} // namespace

void check(const TrainOptions& o)
{
  check(o.network);
  if (o.network.architecture == Architecture::TorchScript && !o.allowTorchScript)
  {
    throw std::invalid_argument(
      "Network is TorchScript, but Allow TorchScript is off; switch it on only if you trust the "
      "authors of Encoder File and Decoder File, because TorchScript is code");
  }
  require("KL Schedule", o.klSchedule, KLSchedule::Cyclical);
  require("KL Ramp", o.klRamp, 0, 1);
  require("KL Cycles", o.klCycles, 1, 1000);
  require("Free Bits", o.freeBits, 0, 10);
  require("Likelihood", o.likelihood, Likelihood::Laplace);
  require("Likelihood Scale", o.scale, Scale::Fixed);
  require("Fixed Scale", o.fixedScale, 1e-3, 1e3);
  require("Time Budget", o.timeBudget, 0, MostSeconds);
  require("Epochs", o.epochs, 0, 10000000);
  require("Prior Share", o.priorShare, 0, 0.9);
  require("Patience", o.patience, 0, 10000000);
  require("Best By", o.bestBy, BestBy::Statistics);
  require("Steps Per Epoch", o.stepsPerEpoch, 1, 100000);
  if (o.network.architecture == Architecture::Field)
  {
    require("Patch Size", o.patchSize, o.network.stride(), 512);
  }
  require("Batch Size", o.batchSize, 0, 4096);
  require("Learning Rate", o.learningRate, 1e-7, 1);
  require("Symmetry", o.symmetry, Symmetry::Automatic);
  require("Validation Fraction", o.validationFraction, 0, 0.5);
  require("Class Balance", o.classBalance, 0, 1);
  require("Precision", o.precision, Precision::BFloat16);
  requireThreads(o.threads);
  if (o.epochs == 0 && o.timeBudget == 0)
  {
    throw std::invalid_argument(
      "Time Budget and Epochs are both 0 (no limit); one of them must be set");
  }
  if (o.patience > 0 && o.validationFraction == 0)
  {
    throw std::invalid_argument("Patience is " + std::to_string(o.patience) +
      ", but Validation Fraction is 0; without held-out data Patience must be 0");
  }
}

void check(const SessionOptions& o)
{
  require("Execution", o.execution, Execution::Blocking);
  require("Checkpoint Interval", o.checkpointInterval, 0, MostSeconds);
  require("Refresh Interval", o.refreshInterval, 0, MostSeconds);
}

void check(const RunOptions& o)
{
  require("Precision", o.precision, Precision::BFloat16);
  requireThreads(o.threads);
  require("Memory Budget", o.memoryBudget, 0, 1e9);
}

void check(const ReconstructOptions& o)
{
  require("Strength", o.strength, 0, 1);
  require("Samples", o.samples, 2, 10000);
  requireFinite("Threshold", o.threshold);
  require("Anomaly Measure", o.anomalyMeasure, AnomalyMeasure::Product);
}

void check(const GenerateOptions& o)
{
  require("Prior", o.prior, Prior::Learned);
  require("Temperature", o.temperature, 0, 10);
}

void check(const FractionOptions& o)
{
  require("Fraction Mode", o.fractionMode, FractionMode::TrendMap);
  require("Target Fraction", o.targetFraction, 0, 1);
}

void check(const WalkOptions& o)
{
  require("Walk", o.walk, Walk::Spherical);
  require("Steps", o.steps, 2, MostSteps);
  require("Range", o.range, 0, 100);
  require("Start", o.start, LatentSource::Volume);
  require("End", o.end, LatentSource::Volume);
}

void check(const ExplorerOptions& o)
{
  require("Base", o.base, LatentSource::Volume);
  require("Block Size", o.blockSize, 0, MostVoxels);
}

void check(const FeatureOptions& o) { require("Block Size", o.blockSize, 1, MostVoxels); }

void check(const StatisticsOptions& o)
{
  require("Phase", o.phase, Phase::AtOrAbove);
  requireFinite("Value", o.value);
  require("Maximum Lag", o.maximumLag, 0, MostVoxels);
  requireOneOf("Connectivity", static_cast<int>(o.connectivity), { 6, 18, 26 });
  require("Cube Size", o.cubeSize, 2, MostVoxels);
  require("Block Size", o.blockSize, 0, MostVoxels);
  require("Thresholds", o.thresholds, 0, 1000);
  requireThreads(o.threads);
}

void check(const PermeabilityOptions& o)
{
  require("Phase", o.phase, Phase::AtOrAbove);
  requireFinite("Value", o.value);
  require("Direction", o.direction, FlowDirection::All);
  require("Boundary", o.boundary, FlowBoundary::Periodic);
  require("Tolerance", o.tolerance, 1e-5, 0.1);
  require("Maximum Iterations", o.maximumIterations, 1, 100000);
  require("Spacing In Metres", o.spacingInMetres, 1e-15, 1e6);
  requireThreads(o.threads);
}

} // namespace vae
