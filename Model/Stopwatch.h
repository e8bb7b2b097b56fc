// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <chrono>
#include <functional>
#include <utility>

namespace vae
{

/// Seconds that a training has taken, from Apply to its end, without the time in which it was
/// stopped.
class Stopwatch
{
public:
  using Now = std::function<double()>; ///< seconds since some moment

  explicit Stopwatch(Now now = steady) : Time(std::move(now)) {}

  void start() ///< if it does not run
  {
    this->Before = this->seconds();
    this->Since = this->Time();
    this->Runs = true;
  }
  void stop()
  {
    this->Before = this->seconds();
    this->Runs = false;
  }
  double seconds() const { return this->Before + (this->Runs ? this->Time() - this->Since : 0); }

  static double steady()
  {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
  }

private:
  Now Time;
  double Before = 0, Since = 0;
  bool Runs = false;
};

} // namespace vae
