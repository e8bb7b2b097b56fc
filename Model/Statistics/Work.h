// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "../Check.h"
#include "../Model.h"

#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <type_traits>

namespace vae::statistics
{

/// Threads for loops, and how a long call is followed and ended. Progress is reported from the
/// thread that calls, never from another one.
class Work
{
public:
  /// \param threads see threadsOf
  explicit Work(int threads = 0, Monitor monitor = {}, double from = 0, double to = 1)
    : Threads(threadsOf(threads))
    , Follow(std::move(monitor))
    , From(from)
    , To(to)
  {
  }

  /// The same for a part of the job, from one fraction of it to another.
  Work part(double from, double to) const
  {
    return Work(this->Threads, this->Follow, this->From + from * (this->To - this->From),
      this->From + to * (this->To - this->From));
  }

  /// The same on one thread and without a report, for a job that is one of many.
  Work alone() const { return Work(1, this->quiet()); }

  /// Stops, but does not report.
  Monitor quiet() const
  {
    Monitor monitor;
    monitor.stop = this->Follow.stop;
    return monitor;
  }

  int threads() const { return this->Threads; }

  /// \throws Stopped if a stop was asked for
  void report(double fraction) const
  {
    if (this->Follow.progress)
    {
      this->Follow.progress(this->From + fraction * (this->To - this->From));
    }
    if (this->Follow.stop.stop_requested())
    {
      throw Stopped();
    }
  }
  std::stop_token token() const { return this->Follow.stop; }
  bool stopping() const { return this->Follow.stop.stop_requested(); }

  /// f(i), or f(i, thread), for i of [0, count), in any order, on threads() threads.
  /// \throws what f throws, or Stopped
  template <typename F>
  void forEach(std::int64_t count, F&& f) const
  {
    std::atomic<std::int64_t> next{ 0 };
    std::atomic<bool> quit{ false };
    std::exception_ptr problem;
    std::mutex mutex;
    const auto run = [&](int thread)
    {
      try
      {
        std::int64_t lastReport = 0;
        for (std::int64_t i = next++; i < count && !quit; i = next++)
        {
          if constexpr (std::is_invocable_v<F, std::int64_t, int>)
          {
            f(i, thread);
          }
          else
          {
            f(i);
          }
          if (thread == 0 && (i - lastReport) * 50 >= count)
          {
            lastReport = i;
            this->report(static_cast<double>(i) / static_cast<double>(count));
          }
          else if (this->stopping())
          {
            throw Stopped();
          }
        }
      }
      catch (...)
      {
        quit = true;
        const std::lock_guard lock(mutex);
        problem = problem ? problem : std::current_exception();
      }
    };
    {
      std::vector<std::jthread> helpers;
      const int wanted = static_cast<int>(std::min<std::int64_t>(this->Threads, count));
      try
      {
        for (int t = 1; t < wanted; ++t)
        {
          helpers.emplace_back(run, t);
        }
      }
      catch (const std::exception&) // no room for one more: the others do its work
      {
      }
      run(0);
    }
    if (problem)
    {
      std::rethrow_exception(problem);
    }
    this->report(1);
  }

  /// f(begin, end, thread) for parts of [0, count), about four a thread.
  template <typename F>
  void forRanges(std::int64_t count, F&& f) const
  {
    const std::int64_t parts = std::min<std::int64_t>(count, this->Threads * 4);
    this->forEach(parts,
      [&](std::int64_t i, int thread) { f(count * i / parts, count * (i + 1) / parts, thread); });
  }

private:
  int Threads;
  Monitor Follow;
  double From, To;
};

} // namespace vae::statistics
