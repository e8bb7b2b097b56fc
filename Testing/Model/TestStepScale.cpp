// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
//
// Defaults by the speed of a device, of imagined ones.
#include "Plan.h"
#include "Torch/Training/StepScale.h"
#include "Torch/Training/TorchTrainer.h"
#include "Training.h"
#include "Volumes.h"

#include <gtest/gtest.h>

#include <cmath>

using namespace vae;

namespace
{

constexpr double Gibibyte = 1 << 30;

/// Launches take their time, and then all is computed at one speed.
Measurable imagined(double launches, double operationsPerSecond, double freeBytes)
{
  Measurable device;
  device.freeBytes = freeBytes;
  device.secondsOfStep = [=](const TrainOptions& o)
  {
    const Plan plan = planOf(o);
    return launches +
      plan.operationsPerVoxel * static_cast<double>(plan.voxelsPerStep) / operationsPerSecond;
  };
  return device;
}

/// Its place among the scales, 0 for the defaults.
std::ptrdiff_t rowOf(const std::optional<StepScale>& scale)
{
  const auto& all = StepScale::all();
  return !scale ? 0
                : 1 +
      (std::ranges::find(all, scale->width * scale->batchSize,
         [](const StepScale& s) { return s.width * s.batchSize; }) -
        all.begin());
}

} // namespace

TEST(StepScale, IsThatOfTheDevicesSpeed)
{
  const TrainOptions defaults;
  ASSERT_TRUE(leavesScaleOpen(defaults));
  // 2 cores with AVX512-BF16; a laptop's GPU; an H200.
  EXPECT_FALSE(fastest(defaults, imagined(0, 0.5e12, 16 * Gibibyte)));
  const auto laptop = fastest(defaults, imagined(3e-3, 8e12, 6 * Gibibyte));
  ASSERT_TRUE(laptop);
  const auto large = fastest(defaults, imagined(2e-3, 150e12, 139 * Gibibyte));
  ASSERT_TRUE(large);
  EXPECT_EQ(large->inWords(), "Width 64, Patch Size 64, Batch Size 16, Steps Per Epoch 200");
  EXPECT_EQ(large->priorWidth, 128);
  EXPECT_EQ(large->priorCells, 28000);
  EXPECT_LT(laptop->width * laptop->batchSize, large->width * large->batchSize);
  TrainOptions o;
  large->applyTo(o);
  EXPECT_EQ(o.network.width, 64);
  EXPECT_EQ(o.patchSize, 64);
  EXPECT_EQ(o.batchSize, 16);
  EXPECT_EQ(o.stepsPerEpoch, 200);
}

TEST(StepScale, RisesWithSpeedAndMemoryAndNoFurtherThanTheTable)
{
  const TrainOptions defaults;
  const auto most = static_cast<std::ptrdiff_t>(StepScale::all().size());
  std::ptrdiff_t before = 0;
  for (double speed = 1e11; speed < 1e17; speed *= 1.5)
  {
    const Measurable device = imagined(1e-3, speed, 139 * Gibibyte);
    const auto found = fastest(defaults, device);
    EXPECT_GE(rowOf(found), before) << speed;
    before = rowOf(found);
    if (found)
    {
      TrainOptions o;
      found->applyTo(o);
      EXPECT_LE(device.secondsOfStep(o), 0.02) << "fewer than 50 steps a second";
    }
  }
  EXPECT_EQ(before, most);
  before = 0;
  for (double bytes = Gibibyte / 64; bytes < 64 * Gibibyte; bytes *= 1.5)
  {
    const auto found = fastest(defaults, imagined(1e-3, 1e17, bytes));
    EXPECT_GE(rowOf(found), before);
    before = rowOf(found);
    if (found)
    {
      TrainOptions o;
      found->applyTo(o);
      const Plan plan = planOf(o);
      EXPECT_LE(plan.modelMemory + plan.batchMemory, 0.25 * bytes);
    }
  }
  EXPECT_EQ(before, most);
  Measurable full = imagined(1e-3, 1e17, 139 * Gibibyte); // says the driver, but there is not
  full.secondsOfStep = [](const TrainOptions& o) { return o.batch() > 2 ? std::nan("") : 1e-3; };
  EXPECT_FALSE(fastest(defaults, full));
}

TEST(StepScale, WhatIsChosenStays)
{
  const auto open = [](auto&& change)
  {
    TrainOptions o;
    change(o);
    return leavesScaleOpen(o);
  };
  EXPECT_FALSE(open([](TrainOptions& o) { o.network.width = 16; }));
  EXPECT_FALSE(open([](TrainOptions& o) { o.patchSize = 64; }));
  EXPECT_FALSE(open([](TrainOptions& o) { o.batchSize = 2; }));
  EXPECT_FALSE(open([](TrainOptions& o) { o.stepsPerEpoch = 50; }));
  EXPECT_FALSE(open([](TrainOptions& o) { o.network.architecture = Architecture::Dense; }));
  EXPECT_FALSE(open([](TrainOptions& o) { o.timeBudget = 20; }));
  EXPECT_FALSE(open([](TrainOptions& o) { o.epochs = 100; })) << "repeats exactly";
  EXPECT_TRUE(open([](TrainOptions& o) { o.learningRate = 1e-3; }));
  TrainOptions cpu;
  cpu.device = "cpu";
  EXPECT_FALSE(measuredScale(cpu));
}

TEST(StepScale, OfAResumedTrainingIsThatOfItsBeginning)
{
  // As if a device had been fast enough for the first scale.
  const StepScale scale = StepScale::all().front();
  TrainOptions asked, made;
  asked.device = made.device = test::device();
  asked.precision = made.precision = test::precision();
  scale.applyTo(made);
  const Volume volume = test::rockVolume(64);
  TorchTrainer first({ volume }, made);
  first.step();
  const auto stopped = std::dynamic_pointer_cast<const TorchModel>(first.model(
    { .statisticsVoxels = ModelRequest::Nothing, .trainingState = true, .stopped = true }, {}));
  const auto data = std::make_shared<const DataSet>(std::vector<Volume>{ volume });
  ModelInfo info = stopped->info();
  EXPECT_EQ(TrainingStart(data, asked, stopped).lineage.kind, Beginning::FineTuned);
  asked = first.info().options; // with the parameters of the objective
  asked.network.width = TrainOptions().network.width;
  asked.patchSize = TrainOptions().patchSize;
  asked.batchSize = TrainOptions().batchSize;
  asked.stepsPerEpoch = TrainOptions().stepsPerEpoch;
  info.lineage.options = hashOf(toText(asked));
  const auto scaled = std::make_shared<const TorchModel>(
    info, stopped->network(), stopped->calibration(), stopped->trainingState());
  const TrainingStart start(data, asked, scaled);
  EXPECT_EQ(start.lineage.kind, Beginning::Resumed);
  TorchTrainer second(start);
  EXPECT_EQ(second.info().options.patchSize, scale.patchSize);
  EXPECT_EQ(second.info().options.batchSize, scale.batchSize);
  EXPECT_EQ(second.info().priorCells, scale.priorCells);
  EXPECT_NE(
    second.info().device.find("chosen for its speed: Width 32, Patch Size 64"), std::string::npos)
    << second.info().device;
  EXPECT_EQ(second.step().step, 2);
}
