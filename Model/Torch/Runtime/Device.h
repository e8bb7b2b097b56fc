// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "KeptMemory.h"
#include "Options.h"
#include "Room.h"
#include "Stopwatch.h"

#include <ATen/core/Tensor.h>
#include <c10/core/Event.h>

#include <functional>
#include <optional>
#include <string>

namespace vae
{

/// A device, the arithmetic on it, and the reason for both in words.
struct ComputeDevice
{
  at::Device device = at::kCPU;
  at::ScalarType compute = at::kFloat; ///< of the convolutions
  int threads = 1;
  bool open = false; ///< Threads is 0: the number is the most
  std::string reason;

  bool onCpu() const { return this->device.is_cpu(); }
};

/// `auto` and `cuda` are the first GPU; in an MPI job the GPU of this process's rank on its
/// machine, modulo the number of GPUs. Automatic precision is bfloat16 where that is fast: on a CPU
/// that has instructions for it, on a GPU that has shown it (bfloat16Refusal()).
/// \throws std::invalid_argument if the device is unknown or absent
ComputeDevice chooseDevice(const std::string& device, Precision precision, int threads);

/// Number of the GPU, of so many, that `auto` and `cuda` stand for. Open MPI, MPICH, Intel MPI,
/// MVAPICH, PALS and Slurm tell a process its rank among those on its machine.
int deviceOfRank(int devices);

/// A three-dimensional convolution of x, [1, channels, z, y, x], that keeps its size.
using Convolution = std::function<at::Tensor(const at::Tensor& x, const at::Tensor& weight)>;

/// Why convolutions in bfloat16 should not be used on a device, in words; empty where they should.
/// One is run: it must not throw, must be within 2 % of float32 (its result has 8 bits), and must
/// take at most 1.5 times as long, where bfloat16 in hardware takes about half.
/// \param convolve default: LibTorch's own
std::string bfloat16Refusal(const at::Device& device, const Convolution& convolve = {},
  const Stopwatch::Now& now = Stopwatch::steady);

/// Before a network runs on a place: reserve() on the CPU; a GPU's allocator says itself when there
/// is no memory, and nothing below it breaks.
/// \throws std::bad_alloc if there is not
void reserveOn(const ComputeDevice& place, double bytes);

/// A tensor of the CPU, or of the device, on the device. To a GPU it goes by way of memory that the
/// system does not move, and nothing waits for it.
at::Tensor toDevice(const at::Tensor& t, const at::Device& device);

/// A contiguous tensor of a device on its way to the CPU; from a GPU nothing waits for it but
/// wait().
class HostCopy
{
public:
  explicit HostCopy(const at::Tensor& t);
  const at::Tensor& wait();

private:
  at::Tensor There, Here;
  std::optional<c10::Event> Copied;
};

bool builtWithCuda(); ///< whether this LibTorch can use a GPU, if there is one

/// Free bytes of a GPU, those included that LibTorch keeps for its next tensors; nothing where the
/// driver does not tell.
std::optional<double> freeMemoryOf(const at::Device& gpu);

/// What works on a GPU keeps one of these in front of all its tensors: when they are gone, memory
/// that LibTorch keeps for the next ones goes back to the system, which others share. Not as long
/// as a training lives, whose next step needs it.
class CudaCacheReleaser
{
public:
  enum class Of
  {
    Call,
    Training
  };
  explicit CudaCacheReleaser(Of what = Of::Call);
  ~CudaCacheReleaser();
  CudaCacheReleaser(const CudaCacheReleaser&) = delete;
  void operator=(const CudaCacheReleaser&) = delete;

  static std::int64_t released(); ///< how often memory was given back, with or without a GPU

private:
  Of What;
};

/// What `work` makes of a place; where that is a device without enough memory, of the CPU.
/// \param fellBack whether it is the CPU's
template <typename F>
auto onDeviceOrCpu(const ComputeDevice& place, int threads, bool& fellBack, F&& work)
{
  fellBack = false;
  if (!place.device.is_cpu())
  {
    try
    {
      return work(place);
    }
    catch (const std::exception& e)
    {
      if (!isOutOfMemory(e))
      {
        throw;
      }
      fellBack = true;
    }
  }
  return work(fellBack ? chooseDevice("cpu", Precision::Float32, threads) : place);
}

/// This thread's number of threads and its gradient mode for the length of a scope; they are put
/// back. Any thread may have scopes at any time. Tensors are of memory
/// that is kept as long (a little for longer: small volumes are soon done, and often one by one).
/// Where gradients are wanted and shapes return step after step, cuDNN tries which of its
/// algorithms is the fastest. OpenBLAS, where LibTorch uses it, gets one thread: its own threads
/// and OpenMP's, which wait by spinning, take the cores from each other, and a step with a few
/// small matrix products takes five times as long.
class RunScope
{
public:
  RunScope(const ComputeDevice& place, bool gradients, bool shapesReturn = true);
  ~RunScope();
  RunScope(const RunScope&) = delete;
  void operator=(const RunScope&) = delete;

  /// To be called before each part of work that takes long. If Threads is 0, uses as many threads
  /// as cores are free (freeCoresLately()).
  void adapt();

private:
  std::optional<KeptMemory::Use> Kept;
  int Threads;
  int Most; ///< most threads, if Threads is 0; else 0
  bool OnCpu;
  bool Tries;  ///< cuDNN tries its algorithms
  bool Before; ///< the gradient mode
};

} // namespace vae
