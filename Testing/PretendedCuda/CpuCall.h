// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

namespace pretended_cuda
{

/// One call of a CPU kernel on tensors of a device. The kernel gets CPU tensors over the same
/// memory; what it makes, resizes or returns becomes a tensor of the device.
class CpuCall
{
public:
  explicit CpuCall(int device) : Device(device) {}

  at::Tensor toCpu(const at::Tensor& t); ///< a tensor that is of no device as it is
  void finish();                         ///< after the kernel: the arguments that it resized
  at::Tensor toDevice(const at::Tensor& result); ///< after finish()

private:
  struct Storages
  {
    c10::Storage device, cpu;
    const void* before; ///< where the kernel found its values
  };
  struct Tensors
  {
    at::Tensor device, cpu;
  };
  c10::DataPtr copyOf(const c10::Storage& cpu) const;

  int Device;
  std::vector<Storages> Shared;
  std::vector<Tensors> Arguments;
};

} // namespace pretended_cuda
