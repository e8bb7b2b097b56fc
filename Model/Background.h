// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <functional>
#include <memory>
#include <stop_token>
#include <string>

namespace vae
{

/// A thread for work inside LibTorch. It is stopped and joined before LibTorch's destructors run at
/// exit, even if its owner is never destroyed (a script that just ends). All calls may come from
/// any thread, except that the work itself must not call start().
class Background
{
public:
  using Work = std::function<void(const std::stop_token&)>;
  using Failure = std::function<void(const std::string& reason)>;

  Background();
  ~Background();
  Background(const Background&) = delete;
  void operator=(const Background&) = delete;

  /// Stop the present work and run `work` in the thread. If it throws, `failed` is called in the
  /// same thread with the message; if the system cannot start a thread, it is called at once.
  void start(const Work& work, const Failure& failed);
  void stop(); ///< ask for it
  void wait(); ///< until there is nothing more to do; in the work itself it returns at once

  /// To be called once LibTorch is loaded: what is registered last comes first at exit.
  static void stopAllAtExit();

  struct Worker;

private:
  const std::shared_ptr<Worker> Mine; ///< shared with what runs at exit
};

} // namespace vae
