// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "TestDevice.h"
#include "Torch/Comparison/BlockClassifier.h"
#include "Torch/Comparison/TwoSample.h"
#include "Volumes.h"

#include <ATen/Functions.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <set>

using namespace vae;

namespace
{

TwoSampleOptions quick(int steps = 40)
{
  TwoSampleOptions o;
  o.blockSize = BlockEdge::Voxels16;
  o.steps = steps;
  o.surestBlocks = 2;
  return o;
}

RunOptions oneThread()
{
  RunOptions run;
  run.device = test::device();
  run.threads = 1;
  return run;
}

TwoSampleResult compare(const Volume& real, const Volume& candidate, const TwoSampleOptions& o)
{
  return twoSampleTest({ { real }, { candidate } }, o, oneThread(), {});
}

/// Every voxel by itself: below a threshold it is 0.
template <typename T>
Volume noise(const Dims& dims, std::uint64_t seed, T (*of)(double))
{
  std::mt19937_64 random(seed);
  std::vector<T> values;
  for (std::int64_t i = 0; i < voxels(dims); ++i)
  {
    values.push_back(of(static_cast<double>(random() >> 11) * 0x1p-53));
  }
  return test::volume(std::move(values), dims);
}

Volume smallRock(std::uint64_t seed) { return test::rockVolume(64, seed, 5); }

/// A rock of which one voxel in five has the other phase.
Volume spoiled(std::uint64_t seed)
{
  rock::Voxels v = rock::cementedGrains({ 64, 0.2, 5, seed });
  std::mt19937_64 random(seed);
  for (std::uint8_t& voxel : v)
  {
    voxel = random() % 5 == 0 ? 255 - voxel : voxel;
  }
  return test::volume(std::move(v), { 64, 64, 64 });
}

/// A rock in which each voxel is as most of the 27 around it.
Volume smoothed(int edge, std::uint64_t seed, double radius)
{
  rock::Voxels v = rock::cementedGrains({ edge, 0.2, radius, seed });
  at::Tensor x = at::from_blob(v.data(), { 1, 1, edge, edge, edge }, at::kByte);
  x.copy_(at::avg_pool3d(x.gt(0).to(at::kFloat), 3, 1, 1).gt(0.5).to(at::kByte).mul(255));
  return test::volume(std::move(v), { edge, edge, edge });
}

std::string complaint(const TwoSampleInput& input, const TwoSampleOptions& o)
{
  try
  {
    twoSampleTest(input, o, oneThread(), {});
  }
  catch (const std::invalid_argument& e)
  {
    return e.what();
  }
  return "";
}

} // namespace

TEST(TwoSample, AccuracyIsBalancedAndBinomial)
{
  // Guessing "real" always is right for all of one class and none of the other.
  EXPECT_EQ(accuracyOf({ { { { 90, 90 }, { 10, 0 } } } }, 100).value, 0.5);
  const Accuracy a = accuracyOf({ { { { 100, 80 }, { 50, 45 } } } }, 150);
  EXPECT_NEAR(a.value, 0.85, 1e-12);
  const double p = 81. / 102, q = 46. / 52;
  EXPECT_NEAR(a.standardError, std::sqrt(p * (1 - p) / 100 + q * (1 - q) / 50) / 2, 1e-12);
  EXPECT_NEAR(a.standardErrorAtChance, std::sqrt(0.25 / 100 + 0.25 / 50) / 2, 1e-12);
  EXPECT_EQ(a.tested, 150);
  // Two standard errors above chance: one in 44 by chance.
  const Accuracy two = accuracyOf({ { { { 100, 60 }, { 100, 60 } } } }, 200);
  EXPECT_NEAR(two.standardErrorAtChance, 0.5 / std::sqrt(200.), 1e-12);
  EXPECT_NEAR(two.pValue, 0.5 * std::erfc(0.1 / (0.5 / std::sqrt(200.)) / std::sqrt(2.)), 1e-12);
  // The same voxels tested by four trainings are no more than there are.
  const std::array<ClassCount, 2> once{ { { 50, 25 }, { 50, 25 } } };
  EXPECT_NEAR(accuracyOf({ once, once, once, once }, 100).standardErrorAtChance, 0.05, 1e-12);
  EXPECT_TRUE(std::isnan(accuracyOf({}, 0).value));
  EXPECT_GT(accuracyOf({ { { { 100, 100 }, { 100, 100 } } } }, 200).standardError, 0);
}

TEST(TwoSample, PartsShareNoVoxel)
{
  NetworkOptions network;
  const Index3 block{ 16, 16, 16 };
  std::mt19937_64 random(1);
  for (const std::vector<Dims>& inputs : std::vector<std::vector<Dims>>{ { { 70, 40, 100 } },
         { { 64, 33, 20 }, { 40, 40, 8 }, { 20, 70, 35 } },
         { { 16, 20, 16 }, { 32, 16, 17 }, { 16, 16, 16 }, { 20, 20, 20 } } })
  {
    std::vector<Frame> frames;
    for (const Dims& dims : inputs)
    {
      frames.emplace_back(dims, std::array{ 1., 1., 1. }, network);
    }
    const Partition partition(frames, block);
    for (const std::size_t number : { std::size_t(2), std::size_t(4) })
    {
      const int axis = partition.longestAxis(number);
      const std::int64_t units = partition.units(number, axis);
      ASSERT_GE(units, static_cast<std::int64_t>(number));
      std::vector<std::int64_t> counts(number, 1);
      counts.back() = units - static_cast<std::int64_t>(number) + 1;
      const std::vector<Part> parts = partition.cut(counts, axis);
      std::vector<std::vector<int>> owner;
      for (const Dims& dims : inputs)
      {
        owner.emplace_back(static_cast<std::size_t>(voxels(dims)), -1);
      }
      std::int64_t blocks = 0;
      for (std::size_t p = 0; p < parts.size(); ++p)
      {
        ASSERT_FALSE(parts[p].empty());
        std::vector<Region> regions = blocksOf(parts[p], block);
        const std::size_t apart = regions.size(); // those do not overlap each other either
        blocks += static_cast<std::int64_t>(apart);
        for (int i = 0; i < 50; ++i)
        {
          regions.push_back(drawBlock(parts[p], block, random));
        }
        for (std::size_t r = 0; r < regions.size(); ++r)
        {
          const auto& [volume, box] = regions[r];
          const Frame& f = frames[volume];
          EXPECT_EQ(box.size, block);
          for (std::int64_t i = 0; i < 16 * 16 * 16; ++i)
          {
            const Index3 at{ box.origin[0] + i / 256, box.origin[1] + i / 16 % 16,
              box.origin[2] + i % 16 };
            for (int a = 0; a < 3; ++a)
            {
              ASSERT_TRUE(at[a] >= 0 && at[a] < f.size[a]);
            }
            int& mark = owner[volume][static_cast<std::size_t>(
              at[0] * f.stride[0] + at[1] * f.stride[1] + at[2] * f.stride[2])];
            ASSERT_TRUE(mark == -1 || (r >= apart && mark == static_cast<int>(p)));
            mark = static_cast<int>(p);
          }
        }
      }
      EXPECT_LE(blocks, partition.blocks());
    }
  }
}

TEST(TwoSample, HalvesAreChanceAndASpoiledRockIsTold)
{
  const Volume real = smallRock(1);
  const TwoSampleResult same = compare(real, smallRock(2), quick());
  // 48 blocks of each: five standard errors.
  EXPECT_EQ(same.accuracy.tested, 96);
  EXPECT_NEAR(same.accuracy.value, 0.5, 5 * same.accuracy.standardErrorAtChance);
  EXPECT_NEAR(same.control.value, 0.5, 5 * same.control.standardErrorAtChance);
  ASSERT_EQ(same.controls.size(), 3u);
  EXPECT_EQ(same.control.tested, 64);

  const TwoSampleResult told = compare(real, spoiled(2), quick());
  EXPECT_GT(told.accuracy.value, 0.95);
  EXPECT_LT(told.accuracy.pValue, 1e-6);
  EXPECT_EQ(told.control.value, same.control.value) << "the candidate has no part in the control";
  ASSERT_EQ(told.history.size(), 8u);
  EXPECT_EQ(told.history.back().step, 40);
  EXPECT_LT(told.history.back().loss, 0.5 * told.history.front().loss);
  EXPECT_GT(told.history.back().controlLoss, 0.3);
  EXPECT_EQ(told.blockDims, (Dims{ 16, 16, 16 }));
  EXPECT_LT(told.parameters, 100000);

  ASSERT_EQ(told.surest.size(), 4u);
  EXPECT_TRUE(told.surest.front().candidate);
  EXPECT_FALSE(told.surest.back().candidate);
  EXPECT_GT(told.surest[0].probability(), told.surest[1].probability());
  for (const SureBlock& block : told.surest)
  {
    ASSERT_EQ(block.saliency.size(), 4096u);
    double sum = 0;
    for (const float s : block.saliency)
    {
      ASSERT_GE(s, 0);
      sum += s;
    }
    EXPECT_GT(sum, 0);
    EXPECT_TRUE(std::isfinite(sum));
  }
}

// Means over a large block differ little from block to block. Guessing costs ln 2 a block; after a
// few steps the classifier has to do better than half of that.
TEST(TwoSample, LearnsFromLargeBlocksInFewSteps)
{
  constexpr int edge = 96;
  TwoSampleOptions o = quick(10);
  o.blockSize = BlockEdge::Voxels48;
  o.control = false;
  const TwoSampleResult r = compare(test::rockVolume(edge, 1, 5), smoothed(edge, 1, 5), o);
  EXPECT_LT(r.history.back().loss, std::log(2.) / 2);
}

TEST(TwoSample, AVolumeAgainstItselfIsExactlyChance)
{
  const Volume real = smallRock(3);
  TwoSampleOptions o = quick(5);
  o.control = false;
  const TwoSampleResult itself = compare(real, real, o);
  EXPECT_EQ(itself.accuracy.value, 0.5);
  EXPECT_TRUE(std::isnan(itself.control.value));
  EXPECT_TRUE(std::isnan(itself.history[0].controlLoss));
}

TEST(TwoSample, RepeatsWithASeed)
{
  const Volume real = smallRock(1), other = smallRock(2);
  TwoSampleOptions o = quick(5);
  o.control = false;
  const TwoSampleResult once = compare(real, other, o), again = compare(real, other, o);
  ++o.seed;
  const TwoSampleResult seeded = compare(real, other, o);
  ASSERT_EQ(once.tested.size(), again.tested.size());
  bool differs = false;
  for (std::size_t i = 0; i < once.tested.size(); ++i)
  {
    EXPECT_EQ(once.tested[i].logit, again.tested[i].logit);
    EXPECT_EQ(once.tested[i].origin, seeded.tested[i].origin);
    differs = differs || once.tested[i].logit != seeded.tested[i].logit;
  }
  EXPECT_TRUE(differs);
}

// The gradient is that of the logit, voxel by voxel.
TEST(TwoSample, SaliencyIsTheGradient)
{
  const Dims dims{ 16, 16, 16 };
  const Volume v = noise<float>(dims, 1, [](double u) { return static_cast<float>(u - 0.5); });
  NetworkOptions network;
  const std::vector<Volume> volumes{ v };
  const std::vector<Frame> frames = framesOf(volumes, network);
  const Region whole{ 0, { {}, { 16, 16, 16 } } };
  BlockRecipe recipe;
  recipe.channels.resize(1);
  recipe.block = whole.box.size;
  const BlockClassifier classifier(recipe, ComputeDevice(), 1);
  const BlockSource source{ volumes, frames, {}, { whole } };
  const std::vector<float> saliency = classifier.saliency(source, whole);
  auto* values = static_cast<float*>(const_cast<void*>(v.channels[0].data));
  for (const std::size_t i : { 0u, 5u, 300u, 2047u, 4095u })
  {
    // Central differences in float32: the logit is about 1, its rounding 1e-7, the step 0.1.
    const float before = values[i];
    values[i] = before + 0.1F;
    const double above = classifier.logits(source)[0];
    values[i] = before - 0.1F;
    const double below = classifier.logits(source)[0];
    values[i] = before;
    EXPECT_NEAR(std::abs(above - below) / 0.2, saliency[i], 0.02 * saliency[i] + 5e-6) << i;
  }
}

TEST(TwoSample, PhasesGreyValuesAndImages)
{
  TwoSampleOptions o = quick(30);
  o.control = false;
  // Three phases, of which two have changed places in the fractions.
  const auto few = [](double u) { return static_cast<std::uint8_t>(u < .5 ? 1 : u < .7 ? 4 : 9); };
  const auto many = [](double u) { return static_cast<std::uint8_t>(u < .5 ? 1 : u < .8 ? 4 : 9); };
  const Dims cube{ 64, 64, 64 };
  EXPECT_GT(compare(noise<std::uint8_t>(cube, 1, few), noise<std::uint8_t>(cube, 2, many), o)
              .accuracy.value,
    0.9);
  // Grey values, a little darker.
  const auto grey = [](double u) { return static_cast<float>(u); };
  const auto dark = [](double u) { return static_cast<float>(u - 0.05); };
  EXPECT_GT(
    compare(noise<float>(cube, 1, grey), noise<float>(cube, 2, dark), o).accuracy.value, 0.9);
  // Images; the axis of one voxel is y.
  const Dims flat{ 128, 1, 128 };
  const TwoSampleResult image =
    compare(noise<float>(flat, 1, grey), noise<float>(flat, 2, dark), o);
  EXPECT_EQ(image.blockDims, (Dims{ 16, 1, 16 }));
  EXPECT_EQ(image.surest[0].saliency.size(), 256u);
  for (const TestedBlock& b : image.tested)
  {
    EXPECT_EQ(b.origin[1], 0);
    EXPECT_LE(b.origin[0], 112);
    EXPECT_LE(b.origin[2], 112);
  }
}

TEST(TwoSample, SeveralVolumesAreSplitByVolume)
{
  TwoSampleInput input;
  for (std::uint64_t i = 0; i < 4; ++i)
  {
    input.real.push_back(noise<std::uint8_t>(
      { 32, 32, 32 }, i, [](double u) { return static_cast<std::uint8_t>(u < .3); }));
    input.candidate.push_back(noise<std::uint8_t>(
      { 32, 32, 32 }, 9 + i, [](double u) { return static_cast<std::uint8_t>(u < .3); }));
  }
  const TwoSampleResult r = twoSampleTest(input, quick(5), oneThread(), {});
  EXPECT_EQ(r.tested.size(), 48u);
  for (const TestedBlock& b : r.tested)
  {
    EXPECT_GT(b.volume, 0u) << "the first of four is learned from";
  }
  EXPECT_EQ(r.controls.size(), 1u);
}

TEST(TwoSample, SaysWhatDoesNotFit)
{
  const auto two = [](double u) { return static_cast<std::uint8_t>(u < .3); };
  const Volume real = noise<std::uint8_t>({ 64, 64, 64 }, 1, two);
  TwoSampleOptions o = quick(1);
  EXPECT_EQ(complaint({ { real }, { noise<std::uint8_t>({ 20, 20, 20 }, 1, two) } }, o),
    "The candidate is too small (20 x 20 x 20 voxels): it must hold two blocks of 16 voxels side "
    "by side, one to learn from and one to be tested; give larger or more volumes");
  o.blockSize = BlockEdge::Automatic;
  EXPECT_EQ(complaint({ { noise<std::uint8_t>({ 40, 40, 40 }, 1, two) }, { real } }, o),
    "The real input is too small (40 x 40 x 40 voxels): it must hold two blocks of 32 voxels side "
    "by side, one to learn from and one to be tested; choose a smaller Block Size, or give larger "
    "or more volumes");
  EXPECT_EQ(complaint({ { real },
                        { noise<std::uint8_t>({ 64, 64, 64 }, 1,
                          [](double u) { return static_cast<std::uint8_t>(u < .3 ? 255 : 0); }) } },
              o),
    "The candidate has the value 255, which the real input's 'v' does not have; both must have the "
    "same phases");
  EXPECT_EQ(
    complaint(
      { { real },
        { noise<float>({ 64, 64, 64 }, 1, [](double u) { return static_cast<float>(u); }) } },
      o),
    "The candidate's array has more than 16 different values, but the real input's 'v' has 2 "
    "phases");
  Volume coarse = real;
  coarse.spacing = { 1, 2, 1 };
  EXPECT_EQ(complaint({ { real }, { coarse } }, o),
    "The candidate's spacing along y is 2 and the real input's 1; they must be equal");
  EXPECT_EQ(complaint({ { real }, { noise<std::uint8_t>({ 64, 64, 1 }, 1, two) } }, o),
    "The candidate is 2-D (64 x 64 x 1 voxels), the real input 3-D; they must be of one kind");
  o.blockSize = static_cast<BlockEdge>(5);
  EXPECT_EQ(complaint({ { real }, { real } }, o),
    "Block Size is 5; it must be 0, 16, 32, 48, 64, 96 or 128");
  o = quick(1);
  o.steps = 0;
  EXPECT_EQ(complaint({ { real }, { real } }, o), "Steps is 0; it must be in [1, 100000]");
}

TEST(TwoSample, ReportsAndStops)
{
  const Volume real = smallRock(1), other = smallRock(2);
  Monitor monitor;
  std::stop_source stop;
  monitor.stop = stop.get_token();
  double last = 0;
  monitor.progress = [&](double fraction)
  {
    EXPECT_GE(fraction, last);
    last = fraction;
    if (fraction > 0.3)
    {
      stop.request_stop();
    }
  };
  EXPECT_THROW(twoSampleTest({ { real }, { other } }, quick(), oneThread(), monitor), Stopped);
  EXPECT_LT(last, 0.5);
  last = 0;
  Monitor all;
  all.progress = [&](double fraction) { last = fraction; };
  twoSampleTest({ { real }, { other } }, quick(1), oneThread(), all);
  EXPECT_EQ(last, 1);
}
