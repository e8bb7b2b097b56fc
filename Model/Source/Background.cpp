// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Background.h"

#include <atomic>
#include <cstdlib>
#include <mutex>
#include <new>
#include <set>
#include <system_error>
#include <thread>

#include <cxxabi.h>

namespace vae
{

struct Background::Worker
{
  std::mutex joining; ///< one caller at a time starts or joins; held for long
  std::jthread thread;
  std::mutex asking; ///< of `newest`; held for a moment
  std::stop_source newest{ std::nostopstate };

  void stop();
  void wait();
};

namespace
{

thread_local const Background::Worker* Inside = nullptr; ///< whose work this thread is
std::atomic<bool> Exiting = false;
std::mutex RegistryMutex;

using Workers = std::set<std::shared_ptr<Background::Worker>>;
Workers& registry()
{
  static auto* all = new Workers; // outlives every destructor
  return *all;
}

void stopAll()
{
  Exiting = true; // what starts from now on stops at once
  for (Workers left;; left.clear())
  {
    {
      const std::lock_guard lock(RegistryMutex);
      left.swap(registry());
    }
    for (const auto& worker : left)
    {
      worker->stop();
    }
    for (const auto& worker : left) // may start others
    {
      worker->wait();
    }
    if (left.empty())
    {
      return;
    }
  }
}

/// In words, the first line: LibTorch's messages go on with a stack trace.
std::string reasonOf(const std::exception_ptr& thrown)
{
  try
  {
    std::rethrow_exception(thrown);
  }
  catch (const std::bad_alloc&)
  {
    return "There is not enough memory.";
  }
  catch (const std::exception& e)
  {
    const std::string all = e.what();
    return all.substr(0, all.find('\n'));
  }
  catch (...)
  {
    return "An error without a message occurred.";
  }
}

void runGuarded(
  const Background::Work& work, const Background::Failure& failed, const std::stop_token& stop)
{
  try
  {
    work(stop);
  }
  catch (const abi::__forced_unwind&) // a thread that is cancelled
  {
    throw;
  }
  catch (...)
  {
    failed(reasonOf(std::current_exception()));
  }
}

} // namespace

void Background::Worker::stop()
{
  std::stop_source source(std::nostopstate);
  {
    const std::lock_guard lock(this->asking);
    source = this->newest;
  }
  source.request_stop();
}

void Background::Worker::wait()
{
  if (Inside == this)
  {
    return;
  }
  const std::lock_guard lock(this->joining);
  if (this->thread.joinable())
  {
    this->thread.join();
  }
}

void Background::stopAllAtExit() { std::atexit(stopAll); }

Background::Background() : Mine(std::make_shared<Worker>()) {}

Background::~Background()
{
  this->stop();
  this->wait();
  const std::lock_guard lock(RegistryMutex);
  if (Inside == this->Mine.get()) // the work has called exit(), and that destroys its owner
  {
    registry().insert(this->Mine); // for ever: the thread is still there
  }
  else
  {
    registry().erase(this->Mine);
  }
}

void Background::start(const Work& work, const Failure& failed)
{
  static std::once_flag once;
  std::call_once(once, stopAllAtExit);
  Worker& mine = *this->Mine;
  mine.stop();
  std::unique_lock lock(mine.joining);
  if (mine.thread.joinable())
  {
    mine.thread.join();
  }
  {
    const std::lock_guard registering(RegistryMutex);
    registry().insert(this->Mine);
  }
  try
  {
    mine.thread = std::jthread([&mine, work, failed](const std::stop_token& stop)
    {
      Inside = &mine;
      runGuarded(work, failed, stop);
      Inside = nullptr;
    });
  }
  catch (const std::system_error&)
  {
    lock.unlock();
    failed("The system cannot start another thread; close other programs.");
    return;
  }
  {
    const std::lock_guard asking(mine.asking);
    mine.newest = mine.thread.get_stop_source();
  }
  if (Exiting)
  {
    mine.stop();
  }
}

void Background::stop() { this->Mine->stop(); }

void Background::wait() { this->Mine->wait(); }

} // namespace vae
