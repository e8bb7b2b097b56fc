// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Torch/Grid/DeviceBlocks.h"

#include "Volumes.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <numeric>
#include <random>
#include <set>

#include <ATen/TensorIndexing.h>

using namespace vae;

namespace
{

std::vector<ChannelInfo> identity(int channels)
{
  ChannelInfo info;
  info.minimum = -1e9;
  info.maximum = 1e9;
  return std::vector<ChannelInfo>(static_cast<std::size_t>(channels), info);
}

std::vector<float> ramp(std::size_t n)
{
  std::vector<float> v(n);
  std::iota(v.begin(), v.end(), 0.f);
  return v;
}

} // namespace

TEST(Blocks, FoldAndUnfoldGiveTheVolumeBack)
{
  const Dims dims{ 16, 8, 24 };
  const Volume v = test::volume(ramp(16 * 8 * 24), dims);
  const Frame frame(dims, { 1, 1, 1 }, {});
  const Box all{ { 0, 0, 0 }, frame.size };
  at::Tensor folded = emptyFolded(1, frame, all.size, 1);
  EXPECT_EQ(folded.sizes().vec(), (std::vector<std::int64_t>{ 1, 64, 6, 2, 4 }));
  readFolded(v, frame, identity(1), all, {}, folded.mutable_data_ptr<float>());
  std::vector<float> back(16 * 8 * 24, -1);
  writeFolded(folded.const_data_ptr<float>(), all, all, frame, 1, 0, identity(1)[0], Decode::Value,
    test::output(back));
  EXPECT_EQ(back, ramp(16 * 8 * 24));
}

TEST(Blocks, OutsideIsReflected)
{
  const Dims dims{ 8, 8, 5 };
  const Volume v = test::volume(ramp(320), dims);
  NetworkOptions network;
  const Frame frame(dims, { 1, 1, 1 }, network);
  at::Tensor folded = emptyFolded(1, frame, { 8, 8, 8 }, 1);
  readFolded(
    v, frame, identity(1), { { 0, 0, 0 }, { 8, 8, 8 } }, {}, folded.mutable_data_ptr<float>());
  // Voxel (0, 0, z) is at cell z / 4, fold position (z % 4) * 16.
  const auto at = [&](int z)
  { return folded.index({ 0, (z % 4) * 16, z / 4, 0, 0 }).item<float>(); };
  EXPECT_EQ(at(4), 4 * 64);
  EXPECT_EQ(at(5), 3 * 64);
  EXPECT_EQ(at(7), 1 * 64);
}

TEST(Blocks, WhatIsNotFiniteIsTheMean)
{
  const Dims dims{ 8, 8, 8 };
  std::vector<float> values(512, 3.f);
  values[100] = std::nanf("");
  values[200] = std::numeric_limits<float>::infinity();
  ChannelInfo info;
  info.mean = 5;
  const Frame frame(dims, { 1, 1, 1 }, NetworkOptions());
  const at::Tensor x = readFolded(test::volume(values, dims), frame, { info }, { {}, frame.size });
  EXPECT_EQ(x.sum().item<float>(), 510 * 3 + 2 * 5);
}

TEST(Blocks, OrientationsAreTheSymmetriesOfTheCube)
{
  const Dims dims{ 8, 8, 8 };
  const Volume v = test::volume(ramp(512), dims);
  const Frame frame(dims, { 1, 1, 1 }, {});
  const Box all{ { 0, 0, 0 }, { 8, 8, 8 } };
  std::mt19937_64 random(1);
  std::set<std::vector<float>> seen;
  for (int i = 0; i < 2000; ++i)
  {
    const Orientation o = randomOrientation(
      frame, { 8, 8, 8 }, AugmentationSymmetry{ true, false, { 0, 0, 0 } }, random);
    at::Tensor folded = emptyFolded(1, frame, all.size, 1);
    readFolded(v, frame, identity(1), all, o, folded.mutable_data_ptr<float>());
    std::vector<float> values(
      folded.const_data_ptr<float>(), folded.const_data_ptr<float>() + folded.numel());
    EXPECT_EQ(std::set<float>(values.begin(), values.end()).size(), 512u);
    seen.insert(values);
  }
  EXPECT_EQ(seen.size(), 48u);
}

TEST(Blocks, AxesOfOtherSpacingAreNotExchanged)
{
  const Frame frame({ 8, 8, 8 }, { 3.2, 3.2, 1.5 }, {});
  std::mt19937_64 random(1);
  std::map<std::array<int, 3>, int> seen;
  for (int i = 0; i < 1000; ++i)
  {
    ++seen[randomOrientation(
      frame, { 8, 8, 8 }, AugmentationSymmetry{ true, false, { 0, 0, 0 } }, random)
        .from];
  }
  EXPECT_EQ(seen.size(), 2u);                // x and y only, in half of the patches
  EXPECT_NEAR((seen[{ 0, 2, 1 }]), 500, 80); // five standard deviations
}

TEST(Blocks, TwoDimensionalImagesKeepTheirAxes)
{
  for (int unused = 0; unused < 3; ++unused)
  {
    Dims dims{ 16, 16, 16 };
    dims[static_cast<std::size_t>(unused)] = 1;
    NetworkOptions network;
    network.dimensions = 2;
    const Volume v = test::volume(ramp(256), dims);
    const Frame frame(dims, { 1, 1, 1 }, network);
    const Box all{ { 0, 0, 0 }, frame.size };
    at::Tensor folded = emptyFolded(1, frame, all.size, 1);
    EXPECT_EQ(folded.sizes().vec(), (std::vector<std::int64_t>{ 1, 16, 4, 4 }));
    readFolded(v, frame, identity(1), all, {}, folded.mutable_data_ptr<float>());
    std::vector<float> back(256, -1);
    writeFolded(folded.const_data_ptr<float>(), all, all, frame, 1, 0, identity(1)[0],
      Decode::Value, test::output(back));
    EXPECT_EQ(back, ramp(256));
  }
}

TEST(Blocks, IntegersAreRoundedAndKeptInRange)
{
  const Frame frame({ 8, 8, 8 }, { 1, 1, 1 }, {});
  const Box all{ { 0, 0, 0 }, { 8, 8, 8 } };
  at::Tensor folded = emptyFolded(1, frame, all.size, 1);
  float* data = folded.mutable_data_ptr<float>();
  std::fill(data, data + 512, 0.f);
  data[0] = 300;
  data[1] = -7;
  data[2] = 2.6f;
  ChannelInfo info;
  info.minimum = 0;
  info.maximum = 1000;
  std::vector<std::uint8_t> out(512, 1);
  writeFolded(data, all, all, frame, 1, 0, info, Decode::Value, test::output(out));
  EXPECT_EQ(out[0], 255);
  EXPECT_EQ(out[1], 0);
  EXPECT_EQ(out[2], 3);
}

TEST(Blocks, WhatAGpuSendsIsWhatTheCpuWrites)
{
  ChannelInfo info;
  info.minimum = -90;
  info.maximum = 70;
  info.offset = -10;
  info.scale = 30;
  info.phases = { 7, 87, 101 };
  constexpr ScalarType types[] = { ScalarType::Int8, ScalarType::UInt8, ScalarType::Int16,
    ScalarType::UInt16, ScalarType::Int32, ScalarType::UInt32, ScalarType::Int64,
    ScalarType::UInt64, ScalarType::Float32, ScalarType::Float64 };
  for (const Dims& dims : { Dims{ 13, 9, 16 }, Dims{ 1, 21, 18 } })
  {
    NetworkOptions network;
    network.dimensions = dims[0] == 1 ? 2 : 3;
    const Frame frame(dims, { 1, 1, 1 }, network);
    Box box{ {}, { 8, 8, 8 } }; // in its corner, and beyond its borders
    for (int a = 0; a < 3; ++a)
    {
      box.size[a] = frame.used(a) ? 16 : 1;
      box.origin[a] = frame.used(a) ? 8 : 0;
    }
    at::Tensor folded = emptyFolded(1, frame, box.size, 2);
    folded.copy_(at::linspace(-3, 3, folded.numel()).view(folded.sizes()));
    for (const ScalarType type : types)
    {
      for (const Decode what :
        { Decode::Value, Decode::Phase, Decode::Likelier, Decode::Sigmoid, Decode::Plain })
      {
        const at::Tensor t = what == Decode::Phase ? folded.abs().mul(0.99).floor() : folded;
        const int channel = what == Decode::Phase ? 0 : 1;
        // Two components, of which the second is written.
        const auto count = static_cast<std::size_t>(2 * voxels(dims));
        std::vector<double> expected(count, 5), found(count, 5);
        OutputChannel out;
        out.type = type;
        out.stride = 2;
        const auto second = [&](std::vector<double>& values)
        {
          dispatch(type,
            [&](auto zero) { out.data = reinterpret_cast<decltype(zero)*>(values.data()) + 1; });
        };
        const auto expectSame = [&]
        {
          EXPECT_EQ(std::memcmp(expected.data(), found.data(), count * sizeof(double)), 0)
            << "type " << static_cast<int>(type) << ", " << static_cast<int>(what) << ", "
            << network.dimensions << "-D";
          EXPECT_NE(found, std::vector<double>(count, 5));
        };
        second(expected);
        writeFolded(t.const_data_ptr<float>(), box, box, frame, 2, channel, info, what, out);
        second(found);
        writeUnfolded(unfolded(t, frame, 2, channel, info, what, type), box, frame, out);
        expectSame();
        const float shift = what == Decode::Phase ? 0 : 0.3F; // on the way, and before
        const at::Tensor moved = t + shift;
        second(expected);
        writeFolded(moved.const_data_ptr<float>(), box, box, frame, 2, channel, info, what, out);
        second(found);
        writeFolded(t.const_data_ptr<float>(), box, box, frame, 2, channel, info, what, out, shift);
        expectSame();
        second(expected);
        writeUnfolded(unfolded(moved, frame, 2, channel, info, what, type), box, frame, out);
        second(found);
        writeUnfolded(unfolded(t, frame, 2, channel, info, what, type, shift), box, frame, out);
        expectSame();
      }
    }
  }
}

TEST(Blocks, WhatAGpuNormalisesIsWhatTheCpuReads)
{
  constexpr ScalarType types[] = { ScalarType::Int8, ScalarType::UInt8, ScalarType::Int16,
    ScalarType::UInt16, ScalarType::Int32, ScalarType::UInt32, ScalarType::Int64,
    ScalarType::UInt64, ScalarType::Float32, ScalarType::Float64 };
  for (const Dims& dims : { Dims{ 13, 9, 16 }, Dims{ 1, 21, 18 } })
  {
    NetworkOptions network;
    network.dimensions = dims[0] == 1 ? 2 : 3;
    const Frame frame(dims, { 1, 1, 1 }, network);
    for (const std::vector<double>& phases :
      { std::vector<double>{}, { -3, 120 }, { -90, 7, 87, 101, 60000 } })
    {
      ChannelInfo info;
      info.phases = phases;
      info.offset = -10;
      info.scale = 37;
      info.mean = 5;
      for (const ScalarType type : types)
      {
        Volume v;
        v.dims = dims;
        std::vector<std::uint64_t> data(static_cast<std::size_t>(3 * voxels(dims)));
        dispatch(type, [&](auto zero)
        {
          using T = decltype(zero);
          auto* values = reinterpret_cast<T*>(data.data());
          std::mt19937_64 random(1);
          for (std::size_t i = 0; i < data.size(); ++i)
          {
            values[i] = i % 7 == 0 ? std::numeric_limits<T>::max()
              : i % 11 == 0        ? std::numeric_limits<T>::lowest()
                                   : static_cast<T>(random() >> (i % 57));
          }
          if constexpr (std::is_floating_point_v<T>)
          {
            values[4] = std::numeric_limits<T>::quiet_NaN();
            values[6] = -std::numeric_limits<T>::infinity();
          }
        });
        const std::size_t size = dispatch(type, [](auto zero) { return sizeof zero; });
        for (const std::ptrdiff_t stride : { 1, 2 })
        {
          v.channels = { {}, {} };
          for (std::size_t c = 0; c < 2; ++c) // a component of two, an array of its own
          {
            v.channels[c].data = reinterpret_cast<const std::byte*>(data.data()) + c * size;
            v.channels[c].type = type;
            v.channels[c].stride = stride;
          }
          Box box{ {}, { 16, 16, 16 } }; // beyond the volume's borders
          for (int a = 0; a < 3; ++a)
          {
            box.size[a] = frame.used(a) ? 16 : 1;
            box.origin[a] = frame.used(a) ? 4 : 0;
          }
          const std::vector<ChannelInfo> infos{ info, info };
          const at::Tensor expected = readFolded(v, frame, infos, box);
          const at::Tensor found = foldedOf({ gathered(v.channels[0], frame, box, false),
                                              gathered(v.channels[1], frame, box, false) },
            v.channels, frame, infos);
          ASSERT_EQ(found.sizes(), expected.sizes());
          ASSERT_EQ(found.strides(), expected.strides());
          EXPECT_EQ(
            std::memcmp(expected.const_data_ptr(), found.const_data_ptr(), found.nbytes()), 0)
            << "type " << static_cast<int>(type) << ", " << phases.size() << " phases, "
            << network.dimensions << "-D";
        }
      }
    }
  }
}

TEST(Blocks, DataTravelInTheirOwnType)
{
  const Frame frame({ 16, 16, 16 }, { 1, 1, 1 }, {});
  const Box all{ {}, { 16, 16, 16 } };
  const std::vector<std::uint16_t> grey(4096, 40000);
  const Volume v = test::volume(grey, { 16, 16, 16 });
  EXPECT_EQ(gathered(v.channels[0], frame, all, false).nbytes(), 2u * 4096);
  const at::Tensor folded = readFolded(v, frame, identity(1), all);
  const std::vector<std::pair<ScalarType, unsigned>> sizes{ { ScalarType::UInt8, 1 },
    { ScalarType::UInt16, 2 }, { ScalarType::UInt32, 4 }, { ScalarType::Float32, 4 } };
  for (const auto& [type, bytes] : sizes)
  {
    EXPECT_EQ(
      unfolded(folded, frame, 1, 0, identity(1)[0], Decode::Value, type).nbytes(), bytes * 4096);
  }
}

TEST(Summary, CountsValuesAndFindsTheTwoPhases)
{
  std::vector<std::uint8_t> v(1000, 182);
  for (int i = 0; i < 250; ++i)
  {
    v[static_cast<std::size_t>(i * 4)] = 87;
  }
  const ChannelSummary s = summarise(test::volume(v, { 10, 10, 10 }).channels[0], 1000);
  EXPECT_EQ(s.values, (std::vector<double>{ 87, 182 }));
  EXPECT_EQ(s.fractions, (std::vector<double>{ 0.25, 0.75 }));
  EXPECT_DOUBLE_EQ(s.mean, 0.25 * 87 + 0.75 * 182);

  std::vector<double> far(1000);
  for (std::size_t i = 0; i < 1000; ++i)
  {
    far[i] = 1e9 + static_cast<double>(i % 10);
  }
  const ChannelSummary f = summarise(test::volume(far, { 10, 10, 10 }).channels[0], 1000);
  EXPECT_EQ(f.values.size(), 10u);
  EXPECT_NEAR(f.stddev, std::sqrt(8.25), 1e-9); // no cancellation far from zero
  far[3] = std::nan("");
  EXPECT_EQ(summarise(test::volume(far, { 10, 10, 10 }).channels[0], 1000).notFinite, 1);
}

TEST(Summary, HashSeesEveryVoxel)
{
  std::vector<std::uint8_t> v(1001, 7);
  const auto hash = [&]
  { return summarise(test::volume(v, { 1001, 1, 1 }).channels[0], 1001).hash; };
  const auto before = hash();
  for (const std::size_t i : { 0u, 500u, 999u, 1000u })
  {
    v[i] = 8;
    EXPECT_NE(hash(), before) << i;
    v[i] = 7;
  }
  EXPECT_EQ(hash(), before);
}
