// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
//
// How a volume is cut, and what happens where memory runs out. That tiles equal the whole is in
// TestNetwork.cpp.
#include "Source/Memory.h"
#include "Torch/Inference/Tiles.h"

#include <c10/util/Exception.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include <sys/resource.h>

using namespace vae;

namespace
{

/// Calls of forEachTile whose work fails on boxes of more than `most` cells.
struct Calls
{
  std::vector<Box> done;
  std::vector<std::int64_t> tried; ///< cells of each call
  std::vector<double> progress;

  void operator()(
    const Index3& cells, const TileSize& size, std::int64_t most, const std::function<void()>& fail)
  {
    Monitor monitor;
    monitor.progress = [&](double f) { this->progress.push_back(f); };
    forEachTile(cells, size, monitor, [&](const Box& box)
    {
      const std::int64_t n = box.size[0] * box.size[1] * box.size[2];
      this->tried.push_back(n);
      if (n > most)
      {
        fail();
      }
      this->done.push_back(box);
    });
  }
  /// Every cell once.
  void covers(const Index3& cells) const
  {
    std::set<Index3> seen;
    for (const Box& b : this->done)
      for (auto z = b.origin[0]; z < b.origin[0] + b.size[0]; ++z)
        for (auto y = b.origin[1]; y < b.origin[1] + b.size[1]; ++y)
          for (auto x = b.origin[2]; x < b.origin[2] + b.size[2]; ++x)
          {
            ASSERT_TRUE(seen.insert({ z, y, x }).second);
            ASSERT_TRUE(x >= 0 && x < cells[2] && y < cells[1] && z < cells[0]);
          }
    EXPECT_EQ(static_cast<std::int64_t>(seen.size()), cells[0] * cells[1] * cells[2]);
  }
};

} // namespace

TEST(TileSize, FitsAndProcessesLittleTwice)
{
  const Index3 cell{ 8, 8, 8 };
  EXPECT_EQ(tileSize({ 32, 32, 32 }, cell, 6, 256. * 256 * 256), (Index3{ 32, 32, 32 }));
  for (const Index3& cells :
    { Index3{ 128, 128, 128 }, Index3{ 9, 200, 31 }, Index3{ 1, 77, 300 } })
  {
    for (const double most : { 4e6, 2e7, 4e8 })
    {
      const Index3 size = tileSize(cells, cell, 6, most);
      double largest = 1, all = 1;
      for (int a = 0; a < 3; ++a)
      {
        largest *= static_cast<double>(8 * std::min(size[a] + 12, cells[a]));
        double along = 0;
        for (std::int64_t b = 0; b < cells[a]; b += size[a])
        {
          along += static_cast<double>(
            8 * (std::min(b + size[a] + 6, cells[a]) - std::max<std::int64_t>(b - 6, 0)));
        }
        all *= along / static_cast<double>(8 * cells[a]);
      }
      EXPECT_LE(largest, most);
      // No more than cubes of that many voxels, each with a halo all round, would process.
      EXPECT_LE(all, 1.05 * std::pow(1 / (1 - 12 / std::cbrt(most / 512)), 3)) << most;
    }
  }
}

TEST(ForEachTile, CoversEveryCellOnce)
{
  Calls run;
  run({ 7, 10, 33 }, { { 3, 10, 8 } }, 1000, {});
  run.covers({ 7, 10, 33 });
  EXPECT_EQ(run.done.size(), 3u * 5);
  EXPECT_EQ(run.progress.size(), 3u * 5 + 1);
  EXPECT_EQ(run.progress.back(), 1);
}

TEST(ForEachTile, HalvesTheTileWhereMemoryRunsOut)
{
  const std::function<void()> failures[] = { [] { throw std::bad_alloc(); },
    [] { TORCH_CHECK(false, "DefaultCPUAllocator: can't allocate memory: you tried to allocate"); },
    [] { TORCH_CHECK_WITH(OutOfMemoryError, false, "CUDA out of memory."); },
    [] { TORCH_CHECK(false, "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"); },
    [] { TORCH_CHECK(false, "FIND was unable to find an engine to execute this computation"); }, []
  { TORCH_CHECK(false, "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate`"); },
    [] { TORCH_CHECK(false, "cuFFT error: CUFFT_ALLOC_FAILED"); } };
  for (const auto& fail : failures)
  {
    Calls run;
    run({ 12, 9, 31 }, { { 12, 9, 31 } }, 100, fail);
    run.covers({ 12, 9, 31 });
    for (std::size_t i = 1; i < run.tried.size(); ++i)
    {
      EXPECT_LE(run.tried[i], run.tried[i - 1] + 1000 * (run.tried[i - 1] <= 100));
    }
    // It learns: after the first success nothing fails any more.
    const auto success =
      std::find_if(run.tried.begin(), run.tried.end(), [](auto n) { return n <= 100; });
    EXPECT_TRUE(std::all_of(success, run.tried.end(), [](auto n) { return n <= 100; }));
    EXPECT_LT(success - run.tried.begin(), 8);
  }
}

TEST(ForEachTile, OneCellTooLargeIsTheEndAndOtherErrorsPass)
{
  Calls run;
  EXPECT_THROW(
    run({ 4, 4, 4 }, { { 4, 4, 4 } }, 0, [] { throw std::bad_alloc(); }), std::bad_alloc);
  EXPECT_EQ(run.tried.back(), 1);
  EXPECT_THROW(
    run({ 4, 4, 4 }, { { 4, 4, 4 } }, 0, [] { throw std::range_error("x"); }), std::range_error);
}

TEST(ForEachTile, GivesUpWhereHalvesWouldTakeAsMuch)
{
  // Half of a volume no larger than its halo is all of it again.
  Calls run;
  EXPECT_THROW(
    run({ 8, 8, 8 }, { { 8, 8, 8 }, 8 }, 0, [] { throw std::bad_alloc(); }), std::bad_alloc);
  EXPECT_EQ(run.tried, std::vector<std::int64_t>{ 512 });
  // A tile is never much smaller than its halo: 64 cells, halo 4, leave 2 cells at the least.
  Calls large;
  EXPECT_THROW(large({ 64, 64, 64 }, { { 64, 64, 64 }, 4 }, 0, [] { throw std::bad_alloc(); }),
    std::bad_alloc);
  EXPECT_GE(large.tried.back(), 8);
  EXPECT_LE(large.tried.back(), 64);
}

TEST(Memory, FreeMemoryKnowsTheLimitOfTheAddressSpace)
{
  EXPECT_GT(freeMemory(), 1e8);
  rlimit before{};
  getrlimit(RLIMIT_AS, &before);
  const double most = 100e9; // far more than a test machine has, less than the address space
  rlimit limit = before;
  limit.rlim_cur = static_cast<rlim_t>(most);
  ASSERT_EQ(setrlimit(RLIMIT_AS, &limit), 0);
  EXPECT_LT(freeMemory(), most);
  setrlimit(RLIMIT_AS, &before);
}
