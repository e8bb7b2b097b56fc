// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <functional>
#include <mutex>
#include <thread>

namespace vae
{

/// A thread for work inside LibTorch. It is stopped and joined before the process leaves LibTorch's
/// destructors behind, also where its owner is never destroyed (a script that just ends).
class Background
{
public:
  Background() = default;
  ~Background();
  Background(const Background&) = delete;
  void operator=(const Background&) = delete;

  /// Run `work` in the thread, after what it was doing has been stopped. It must not throw.
  void start(std::function<void(std::stop_token)> work);
  void stop(); ///< ask for it
  void wait(); ///< until there is nothing more to do

  /// To be called once LibTorch is loaded: what is registered last comes first at exit.
  static void stopAllAtExit();

private:
  std::mutex Mutex; ///< starting and joining
  std::stop_source Stop{ std::nostopstate };
  std::thread Thread;
};

} // namespace vae
