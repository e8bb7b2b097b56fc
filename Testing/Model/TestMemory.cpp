// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
//
// Memory that runs out: any tensor, any large vector, the address space.
#include "Plan.h"
#include "RandomModel.h"
#include "Source/Memory.h"
#include "Torch/Calibration/Calibrator.h"
#include "Torch/Inference/Inference.h"
#include "Torch/Priors/Spectrum.h"
#include "Torch/Runtime/Room.h"
#include "Torch/Training/TorchTrainer.h"
#include "Training.h"

#include <ATen/Parallel.h>
#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <cstdlib>
#include <new>
#include <set>

#include <sys/resource.h>

using namespace vae;

namespace
{

/// What fails: 0, or the number of the tensor, or of the large vector, counted from 1.
std::atomic<std::int64_t> Allocations = 0, Failing = 0;

void count()
{
  if (++Allocations == Failing)
  {
    throw std::bad_alloc();
  }
}

constexpr std::size_t Large = 32 << 10; // smaller ones end no sooner than the machine's memory

/// In front of LibTorch's allocator: counts, fails, and knows how much is used.
class Watched : public c10::Allocator
{
public:
  Watched() : Behind(c10::GetCPUAllocator()) { c10::SetCPUAllocator(this, 200); }
  ~Watched() override { c10::SetCPUAllocator(this->Behind, 200); }

  c10::DataPtr allocate(std::size_t bytes) override
  {
    count();
    c10::DataPtr behind = this->Behind->allocate(sizeof(Head) + bytes);
    auto* head = new (behind.get()) Head{ {}, bytes };
    head->behind = std::move(behind);
    Used += static_cast<std::int64_t>(bytes);
    Most = std::max(Most.load(), Used.load());
    return { head + 1, head + 1, &Watched::free, c10::DeviceType::CPU };
  }
  c10::DeleterFnPtr raw_deleter() const override { return &Watched::free; }
  void copy_data(void* to, const void* from, std::size_t bytes) const override
  {
    this->default_copy_data(to, from, bytes);
  }
  static inline std::atomic<std::int64_t> Used = 0, Most = 0;

private:
  struct alignas(64) Head ///< before the elements
  {
    c10::DataPtr behind;
    std::size_t bytes;
  };
  static void free(void* data)
  {
    Head* head = static_cast<Head*>(data) - 1;
    Used -= static_cast<std::int64_t>(head->bytes);
    const c10::DataPtr behind = std::move(head->behind);
    head->~Head();
  }
  c10::Allocator* Behind;
};

/// Some numbers of 1..all: the first ones, ever fewer after them, the last.
std::set<std::int64_t> someOf(std::int64_t all)
{
  std::set<std::int64_t> chosen{ all };
  for (double n = 1; n < static_cast<double>(all); n = std::max(n + 1, n * 1.3))
  {
    chosen.insert(static_cast<std::int64_t>(n));
  }
  return chosen;
}

/// `work` is done or says that it is out of memory, whichever allocation fails, and afterwards
/// gives what it gave before.
template <typename F>
void failEach(F&& work)
{
  Failing = 0;
  const auto before = work();
  Allocations = 0;
  EXPECT_EQ(work(), before);
  const std::int64_t all = Allocations;
  ASSERT_GT(all, 0);
  int refused = 0;
  for (const std::int64_t n : someOf(all))
  {
    Allocations = 0;
    Failing = n;
    try
    {
      work();
    }
    catch (const std::exception& e)
    {
      EXPECT_TRUE(isOutOfMemory(e)) << n << ": " << e.what();
      ++refused;
    }
    Failing = 0;
    EXPECT_EQ(work(), before) << "after allocation " << n << " of " << all;
  }
  EXPECT_GT(refused, 0);
}

/// In so little more than what is used now.
template <typename F>
void withRoom(double bytes, F&& work)
{
  rlimit before{}, limit{};
  ::getrlimit(RLIMIT_AS, &before);
  limit = before;
  limit.rlim_cur = 1ULL << 46;
  ::setrlimit(RLIMIT_AS, &limit);
  const double used = static_cast<double>(limit.rlim_cur) - freeAddressSpace();
  limit.rlim_cur = static_cast<rlim_t>(used + bytes);
  ::setrlimit(RLIMIT_AS, &limit);
  work();
  ::setrlimit(RLIMIT_AS, &before);
}

std::vector<float> weightsOf(const TorchTrainer& trainer)
{
  const auto model =
    std::dynamic_pointer_cast<const TorchModel>(trainer.model({ false, 4096, false, false }, {}));
  std::vector<float> all;
  for (const auto& [name, tensor] : model->network()->tensors())
  {
    const std::vector<float> values = valuesOf(tensor);
    all.insert(all.end(), values.begin(), values.end());
  }
  return all;
}

} // namespace

// Not inlined: the compiler would take the pair for another.
[[gnu::noinline]] void* operator new(std::size_t bytes)
{
  if (bytes >= Large)
  {
    count();
  }
  if (void* memory = std::malloc(bytes > 0 ? bytes : 1))
  {
    return memory;
  }
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

TEST(OutOfMemory, AnyAllocationOfAModelThatIsUsed)
{
  Watched watched;
  const Volume volume = test::volume(test::noise(24 * 40 * 32), { 32, 40, 24 });
  RunOptions run;
  run.threads = 1;
  run.device = "cpu";
  run.precision = Precision::Float32;
  const auto plain = test::randomModel(volume, 3, 1);
  const TrainingSet data(
    std::make_shared<const DataSet>(std::vector<Volume>{ volume }), plain->info());
  const auto model = std::make_shared<const TorchModel>(plain->info(), plain->network(),
    Calibrator(plain->info(), plain->network(), {}, data, run).fieldOnly(1 << 20, {}));
  failEach([&] { return model->encode(volume, run, {}).mean; });
  failEach([&]
  {
    std::vector<float> values(24 * 40 * 32), stddev(values.size());
    ReconstructOutputs outputs;
    outputs.values = { test::output(values) };
    outputs.stddev = { test::output(stddev) };
    ReconstructOptions options;
    options.samples = 2;
    model->reconstruct(volume, options, outputs, run, {});
    values.insert(values.end(), stddev.begin(), stddev.end());
    return values;
  });
  failEach([&]
  {
    GenerateOptions options;
    options.prior = Prior::RandomField;
    return model->sample({ volume.dims, 1, options }, run).latent.mean;
  });
}

TEST(OutOfMemory, AnyAllocationOfAModelThatIsLoaded)
{
  Watched watched;
  const Volume volume = test::volume(test::noise(16 * 16 * 16), { 16, 16, 16 });
  const std::string path =
    (std::filesystem::temp_directory_path() / ("vae-memory-" + std::to_string(::getpid())))
      .string();
  test::randomModel(volume, 3, 1)->save(path);
  RunOptions run;
  run.threads = 1;
  failEach([&] { return TorchModel::load(path)->encode(volume, run, {}).mean; });
  std::filesystem::remove(path);
}

TEST(OutOfMemory, WhatIsSeenWholeDoesNotDependOnTheMemory)
{
  for (const int dimensions : { 2, 3 })
  {
    const Volume volume = dimensions == 3
      ? test::volume(test::noise(56 * 72 * 121), { 121, 72, 56 })
      : test::volume(test::noise(240 * 190), { 240, 190, 1 });
    const auto model = test::randomModel(volume, dimensions, 1);
    const Frame frame(volume.dims, volume.spacing, model->info().network);
    RunOptions run;
    run.threads = 1;
    run.precision = Precision::Float32;
    const Latent latent = model->encode(volume, run, {});
    const Index3 cells = frame.cells();
    const LatentGrid field{ at::from_blob(const_cast<float*>(latent.mean.data()),
                              { latent.channels, cells[0], cells[1], cells[2] }),
      {} };
    Box box{ { 0, 1, 1 }, { cells[0], cells[1] - 1, cells[2] - 2 } };
    const at::Tensor whole =
      Inference(model->info(), model->network(), frame, run).decodeInTiles(field, box);
    run.memoryBudget = 1e-3;
    Inference inference(model->info(), model->network(), frame, run);
    ASSERT_NE(inference.decodeTile(box.size).size, box.size);
    const at::Tensor tiled = inference.decodeInTiles(field, box);
    ASSERT_EQ(tiled.sizes(), whole.sizes());
    EXPECT_TRUE(at::allclose(tiled, whole, 1e-4, 1e-5));
  }
}

TEST(OutOfMemory, AStepThatFailsLeavesWhatTheLastEpochHasLearned)
{
  Watched watched;
  TrainOptions options = test::quick(100);
  options.stepsPerEpoch = 2;
  options.priorShare = 0;
  TorchTrainer trainer({ test::rockVolume(32) }, options);
  Failing = Allocations + 5;
  EXPECT_THROW(trainer.step(), OutOfMemory); // nothing to keep yet
  Failing = 0;
  EXPECT_EQ(trainer.info().warning, "");
  trainer.step();
  Allocations = 0;
  trainer.step();
  const std::int64_t all = Allocations;
  ASSERT_EQ(trainer.info().history.size(), 1u);
  int failed = 0;
  for (const std::int64_t n : someOf(2 * all))
  {
    const std::size_t epochs = trainer.info().history.size();
    const std::vector<float> learned = weightsOf(trainer);
    Allocations = 0;
    Failing = n; // forward, backward, the optimiser, what ends an epoch
    try
    {
      trainer.step();
      trainer.step();
      EXPECT_EQ(trainer.info().history.size(), epochs + 1); // oneDNN knew a way without it
    }
    catch (const OutOfMemory& e)
    {
      Failing = 0;
      ++failed;
      EXPECT_NE(std::string(e.what()).find("of the training"), std::string::npos) << e.what();
      EXPECT_EQ(trainer.info().history.size(), epochs) << n;
      EXPECT_EQ(weightsOf(trainer), learned) << n << " of " << all;
      EXPECT_NE(trainer.info().warning.find("memory"), std::string::npos);
    }
    Failing = 0;
  }
  EXPECT_GT(failed, 10);
  for (int i = 0; i < 2; ++i)
  {
    EXPECT_TRUE(std::isfinite(trainer.step().loss));
  }
}

TEST(OutOfMemory, ATrainingThatDoesNotFitIsRefusedBeforeItStarts)
{
  const Volume volume = test::rockVolume(64);
  TrainOptions options = test::quick(1);
  options.network.width = 64;
  options.patchSize = 64;
  options.batchSize = 16;
  const Plan plan = planOf(options);
  ASSERT_GT(plan.batchMemory, 300e6);
  withRoom(200e6, [&]
  {
    try
    {
      TorchTrainer trainer({ volume }, options);
      FAIL();
    }
    catch (const OutOfMemory& e)
    {
      const std::string what = e.what();
      for (const char* part :
        { "There is not enough memory for this training", "MiB", "Patch Size" })
      {
        EXPECT_NE(what.find(part), std::string::npos) << what;
      }
    }
  });
}

TEST(OutOfMemory, NoRoomForThreadsIsSaid)
{
  withRoom(150e6, [] { EXPECT_THROW(prepareThreads(64), OutOfMemory); });
  prepareThreads(2);
}

// OpenBLAS tries without end to map a buffer of 128 MiB for a second thread that calls it.
TEST(OutOfMemory, ASpectrumIsFactorisedWhereOpenBlasHasRoomForOneThread)
{
  at::set_num_threads(2);
  prepareThreads(2);
  const at::Tensor covariance = at::zeros({ 4, 4, 3, 3, 3 });
  covariance.slice(2, 1, 2).slice(3, 1, 2).slice(4, 1, 2).copy_(
    at::eye(4).reshape({ 4, 4, 1, 1, 1 }) * 4);
  const Spectrum::Sizes grid{ 32, 32, 32 };
  withRoom(130e6, [&]
  {
    const Spectrum spectrum(covariance, grid);
    const at::Tensor values = at::ones({ 4, 32, 32, 32 });
    EXPECT_TRUE(at::allclose(spectrum.times(values), values * 4, 1e-3)); // a jitter of 1e-3
  });
}

TEST(OutOfMemory, ThePlanIsWhatAStepTakes)
{
  const Volume volume = test::rockVolume(64);
  for (const Precision precision : { Precision::Float32, Precision::BFloat16 })
  {
    for (const auto& [width, patch, batch, stride] :
      { std::array{ 16, 32, 2, 8 }, { 32, 48, 2, 8 }, { 32, 32, 4, 16 }, { 64, 32, 2, 4 } })
    {
      Watched watched;
      TrainOptions options = test::quick(1);
      options.stepsPerEpoch = 4;
      options.precision = precision;
      options.network.width = width;
      options.patchSize = patch;
      options.batchSize = batch;
      options.network.latentStride = stride;
      const Plan plan = planOf(options, precision == Precision::BFloat16 ? 2 : 4);
      const std::int64_t before = Watched::Used;
      TorchTrainer trainer({ volume }, options);
      Watched::Most = Watched::Used.load();
      trainer.step();
      const double all = static_cast<double>(Watched::Most - before);
      EXPECT_LT(all, plan.modelMemory + plan.batchMemory) << width << ' ' << stride;
      EXPECT_GT(all, (plan.modelMemory + plan.batchMemory) / 2) << width << ' ' << stride;
    }
  }
}
