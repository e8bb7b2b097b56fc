// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "RandomModel.h"
#include "Torch/Inference/TorchModel.h"
#include "Torch/Networks/Layers.h"
#include "Torch/Networks/Network.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/core/GradMode.h>

#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <fstream>

#include <malloc.h>
#include <sys/resource.h>

using namespace vae;
using test::noise;
using test::randomModel;

namespace
{

struct Size
{
  Dims dims;
  int blocks;
  double budget; ///< MiB a tile
  int stride = 8;
};

class Tiles : public testing::TestWithParam<Size>
{
};

} // namespace

TEST_P(Tiles, EqualTheWhole)
{
  const auto& [dims, blocks, budget, stride] = GetParam();
  int used = 0;
  for (const auto n : dims)
  {
    used += n > 1;
  }
  const Volume volume = test::volume(noise(voxels(dims)), dims);
  const auto model = randomModel(volume, used, blocks, stride);
  RunOptions whole, tiled;
  whole.precision = tiled.precision = Precision::Float32;
  whole.memoryBudget = 1e6;
  tiled.memoryBudget = budget;
  const Latent a = model->encode(volume, whole, {});
  const Latent b = model->encode(volume, tiled, {});
  ASSERT_EQ(a.mean.size(), b.mean.size());
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < a.mean.size(); ++i)
  {
    difference = std::max<double>(difference, std::abs(a.mean[i] - b.mean[i]));
    difference = std::max<double>(difference, std::abs(a.logVariance[i] - b.logVariance[i]));
    size = std::max<double>(size, std::abs(a.mean[i]));
  }
  EXPECT_LT(difference, 1e-5);
  EXPECT_GT(size, 0.01) << "a network that gives zeros would pass anything";

  std::vector<float> one(static_cast<std::size_t>(voxels(dims))), many(one.size());
  Outputs outOne, outMany;
  outOne.values = { test::output(one) };
  outMany.values = { test::output(many) };
  model->decode(a, dims, 0, outOne, whole, {});
  std::vector<double> fractions;
  Monitor monitor;
  monitor.progress = [&](double f) { fractions.push_back(f); };
  model->decode(a, dims, 0, outMany, tiled, monitor);
  EXPECT_GT(fractions.size(), 2u) << "the budget gave one tile only";
  difference = 0;
  for (std::size_t i = 0; i < one.size(); ++i)
  {
    difference = std::max<double>(difference, std::abs(one[i] - many[i]));
  }
  EXPECT_LT(difference, 1e-5);
}

INSTANTIATE_TEST_SUITE_P(Network, Tiles,
  testing::Values(Size{ { 32, 40, 144 }, 1, 3.5 }, Size{ { 97, 131, 64 }, 1, 18 },
    Size{ { 40, 33, 190 }, 2, 6 }, Size{ { 301, 203, 1 }, 1, 1 }, Size{ { 150, 1, 322 }, 2, 1 },
    Size{ { 33, 45, 170 }, 1, 4, 4 }, Size{ { 70, 75, 300 }, 1, 24, 16 },
    Size{ { 601, 403, 1 }, 1, 2, 32 }),
  [](const auto& test)
{
  const Dims& d = test.param.dims;
  return std::to_string(d[0]) + "x" + std::to_string(d[1]) + "x" + std::to_string(d[2]);
});

TEST(Network, MarginCellsAreContextOnly)
{
  // A field with a margin decodes to what the inner part of a larger volume decodes to.
  const Dims large{ 128, 128, 128 }, inner{ 32, 32, 32 };
  const Volume volume = test::volume(noise(voxels({ 8, 8, 8 })), { 8, 8, 8 });
  const auto model = randomModel(volume, 3, 1);
  RunOptions run;
  run.precision = Precision::Float32;
  Latent field;
  field.dims = { 16, 16, 16 };
  field.channels = 3;
  field.mean = noise(3 * 16 * 16 * 16);
  std::vector<float> whole(static_cast<std::size_t>(voxels(large)));
  Outputs outputs;
  outputs.values = { test::output(whole) };
  model->decode(field, large, 0, outputs, run, {});
  const int margin = model->decodeHalo();
  ASSERT_EQ(margin, 6);
  std::vector<float> part(static_cast<std::size_t>(voxels(inner)));
  outputs.values = { test::output(part) };
  model->decode(field, inner, margin, outputs, run, {});
  for (int z = 0; z < 32; ++z)
  {
    for (int y = 0; y < 32; ++y)
    {
      for (int x = 0; x < 32; ++x)
      {
        ASSERT_NEAR(part[static_cast<std::size_t>((z * 32 + y) * 32 + x)],
          whole[static_cast<std::size_t>(((z + 48) * 128 + y + 48) * 128 + x + 48)], 1e-5);
      }
    }
  }
}

TEST(Network, GeneratedVolumesNeedAMarginOfWhatTheyNotice)
{
  for (const auto& [architecture, stride, noticed] :
    { std::tuple(Architecture::Field, 4, 4), { Architecture::Field, 8, 2 },
      { Architecture::Field, 16, 2 }, { Architecture::Vector, 8, 0 } })
  {
    NetworkOptions o;
    o.architecture = architecture;
    o.latentStride = stride;
    const NetworkPtr network = makeNetwork(o);
    EXPECT_EQ(network->context(), noticed) << stride;
    EXPECT_LE(network->context(), network->decodeHalo());
  }
  // What comes round must come round for every voxel.
  const Volume volume = test::volume(noise(512), { 8, 8, 8 });
  const auto model = randomModel(volume, 3, 1);
  EXPECT_EQ(model->margin(), 2);
  EXPECT_EQ(model->margin({ false, true, false }), model->decodeHalo());
}

TEST(Network, LatentSizesAreChecked)
{
  const Volume volume = test::volume(noise(512), { 8, 8, 8 });
  const auto model = randomModel(volume, 3, 1);
  Latent wrong;
  wrong.dims = { 2, 2, 3 };
  wrong.channels = 3;
  wrong.mean.resize(36);
  try
  {
    model->decode(wrong, { 16, 16, 16 }, 0, {}, {}, {});
    FAIL();
  }
  catch (const std::invalid_argument& e)
  {
    EXPECT_STREQ(e.what(),
      "The latent image is 2 x 2 x 3 with 3 channels; 16 x 16 x 16 voxels of "
      "this model need 2 x 2 x 2 with 3");
  }
}

// In a process of its own, whose address space is limited: the tile that is asked for does not fit.
TEST(NetworkDeathTest, HalvesTheTileWhereMemoryReallyRunsOut)
{
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto child = []
  {
    const Dims dims{ 160, 160, 160 };
    Volume volume = test::volume(noise(voxels(dims)), dims);
    volume.channels.resize(8, volume.channels[0]); // 131 MB of float32
    const auto model = randomModel(volume, 3, 1);
    RunOptions run;
    run.precision = Precision::Float32;
    run.threads = 1;
    run.memoryBudget = 1e6; // MiB: one tile
    std::vector<float> whole(static_cast<std::size_t>(voxels(dims))), tight(whole.size());
    Outputs outputs;
    outputs.values = { test::output(whole) };
    const Latent a = model->encode(volume, run, {});
    model->decode(a, dims, 0, outputs, run, {});

    malloc_trim(0);
    double pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    rlimit limit{};
    getrlimit(RLIMIT_AS, &limit);
    limit.rlim_cur = static_cast<rlim_t>(pages * 4096 + 480e6);
    setrlimit(RLIMIT_AS, &limit);
    std::vector<double> tiles;
    Monitor monitor;
    monitor.progress = [&](double f) { tiles.push_back(f); };
    const Latent b = model->encode(volume, run, {});
    outputs.values = { test::output(tight) };
    model->decode(b, dims, 0, outputs, run, monitor);
    double difference = 0;
    for (std::size_t i = 0; i < whole.size(); ++i)
    {
      difference = std::max<double>(difference, std::abs(whole[i] - tight[i]));
    }
    std::fprintf(stderr, "%zu reports, difference %g\n", tiles.size(), difference);
    std::exit(tiles.size() > 3 && difference < 1e-5 ? 0 : 1);
  };
  EXPECT_EXIT(child(), testing::ExitedWithCode(0), "reports, difference");
}

TEST(Network, StopEndsALongCall)
{
  const Volume volume = test::volume(noise(64 * 64 * 64), { 64, 64, 64 });
  const auto model = randomModel(volume, 3, 1);
  std::stop_source stop;
  int calls = 0;
  const Monitor monitor{ [&](double) { ++calls, stop.request_stop(); }, stop.get_token() };
  EXPECT_THROW(model->encode(volume, {}, monitor), Stopped);
  EXPECT_EQ(calls, 1);
}

TEST(Layers, ThinVolumesInBFloat16)
{
  // What float32 gives, whatever lies in memory: oneDNN reads beyond odd channels.
  const c10::NoGradGuard guard;
  for (const int channels : { 3, 7, 8 })
  {
    Conv conv(3, channels, 16, 3);
    conv->initialise(at::make_generator<at::CPUGeneratorImpl>(1));
    for (const std::int64_t thickness : { 1, 2 })
    {
      const at::Tensor x =
        at::randn({ 2, channels, thickness, 4, 4 }, at::make_generator<at::CPUGeneratorImpl>(2))
          .contiguous(at::MemoryFormat::ChannelsLast3d);
      {
        const at::Tensor dirt = at::full({ 1 << 14 }, std::nan(""), at::kBFloat16);
      }
      const at::Tensor y = conv->forward(x.to(at::kBFloat16)).to(at::kFloat);
      EXPECT_LT((y - conv->forward(x)).abs().max().item<double>(), 0.02)
        << channels << " channels, " << thickness << " cells thick";
      EXPECT_TRUE(y.isfinite().all().item<bool>());
    }
  }
}

TEST(Layers, GradientsOfThinVolumesInBFloat16)
{
  // oneDNN's weights' gradient of two cells' thickness holds what was in its memory before.
  for (const std::int64_t cells : { 1, 2, 3 })
  {
    Conv layer(3, 16, 16, 3);
    layer->initialise(at::make_generator<at::CPUGeneratorImpl>(2));
    const at::Tensor x = at::rand({ 2, 16, cells, 6, 5 });
    const auto gradient = [&](at::ScalarType type)
    {
      layer->zero_grad();
      at::full({ 1 << 20 }, std::nan("")); // what a kernel that reads too much would find
      const at::Tensor in = x.to(type).contiguous(at::MemoryFormat::ChannelsLast3d);
      layer->forward(in).to(at::kFloat).square().sum().backward();
      return layer->weight.grad().clone();
    };
    const at::Tensor exact = gradient(at::kFloat), rounded = gradient(at::kBFloat16);
    EXPECT_LT((rounded - exact).abs().max().item<double>(), 0.03 * exact.abs().max().item<double>())
      << cells;
  }
}
