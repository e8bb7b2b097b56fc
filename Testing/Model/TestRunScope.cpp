// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Torch/Runtime/Device.h"
#include "Torch/Runtime/FreeCores.h"

#include <ATen/Context.h>
#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <c10/core/GradMode.h>

#include <gtest/gtest.h>

#include <barrier>
#include <optional>
#include <random>
#include <thread>
#include <vector>

#include <dlfcn.h>

using namespace vae;

namespace
{

/// Of the OpenBLAS that LibTorch uses; 0 if it uses none.
int blasThreads()
{
  void* library = ::dlopen("libopenblas.so.0", RTLD_LAZY | RTLD_NOLOAD);
  const auto get =
    library ? reinterpret_cast<int (*)()>(::dlsym(library, "openblas_get_num_threads")) : nullptr;
  return get ? get() : 0;
}

/// What a scope touches, as a thread finds it.
struct Settings
{
  int threads = at::get_num_threads(), blas = blasThreads();
  bool gradients = c10::GradMode::is_enabled(), benchmark = at::globalContext().benchmarkCuDNN();

  bool operator==(const Settings&) const = default;
};

Settings ofANewThread()
{
  std::optional<Settings> found;
  std::thread([&] { found.emplace(); }).join();
  return *found;
}

ComputeDevice placeOf(int threads) { return chooseDevice("cpu", Precision::Float32, threads); }

} // namespace

TEST(RunScope, SettingsAreBackWhateverTheOrder)
{
  const Settings here, before = ofANewThread();
  // The first to open is the first to close: what the second one found is what the first had set.
  std::barrier next(2);
  const auto scope = [&](bool first, int threads)
  {
    const Settings mine;
    std::optional<RunScope> open;
    const auto turn = [&](bool mineNow, const auto& act)
    {
      mineNow ? act() : void();
      next.arrive_and_wait();
    };
    const auto opens = [&]
    {
      open.emplace(placeOf(threads), first);
      EXPECT_EQ(at::get_num_threads(), threads);
    };
    turn(first, opens);
    turn(!first, opens);
    turn(first, [&] { open.reset(); });
    open.reset();
    EXPECT_EQ(Settings().threads, mine.threads);
    EXPECT_EQ(Settings().gradients, mine.gradients);
  };
  {
    const std::jthread a(scope, true, 3), b(scope, false, 5);
  }
  EXPECT_EQ(ofANewThread(), before);
  EXPECT_EQ(Settings(), here);
}

TEST(RunScope, ManyThreadsOpenAndCloseThemAtRandom)
{
  const Settings here, before = ofANewThread();
  const bool hasBlas = before.blas > 0;
  {
    std::vector<std::jthread> all;
    for (unsigned t = 0; t < 8; ++t)
    {
      all.emplace_back([t, hasBlas]
      {
        std::mt19937 random(t);
        const Settings mine;
        std::vector<std::unique_ptr<RunScope>> open;
        std::vector<int> wanted{ mine.threads };
        for (int i = 0; i < 2000; ++i)
        {
          if (open.empty() || (open.size() < 4 && random() % 2))
          {
            wanted.push_back(static_cast<int>(1 + random() % 7));
            open.push_back(std::make_unique<RunScope>(placeOf(wanted.back()), random() % 2));
          }
          else
          {
            open.pop_back();
            wanted.pop_back();
          }
          ASSERT_EQ(at::get_num_threads(), wanted.back());
          if (hasBlas && !open.empty())
          {
            ASSERT_EQ(blasThreads(), 1);
          }
        }
        while (!open.empty())
        {
          open.pop_back();
        }
        EXPECT_EQ(at::get_num_threads(), mine.threads);
        EXPECT_EQ(c10::GradMode::is_enabled(), mine.gradients);
      });
    }
  }
  EXPECT_EQ(ofANewThread(), before);
  EXPECT_EQ(Settings(), here);
}

// A thread's first loop of this library, and of LibTorch, must leave it the scope's number.
TEST(RunScope, AThreadsFirstLoopLeavesItsThreads)
{
  std::thread([]
  {
    const RunScope scope(placeOf(1), false);
    at::parallel_for(0, 4, 1, [](std::int64_t, std::int64_t) {});
    EXPECT_EQ(at::get_num_threads(), 1);
  }).join();
}

TEST(RunScope, CuDnnTriesItsAlgorithmsAsLongAsOneWantsGradients)
{
  const bool before = at::globalContext().benchmarkCuDNN();
  for (const bool set : { false, true })
  {
    at::globalContext().setBenchmarkCuDNN(set);
    auto training = std::make_optional<RunScope>(placeOf(1), true);
    auto inference = std::make_optional<RunScope>(placeOf(1), false);
    EXPECT_TRUE(at::globalContext().benchmarkCuDNN());
    inference.reset();
    training.reset();
    EXPECT_EQ(at::globalContext().benchmarkCuDNN(), set);
    inference.emplace(placeOf(1), false);
    EXPECT_FALSE(at::globalContext().benchmarkCuDNN());
    inference.reset();
    EXPECT_EQ(at::globalContext().benchmarkCuDNN(), set);
  }
  at::globalContext().setBenchmarkCuDNN(before);
}

TEST(FreeCores, IsBetweenOneAndWhatWasAskedFor)
{
  EXPECT_EQ(freeCores(1), 1);
  for (const int threads : { 2, 5 })
  {
    const int found = freeCores(threads);
    EXPECT_GE(found, 1);
    EXPECT_LE(found, threads);
  }
  // Far more threads than any core can run at once.
  const int many = 8 * static_cast<int>(std::thread::hardware_concurrency());
  EXPECT_LT(freeCores(many), many);
}
