// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
//
// What a GPU is asked to do, on a pretended one (Testing/PretendedCuda): launches, waits, copies,
// memory that runs out.
#include "PretendedCuda.h"
#include "RandomModel.h"
#include "Torch/Grid/Correlation.h"
#include "Torch/Inference/AnomalyScale.h"
#include "Torch/Priors/LatentField.h"
#include "Torch/Runtime/Room.h"
#include "Torch/Training/TorchTrainer.h"
#include "Training.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <memory>

using namespace vae;

namespace
{

void print(const char* what, double steps)
{
  const pretended_cuda::Counts c = pretended_cuda::counts();
  std::printf("%s: %.1f launches, %.1f waits, %.1f copies to the device, %.1f to the host\n", what,
    static_cast<double>(c.launches) / steps, static_cast<double>(c.synchronizations) / steps,
    static_cast<double>(c.toDevice) / steps, static_cast<double>(c.toHost) / steps);
  for (const auto& [name, count] : pretended_cuda::synchronizationsByOperator())
  {
    std::printf("  waits of %s: %lld\n", name.c_str(), static_cast<long long>(count));
  }
  for (const auto& [name, count] : pretended_cuda::launchesByOperator())
  {
    std::printf("  %s %.1f", name.c_str(), static_cast<double>(count) / steps);
  }
  std::printf("\n");
}

/// The default training but for the size of its patches, on which launches do not depend.
TrainOptions byDefault(Precision precision)
{
  TrainOptions o;
  o.timeBudget = 0;
  o.epochs = 2;
  o.patchSize = 16;
  o.device = "cuda";
  o.precision = precision;
  return o;
}

/// bfloat16 for the length of a test.
struct BFloat16
{
  BFloat16() { pretended_cuda::allowBFloat16(true); }
  ~BFloat16() { pretended_cuda::allowBFloat16(false); }
};

/// A model's decoding of a field of 128^3 voxels, as uint8: room for more than one tile.
struct Decoding
{
  Dims dims{ 128, 128, 128 };
  Volume volume = test::rockVolume(64);
  std::shared_ptr<TorchModel> model = test::randomModel(volume, 3, 1, 8, Likelihood::Bernoulli);
  Latent field{ .dims = { 16, 16, 16 },
    .channels = 3,
    .mean = test::noise(3 * 4096),
    .logVariance = {} };

  std::vector<std::uint8_t> operator()(
    const std::string& device, double budget = 0, std::optional<double> fraction = {}) const
  {
    std::vector<std::uint8_t> values(static_cast<std::size_t>(voxels(this->dims)));
    Outputs outputs;
    outputs.values = { test::output(values) };
    outputs.fraction = fraction;
    RunOptions run;
    run.device = device;
    run.precision = Precision::Float32;
    run.memoryBudget = budget;
    this->model->decode(this->field, this->dims, 0, outputs, run, {});
    return values;
  }
};

} // namespace

TEST(Cuda, AStepIsFewLaunchesAndOneWait)
{
  const BFloat16 allowed;
  for (const Precision precision : { Precision::Float32, Precision::BFloat16 })
  {
    TorchTrainer trainer({ test::rockVolume(64) }, byDefault(precision));
    for (int i = 0; i < 3; ++i)
    {
      trainer.step();
    }
    constexpr int steps = 4;
    pretended_cuda::resetCounts();
    for (int i = 0; i < steps; ++i)
    {
      trainer.step();
    }
    print(precision == Precision::Float32 ? "step, float32" : "step, bfloat16", steps);
    const pretended_cuda::Counts c = pretended_cuda::counts();
    EXPECT_LE(c.launches, (precision == Precision::Float32 ? 149 : 186) * steps);
    EXPECT_EQ(c.synchronizations, steps);
    EXPECT_EQ(c.pageable, 0);
    EXPECT_EQ(c.races, 0);
  }
}

// There is no CUDA graph here, but what one needs: all that changes lies in tensors that stay.
TEST(Cuda, StepsThatAGraphCouldRepeatAreThoseWithoutOne)
{
  struct Wanted
  {
    Wanted() { ::setenv("VAE_CUDA_GRAPHS", "1", 1); }
    ~Wanted() { ::unsetenv("VAE_CUDA_GRAPHS"); }
  };
  // Patches or their places go to the device in each step, and noise: InfoVAE also compares with
  // it.
  for (const auto& [objective, copies] : std::map<std::string, std::int64_t>{
         { "VAE", 2 }, { "InfoVAE", 3 }, { "beta-TC-VAE", 2 }, { "capacity-VAE", 2 } })
  {
    TrainOptions o = byDefault(Precision::Float32);
    o.objective = objective;
    o.stepsPerEpoch = 4;
    o.epochs = 2; // the weight of the KL term rises in the first 30 %
    TorchTrainer plain({ test::rockVolume(64) }, o);
    const std::unique_ptr<Wanted> wanted = std::make_unique<Wanted>();
    TorchTrainer graph({ test::rockVolume(64) }, o);
    for (int i = 0; i < 6; ++i)
    {
      const StepRecord a = plain.step(), b = graph.step();
      // The weight and the learning rate are rounded to float32 there.
      EXPECT_NEAR(b.loss / a.loss, 1, 1e-4) << objective << ", step " << i;
      EXPECT_NEAR(b.kl / a.kl, 1, 1e-3) << objective << ", step " << i;
    }
    EXPECT_EQ(plain.info().device.find("graph"), std::string::npos);
    EXPECT_NE(
      graph.info().device.find("no CUDA graph of steps: it was built without"), std::string::npos)
      << graph.info().device;
    // What a graph repeats waits for nothing, and copies nothing from the host.
    pretended_cuda::resetCounts();
    graph.step();
    EXPECT_EQ(pretended_cuda::counts().synchronizations, 1) << objective;
    EXPECT_EQ(pretended_cuda::counts().toDevice, copies) << objective;
    EXPECT_EQ(pretended_cuda::counts().pageable, 0) << objective;
    EXPECT_EQ(pretended_cuda::counts().races, 0) << objective;
  }
}

TEST(Cuda, AStepOfThePriorWaitsOnce)
{
  TrainOptions o = test::quickInFloat32(2);
  o.device = "cuda";
  o.stepsPerEpoch = 4;
  o.priorShare = 0.5;
  std::vector<std::uint8_t> slice = rock::cementedGrains({ 72, 0.3, 8, 1 });
  slice.resize(72 * 72);
  TorchTrainer trainer({ test::volume(slice, { 72, 72, 1 }) }, o);
  while (!trainer.step().prior) // the first step of the prior encodes the data
  {
  }
  pretended_cuda::resetCounts();
  const StepRecord record = trainer.step();
  ASSERT_TRUE(record.prior);
  print("step of the prior", 1);
  EXPECT_LE(pretended_cuda::counts().launches, 356); // 70 of them draw the noise
  EXPECT_EQ(pretended_cuda::counts().synchronizations, 1);
  EXPECT_EQ(pretended_cuda::counts().pageable, 0);
  EXPECT_EQ(pretended_cuda::counts().races, 0);
}

TEST(Cuda, OnlyWhatIsAskedForIsCopiedToTheHost)
{
  const Decoding decode;
  const std::vector<std::uint8_t> expected = decode("cpu");
  decode("cuda");                         // the network is there now
  for (const double budget : { 1e6, 2. }) // one tile, and several
  {
    pretended_cuda::resetCounts();
    EXPECT_EQ(decode("cuda", budget), expected);
    print("decoding", 1);
    const pretended_cuda::Counts c = pretended_cuda::counts();
    EXPECT_EQ(c.bytesToHost, voxels(decode.dims));
    EXPECT_LE(c.toDevice, 2 * c.toHost) << "a tile's latents and table of labels, no weights";
    EXPECT_GE(c.toHost, budget > 2 ? 1 : 2);
    EXPECT_EQ(pretended_cuda::synchronizationsByOperator()["event"], c.toHost) << "one a tile";
    EXPECT_EQ(c.pageable, 0);
    EXPECT_EQ(c.races, 0);
  }
}

TEST(Cuda, LogOddsAreRankedWhereTheyAre)
{
  const Decoding decode;
  constexpr double fraction = 0.3;
  const std::vector<std::uint8_t> expected = decode("cpu", 0, fraction);
  EXPECT_EQ(std::ranges::count(expected, decode.model->info().channels[0].phases[0]),
    std::llround(fraction * static_cast<double>(expected.size())));
  for (const double budget : { 1e6, 2. })
  {
    pretended_cuda::resetCounts();
    EXPECT_EQ(decode("cuda", budget, fraction), expected);
    print("decoding with an exact fraction", 1);
    // Labels, and what each of 32 looks at the log odds has counted.
    EXPECT_LE(pretended_cuda::counts().bytesToHost, voxels(decode.dims) + 34 * 8);
    EXPECT_EQ(pretended_cuda::counts().races, 0);
  }
  // Where there is no room for them the host does it.
  pretended_cuda::limitMemory(0, pretended_cuda::memoryInUse(0) + (std::size_t(64) << 20));
  pretended_cuda::resetCounts();
  EXPECT_EQ(decode("cuda", 2, fraction), expected);
  EXPECT_GE(pretended_cuda::counts().bytesToHost, 5 * voxels(decode.dims));
  pretended_cuda::limitMemory(0, std::size_t(-1));
}

TEST(Cuda, AnomalyScoresAreSortedWhereTheyAre)
{
  const at::Tensor scores = at::arange(30000, at::kFloat).mul(0.7).sin(), cells = scores.cos();
  const auto scaleOn = [&](const at::Device& device)
  {
    AnomalyScale scale;
    for (const auto measure : { AnomalyMeasure::ReconstructionError, AnomalyMeasure::KLDivergence,
           AnomalyMeasure::Product })
    {
      scale.add(measure, { scores.to(device), cells.to(device) });
    }
    scale.finish();
    return scale.state().at("quantiles");
  };
  const at::Tensor expected = scaleOn(at::kCPU);
  pretended_cuda::resetCounts();
  EXPECT_TRUE(at::equal(scaleOn(at::Device(at::kCUDA, 0)), expected));
  EXPECT_EQ(pretended_cuda::counts().bytesToHost, static_cast<std::int64_t>(expected.nbytes()));
}

TEST(Cuda, RadialS2IsSummedWhereItIs)
{
  statistics::Mask mask;
  mask.dims = { 40, 36, 30 };
  mask.spacing = { 1, 1.3, 2 };
  for (std::int64_t i = 0; i < mask.count(); ++i)
  {
    mask.data.push_back((i * i / 7) % 5 < 2);
  }
  constexpr std::int64_t lags = 14;
  const auto on = [&](const char* device)
  {
    RunOptions run;
    run.device = device;
    return radialS2(mask, lags, false, run, {});
  };
  const statistics::RadialS2 expected = on("cpu");
  pretended_cuda::resetCounts();
  const statistics::RadialS2 found = on("cuda");
  EXPECT_EQ(found.note, "");
  EXPECT_EQ(found.s2, expected.s2);
  EXPECT_EQ(found.distance, expected.distance);
  // Three sums for each slice of lags and each distance, one of them of what is too far.
  EXPECT_EQ(pretended_cuda::counts().bytesToHost, (lags / 2 + 1) * 3 * (lags + 2) * 8);
}

TEST(Cuda, PartsOfCropsAreKnownByAFewNumbers)
{
  std::mt19937_64 here(1), there(1);
  const std::array<std::int64_t, 4> size{ 64, 16, 12, 20 };
  const KnownParts expected = knownParts(size, here);
  pretended_cuda::resetCounts();
  const KnownParts found = knownParts(size, there, at::Device(at::kCUDA, 0));
  EXPECT_EQ(pretended_cuda::counts().toDevice, 1);
  EXPECT_EQ(pretended_cuda::counts().bytesToDevice, 4 * 64 * (16 + 12 + 20 + 1));
  EXPECT_EQ(pretended_cuda::counts().toHost, 0);
  EXPECT_EQ(found.cells, expected.cells);
  EXPECT_TRUE(at::equal(found.mask.cpu(), expected.mask));
}

TEST(Cuda, TheNoiseOfAFlowIsCompensatedOnItsDevice)
{
  const auto numbers = [](double step)
  { return at::arange(2 * 4096, at::kFloat).mul(step).sin().view({ 2, 16, 16, 16 }); };
  const LatentField field = LatentField::fit(numbers(0.9).narrow(0, 0, 1), {}, 4);
  const auto compensated = [&](const at::Device& device)
  {
    LatentField there = field.on(device);
    there.compensate({ numbers(0.3).to(device), numbers(0.17).to(device) });
    return there;
  };
  const at::Tensor expected = compensated(at::kCPU).state().at("covariance");
  pretended_cuda::resetCounts();
  const LatentField there = compensated(at::Device(at::kCUDA, 0));
  EXPECT_LE(pretended_cuda::counts().bytesToHost, 2 * 8) << "a number of waves for each pair";
  EXPECT_TRUE(at::equal(there.on(at::kCPU).state().at("covariance"), expected));
}

TEST(Cuda, TilesAreHalvedWhateverLibraryRunsOutOfMemory)
{
  const Decoding decode;
  const std::vector<std::uint8_t> expected = decode("cpu");
  pretended_cuda::failOnce(pretended_cuda::Library::CuDnn, 3);
  pretended_cuda::resetCounts();
  EXPECT_EQ(decode("cuda"), expected);
  EXPECT_GE(pretended_cuda::counts().toHost, 2) << "the tile was not halved";

  pretended_cuda::limitMemory(0, std::size_t(-1));
  EXPECT_EQ(decode("cuda", 1e6), expected);
  const std::size_t before = pretended_cuda::memoryInUse(0),
                    tile = pretended_cuda::mostMemoryInUse(0) - before;
  pretended_cuda::limitMemory(0, before + tile - tile / 8); // too little for one tile
  pretended_cuda::resetCounts();
  EXPECT_EQ(decode("cuda", 1e6), expected);
  EXPECT_GE(pretended_cuda::counts().toHost, 2) << "the tile was not halved";
  pretended_cuda::limitMemory(0, std::size_t(-1));

  const at::Tensor m = at::ones({ 4, 4 }, at::TensorOptions(at::kCUDA));
  for (const auto library : { pretended_cuda::Library::CuBlas, pretended_cuda::Library::CuFft })
  {
    pretended_cuda::failOnce(library);
    try
    {
      at::fft_rfftn(m.mm(m));
      ADD_FAILURE() << "nothing was thrown";
    }
    catch (const std::exception& e)
    {
      EXPECT_TRUE(isOutOfMemory(e)) << e.what();
    }
  }
}

TEST(Cuda, TheSecondDeviceIsAllThatIsUsedWhereItIsAskedFor)
{
  pretended_cuda::limitMemory(0, 0); // the first refuses all
  TrainOptions o = test::quickInFloat32(2);
  o.device = "cuda:1";
  o.stepsPerEpoch = 4;
  o.priorShare = 0.5;
  o.network.latentStride = 4;
  const Volume volume = test::rockVolume(32);
  TorchTrainer trainer({ volume }, o);
  int prior = 0;
  for (StepRecord record; !record.finished;)
  {
    record = trainer.step();
    prior += record.prior;
  }
  EXPECT_EQ(prior, 8);
  EXPECT_EQ(trainer.info().leftOut, "");
  const auto model = trainer.model(test::ofWeights(), {});
  RunOptions run;
  run.device = "cuda:1";
  run.precision = Precision::Float32;
  std::vector<std::uint8_t> values(32 * 32 * 32), made(values.size());
  Outputs outputs;
  outputs.values = { test::output(values) };
  model->decode(model->encode(volume, run, {}), volume.dims, 0, outputs, run, {});
  outputs.values = { test::output(made) };
  for (const Prior from : { Prior::RandomField, Prior::Learned })
  {
    GenerateOptions options;
    options.prior = from;
    model->sampleAndDecode({ volume.dims, model->margin(), options }, outputs, run);
  }
  pretended_cuda::limitMemory(0, std::size_t(-1));
  EXPECT_EQ(pretended_cuda::mostMemoryInUse(0), 0);
  EXPECT_GT(pretended_cuda::mostMemoryInUse(1), 0);
  EXPECT_EQ(pretended_cuda::counts().races, 0);
}
