// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "FreeCores.h"

#include "Room.h"
#include "Source/Memory.h"

#include <ATen/Config.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>

#include <time.h>

namespace vae
{

#if AT_PARALLEL_OPENMP
namespace
{

constexpr double LookFor = 0.01, Undisturbed = 0.85;

double cpuSeconds()
{
  timespec t{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

/// The part of the time in which this thread had a core.
double shareOfCore()
{
  using Clock = std::chrono::steady_clock;
  const auto begin = Clock::now();
  const double before = cpuSeconds();
  std::chrono::duration<double> passed{};
  do
  {
    passed = Clock::now() - begin;
  } while (passed.count() < LookFor);
  return (cpuSeconds() - before) / passed.count();
}

} // namespace

int freeCores(int threads)
{
  if (threads < 2)
  {
    return 1;
  }
  try
  {
    prepareThreads(threads);
  }
  catch (const OutOfMemory&) // OpenMP ends the process where it cannot start a thread
  {
    return 1;
  }
  std::atomic<int> free = 0;
#pragma omp parallel num_threads(threads)
  {
    free += shareOfCore() >= Undisturbed;
  }
  return std::max<int>(free, 1);
}
#else
int freeCores(int threads) { return threads; }
#endif

int freeCoresLately(int threads)
{
  using Clock = std::chrono::steady_clock;
  static std::mutex mutex;
  static int of = 0, found = 0;
  static Clock::time_point when;
  const std::lock_guard lock(mutex);
  if (of != threads || Clock::now() - when > std::chrono::seconds(1))
  {
    of = threads;
    found = freeCores(threads);
    if (found < threads) // a process that did something for a moment is no neighbour
    {
      found = std::max(found, freeCores(threads));
    }
    when = Clock::now();
  }
  return found;
}

} // namespace vae
