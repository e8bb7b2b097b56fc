// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Model.h"

#include <map>
#include <string>
#include <vector>

namespace vae
{

/// What is over, where a measurement has no time left.
struct OutOfTime : std::runtime_error
{
  OutOfTime() : std::runtime_error("the time budget was too short") {}
};

/// The measurements of the end of a training, one after the other, the most important first. One
/// that fails, or has no memory or no time left, is given up by itself, and so are all that are
/// left after a stop.
class Closing
{
public:
  /// \param left seconds that are left; empty: there is no limit
  /// \param count of measurements, for the monitor's progress
  Closing(std::function<double()> left, const Monitor& monitor, int count);

  /// One measurement at work.
  class Turn
  {
  public:
    bool limited() const { return static_cast<bool>(this->All.Left); }
    double left() const; ///< seconds, if limited
    /// For a call that takes a while: stops it when the time is over, or as soon as its progress
    /// tells that the time will not do.
    Monitor monitor() const;
    /// It is of a smaller part than it could be.
    void smaller(const std::exception& why = OutOfTime());

  private:
    friend class Closing;
    Turn(const Closing& all, double end) : All(all), End(end) {}
    const Closing& All;
    double End;          ///< what All.Left() is then
    std::string Smaller; ///< why
  };

  /// The first is begun in any case.
  /// \param what it is in a sentence: "the texture"
  /// \param share of the time that is left, which it may take
  void measure(const char* what, double share, const std::function<void(Turn&)>& work);

  /// What was left out, or is of a smaller part, and why: sentences, or empty.
  std::string told() const;

private:
  std::function<double()> Left;
  const Monitor& Outer;
  int Count, Done = 0;
  std::map<std::string, std::vector<std::string>> Without, Less; ///< by reason
};

} // namespace vae
