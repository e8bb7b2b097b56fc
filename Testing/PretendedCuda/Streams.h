// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "PretendedCuda.h"

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <map>
#include <mutex>
#include <string>
#include <vector>

// Streams and their order. Kernels run at once; whether each waited for what it had to wait for is
// checked with vector clocks: each stream, event and the host know how many launches of every
// stream are done.
namespace pretended_cuda
{

using Lock = std::unique_lock<std::recursive_mutex>; // a race that throws frees memory under it
Lock locked();                                       ///< what all devices share

inline c10::Device cuda(int index) { return { c10::kCUDA, static_cast<c10::DeviceIndex>(index) }; }

/// Of this thread.
int& currentDevice();
int& currentStreamOf(int device); ///< 0 is the default stream
void makeContextCurrent();        ///< as the first use of a device by a thread does
bool hasContext();

/// A stream's number among those of all devices.
constexpr int streamKey(int device, int stream) { return device * 64 + stream; }
constexpr int deviceOfKey(int key) { return key / 64; }
inline int currentStream(int device) { return streamKey(device, currentStreamOf(device)); }

/// How many launches of each stream, by its key, are known to be done.
using Clock = std::map<int, std::int64_t>;
void join(Clock& clock, const Clock& other);

/// Of one block of memory.
struct Uses
{
  int owner = -1, writer = -1; ///< streams
  std::int64_t written = 0;    ///< the writer's launch
  Clock readers{};             ///< since then
  Clock recorded{};            ///< by record_stream
};

/// A copy between a device and pinned memory that its stream may not have reached yet.
struct PendingCopy
{
  int stream = 0;
  std::int64_t launch = 0;
  bool toHost = false;
  at::Tensor pinned;
  at::Tensor values; ///< to the host: what arrives when the host waits; else what must not change
};

/// What all threads share; under the lock.
struct State
{
  Counts counts;
  std::map<std::string, std::int64_t> launches, waits;
  std::map<int, Clock> clocks; ///< of each stream
  Clock host;
  std::vector<PendingCopy> pending;
  bool throws = false;
  int streams = 0; ///< that were asked for
};
State& state();

/// Device addresses of blocks, and whether they are written.
using Blocks = std::map<const void*, bool>;
/// An operator runs on the current stream of a device. The number of the launch.
std::int64_t launch(const std::string& name, int device, const Blocks& blocks, bool counted);
/// The host waits until this is done, because of an operator. \throws c10::Error with throwOnRaces
void waitFor(const Clock& done, const std::string& reason);
void waitForStream(int key, const std::string& reason);
void waitForDevice(int device, const std::string& reason);
/// Counts a race where a stream may still be at work on memory that is freed. The caller holds the
/// lock.
void checkRelease(Uses uses);

} // namespace pretended_cuda
