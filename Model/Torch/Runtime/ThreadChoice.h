// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <set>
#include <vector>

namespace vae
{

/// Chooses the number of threads of a training from the times of its steps. OpenMP's threads wait
/// for each other many times a step. If another program keeps one of their cores busy, all of them
/// wait for the thread on that core, and a step takes many times as long. One thread less leaves
/// that core alone.
///
/// It begins with as many threads as cores are free. Now and then, and at once if steps suddenly
/// take several times as long, it tries a few steps with other numbers and keeps the faster one.
/// Trials get a small share of the time: the more one has cost, the later is the next. It has no
/// clock of its own.
class ThreadChoice
{
public:
  /// Of so many threads, how many have a core of their own (freeCores()).
  using Free = std::function<int(int threads)>;

  /// \param free is asked before the first step, too
  ThreadChoice(int most, Free free);

  int threads();                           ///< of the next step
  int chosen() const { return this->Now; } ///< without a trial that may be under way

  /// How long the step with threads() took, and how much work it was, in any unit.
  void took(double seconds, double work = 1);

  /// The next steps are another kind of work, whose times must not be compared with the last ones.
  void workChanged();

private:
  void settledStep(double time);
  void trialStep(double time);
  bool isSlow(double time);
  int coresFree() const;
  std::vector<int> fewer() const;
  void tryMore();
  void begin(std::vector<int> candidates, bool urgent);
  void accept(bool cold);
  void reject();

  const int Most;
  const Free CoresFree;
  int Now = 0;              ///< 0 before the first step
  std::deque<double> Times; ///< of the last steps with Now threads
  bool Cold = false;        ///< Times are of the first step, in which kernels were made
  std::set<int> Known;      ///< numbers whose kernels have been made
  double Spent = 0;         ///< seconds so far
  double Asked = 0;         ///< Spent when the cores were last looked at
  double Credit = 0;        ///< seconds that trials may cost
  int Settled = 0;          ///< steps since the last trial
  int Patience = 0;         ///< steps after a trial in which slow ones are not believed
  int Slow = 0;             ///< steps in a row that took a multiple
  bool OneLess = false;     ///< what the last trial of fewer threads was of
  // A trial that is under way:
  int Trial = 0; ///< threads; 0: none
  bool Urgent = false;
  std::vector<int> Left; ///< to be tried after this one, the last first
  double Reference = 0;  ///< what it is compared with
  std::vector<double> Tried;
  double Cost = 0; ///< seconds beyond what the steps would have taken
};

} // namespace vae
