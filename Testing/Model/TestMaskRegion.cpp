// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
//
// A volume with a mask, as of a round core: what is outside of it is not data.
#include "Torch/Data/TrainingData.h"
#include "Torch/Data/TrainingSet.h"
#include "Torch/Training/TorchTrainer.h"
#include "Training.h"
#include "Volumes.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <gtest/gtest.h>

#include <cmath>
#include <thread>

using namespace vae;

namespace
{

constexpr std::int64_t Edge = 64;

/// Voxel i of a cube, within `radius` of its axis along z.
bool inCore(std::size_t i, double radius = 31)
{
  const double x = static_cast<double>(i % Edge) - 31.5,
               y = static_cast<double>(i / Edge % Edge) - 31.5;
  return x * x + y * y < radius * radius;
}

/// A core of rock in something else.
Volume core(float around)
{
  const Volume rock = test::rockVolume(Edge);
  const auto* labels = static_cast<const std::uint8_t*>(rock.channels[0].data);
  std::vector<float> values;
  std::vector<std::uint8_t> mask;
  for (std::size_t i = 0; i < Edge * Edge * Edge; ++i)
  {
    mask.push_back(inCore(i));
    values.push_back(!mask.back() ? around : labels[i] != 0 ? 1.f : 0.f);
  }
  Volume v = test::volume(values, rock.dims);
  v.mask = test::volume(mask, rock.dims).channels[0];
  return v;
}

/// The part of volumes that is measured.
Volume measured(std::vector<Volume> volumes, const NetworkOptions& network)
{
  ModelInfo info;
  info.network = network;
  return TrainingSet(std::make_shared<const DataSet>(std::move(volumes)), info).measured();
}

} // namespace

TEST(TrainingSet, MeasuresABoxInTheMask)
{
  NetworkOptions network;
  network.latentStride = 4;
  const Volume v = core(7);
  const Volume part = measured({ v }, network);
  // Corners 19.5 and 23.5 voxels from the axis, along x and y, are in the core: whole cells.
  EXPECT_EQ(part.dims, (Dims{ 40, 48, 64 }));
  EXPECT_EQ(part.mask.data, nullptr);
  const auto* whole = static_cast<const float*>(v.channels[0].data);
  const auto* values = static_cast<const float*>(part.channels[0].data);
  for (std::int64_t z = 0; z < 64; ++z)
  {
    for (std::int64_t y = 0; y < 48; ++y)
    {
      for (std::int64_t x = 0; x < 40; ++x)
      {
        ASSERT_EQ(values[(z * 48 + y) * 40 + x], whole[(z * 64 + y + 8) * 64 + x + 12]);
      }
    }
  }
  Volume free = v;
  free.mask = {};
  EXPECT_EQ(measured({ free }, network).channels[0].data, v.channels[0].data);
  Volume none = v;
  none.mask = test::volume(std::vector<std::uint8_t>(Edge * Edge * Edge, 0), v.dims).channels[0];
  EXPECT_EQ(measured({ none, free }, network).channels[0].data, v.channels[0].data);
  EXPECT_THROW(measured({ none }, network), std::invalid_argument);
}

TEST(TrainingSet, MeasuresFlatImagesAndCellsInPart)
{
  // An image in the x-z plane: 40 x 1 x 23 voxels, known from x = 5 to 34, so in cells from 8
  // to 31.
  std::vector<float> values(40 * 23);
  std::vector<std::uint8_t> mask;
  for (std::size_t i = 0; i < values.size(); ++i)
  {
    values[i] = static_cast<float>(i);
    mask.push_back(i % 40 >= 5 && i % 40 < 35);
  }
  Volume v = test::volume(values, { 40, 1, 23 });
  v.mask = test::volume(mask, v.dims).channels[0];
  NetworkOptions network;
  network.dimensions = 2;
  network.latentStride = 4;
  const Volume part = measured({ v }, network);
  EXPECT_EQ(part.dims, (Dims{ 24, 1, 23 })) << "the last cell along z has three voxels";
  EXPECT_EQ(static_cast<const float*>(part.channels[0].data)[24 + 1], 40 + 8 + 1);
}

TEST(TrainingSet, LocalMeansAreComputedOnceAndThoseOfThePartMeasured)
{
  Volume v = core(std::nanf(""));
  v.dims[2] = 62; // the last cells are cut
  const ModelInfo info = describeTraining({ { v } }, test::quick(1));
  const TrainingSet set(std::make_shared<const DataSet>(std::vector<Volume>{ v, v }), info);
  EXPECT_TRUE(at::equal(set.measuredMean(), localMean(set.measured(), info)));
  EXPECT_TRUE(at::equal(set.localMean(0).nan_to_num(), localMean(v, info).nan_to_num()));
  std::vector<std::jthread> many; // which ask for one at the same time
  std::array<at::Tensor, 4> found;
  for (at::Tensor& mean : found)
  {
    many.emplace_back([&] { mean = set.localMean(1); });
  }
  many.clear();
  for (const at::Tensor& mean : found)
  {
    EXPECT_TRUE(mean.is_same(set.localMean(1)));
  }
}

TEST(Masked, DescribesWhatIsInside)
{
  const Volume v = core(7);
  const ModelInfo info = describeTraining({ { v } }, test::quick(1));
  EXPECT_EQ(info.likelihood, Likelihood::Bernoulli);
  const ChannelInfo& c = info.channels[0];
  EXPECT_EQ(c.phases, (std::vector<double>{ 0, 1 }));
  const auto* values = static_cast<const float*>(v.channels[0].data);
  double solid = 0, count = 0;
  for (std::size_t i = 0; i < Edge * Edge * Edge; ++i)
  {
    solid += inCore(i) ? values[i] : 0;
    count += inCore(i);
  }
  EXPECT_NEAR(c.fractions[1], solid / count, 1e-12);

  Volume none = v;
  none.mask = test::volume(std::vector<std::uint8_t>(Edge * Edge * Edge, 0), v.dims).channels[0];
  try
  {
    describeTraining({ { none } }, test::quick(1));
    FAIL() << "an empty mask was accepted";
  }
  catch (const std::invalid_argument& e)
  {
    EXPECT_STREQ(e.what(), "Mask Array is 0 everywhere; there is nothing to learn");
  }
}

TEST(Masked, WhatIsOutsideDoesNotMatter)
{
  TrainOptions o = test::quickInFloat32(2);
  o.stepsPerEpoch = 3; // those of a prior take long
  o.network.latentStride = 4;
  for (const bool learned : { true, false })
  {
    o.priorShare = learned ? 0.5 : 0;
    std::vector<LatentSample> drawn;
    std::vector<std::vector<LatentStatistics>> statistics;
    std::vector<double> widths;
    for (const float around : { 7.f, std::nanf("") })
    {
      TorchTrainer trainer({ core(around) }, o, nullptr);
      while (trainer.info().ending == Ending::None)
      {
        trainer.step();
      }
      EXPECT_EQ(trainer.info().priorSteps > 0, learned);
      // All that the end measures, once.
      const auto model = trainer.model(learned ? test::ofWeights() : ModelRequest(), {});
      GenerateOptions options;
      options.prior = learned ? Prior::Learned : Prior::RandomField;
      drawn.push_back(model->sample({ { 16, 16, 16 }, 1, options }));
      statistics.push_back(model->latentStatistics());
      widths.push_back(model->info().textureWidth);
    }
    EXPECT_EQ(drawn[1].latent.mean, drawn[0].latent.mean);
    EXPECT_EQ(drawn[1].thresholds, drawn[0].thresholds);
    EXPECT_EQ(statistics[1][0].mean, statistics[0][0].mean);
    EXPECT_EQ(statistics[1][0].stddev, statistics[0][0].stddev);
    EXPECT_EQ(widths[1], widths[0]);
  }
}

TEST(Masked, LittleRoomHasNoLearnedPrior)
{
  Volume v = core(7);
  TrainOptions o = test::quick(1);
  o.stepsPerEpoch = 2;
  o.network.latentStride = 4;
  o.priorShare = 0.5;
  const auto stepsOfPrior = [&](double radius)
  {
    std::vector<std::uint8_t> mask;
    for (std::size_t i = 0; i < Edge * Edge * Edge; ++i)
    {
      mask.push_back(inCore(i, radius));
    }
    v.mask = test::volume(mask, v.dims).channels[0];
    TorchTrainer trainer({ v }, o, nullptr);
    while (trainer.info().ending == Ending::None)
    {
      trainer.step();
    }
    trainer.model({}, {});
    return trainer.info().priorSteps;
  };
  EXPECT_GT(stepsOfPrior(24), 0) << "a square of 8 cells";
  EXPECT_EQ(stepsOfPrior(18), 0) << "6 cells";
}
