// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "ThreadChoice.h"

#include <algorithm>
#include <utility>

namespace vae
{
namespace
{

constexpr double Share = 0.015;     // of the time, for trials
constexpr double FirstTrial = 1;    // seconds after which the first one begins
constexpr int Interval = 25;        // steps between trials at least
constexpr double LookAgain = 2;     // seconds between looks at the cores
constexpr std::size_t Compared = 5; // steps, of which the median counts
constexpr std::size_t Remembered = 8;
constexpr double Better = 0.95, MuchBetter = 0.6, Worse = 1.25; // times what the others take
constexpr double SlowFrom = 1.5, SlowAtOnce = 3;
constexpr int MostPatience = 1000;

double median(std::vector<double> all)
{
  const auto middle = all.begin() + static_cast<std::ptrdiff_t>(all.size() / 2);
  std::nth_element(all.begin(), middle, all.end());
  return *middle;
}

} // namespace

ThreadChoice::ThreadChoice(int most, Free free) : Most(most), CoresFree(std::move(free)) {}

int ThreadChoice::coresFree() const
{
  return std::clamp(this->CoresFree(this->Most), 1, this->Most);
}

int ThreadChoice::threads()
{
  if (this->Now == 0)
  {
    // Twice: a process that did something for a moment is no neighbour.
    this->Now = this->Most == 1 ? 1 : std::max(this->coresFree(), this->coresFree());
  }
  return this->Trial > 0 ? this->Trial : this->Now;
}

void ThreadChoice::took(double seconds, double work)
{
  if (this->Most == 1 || !(seconds > 0 && work > 0))
  {
    return;
  }
  this->Spent += seconds;
  if (this->Trial > 0)
  {
    this->Cost += seconds - this->Reference * work;
    this->trialStep(seconds / work);
  }
  else
  {
    this->Credit = std::min(this->Credit, 0.) + Share * seconds;
    this->settledStep(seconds / work);
  }
}

void ThreadChoice::workChanged()
{
  this->Trial = 0;
  this->Times.clear();
  this->Known.clear();
  this->Slow = this->Settled = 0;
}

bool ThreadChoice::isSlow(double time)
{
  if (this->Times.size() >= Compared)
  {
    const double usual = median({ this->Times.begin(), this->Times.end() });
    this->Slow = time > SlowAtOnce * usual ? 2 : time > SlowFrom * usual ? this->Slow + 1 : 0;
  }
  return this->Slow >= 2 && this->Settled >= this->Patience;
}

void ThreadChoice::settledStep(double time)
{
  ++this->Settled;
  if (std::exchange(this->Cold, this->Known.insert(this->Now).second))
  {
    this->Times.clear();
  }
  if (this->isSlow(time))
  {
    this->Slow = 0;
    this->Times = { time }; // that is what it takes now
    std::vector<int> candidates = this->fewer();
    const int free = this->coresFree();
    if (free + 1 < this->Now)
    {
      candidates.push_back(free); // the first to be tried
    }
    this->begin(candidates, true);
    return;
  }
  this->Times.push_back(time);
  if (this->Times.size() > Remembered)
  {
    this->Times.pop_front();
  }
  const bool none = this->Known.size() == 1 && this->Spent >= FirstTrial; // so far
  const bool may = this->Settled >= static_cast<int>(Compared) && this->Credit >= 0 && !this->Cold;
  if (may && this->Now < this->Most && this->Spent - this->Asked >= LookAgain)
  {
    this->tryMore();
  }
  else if (none || (may && this->Settled >= Interval))
  {
    this->begin(this->fewer(), false);
  }
}

std::vector<int> ThreadChoice::fewer() const
{
  std::vector<int> all;
  for (const int n : { this->Now / 2, this->Now - 1 })
  {
    if (n >= 1 && (all.empty() || all.back() != n))
    {
      all.push_back(n);
    }
  }
  return all;
}

void ThreadChoice::tryMore()
{
  this->Asked = this->Spent;
  if (const int free = this->coresFree(); free > this->Now)
  {
    this->begin({ free }, false);
  }
}

void ThreadChoice::begin(std::vector<int> candidates, bool urgent)
{
  if (candidates.empty())
  {
    return;
  }
  if (!urgent && candidates.size() > 1) // by turns
  {
    this->OneLess = !this->OneLess;
    candidates = { this->OneLess ? candidates.back() : candidates.front() };
  }
  this->Trial = candidates.back();
  candidates.pop_back();
  this->Left = std::move(candidates);
  this->Urgent = urgent;
  const auto last = static_cast<std::ptrdiff_t>(std::min(Compared, this->Times.size()));
  this->Reference = median({ this->Times.end() - last, this->Times.end() });
  this->Tried.clear();
  this->Cost = 0;
}

void ThreadChoice::trialStep(double time)
{
  const bool cold = this->Known.insert(this->Trial).second;
  const bool muchBetter = time < MuchBetter * this->Reference;
  if (!cold || muchBetter)
  {
    this->Tried.push_back(time);
  }
  if (muchBetter)
  {
    this->accept(cold);
  }
  else if (cold) // not to be compared, but with another such
  {
    if (this->Cold || time > SlowAtOnce * this->Reference)
    {
      this->reject();
    }
  }
  else if (time > Worse * this->Reference)
  {
    this->reject();
  }
  else if (this->Tried.size() == Compared)
  {
    median(this->Tried) < Better* this->Reference ? this->accept(false) : this->reject();
  }
}

void ThreadChoice::accept(bool cold)
{
  this->Times.assign(this->Tried.begin(), this->Tried.end());
  this->Cold = cold;
  this->Now = std::exchange(this->Trial, 0);
  this->Asked = this->Spent;
  this->Settled = this->Patience = this->Slow = 0;
}

void ThreadChoice::reject()
{
  this->Credit -= std::max(0., std::exchange(this->Cost, 0));
  this->Tried.clear();
  if (!this->Left.empty())
  {
    this->Trial = this->Left.back();
    this->Left.pop_back();
    return;
  }
  this->Trial = this->Settled = this->Slow = 0;
  if (this->Urgent)
  {
    this->Times.clear(); // the new level is still to be seen
    this->Patience = std::clamp(2 * this->Patience, Interval, MostPatience);
  }
}

} // namespace vae
