// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
//
// What a GPU needs, as far as the CPU can show it.
#include "Source/Quantile.h"
#include "Torch/Grid/DeviceBlocks.h"
#include "Torch/Grid/Noise.h"
#include "Torch/Inference/RankedPhase.h"
#include "Torch/Inference/Texture.h"
#include "Torch/Inference/Tiles.h"
#include "Torch/Networks/Network.h"
#include "Torch/Priors/LogOddsHistogram.h"
#include "Torch/Runtime/Device.h"
#include "Torch/Training/Speed.h"
#include "Torch/Training/TorchTrainer.h"
#include "Training.h"
#include "Volumes.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/core/GradMode.h>
#include <c10/core/InferenceMode.h>

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <new>
#include <optional>
#include <stdexcept>
#include <thread>

using namespace vae;

namespace
{

constexpr const char* NoGpu = "there is no GPU, nor one that is pretended";

} // namespace

TEST(LogOddsHistogram, CountsMoreVoxelsThanFloat32Can)
{
  // One element that is seen many times: no memory.
  const auto many = [](float odds, std::int64_t n) { return at::full({ 1 }, odds).expand({ n }); };
  const RunScope scope(chooseDevice("cpu", Precision::Float32, 1), false); // one thread counts
  constexpr std::int64_t part = 1 << 23;
  LogOddsHistogram count;
  count.add(many(-2, 5 * part)); // a count in float32 ends at two parts
  count.add(many(2, part));
  for (const double fraction : { 0.1, 0.3, 0.6 })
  {
    const double t = count.threshold(fraction);
    const auto sigmoid = [](double x) { return 1 / (1 + std::exp(-x)); };
    // Bins are 0.01 wide, and the slope is at most 1/4.
    EXPECT_NEAR((5 * sigmoid(-2 - t) + sigmoid(2 - t)) / 6, fraction, 0.005);
  }
}

TEST(Speed, IsThatOfWarmSteps)
{
  double time = 0;
  int steps = 0;
  const auto step = [&]
  {
    const double took = steps++ == 0 ? 5 : steps == 2 ? 0.3 : 0.01; // as on a GPU
    time += took;
    return 1 / took;
  };
  const auto now = [&] { return time; };
  EXPECT_DOUBLE_EQ(steadySpeed(step, 0.5, now, {}), 100);
  EXPECT_NEAR(steps, 2 + 50, 1);
  std::stop_source stop;
  stop.request_stop();
  steps = 10;
  steadySpeed(step, 0.5, now, stop.get_token());
  EXPECT_EQ(steps, 11);
}

TEST(BFloat16, IsUsedWhereAConvolutionProvesIt)
{
  const RunScope scope(chooseDevice("cpu", Precision::Float32, 1), false);
  double time = 0;
  const auto plain = [](const at::Tensor& x, const at::Tensor& w)
  { return at::conv3d(x, w, {}, 1, 1); };
  /// Of a device whose bfloat16 takes so many seconds, and float32 one.
  const auto refusal = [&](double seconds, const Convolution& half)
  {
    const Convolution convolve = [&](const at::Tensor& x, const at::Tensor& w)
    {
      const bool is = x.scalar_type() == at::kBFloat16;
      time += is ? seconds : 1;
      return is ? half(x, w) : plain(x, w);
    };
    return bfloat16Refusal(at::kCPU, convolve, [&] { return time; });
  };
  // As hardware does it: what a float32 convolution makes of rounded numbers.
  const Convolution rounded = [&](const at::Tensor& x, const at::Tensor& w)
  { return plain(x.to(at::kFloat), w.to(at::kFloat)).to(at::kBFloat16); };
  EXPECT_EQ(refusal(0.5, rounded), "");
  EXPECT_EQ(refusal(8, rounded), "its bfloat16 convolutions take 8.0 times as long");
  const Convolution wrong = [&](const at::Tensor& x, const at::Tensor& w)
  { return 1.05 * rounded(x, w); };
  EXPECT_NE(refusal(0.5, wrong).find("wrong by 0.05"), std::string::npos) << refusal(0.5, wrong);
  const Convolution none = [&](const at::Tensor& x, const at::Tensor& w)
  { return rounded(x, w) * std::nan(""); };
  EXPECT_NE(refusal(0.5, none), "");
  const Convolution refused = [](const at::Tensor&, const at::Tensor&) -> at::Tensor
  { throw std::runtime_error("no kernel\nat line 7"); };
  EXPECT_EQ(refusal(0.5, refused), "it refuses bfloat16 convolutions: no kernel");
  const Convolution full = [](const at::Tensor&, const at::Tensor&) -> at::Tensor
  { throw std::bad_alloc(); };
  EXPECT_THROW(refusal(0.5, full), std::bad_alloc);
}

TEST(CuDnn, TriesNothingWhereShapesChange)
{
  const bool before = at::globalContext().benchmarkCuDNN();
  at::globalContext().setBenchmarkCuDNN(true);
  {
    const RunScope fill(chooseDevice("cpu", Precision::Float32, 1), true, /*shapesReturn=*/false);
    EXPECT_TRUE(c10::GradMode::is_enabled());
    EXPECT_FALSE(at::globalContext().benchmarkCuDNN());
    const RunScope training(chooseDevice("cpu", Precision::Float32, 1), true);
    EXPECT_TRUE(at::globalContext().benchmarkCuDNN());
  }
  EXPECT_TRUE(at::globalContext().benchmarkCuDNN());
  at::globalContext().setBenchmarkCuDNN(before);
}

TEST(Device, OfARankIsItsOwn)
{
  const char* names[] = { "OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID",
    "MV2_COMM_WORLD_LOCAL_RANK", "PALS_LOCAL_RANKID", "SLURM_LOCALID" };
  for (const char* name : names)
  {
    ::unsetenv(name);
  }
  EXPECT_EQ(deviceOfRank(4), 0);
  for (const char* name : names)
  {
    ::setenv(name, "6", 1);
    EXPECT_EQ(deviceOfRank(4), 2) << name;
    EXPECT_EQ(deviceOfRank(1), 0) << name;
    EXPECT_EQ(deviceOfRank(0), 0) << name;
    ::setenv(name, "none", 1);
    EXPECT_EQ(deviceOfRank(4), 0) << name;
    ::unsetenv(name);
  }
}

TEST(Device, WhatItHasNoMemoryForRunsOnTheCpu)
{
  ComputeDevice gpu;
  gpu.device = at::Device(at::kCUDA, 0);
  bool fellBack = false;
  const auto deviceOf = [&](const std::function<void()>& onGpu)
  {
    return onDeviceOrCpu(gpu, 1, fellBack, [&](const ComputeDevice& place)
    {
      place.device.is_cpu() ? void() : onGpu();
      return place.device.str();
    });
  };
  EXPECT_EQ(deviceOf([] {}), "cuda:0");
  EXPECT_FALSE(fellBack);
  EXPECT_EQ(deviceOf([] { throw std::bad_alloc(); }), "cpu");
  EXPECT_TRUE(fellBack);
  EXPECT_THROW(deviceOf([] { throw std::range_error("x"); }), std::range_error);
}

TEST(CudaCacheReleaser, LeavesATrainingItsMemory)
{
  const std::int64_t before = CudaCacheReleaser::released();
  {
    const CudaCacheReleaser call;
  }
  EXPECT_EQ(CudaCacheReleaser::released(), before + 1);
  {
    const CudaCacheReleaser training(CudaCacheReleaser::Of::Training);
    const CudaCacheReleaser preview;
  }
  EXPECT_EQ(CudaCacheReleaser::released(), before + 1 + 1);
  {
    TorchTrainer trainer({ test::rockVolume(32) }, test::quick(1));
    const CudaCacheReleaser slider;
  }
  EXPECT_EQ(CudaCacheReleaser::released(), before + 1 + 1 + 1);
}

TEST(Texture, TakesNoMoreMemoryThanIsPlanned)
{
  for (const std::int64_t values : { 1, 3 })
  {
    const KeptMemory memory;
    const KeptMemory::Use use(memory);
    gridNoise({ {}, { 48, 48, 48 } }, { 48, 48, 48 }, values, 1, 0, at::kCPU);
    const double each =
      static_cast<double>(memory.most()) / (110592. * static_cast<double>(values));
    EXPECT_LE(each, TextureBytes);
    EXPECT_GE(each, 0.7 * TextureBytes);
  }
}

TEST(Network, ACopyForTheGradientsOfItsInputWantsNoOthers)
{
  NetworkOptions options;
  options.width = 8;
  const NetworkPtr network = makeNetwork(options);
  network->initialise(at::make_generator<at::CPUGeneratorImpl>(1));
  EXPECT_EQ(onDevice(network, options, at::kCPU), network);
  NetworkPtr copy;
  {
    const c10::InferenceMode mode;
    copy = frozenCopyOf(*network, options);
  }
  for (const at::ScalarType type : { at::kFloat, at::kBFloat16 })
  {
    const auto gradient = [&](Network& of)
    {
      const at::Tensor z = at::arange(options.latentChannels * 125, at::kFloat)
                             .sin()
                             .view({ 1, options.latentChannels, 5, 5, 5 })
                             .set_requires_grad(true);
      of.decode(z.to(type)).to(at::kFloat).square().sum().backward();
      return z.grad();
    };
    EXPECT_TRUE(at::equal(gradient(*copy), gradient(*network))) << "the others change nothing";
    EXPECT_GT(gradient(*copy).abs().max().item<float>(), 0);
  }
  for (const at::Tensor& weight : copy->parameters())
  {
    EXPECT_FALSE(weight.requires_grad() || weight.grad().defined());
  }
  EXPECT_TRUE(network->parameters().front().requires_grad());
}

TEST(RankedPhase, TheLargestAreThoseOfTopK)
{
  at::Tensor values = at::arange(3001, at::kFloat).mul(0.7).sin().mul(5);
  const auto check = [&](std::int64_t count)
  {
    const float* data = values.const_data_ptr<float>();
    TopK::Cut cut = TopK(std::span(data, 3001), count).all();
    const at::Tensor expected = at::empty({ 3001 }, at::kBool);
    bool* to = expected.mutable_data_ptr<bool>();
    std::transform(data, data + 3001, to, [&](float v) { return cut(v); });
    const at::Device device = chooseDevice(test::device(), Precision::Float32, 1).device;
    const at::Tensor found = areLargest(values.view({ 1, 3001, 1 }).to(device), count);
    EXPECT_EQ(found.dim(), 3);
    EXPECT_TRUE(at::equal(found.flatten().cpu(), expected)) << count;
  };
  for (const std::int64_t count : { 0, 1, 600, 3000, 3001 })
  {
    check(count);
  }
  values = values.div(4).round(); // ties, and both zeros
  values[5] = values[2000] = std::nanf("");
  values[7] = std::numeric_limits<float>::infinity();
  values[9] = -std::numeric_limits<float>::infinity();
  values[11] = std::numeric_limits<float>::denorm_min();
  for (const std::int64_t count : { 0, 1, 599, 1500, 2998, 2999, 3000, 3001 })
  {
    check(count);
  }
}

TEST(Gpu, KeepsANetworkAndTellsANewThreadItsMemory)
{
  if (!at::hasCUDA())
  {
    GTEST_SKIP() << NoGpu;
  }
  const at::Device gpu(at::kCUDA, 0);
  std::optional<double> left;
  std::thread([&] { left = freeMemoryOf(gpu); }).join(); // which has no context yet
  EXPECT_GT(left.value_or(0), 0);
  NetworkOptions options;
  options.width = 8;
  const NetworkPtr network = makeNetwork(options);
  const NetworkPtr there = onDevice(network, options, gpu);
  EXPECT_EQ(onDevice(network, options, gpu), there);
  EXPECT_EQ(there->parameters().front().device(), gpu);
  EXPECT_FALSE(there->parameters().front().requires_grad());
}

TEST(Gpu, ReadsAndSendsWhatTheCpuDoes)
{
  if (!at::hasCUDA())
  {
    GTEST_SKIP() << NoGpu;
  }
  const Volume v = test::rockVolume(24);
  const Frame frame(v.dims, v.spacing, {});
  const Box box{ { 8, 0, 8 }, { 24, 24, 16 } };
  ChannelInfo info;
  info.phases = { 80, 110, 200 };
  const at::Tensor here = readFolded(v, frame, { info }, box);
  const at::Tensor there = readFolded(v, frame, { info }, box, at::Device(at::kCUDA, 0));
  EXPECT_TRUE(there.is_cuda());
  EXPECT_TRUE(at::equal(there.cpu(), here));
  const auto sent = [&](const at::Tensor& folded)
  { return unfolded(folded, frame, 1, 0, info, Decode::Phase, ScalarType::UInt16).cpu(); };
  EXPECT_TRUE(at::equal(sent(there), sent(here)));
}

TEST(Budget, TilesOfAGpuAreCapped)
{
  RunOptions run;
  run.memoryBudget = 1e6;
  ComputeDevice place;
  EXPECT_TRUE(std::isinf(budgetOf(run, place).voxels));
  place.device = at::Device(at::kCUDA, 0);
  EXPECT_EQ(budgetOf(run, place).voxels, 134217728);
  ModelInfo info;
  info.channels.resize(1);
  info.textureWidth = 1;
  std::vector<float> values(1);
  Outputs outputs;
  outputs.values = { test::output(values) };
  const double plain = outputBytesPerVoxel(info, outputs, place);
  EXPECT_GE(plain, 12);
  outputs.texture.emplace();
  EXPECT_EQ(outputBytesPerVoxel(info, outputs, place), plain + TextureBytes);
  EXPECT_EQ(outputBytesPerVoxel(info, outputs, ComputeDevice()), 0);
}
