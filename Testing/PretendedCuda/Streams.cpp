// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Streams.h"

#include "Memory.h"

#include <ATen/core/LegacyTypeDispatch.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace pretended_cuda
{
namespace
{

thread_local int device = 0;
thread_local std::array<int, Devices> streams{};
thread_local bool context = false;

std::int64_t done(const Clock& clock, int stream)
{
  const auto found = clock.find(stream);
  return found == clock.end() ? 0 : found->second;
}

void race(const std::string& what)
{
  ++state().counts.races;
  TORCH_CHECK(!state().throws, "pretended CUDA device: ", what);
}

bool sameBytes(const at::Tensor& a, const at::Tensor& b)
{
  const at::Tensor x = a.contiguous(), y = b.contiguous();
  return std::memcmp(x.const_data_ptr(), y.const_data_ptr(), x.nbytes()) == 0;
}

/// A line on the error stream at the end of a program, where VAE_PRETENDED_CUDA_REPORT is set.
[[gnu::destructor]] void report()
{
  if (std::getenv("VAE_PRETENDED_CUDA_REPORT"))
  {
    const Counts c = counts();
    const auto number = [](std::int64_t n) { return static_cast<long long>(n); };
    std::fprintf(stderr,
      "pretended CUDA: %lld launches, %lld synchronizations, %lld copies to the device, "
      "%lld to the host, %lld races\n",
      number(c.launches), number(c.synchronizations), number(c.toDevice), number(c.toHost),
      number(c.races));
  }
}

} // namespace

Lock locked()
{
  static auto* mutex = new std::recursive_mutex; // tensors outlive static objects
  return Lock(*mutex);
}

State& state()
{
  static auto* only = new State;
  return *only;
}

int& currentDevice() { return device; }
int& currentStreamOf(int of) { return streams[of]; }
void makeContextCurrent() { context = true; }
bool hasContext() { return context; }

void join(Clock& clock, const Clock& other)
{
  for (const auto& [stream, launches] : other)
  {
    clock[stream] = std::max(clock[stream], launches);
  }
}

std::int64_t launch(const std::string& name, int of, const Blocks& blocks, bool counted)
{
  makeContextCurrent();
  const int stream = currentStream(of);
  const Lock lock = locked();
  State& s = state();
  if (counted)
  {
    ++s.counts.launches;
    ++s.launches[name];
  }
  Clock& mine = s.clocks[stream];
  join(mine, s.host);
  const std::int64_t now = ++mine[stream];
  bool wrong = false;
  const auto mayRun = [&](int other, std::int64_t then)
  { return other >= 0 && other != stream && done(mine, other) < then; };
  for (const auto& [address, writes] : blocks)
  {
    Uses* uses = usesOf(address);
    if (!uses)
    {
      continue;
    }
    wrong = wrong || mayRun(uses->writer, uses->written);
    if (writes)
    {
      wrong = wrong ||
        std::ranges::any_of(
          uses->readers, [&](const auto& r) { return mayRun(r.first, r.second); });
      uses->writer = stream;
      uses->written = now;
      uses->readers.clear();
    }
    else
    {
      uses->readers[stream] = now;
    }
  }
  if (wrong)
  {
    race(name + " does not wait for another stream that uses the same memory");
  }
  return now;
}

void waitFor(const Clock& until, const std::string& reason)
{
  const Lock lock = locked();
  State& s = state();
  ++s.counts.synchronizations;
  ++s.waits[reason];
  join(s.host, until);
  std::vector<PendingCopy> due, rest;
  for (PendingCopy& copy : s.pending)
  {
    (done(s.host, copy.stream) >= copy.launch ? due : rest).push_back(std::move(copy));
  }
  s.pending = std::move(rest);
  const at::AutoDispatchBelowADInplaceOrView below;
  for (const PendingCopy& copy : due)
  {
    if (copy.toHost)
    {
      copy.pinned.copy_(copy.values);
    }
    else if (!sameBytes(copy.pinned, copy.values))
    {
      race("pinned memory changed before it was copied to the device");
    }
  }
}

void waitForStream(int key, const std::string& reason)
{
  const Lock lock = locked();
  waitFor(state().clocks[key], reason);
}

void waitForDevice(int of, const std::string& reason)
{
  const Lock lock = locked();
  Clock all;
  for (const auto& [stream, clock] : state().clocks)
  {
    if (deviceOfKey(stream) == of)
    {
      join(all, clock);
    }
  }
  waitFor(all, reason);
}

void checkRelease(Uses uses)
{
  State& s = state();
  if (uses.writer >= 0)
  {
    auto& last = uses.readers[uses.writer];
    last = std::max(last, uses.written);
  }
  for (const auto& [stream, launches] : uses.readers)
  {
    // A destructor: it cannot throw.
    s.counts.races += stream != uses.owner && !uses.recorded.contains(stream) &&
      done(s.clocks[uses.owner], stream) < launches && done(s.host, stream) < launches;
  }
}

Counts counts()
{
  const Lock lock = locked();
  return state().counts;
}

void resetCounts()
{
  const Lock lock = locked();
  state().counts = {};
  state().launches.clear();
  state().waits.clear();
}

std::map<std::string, std::int64_t> launchesByOperator()
{
  const Lock lock = locked();
  return state().launches;
}

std::map<std::string, std::int64_t> synchronizationsByOperator()
{
  const Lock lock = locked();
  return state().waits;
}

void throwOnRaces(bool throws)
{
  const Lock lock = locked();
  state().throws = throws;
}

} // namespace pretended_cuda
