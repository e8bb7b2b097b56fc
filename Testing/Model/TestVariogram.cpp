// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Torch/Losses/Variogram.h"
#include "Torch/Training/TorchTrainer.h"
#include "Training.h"
#include "Volumes.h"

#include <ATen/Functions.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

using namespace vae;

namespace
{

Frame frameOf(const Dims& dims, int dimensions)
{
  NetworkOptions network;
  network.dimensions = dimensions;
  return { dims, { 1, 1, 1 }, network };
}

at::Tensor folded(const std::vector<float>& values, const Dims& dims, const Frame& frame)
{
  return readFolded(test::volume(values, dims), frame, { ChannelInfo() }, { {}, frame.size });
}

} // namespace

TEST(Variogram, OfStripesIsKnown)
{
  // Stripes of two voxels along x: 0 0 1 1 0 0 1 1...; nothing changes along y and z.
  const Dims dims{ 32, 16, 24 };
  std::vector<float> stripes;
  for (std::int64_t i = 0; i < voxels(dims); ++i)
  {
    stripes.push_back(static_cast<float>(i % 32 / 2 % 2));
  }
  const Frame frame = frameOf(dims, 3);
  const at::Tensor x = folded(stripes, dims, frame);
  EXPECT_NEAR(
    variogram(x, frame, true, 1), 15. / 31 / 3, 1e-6); // 15 of 31 pairs, one axis of three
  EXPECT_NEAR(variogram(x, frame, true, 2), 1. / 3, 1e-6);
  EXPECT_NEAR(variogram(x, frame, true, 4), 0, 1e-6);
  EXPECT_NEAR(variogram(3 * x, frame, false, 2), 9. / 3, 1e-5);
}

TEST(Variogram, ErrorIsNoughtOfItselfAndOneOfNoise)
{
  for (const int dimensions : { 2, 3 })
  {
    const Dims dims = dimensions == 2 ? Dims{ 256, 240, 1 } : Dims{ 64, 64, 64 };
    std::vector<float> wave, noise;
    std::mt19937 random(1);
    for (std::int64_t i = 0; i < voxels(dims); ++i)
    {
      const double along = static_cast<double>(i % dims[0] + i / dims[0] % dims[1]);
      wave.push_back(std::sin(0.15 * along) > 0 ? 1.f : 0.f);
      noise.push_back(static_cast<float>(random() % 2));
    }
    const Frame frame = frameOf(dims, dimensions);
    const at::Tensor x = folded(wave, dims, frame), y = folded(noise, dims, frame);
    for (const bool phases : { true, false })
    {
      EXPECT_EQ(variogramError(x, x, frame, phases), 0);
      EXPECT_NEAR(variogramError(y, x, frame, phases), 1, 0.15);
    }
  }
}

TEST(Variogram, DecidesWhichEpochIsKept)
{
  TrainOptions o = test::quick(6);
  o.bestBy = BestBy::Statistics;
  TorchTrainer trainer({ test::rockVolume(48) }, o);
  while (!trainer.step().finished)
  {
  }
  const ModelInfo& info = trainer.info();
  double least = 1e9;
  int best = 0;
  for (const EpochRecord& row : info.history)
  {
    EXPECT_GE(row.statisticsError, 0);
    if (row.statisticsError < least)
    {
      least = row.statisticsError;
      best = row.epoch;
    }
  }
  EXPECT_EQ(info.bestEpoch, best);
}

TEST(EulerDensity, OfVoxelsForThemselvesIsKnown)
{
  // Each is of the phase with probability p: vertices p, 3 edges p^2, 3 squares p^4, a cube p^8.
  std::mt19937 random(1);
  for (const int dimensions : { 2, 3 })
  {
    const Dims dims = dimensions == 2 ? Dims{ 1024, 1024, 1 } : Dims{ 100, 100, 100 };
    const Frame frame = frameOf(dims, dimensions);
    for (const double p : { 0.1, 0.3, 0.8 })
    {
      std::bernoulli_distribution other(1 - p);
      std::vector<float> values(static_cast<std::size_t>(voxels(dims)));
      std::generate(values.begin(), values.end(), [&] { return other(random) ? 1.f : 0.f; });
      const double p2 = p * p, p4 = p2 * p2;
      const double expected = dimensions == 2 ? p - 2 * p2 + p4 : p - 3 * p2 + 3 * p4 - p4 * p4;
      EXPECT_NEAR(eulerDensity(folded(values, dims, frame), frame), expected, 4e-3)
        << dimensions << ", " << p;
    }
  }
}

TEST(EulerDensity, CountsWhatIsConnectedByFacesAndItsHandles)
{
  const Dims dims{ 64, 64, 64 };
  const Frame frame = frameOf(dims, 3);
  const auto of = [&](const std::vector<std::array<int, 3>>& places)
  {
    std::vector<float> values(static_cast<std::size_t>(voxels(dims)), 1);
    for (const auto& [x, y, z] : places)
    {
      values[static_cast<std::size_t>((z * 64 + y) * 64 + x)] = 0;
    }
    // Edges have a 64th fewer places than vertices; these shapes have few.
    return std::lround(
      static_cast<double>(voxels(dims)) * eulerDensity(folded(values, dims, frame), frame));
  };
  EXPECT_EQ(of({ { 3, 3, 3 } }), 1);
  EXPECT_EQ(of({ { 3, 3, 3 }, { 4, 3, 3 } }), 1);
  EXPECT_EQ(of({ { 3, 3, 3 }, { 4, 4, 3 } }), 2) << "by an edge only";
  std::vector<std::array<int, 3>> block, ring, shell;
  for (int i = 0; i < 27; ++i)
  {
    const std::array place{ 5 + i % 3, 5 + i / 3 % 3, 5 + i / 9 };
    const bool axis = place[0] == 6 && place[1] == 6;
    block.push_back(place);
    if (!axis)
    {
      ring.push_back(place);
    }
    if (!axis || place[2] != 6)
    {
      shell.push_back(place);
    }
  }
  EXPECT_EQ(of(block), 1);
  EXPECT_EQ(of(ring), 0);
  EXPECT_EQ(of(shell), 2);
}
