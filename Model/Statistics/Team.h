// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace vae::statistics
{

/// Threads for short loops: started when a loop first needs them, they wait for the next one, which
/// costs microseconds where a start costs tens of them.
class Team
{
public:
  Team() = default;
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;
  ~Team();

  /// f(0) on the calling thread, each of f(1) ... f(number - 1) on any; returns when all have.
  /// Where the system gives no more threads, or the team is busy with a loop that this one is in,
  /// the calling thread does what is left. f must not throw.
  void run(int number, const std::function<void(int)>& f);

private:
  void grow(int helpers);
  void help();

  std::atomic<bool> Busy{ false };
  std::mutex Mutex; ///< of what follows
  std::condition_variable Wake, Finished;
  const std::function<void(int)>* Job = nullptr;
  int Next = 0, Number = 0; ///< calls that nobody has begun
  bool Ending = false;
  int Running = 0; ///< calls that helpers have begun
  std::vector<std::jthread> Helpers;
};

} // namespace vae::statistics
