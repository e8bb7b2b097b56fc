// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Room.h"

#include "KeptMemory.h"
#include "Source/Memory.h"

#include <c10/util/Exception.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <new>
#include <string>
#include <vector>

#include <dlfcn.h>
#include <pthread.h>
#include <sys/mman.h>

namespace vae
{
namespace
{

/// Of a new thread, with its guard page and what the C library keeps for it.
double stackSize()
{
  pthread_attr_t attributes;
  std::size_t size = 0;
  if (pthread_getattr_default_np(&attributes) != 0)
  {
    return 8 << 20;
  }
  pthread_attr_getstacksize(&attributes, &size);
  pthread_attr_destroy(&attributes);
  constexpr double more = 64 << 10;
  return static_cast<double>(size) + more;
}

/// OpenBLAS maps one buffer for each call that needs one at a time, and keeps it. It has no setting
/// for that, but the functions that do it are to be found.
class BlasBuffers
{
public:
  static BlasBuffers& instance()
  {
    static BlasBuffers found;
    return found;
  }

  /// False if there is no room for so many at a time.
  bool prepare(int count)
  {
    const std::lock_guard lock(this->Mutex);
    if (!this->Take || count <= this->Prepared)
    {
      return true;
    }
    constexpr double size = 136 << 20; // 128 MiB in OpenBLAS 0.3.29
    if (!hasRoom((count - this->Prepared) * size))
    {
      return false;
    }
    std::vector<void*> taken;
    for (int i = 0; i < count; ++i)
    {
      taken.push_back(this->Take(0));
    }
    for (void* buffer : taken)
    {
      this->Leave(buffer);
    }
    this->Prepared = count;
    return true;
  }

private:
  BlasBuffers()
  {
    if (void* library = ::dlopen("libopenblas.so.0", RTLD_LAZY | RTLD_NOLOAD))
    {
      this->Leave = reinterpret_cast<void (*)(void*)>(::dlsym(library, "blas_memory_free"));
      if (this->Leave)
      {
        this->Take = reinterpret_cast<void* (*)(int)>(::dlsym(library, "blas_memory_alloc"));
      }
    }
  }
  std::mutex Mutex;
  int Prepared = 0;
  void* (*Take)(int) = nullptr;
  void (*Leave)(void*) = nullptr;
};

/// A thread that calls OpenBLAS, for as long as it lives.
struct Caller
{
  Caller() { ++All; }
  ~Caller() { --All; }
  Caller(const Caller&) = delete;
  void operator=(const Caller&) = delete;
  int team = 1; ///< threads of its last loop
  static inline std::atomic<int> All = 0;
};

} // namespace

bool isOutOfMemory(const std::exception& e)
{
  if (dynamic_cast<const std::bad_alloc*>(&e) || dynamic_cast<const OutOfMemory*>(&e) ||
    dynamic_cast<const c10::OutOfMemoryError*>(&e))
  {
    return true;
  }
  // LibTorch's allocator for the CPU, and the libraries below LibTorch, only say so in words.
  const std::string what = e.what();
  for (const char* words :
    { "not enough memory", "can't allocate memory", "out of memory", "could not create a memory",
      "could not create a primitive", "could not execute a primitive", // oneDNN
      // cuDNN 8 and 9: the last two where no algorithm's workspace fits
      "CUDNN_STATUS_ALLOC_FAILED", "DEVICE_ALLOCATION_FAILED", "HOST_ALLOCATION_FAILED",
      "unable to find an engine to execute", "Unable to find a valid cuDNN algorithm",
      "CUBLAS_STATUS_ALLOC_FAILED", "CUSOLVER_STATUS_ALLOC_FAILED", "CUFFT_ALLOC_FAILED" })
  {
    if (what.find(words) != std::string::npos)
    {
      return true;
    }
  }
  return false;
}

bool canMap(double bytes)
{
  const auto size = static_cast<std::size_t>(bytes);
  void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return memory != MAP_FAILED && munmap(memory, size) == 0;
}

bool hasRoom(double bytes) { return canMap(bytes) || (KeptMemory::giveBackAll() && canMap(bytes)); }

void reserve(double bytes)
{
  if (!hasRoom(bytes))
  {
    throw std::bad_alloc();
  }
}

void prepareThreads(int threads)
{
  static thread_local Caller caller;
  if (threads > caller.team)
  {
    // OpenMP's, and those of LibTorch's own pool.
    if (!hasRoom(2 * threads * stackSize() + RoomForKernels))
    {
      throw OutOfMemory("There is not enough memory for " + std::to_string(threads) +
        " threads; choose fewer Threads, or free some memory");
    }
    std::atomic<int> started = 0;
#pragma omp parallel num_threads(threads)
    ++started;
  }
  caller.team = threads;
  if (!BlasBuffers::instance().prepare(Caller::All))
  {
    throw OutOfMemory("There is not enough memory for OpenBLAS, which takes 128 MiB for each "
                      "thread that calls it; free some, or raise the limit (ulimit -v)");
  }
}

int blasCallers(int wanted)
{
  return BlasBuffers::instance().prepare(std::max<int>(1, Caller::All) * wanted) ? wanted : 1;
}

} // namespace vae
