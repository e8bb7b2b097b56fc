// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "KeptMemory.h"
#include "Options.h"

#include <ATen/core/Tensor.h>
#include <c10/core/Event.h>

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
};

/// \throws std::invalid_argument if the device is unknown or absent
ComputeDevice chooseDevice(const std::string& device, Precision precision, int threads);

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

/// Free bytes of a GPU.
double freeMemoryOf(const at::Device& gpu);

/// What works on a GPU keeps one of these in front of all its tensors: when they are gone, memory
/// that LibTorch keeps for the next ones goes back to the system, which others share.
class CudaCacheReleaser
{
public:
  CudaCacheReleaser() = default;
  ~CudaCacheReleaser();
  CudaCacheReleaser(const CudaCacheReleaser&) = delete;
  void operator=(const CudaCacheReleaser&) = delete;
};

/// This thread's number of threads and its gradient mode for the length of a scope; they are put
/// back. Any thread may have scopes at any time. Tensors are of memory
/// that is kept as long (a little for longer: small volumes are soon done, and often one by one).
/// Where gradients are wanted, shapes return step after step, and cuDNN tries which of its
/// algorithms is the fastest. OpenBLAS, where LibTorch uses it, gets one thread: its own threads
/// and OpenMP's, which wait by spinning, take the cores from each other, and a step with a few
/// small matrix products takes five times as long.
class RunScope
{
public:
  RunScope(const ComputeDevice& place, bool gradients);
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
  bool OnCpu, Gradients;
  bool Before; ///< the gradient mode
};

} // namespace vae
