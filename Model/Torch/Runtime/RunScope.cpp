// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Device.h"
#include "FreeCores.h"
#include "Room.h"
#include "Source/Memory.h"

#include <ATen/Config.h>
#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>

#include <mutex>

#include <dlfcn.h>

#if AT_PARALLEL_OPENMP
#ifndef _OPENMP
#error "at::parallel_for would be a plain loop; compile with OpenMP's flag"
#endif
#include <omp.h>
#endif

namespace vae
{
namespace
{

/// The OpenBLAS that LibTorch has brought into the process, if it has.
class OpenBlas
{
public:
  static const OpenBlas& instance()
  {
    static const OpenBlas found;
    return found;
  }
  int threads() const { return this->Get ? this->Get() : 0; }
  void setThreads(int threads) const
  {
    if (this->Set && threads > 0 && threads != this->Get())
    {
      this->Set(threads);
    }
  }

private:
  OpenBlas()
  {
    if (void* library = ::dlopen("libopenblas.so.0", RTLD_LAZY | RTLD_NOLOAD))
    {
      this->Get = reinterpret_cast<int (*)()>(::dlsym(library, "openblas_get_num_threads"));
      this->Set = reinterpret_cast<void (*)(int)>(::dlsym(library, "openblas_set_num_threads"));
      if (!this->Get)
      {
        this->Set = nullptr;
      }
    }
  }
  int (*Get)() = nullptr;
  void (*Set)(int) = nullptr;
};

/// What the whole process has only one of. The first scope notes what was set, the last one puts it
/// back; between them OpenBLAS has one thread as long as a scope is on the CPU, and cuDNN tries its
/// algorithms as long as one wants that. Each is written only where it changes: others read them
/// meanwhile.
class Shared
{
public:
  static Shared& instance()
  {
    static auto* only = new Shared; // outlives a scope in a thread that the process's end stops
    return *only;
  }
  void enter(bool cpu, bool tries)
  {
    const std::lock_guard lock(this->Mutex);
    if (this->Scopes++ == 0)
    {
      this->BlasThreads = OpenBlas::instance().threads();
      this->Benchmark = at::globalContext().benchmarkCuDNN();
    }
    this->OnCpu += cpu;
    this->Trying += tries;
    this->apply();
  }
  void leave(bool cpu, bool tries)
  {
    const std::lock_guard lock(this->Mutex);
    --this->Scopes;
    this->OnCpu -= cpu;
    this->Trying -= tries;
    this->apply();
  }

private:
  void apply() const
  {
    OpenBlas::instance().setThreads(this->OnCpu > 0 ? 1 : this->BlasThreads);
    const bool benchmark = this->Scopes > 0 ? this->Trying > 0 : this->Benchmark;
    if (at::globalContext().benchmarkCuDNN() != benchmark)
    {
      at::globalContext().setBenchmarkCuDNN(benchmark);
    }
  }
  std::mutex Mutex;
  int Scopes = 0, OnCpu = 0, Trying = 0;
  int BlasThreads = 0;
  bool Benchmark = false;
};

/// Of this thread alone. LibTorch's own call also notes the number for threads that begin later, of
/// which there is one in the process: what the last scope to end puts there is another one's.
void setThreadsHere(int threads)
{
#if AT_PARALLEL_OPENMP
  omp_set_num_threads(threads);
#else
  at::set_num_threads(threads);
#endif
}

/// Of this thread. A thread gets LibTorch's default number in its first loop. Whether it has them is
/// known to an inline function, of which this library has a copy of its own: without the call below
/// its first loop would undo what a scope has set.
int threadsHere()
{
  at::internal::lazy_init_num_threads();
  return at::get_num_threads();
}

} // namespace

RunScope::RunScope(const ComputeDevice& place, bool gradients, bool shapesReturn)
  : Threads(threadsHere())
  , Most(place.open && place.device.is_cpu() ? place.threads : 0)
  , OnCpu(place.device.is_cpu())
  , Tries(gradients && shapesReturn)
  , Before(c10::GradMode::is_enabled())
{
  if (!KeptMemory::inUse())
  {
    static thread_local const KeptMemory memory;
    this->Kept.emplace(memory);
  }
  if (this->OnCpu)
  {
    prepareThreads(place.threads);
  }
  Shared::instance().enter(this->OnCpu, this->Tries);
  if (this->OnCpu)
  {
    setThreadsHere(place.threads);
  }
  c10::GradMode::set_enabled(gradients);
}

void RunScope::adapt()
{
  if (this->Most > 1)
  {
    const int threads = freeCoresLately(this->Most);
    try
    {
      prepareThreads(threads);
      setThreadsHere(threads);
    }
    catch (const OutOfMemory&) // it goes on with those that it has
    {
    }
  }
}

RunScope::~RunScope()
{
  if (this->Kept)
  {
    constexpr std::size_t little = 64 << 20;
    KeptMemory::giveBack(little);
  }
  setThreadsHere(this->Threads);
  c10::GradMode::set_enabled(this->Before);
  Shared::instance().leave(this->OnCpu, this->Tries);
}

} // namespace vae
