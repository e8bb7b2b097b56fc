// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "../Options.h"

#include <ATen/core/Tensor.h>

#include <string>

namespace vae
{

/// A device, the arithmetic on it, and the reason for both in words.
struct Place
{
  at::Device device = at::kCPU;
  at::ScalarType compute = at::kFloat; ///< of the convolutions
  int threads = 1;
  std::string reason;
};

/// \throws std::invalid_argument if the device is unknown or absent
Place choosePlace(const std::string& device, Precision precision, int threads);

/// Threads and gradient mode for the length of a scope; they are put back. OpenBLAS, where LibTorch
/// uses it, gets one thread: its own threads and OpenMP's, which wait by spinning, take the cores
/// from each other, and a step with a few small matrix products takes five times as long.
class RunScope
{
public:
  RunScope(const Place& place, bool gradients);
  ~RunScope();
  RunScope(const RunScope&) = delete;
  void operator=(const RunScope&) = delete;

private:
  int Threads, BlasThreads;
  bool Gradients;
};

} // namespace vae
