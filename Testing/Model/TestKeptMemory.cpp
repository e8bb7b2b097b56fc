// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Torch/Runtime/Device.h"
#include "Torch/Runtime/KeptMemory.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <gtest/gtest.h>

#include <optional>
#include <thread>

using namespace vae;

TEST(KeptMemory, WhatIsFreedServesTheNextOfItsSize)
{
  const KeptMemory memory;
  const KeptMemory::Use use(memory);
  const void* first = at::empty({ 1000 }).const_data_ptr();
  EXPECT_EQ(memory.kept(), 4000u);
  const at::Tensor again = at::empty({ 10, 100 });
  EXPECT_EQ(again.const_data_ptr(), first);
  EXPECT_EQ(memory.kept(), 0u);
  EXPECT_NE(at::empty({ 1000 }).const_data_ptr(), first); // in use
}

TEST(KeptMemory, IsGivenBackWhenThatIsWanted)
{
  EXPECT_FALSE(KeptMemory::giveBack());
  const KeptMemory memory;
  const KeptMemory::Use use(memory);
  const at::Tensor held = at::full({ 1000 }, 2.f);
  at::empty({ 1000 });
  EXPECT_FALSE(KeptMemory::giveBack(4000));
  EXPECT_EQ(memory.kept(), 4000u);
  EXPECT_TRUE(KeptMemory::giveBack());
  EXPECT_EQ(memory.kept(), 0u);
  EXPECT_EQ(held.sum().item<float>(), 2000.f);
}

TEST(KeptMemory, WorkHasItAndLeavesLittle)
{
  const ComputeDevice place = chooseDevice("cpu", Precision::Float32, 1);
  const auto keeps = [&](std::int64_t floats)
  {
    const void* first = nullptr;
    {
      const RunScope scope(place, false);
      EXPECT_TRUE(KeptMemory::inUse());
      first = at::empty({ floats }).const_data_ptr();
      EXPECT_EQ(at::empty({ floats }).const_data_ptr(), first);
    }
    EXPECT_FALSE(KeptMemory::inUse());
    const RunScope next(place, false);
    return KeptMemory::giveBack();
  };
  EXPECT_TRUE(keeps(1 << 20));
  EXPECT_FALSE(keeps(1 << 25)); // 128 MiB

  const KeptMemory mine; // a training's, say
  const KeptMemory::Use use(mine);
  {
    const RunScope scope(place, false);
    at::empty({ 1000 });
  }
  EXPECT_EQ(mine.kept(), 4000u);
}

TEST(KeptMemory, StepsThatAreAlikeNeedNoMore)
{
  const KeptMemory memory;
  const KeptMemory::Use use(memory);
  const auto step = []
  {
    const at::Tensor x = at::rand({ 2, 16, 12, 12, 12 }).to(at::kBFloat16),
                     w = at::rand({ 16, 16, 3, 3, 3 }, x.options()).requires_grad_();
    at::conv3d(x, w, {}, at::IntArrayRef{ 1, 1, 1 }, at::IntArrayRef{ 1, 1, 1 })
      .square()
      .sum()
      .backward();
  };
  step();
  step();
  const std::size_t kept = memory.kept();
  EXPECT_GT(kept, 2u * 2 * 16 * 12 * 12 * 12);
  for (int i = 0; i < 5; ++i)
  {
    step();
    EXPECT_EQ(memory.kept(), kept);
  }
}

TEST(KeptMemory, TensorsOutliveIt)
{
  at::Tensor left, freed;
  {
    const KeptMemory memory;
    {
      const KeptMemory::Use use(memory);
      left = at::full({ 5000 }, 3.f);
      freed = at::full({ 700 }, 4.f);
    }
    std::thread([&] { freed.reset(); }).join();
    EXPECT_EQ(memory.kept(), 2800u); // whoever frees it
  }
  EXPECT_EQ(left.sum().item<float>(), 15000.f);
  std::thread([&] { left.reset(); }).join();
}

TEST(KeptMemory, IsOfAThreadAndAScope)
{
  const KeptMemory memory;
  const auto make = [] { at::empty({ 1000 }); };
  make();
  EXPECT_EQ(memory.kept(), 0u);
  const KeptMemory::Use use(memory);
  std::thread(make).join();
  EXPECT_EQ(memory.kept(), 0u);
  {
    const KeptMemory other;
    const KeptMemory::Use inner(other);
    make();
    EXPECT_EQ(other.kept(), 4000u);
  }
  make();
  EXPECT_EQ(memory.kept(), 4000u);
}

TEST(KeptMemory, SizesThatDoNotComeAgainAreGivenBack)
{
  const KeptMemory memory;
  const KeptMemory::Use use(memory);
  for (std::int64_t n = 1; n <= 300; ++n)
  {
    at::empty({ 1000 + n });
    EXPECT_LE(memory.kept(), 4u * 4 * 1300) << n;
  }
}

TEST(KeptMemory, ElementsAreAligned)
{
  const KeptMemory memory;
  for (const bool kept : { false, true })
  {
    std::optional<KeptMemory::Use> use;
    if (kept)
    {
      use.emplace(memory);
    }
    for (const std::int64_t n : { 1, 3, 100, 1024, 5000, 300000 })
    {
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(at::empty({ n }).const_data_ptr()) % 64, 0u) << n;
    }
  }
}
