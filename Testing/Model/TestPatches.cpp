// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Torch/Data/Augmentation.h"
#include "Torch/Data/Patches.h"
#include "Torch/Data/TrainingData.h"
#include "Torch/Losses/Objective.h"
#include "Volumes.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Functions.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
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
  return PatchSampler(volumes, describeTraining(volumes, o), o);
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

TEST(Patches, ClassBalanceLeavesOutABlockWithoutMask)
{
  const Volume rock = test::rockVolume(32);
  const auto voxels = static_cast<std::size_t>(32 * 32 * 32);
  const std::vector<std::uint8_t> all(voxels, 1), none(voxels, 0);
  const auto masked = [&](const std::vector<std::uint8_t>& mask)
  {
    Volume v = rock;
    v.mask.data = mask.data();
    v.mask.type = ScalarType::UInt8;
    return v;
  };
  TrainOptions o = options(16);
  o.classBalance = 0.5;
  const PatchSampler patches = sampler({ masked(none), masked(all), masked(none) }, o);
  std::mt19937_64 random(1);
  for (int i = 0; i < 100; ++i)
  {
    EXPECT_EQ(patches.draw(random).volume, 1u);
  }
}

TEST(Patches, AreTheSameWhereTheVolumesAreKeptOnADevice)
{
  // Two volumes, two channels, of which one has gaps; patches stick out of the thin one.
  std::mt19937 random(3);
  const auto noise = [&](const Dims& dims)
  {
    std::vector<float> values;
    for (std::int64_t i = 0; i < voxels(dims); ++i)
    {
      values.push_back(static_cast<float>(random() % 1000) - 300);
    }
    return values;
  };
  const auto volumes = [&](const std::vector<Dims>& all)
  {
    std::vector<Volume> made;
    for (const Dims& dims : all)
    {
      Volume v = test::volume(noise(dims), dims);
      v.channels.push_back(test::volume(noise(dims), dims).channels[0]);
      made.push_back(v);
    }
    return made;
  };
  for (const auto& dims : std::vector<std::vector<Dims>>{
         { { 40, 36, 44 }, { 30, 14, 33 } }, { { 61, 1, 47 } }, { { 50, 45, 1 } } })
  {
    TrainOptions o = options(16);
    o.symmetry = Symmetry::Cube;
    const PatchSampler plain = sampler(volumes(dims), o);
    PatchSampler kept = plain;
    kept.keepOn(at::kCPU);
    for (int i = 0; i < 20; ++i)
    {
      std::mt19937_64 draws(static_cast<std::uint64_t>(i));
      const std::vector<Patch> patches{ plain.draw(draws), plain.draw(draws), plain.draw(draws) };
      const at::Tensor a = plain.read(patches), b = kept.read(patches);
      ASSERT_EQ(a.sizes(), b.sizes());
      EXPECT_TRUE(at::equal(a, b));
      EXPECT_EQ(a.strides(), b.strides());
    }
  }
}

namespace
{

/// White noise averaged over boxes of 2 `reach` + 1 voxels, above its mean or not; sheared along x
/// by `tilt` voxels for each along z.
Volume grains(const std::array<int, 3>& reach, int tilt = 0)
{
  constexpr int n = 96;
  const auto at = [](int x, int y, int z)
  { return static_cast<std::size_t>(((z + n) % n * n + (y + n) % n) * n + (x + 4 * n) % n); };
  std::mt19937 random(5);
  std::vector<float> noise(static_cast<std::size_t>(n) * n * n);
  for (float& v : noise)
  {
    v = static_cast<float>(random() % 1000) - 499.5f;
  }
  for (int a = 0; a < 3; ++a)
  {
    std::vector<float> sums(noise.size(), 0);
    for (int z = 0; z < n; ++z)
    {
      for (int y = 0; y < n; ++y)
      {
        for (int x = 0; x < n; ++x)
        {
          for (int r = -reach[static_cast<std::size_t>(a)]; r <= reach[static_cast<std::size_t>(a)];
            ++r)
          {
            sums[at(x, y, z)] += noise[at(x + (a == 0) * r, y + (a == 1) * r, z + (a == 2) * r)];
          }
        }
      }
    }
    noise = sums;
  }
  std::vector<std::uint8_t> phases(noise.size());
  for (int z = 0; z < n; ++z)
  {
    for (int y = 0; y < n; ++y)
    {
      for (int x = 0; x < n; ++x)
      {
        phases[at(x, y, z)] = noise[at(x + tilt * z, y, z)] > 0;
      }
    }
  }
  return test::volume(phases, { n, n, n });
}

AugmentationSymmetry symmetryOf(const Volume& v, std::string* why = nullptr)
{
  const ModelInfo info = describeTraining({ { v } }, {});
  if (why)
  {
    *why = info.symmetryReason;
  }
  return info.augmentation;
}

} // namespace

TEST(AugmentationSymmetry, OnlyAxesAlongWhichValuesChangeAlikeAreExchanged)
{
  std::string why;
  const AugmentationSymmetry same = symmetryOf(grains({ 3, 3, 3 }), &why);
  EXPECT_EQ(same.kind, (std::array{ 0, 0, 0 }));
  EXPECT_FALSE(same.together);
  EXPECT_EQ(why, "values change equally along all axes");
  // Layers along x and y; axes are z, y, x.
  const AugmentationSymmetry layers = symmetryOf(grains({ 5, 5, 2 }), &why);
  EXPECT_NE(layers.kind[0], layers.kind[1]);
  EXPECT_EQ(layers.kind[1], layers.kind[2]);
  EXPECT_NE(why.find("times as much along z as along x"), std::string::npos) << why;
  // Fibres along y.
  const AugmentationSymmetry fibres = symmetryOf(grains({ 2, 6, 2 }));
  EXPECT_EQ(fibres.kind[0], fibres.kind[2]);
  EXPECT_NE(fibres.kind[0], fibres.kind[1]);
  EXPECT_EQ(symmetryOf(test::rockVolume(96, 1, 8)).kind, (std::array{ 0, 0, 0 }));
}

TEST(AugmentationSymmetry, WhatIsTiltedStaysTilted)
{
  std::string why;
  const AugmentationSymmetry tilted = symmetryOf(grains({ 5, 5, 2 }, 1), &why);
  EXPECT_TRUE(tilted.together);
  EXPECT_EQ(tilted.kind, (std::array{ 0, 1, 2 }));
  EXPECT_NE(why.find("diagonal of z and x"), std::string::npos) << why;
  std::mt19937_64 random(1);
  const Frame frame({ 96, 96, 96 }, { 1, 1, 1 }, {});
  for (int i = 0; i < 50; ++i)
  {
    const Orientation o = randomOrientation(frame, { 16, 16, 16 }, tilted, random);
    EXPECT_EQ(o.from, (std::array{ 0, 1, 2 }));
    EXPECT_EQ(o.flip[0], o.flip[1]);
    EXPECT_EQ(o.flip[0], o.flip[2]);
  }
}

namespace
{

/// A cube of n voxels along each axis; f(x, y, z) gives three components, which further ones
/// repeat.
template <typename F>
Volume vectors(int n, F&& f, int components = 3)
{
  std::vector<float> values;
  for (int i = 0; i < n * n * n; ++i)
  {
    const std::array<float, 3> v = f(i % n, i / n % n, i / n / n);
    for (int c = 0; c < components; ++c)
    {
      values.push_back(v[static_cast<std::size_t>(c % 3)]);
    }
  }
  Volume volume = test::volume(values, { n, n, n });
  const Channel first = volume.channels[0];
  volume.channels.clear();
  for (int c = 0; c < components; ++c)
  {
    Channel& channel = volume.channels.emplace_back(first);
    channel.data = static_cast<const float*>(first.data) + c;
    channel.stride = components;
    channel.component = c;
    channel.components = components;
  }
  return volume;
}

/// All 48.
std::vector<Orientation> orientations()
{
  std::vector<Orientation> all;
  std::array<int, 3> from{ 0, 1, 2 };
  do
  {
    for (int flips = 0; flips < 8; ++flips)
    {
      all.push_back({ from, { (flips & 1) != 0, (flips & 2) != 0, (flips & 4) != 0 } });
    }
  } while (std::next_permutation(from.begin(), from.end()));
  return all;
}

at::Tensor turned(const Volume& v, const ModelInfo& info, const Orientation& orientation)
{
  const Frame frame(v.dims, v.spacing, info.network);
  at::Tensor x = emptyFolded(1, frame, frame.size, 3);
  readFolded(v, frame, info.channels, { {}, frame.size }, orientation, x.mutable_data_ptr<float>());
  return x;
}

/// Noise with a mean that no two axes have in common.
std::array<float, 3> uneven(int x, int y, int z)
{
  std::mt19937 random(static_cast<unsigned>((z * 16 + y) * 16 + x));
  const auto noise = [&] { return static_cast<float>(random() % 1000) / 1000 - 0.5f; };
  const float a = noise(), b = noise(), c = noise();
  return { a + 0.3f, 2 * b - 0.1f, c + 0.2f * static_cast<float>(x > 4) };
}

TrainOptions cube()
{
  TrainOptions o = options(16);
  o.symmetry = Symmetry::Cube;
  return o;
}

} // namespace

TEST(Vectors, ThePlaceIsTheSameInAllSymmetries)
{
  // v = r, which is R r at R r: turned as a vector the field stays, turned as scalars it does not.
  constexpr int n = 8;
  const auto middle = [](int i) { return static_cast<float>(i) - 3.5f; };
  const Volume v =
    vectors(n, [&](int x, int y, int z) { return std::array{ middle(x), middle(y), middle(z) }; });
  const ModelInfo info = describeTraining({ { v } }, cube());
  const at::Tensor plain = turned(v, info, {});
  for (const Orientation& o : orientations())
  {
    EXPECT_TRUE(at::equal(turned(v, info, o), plain));
  }
}

TEST(Vectors, ATurnedFieldHasTheSameLossOverAllSymmetries)
{
  constexpr int n = 16;
  const auto loss = [](const Volume& v)
  {
    const ModelInfo info = describeTraining({ { v } }, cube());
    const NetworkPtr network = makeNetwork(info.network);
    network->initialise(at::make_generator<at::CPUGeneratorImpl>(3));
    const auto observation = makeObservationModel(info, at::kCPU);
    const c10::NoGradGuard guard;
    double sum = 0;
    for (const Orientation& o : orientations())
    {
      const at::Tensor x = turned(v, info, o);
      const Posterior q = network->encode(x);
      sum += observation->loss(network->decode(q.mean), x, false).item<double>() +
        klDivergence(q).item<double>();
    }
    return sum / (48 * n * n * n);
  };
  const double here = loss(vectors(n, uneven));
  // A quarter turn about z, x' = -y and y' = x, and then a mirror image along z.
  const double rotated = loss(vectors(n, [](int x, int y, int z)
  {
    const auto [a, b, c] = uneven(y, n - 1 - x, z);
    return std::array{ -b, a, c };
  }));
  const double mirrored = loss(vectors(n, [](int x, int y, int z)
  {
    const auto [a, b, c] = uneven(x, y, n - 1 - z);
    return std::array{ a, b, -c };
  }));
  EXPECT_NEAR(rotated, here, 1e-5 * here);
  EXPECT_NEAR(mirrored, here, 1e-5 * here);
}

TEST(Vectors, AreTheSameWhereTheVolumesAreKeptOnADevice)
{
  const PatchSampler plain = sampler({ vectors(24, uneven) }, cube());
  PatchSampler kept = plain;
  kept.keepOn(at::kCPU);
  std::mt19937_64 draws(1);
  for (int i = 0; i < 10; ++i)
  {
    const std::vector<Patch> patches{ plain.draw(draws), plain.draw(draws) };
    EXPECT_TRUE(at::equal(plain.read(patches), kept.read(patches)));
  }
}

TEST(Vectors, WithADirectionAndTensorsAreNotTurned)
{
  const auto described = [](const Volume& v, Symmetry symmetry)
  {
    TrainOptions o = options(16);
    o.symmetry = symmetry;
    return describeTraining({ { v } }, o);
  };
  // A flow along x: no mirror image flows so.
  const auto flow = [](int x, int y, int z)
  {
    const auto [a, b, c] = uneven(x, y, z);
    return std::array{ a + 1, b, c };
  };
  const ModelInfo directed = described(vectors(16, flow), Symmetry::Automatic);
  EXPECT_FALSE(directed.augmentation.flips);
  EXPECT_EQ(directed.augmentation.kind, (std::array{ 0, 1, 2 }));
  EXPECT_NE(directed.symmetryReason.find("the mean of 'v' along x is "), std::string::npos)
    << directed.symmetryReason;
  EXPECT_NE(directed.channels[0].offset, 0);
  for (const int components : { 6, 9 })
  {
    const ModelInfo tensor = described(vectors(16, uneven, components), Symmetry::Cube);
    EXPECT_FALSE(tensor.augmentation.flips);
    EXPECT_EQ(tensor.symmetryReason,
      "'v' has " + std::to_string(components) +
        " components, as a tensor has, which would not turn with a patch");
  }
  // Colours, phases, and what has no three components, are scalars.
  std::vector<ChannelInfo> channels(3);
  for (int c = 0; c < 3; ++c)
  {
    ChannelInfo& channel = channels[static_cast<std::size_t>(c)];
    channel.array = "v";
    channel.component = c;
    channel.components = 3;
  }
  EXPECT_EQ(vectorsOf(channels), std::vector<std::size_t>{ 0 });
  channels[1].type = ScalarType::UInt8;
  EXPECT_TRUE(vectorsOf(channels).empty());
  channels[1].type = ScalarType::Int8;
  channels[2].phases = { 0, 1 };
  EXPECT_TRUE(vectorsOf(channels).empty());
  channels.pop_back();
  EXPECT_TRUE(vectorsOf(channels).empty());
}
