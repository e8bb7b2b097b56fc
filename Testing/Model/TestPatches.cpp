// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Torch/Patches.h"
#include "Torch/TrainingData.h"
#include "Volumes.h"

#include <gtest/gtest.h>

#include <set>

using namespace vae;

namespace
{

TrainOptions options(int patch)
{
  TrainOptions o;
  o.patchSize = patch;
  o.batchSize = 4;
  return o;
}

PatchSampler sampler(const std::vector<Volume>& volumes, const TrainOptions& o)
{
  const ModelInfo info = describeTraining(volumes, o);
  return PatchSampler(volumes, info.channels, info.network, o);
}

/// A volume of noise; mask(x, y, z) says where patches may lie.
template <typename F>
Volume masked(const Dims& dims, F&& mask)
{
  std::vector<std::uint8_t> noise, where;
  for (int z = 0; z < dims[2]; ++z)
  {
    for (int y = 0; y < dims[1]; ++y)
    {
      for (int x = 0; x < dims[0]; ++x)
      {
        noise.push_back((x * 7 + y * 5 + z * 3) % 2);
        where.push_back(mask(x, y, z));
      }
    }
  }
  Volume v = test::volume(noise, dims);
  v.mask = test::volume(where, dims).channels[0];
  return v;
}

} // namespace

TEST(Patches, LieInTheMaskAndNotInTheHeldOutSlab)
{
  // A core: a cylinder along z in a box of air. The slab is z >= 57.
  const auto inside = [](double x, double y)
  { return (x - 31.5) * (x - 31.5) + (y - 31.5) * (y - 31.5) < 28 * 28; };
  const Volume v = masked({ 64, 64, 64 }, [&](int x, int y, int) { return inside(x, y); });
  const PatchSampler patches = sampler({ v }, options(16));
  std::mt19937_64 random(1);
  std::set<std::array<std::int64_t, 3>> seen;
  for (int i = 0; i < 500; ++i)
  {
    const Box box = patches.draw(random).box;
    seen.insert(box.origin);
    EXPECT_LE(box.origin[0] + box.size[0], 56);
    for (const double y : { box.origin[1], box.origin[1] + box.size[1] - 1 })
    {
      for (const double x : { box.origin[2], box.origin[2] + box.size[2] - 1 })
      {
        ASSERT_TRUE(inside(x, y)) << x << ' ' << y;
      }
    }
  }
  EXPECT_GT(seen.size(), 100u); // also between the cells
  ASSERT_FALSE(patches.heldOut().empty());
  for (const Patch& p : patches.heldOut())
  {
    EXPECT_GE(p.box.origin[0], 57 - 1);
    EXPECT_TRUE(inside(static_cast<double>(p.box.origin[2]), static_cast<double>(p.box.origin[1])));
  }
}

TEST(Patches, AMaskWithoutRoomIsRefused)
{
  const Volume v = masked({ 32, 32, 32 }, [](int x, int, int) { return x < 8; });
  try
  {
    sampler({ v }, options(16));
    FAIL();
  }
  catch (const std::invalid_argument& e)
  {
    EXPECT_STREQ(e.what(),
      "Mask Array leaves no room for a patch of 16 x 16 x 16 voxels in the part that is not held "
      "out; choose a smaller Patch Size, or a mask whose non-zero part is larger");
  }
}

TEST(Patches, SeveralVolumesShareByTheirSize)
{
  const Volume small = test::rockVolume(32), large = test::rockVolume(64, 2);
  TrainOptions o = options(16);
  o.validationFraction = 0;
  const PatchSampler patches = sampler({ small, large }, o);
  std::mt19937_64 random(1);
  int count[2] = { 0, 0 };
  for (int i = 0; i < 4000; ++i)
  {
    ++count[patches.draw(random).volume];
  }
  const double expected = 17. * 17 * 17 / (17. * 17 * 17 + 49. * 49 * 49); // places for a patch
  EXPECT_NEAR(count[0] / 4000., expected, 0.01);
}

TEST(Patches, ThinVolumesAreFilledByReflection)
{
  std::vector<float> values;
  for (int i = 0; i < 64 * 64 * 3; ++i)
  {
    values.push_back(static_cast<float>(i / (64 * 64)));
  }
  const Volume v = test::volume(values, { 64, 64, 3 });
  const PatchSampler patches = sampler({ v }, options(48));
  EXPECT_EQ(patches.size(), (Index3{ 8, 48, 48 }));
  std::mt19937_64 random(1);
  const Patch p = patches.draw(random);
  EXPECT_EQ(p.box.origin[0], 0);
  const at::Tensor x = patches.read({ p });
  EXPECT_EQ(x.sizes(), (at::IntArrayRef{ 1, 64, 2, 12, 12 }));
}

TEST(Patches, ClassBalanceFindsTheRarerPhase)
{
  // One small cube in a corner of a large volume.
  std::vector<std::uint8_t> voxels(64 * 64 * 64, 255);
  for (int i = 0; i < 512; ++i)
  {
    voxels[static_cast<std::size_t>((40 + i / 64) * 64 * 64 + (8 + i / 8 % 8) * 64 + 48 + i % 8)] =
      0;
  }
  const Volume v = test::volume(voxels, { 64, 64, 64 });
  const auto share = [&](double balance)
  {
    TrainOptions o = options(16);
    o.classBalance = balance;
    o.validationFraction = 0;
    const PatchSampler patches = sampler({ v }, o);
    std::mt19937_64 random(1);
    int hit = 0;
    for (int i = 0; i < 1000; ++i)
    {
      const Index3& from = patches.draw(random).box.origin;
      hit += from[0] < 48 && from[0] + 16 > 40 && from[1] < 16 && from[1] + 16 > 8 &&
        from[2] < 56 && from[2] + 16 > 48;
    }
    return hit / 1000.;
  };
  EXPECT_LT(share(0), 0.15);
  EXPECT_NEAR(share(0.5), 0.5 + 0.5 * share(0), 0.05);
  EXPECT_EQ(share(1), 1);
}
