// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "../Check.h"
#include "../Model.h"
#include "Team.h"

#include <exception>
#include <memory>
#include <type_traits>

namespace vae::statistics
{

/// Threads for loops, and how a long call is followed and ended. Progress is reported from the
/// thread that calls, never from another one.
class Work
{
public:
  /// \param threads see threadsOf
  explicit Work(int threads = 0, Monitor monitor = {})
    : Threads(threadsOf(threads))
    , Follow(std::move(monitor))
  {
  }

  /// The same for a part of the job, from one fraction of it to another.
  Work part(double from, double to) const
  {
    Work work(*this);
    work.From = this->From + from * (this->To - this->From);
    work.To = this->From + to * (this->To - this->From);
    return work;
  }

  /// The same without a report.
  Work quiet() const
  {
    Work work(*this);
    work.Follow.progress = {};
    return work;
  }

  /// The same on one thread and without a report, for a job that is one of many.
  Work alone() const
  {
    Work work = this->quiet();
    work.Threads = 1;
    return work;
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

  /// f(i) for i of [0, number), each once, f(0) on this thread. For short loops: nothing is
  /// reported, no stop is seen, and f must not throw.
  template <typename F>
  void share(int number, F&& f) const
  {
    this->Helpers->run(number, std::ref(f));
  }

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
    this->share(static_cast<int>(std::min<std::int64_t>(this->Threads, count)), run);
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
  double From = 0, To = 1;
  std::shared_ptr<Team> Helpers = std::make_shared<Team>(); ///< of all parts of a job
};

} // namespace vae::statistics
