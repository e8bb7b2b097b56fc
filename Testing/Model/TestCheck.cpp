// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Check.h"
#include "Model.h"
#include "Plan.h"
#include "Volumes.h"

#include <gtest/gtest.h>

#include <climits>
#include <cmath>
#include <functional>
#include <limits>
#include <thread>

using namespace vae;

namespace
{

constexpr double NaN = std::numeric_limits<double>::quiet_NaN();
constexpr double Infinity = std::numeric_limits<double>::infinity();

std::string refusal(const std::function<void()>& call)
{
  try
  {
    call();
    return "accepted";
  }
  catch (const std::invalid_argument& e)
  {
    return e.what();
  }
}

/// That check() refuses each of the values in a member of the options, with a sentence that begins
/// with its label and tells the value.
template <typename Options, typename Member>
void expectRefused(const char* label, Options options, Member&& member, bool alsoNegative = true)
{
  using Value = std::remove_cvref_t<decltype(member(options))>;
  std::vector<double> values{ INT_MAX, INT_MIN };
  if (alsoNegative)
  {
    values.push_back(-1);
  }
  if constexpr (std::is_floating_point_v<Value>)
  {
    values = { NaN, Infinity, -Infinity, 1e300 };
    if (alsoNegative)
    {
      values.push_back(-1);
    }
  }
  for (const double value : values)
  {
    Options changed = options;
    if constexpr (std::is_floating_point_v<Value>)
    {
      member(changed) = value;
    }
    else
    {
      member(changed) = static_cast<Value>(static_cast<int>(value));
    }
    const std::string said = refusal([&] { check(changed); });
    EXPECT_EQ(said.find(label + std::string(" is ") + inWords(value)), 0u) << said;
  }
}

#define REFUSED(label, Options, member)                                                            \
  expectRefused(label, Options(), [](auto& o) -> auto& { return o.member; })

} // namespace

TEST(Check, EveryOptionOfATrainingHasARange)
{
  REFUSED("Network", TrainOptions, network.architecture);
  REFUSED("Latent Channels", TrainOptions, network.latentChannels);
  REFUSED("Latent Stride", TrainOptions, network.latentStride);
  REFUSED("Width", TrainOptions, network.width);
  REFUSED("Blocks", TrainOptions, network.blocks);
  REFUSED("KL Schedule", TrainOptions, klSchedule);
  REFUSED("KL Ramp", TrainOptions, klRamp);
  REFUSED("KL Cycles", TrainOptions, klCycles);
  REFUSED("Free Bits", TrainOptions, freeBits);
  REFUSED("Likelihood", TrainOptions, likelihood);
  REFUSED("Likelihood Scale", TrainOptions, scale);
  REFUSED("Fixed Scale", TrainOptions, fixedScale);
  REFUSED("Time Budget", TrainOptions, timeBudget);
  REFUSED("Epochs", TrainOptions, epochs);
  REFUSED("Prior Share", TrainOptions, priorShare);
  REFUSED("Patience", TrainOptions, patience);
  REFUSED("Best By", TrainOptions, bestBy);
  REFUSED("Steps Per Epoch", TrainOptions, stepsPerEpoch);
  REFUSED("Patch Size", TrainOptions, patchSize);
  REFUSED("Batch Size", TrainOptions, batchSize);
  REFUSED("Learning Rate", TrainOptions, learningRate);
  REFUSED("Symmetry", TrainOptions, symmetry);
  REFUSED("Validation Fraction", TrainOptions, validationFraction);
  REFUSED("Class Balance", TrainOptions, classBalance);
  REFUSED("Precision", TrainOptions, precision);
  REFUSED("Threads", TrainOptions, threads);
  REFUSED("Execution", SessionOptions, execution);
  REFUSED("Checkpoint Interval", SessionOptions, checkpointInterval);
  REFUSED("Refresh Interval", SessionOptions, refreshInterval);
  TrainOptions dense;
  dense.network.architecture = Architecture::Dense;
  expectRefused("Block Size", dense, [](auto& o) -> auto& { return o.network.blockSize; });
  expectRefused("Hidden Units", dense, [](auto& o) -> auto& { return o.network.hiddenUnits; });
  TrainOptions ignored; // what the network does not use
  ignored.network.blockSize = ignored.network.hiddenUnits = -1;
  EXPECT_EQ(refusal([&] { check(ignored); }), "accepted");
}

TEST(Check, EveryOptionOfAFilterHasARange)
{
  REFUSED("Precision", RunOptions, precision);
  REFUSED("Threads", RunOptions, threads);
  REFUSED("Memory Budget", RunOptions, memoryBudget);
  REFUSED("Reconstruct From", ReconstructOptions, reconstructFrom);
  REFUSED("Realizations", ReconstructOptions, realizations);
  REFUSED("Strength", ReconstructOptions, strength);
  REFUSED("Samples", ReconstructOptions, samples);
  REFUSED("Anomaly Measure", ReconstructOptions, anomalyMeasure);
  REFUSED("Prior", GenerateOptions, prior);
  REFUSED("Temperature", GenerateOptions, temperature);
  REFUSED("Fraction Mode", FractionOptions, fractionMode);
  REFUSED("Target Fraction", FractionOptions, targetFraction);
  REFUSED("Walk", WalkOptions, walk);
  REFUSED("Steps", WalkOptions, steps);
  REFUSED("Range", WalkOptions, range);
  REFUSED("Start", WalkOptions, start);
  REFUSED("End", WalkOptions, end);
  REFUSED("Base", ExplorerOptions, base);
  REFUSED("Block Size", ExplorerOptions, blockSize);
  REFUSED("Block Size", FeatureOptions, blockSize);
  REFUSED("Phase", StatisticsOptions, phase);
  REFUSED("Maximum Lag", StatisticsOptions, maximumLag);
  REFUSED("Connectivity", StatisticsOptions, connectivity);
  REFUSED("Cube Size", StatisticsOptions, cubeSize);
  REFUSED("Block Size", StatisticsOptions, blockSize);
  REFUSED("Thresholds", StatisticsOptions, thresholds);
  REFUSED("Threads", StatisticsOptions, threads);
  REFUSED("Phase", PermeabilityOptions, phase);
  REFUSED("Direction", PermeabilityOptions, direction);
  REFUSED("Boundary", PermeabilityOptions, boundary);
  REFUSED("Tolerance", PermeabilityOptions, tolerance);
  REFUSED("Maximum Iterations", PermeabilityOptions, maximumIterations);
  REFUSED("Spacing In Metres", PermeabilityOptions, spacingInMetres);
  REFUSED("Threads", PermeabilityOptions, threads);
}

TEST(Check, SentencesTellWhatIsAllowed)
{
  EXPECT_EQ(refusal([] { require("Steps", INT_MAX, 2, 100000); }),
    "Steps is 2147483647; it must be in [2, 100000]");
  EXPECT_EQ(refusal([] { require("Prior", static_cast<Prior>(9), Prior::Learned); }),
    "Prior is 9; it must be in [0, 3]");
  EXPECT_EQ(refusal([] { requireOneOf("Latent Stride", 2, { 4, 8, 16, 32 }); }),
    "Latent Stride is 2; it must be 4, 8, 16 or 32");
  EXPECT_EQ(
    refusal([] { requireFinite("Value", NaN); }), "Value is nan; it must be a finite number");
  const int dimensions[3] = { 64, 100001, 1 };
  EXPECT_EQ(refusal([&] { requireDimensions(dimensions); }),
    "Dimensions is 64 x 100001 x 1; each must be in [1, 100000]");
  EXPECT_EQ(refusal([] { requireOffsets({ 0, 1e300 }); }),
    "Latent Offsets is 1e+300; it must be in [-100, 100]");
  const std::string memory = refusal([] { requireMemory("The output", std::ldexp(1., 60)); });
  EXPECT_EQ(memory.find("The output takes 1.07e+09 GiB of memory, but only "), 0u) << memory;
  EXPECT_EQ(refusal([] { requireMemory("The output", 1); }), "accepted");
}

TEST(Check, ThreadsAreAtMostFourForEachCore)
{
  const int cores = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  EXPECT_EQ(threadsOf(0), cores);
  EXPECT_EQ(threadsOf(1), 1);
  EXPECT_EQ(threadsOf(MostThreads), std::min(MostThreads, 4 * cores));
}

TEST(Volume, SizesDoNotOverflow)
{
  constexpr std::int64_t large = INT_MAX;
  EXPECT_EQ(voxels({ 100000, 100000, 100000 }), 1000000000000000);
  EXPECT_EQ(voxels({ 0, large, large }), 0);
  EXPECT_EQ(refusal([] { (void)voxels({ large, large, large }); }),
    "2147483647 x 2147483647 x 2147483647 voxels are too many");
  // Whose product is 2^64, which is 0 in 64 bits.
  constexpr std::int64_t two32 = std::int64_t{ 1 } << 32;
  EXPECT_NE(refusal([] { (void)voxels({ two32, two32, 1 }); }), "accepted");
}

TEST(Volume, KnownValuesBecomeTheNearestOfTheirType)
{
  Volume known = test::volume(std::vector<float>{ -5, 3, 1e10f, 7 }, { 4, 1, 1 });
  const std::vector<std::uint8_t> mask{ 1, 1, 1, 0 };
  known.mask.data = mask.data();
  known.mask.type = ScalarType::UInt8;
  std::vector<std::uint8_t> out(4, 9);
  overwrite(known, { test::output(out) });
  EXPECT_EQ(out, (std::vector<std::uint8_t>{ 0, 3, 255, 9 }));
}

TEST(Plan, IsAnswerToAnyNumbers)
{
  const int values[] = { INT_MIN, -1, 0, 1, 2, 3, 7, 1000, INT_MAX };
  int plans = 0;
  for (const int architecture : { 0, 1, 2, 3, 9, -1 })
  {
    for (const auto member :
      { &NetworkOptions::dimensions, &NetworkOptions::channels, &NetworkOptions::width,
        &NetworkOptions::blocks, &NetworkOptions::latentChannels, &NetworkOptions::latentStride,
        &NetworkOptions::blockSize, &NetworkOptions::hiddenUnits })
    {
      for (const int value : values)
      {
        TrainOptions o;
        o.network.architecture = static_cast<Architecture>(architecture);
        o.network.*member = value;
        o.patchSize = o.batchSize = value;
        const Plan plan = planOf(o);
        EXPECT_GE(plan.parameters, 0);
        EXPECT_GT(plan.receptiveField, 0);
        EXPECT_GT(plan.voxelsPerStep, 0);
        for (const double v : { plan.operationsPerVoxel, plan.modelMemory, plan.batchMemory })
        {
          EXPECT_TRUE(v >= 0 && v < 1e20) << v;
        }
        ++plans;
      }
    }
  }
  EXPECT_EQ(plans, 6 * 8 * 9);
}
