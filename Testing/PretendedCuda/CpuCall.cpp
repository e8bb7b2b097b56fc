// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "CpuCall.h"

#include "Memory.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace pretended_cuda
{
namespace
{

at::Tensor over(c10::Storage storage, c10::DispatchKey key, const at::Tensor& like)
{
  at::Tensor t = at::detail::make_tensor<c10::TensorImpl>(
    std::move(storage), c10::DispatchKeySet(key), like.dtype());
  t.unsafeGetTensorImpl()->set_sizes_and_strides(
    like.sizes(), like.strides(), like.storage_offset());
  t._set_conj(like.is_conj());
  t._set_neg(like.is_neg());
  return t;
}

bool sameLayout(const at::Tensor& a, const at::Tensor& b)
{
  return a.sizes() == b.sizes() && a.strides() == b.strides() &&
    a.storage_offset() == b.storage_offset();
}

} // namespace

at::Tensor CpuCall::toCpu(const at::Tensor& t)
{
  if (!t.defined() || !t.is_cuda())
  {
    return t;
  }
  for (const Tensors& argument : this->Arguments)
  {
    if (argument.device.is_same(t)) // a kernel asks whether its result is one of its arguments
    {
      return argument.cpu;
    }
  }
  auto shared = std::ranges::find_if(
    this->Shared, [&](const Storages& s) { return s.device.is_alias_of(t.storage()); });
  if (shared == this->Shared.end())
  {
    void* memory = hostAddress(t.storage().data());
    auto cpu = c10::make_storage_impl({}, t.storage().nbytes(),
      c10::DataPtr(memory, c10::Device(c10::kCPU)), c10::GetAllocator(c10::kCPU),
      /*resizable=*/true, std::nullopt);
    shared = this->Shared.insert(shared, { t.storage(), c10::Storage(std::move(cpu)), memory });
  }
  this->Arguments.push_back({ t, over(shared->cpu, c10::DispatchKey::CPU, t) });
  return this->Arguments.back().cpu;
}

void CpuCall::finish()
{
  for (const Storages& shared : this->Shared)
  {
    if (shared.cpu.data() != shared.before)
    {
      shared.device.set_data_ptr_noswap(this->copyOf(shared.cpu));
      shared.device.set_nbytes(shared.cpu.nbytes());
    }
  }
  for (const Tensors& argument : this->Arguments)
  {
    if (!sameLayout(argument.device, argument.cpu))
    {
      argument.device.unsafeGetTensorImpl()->set_sizes_and_strides(
        argument.cpu.sizes(), argument.cpu.strides(), argument.cpu.storage_offset());
    }
  }
}

at::Tensor CpuCall::toDevice(const at::Tensor& result)
{
  if (!result.defined() || !result.device().is_cpu())
  {
    return result;
  }
  for (const Tensors& argument : this->Arguments)
  {
    if (argument.cpu.is_same(result))
    {
      return argument.device;
    }
  }
  for (const Storages& shared : this->Shared)
  {
    if (shared.cpu.is_alias_of(result.storage()))
    {
      return over(shared.device, c10::DispatchKey::CUDA, result);
    }
  }
  const c10::Storage cpu = result.storage();
  c10::Storage made(c10::Storage::use_byte_size_t(), cpu.nbytes(), this->copyOf(cpu),
    deviceAllocator(), /*resizable=*/true);
  this->Shared.push_back({ made, cpu, cpu.data() }); // results may share it
  return over(std::move(made), c10::DispatchKey::CUDA, result);
}

c10::DataPtr CpuCall::copyOf(const c10::Storage& cpu) const
{
  c10::DataPtr copy = allocate(cpu.nbytes(), this->Device);
  if (cpu.nbytes() > 0)
  {
    std::memcpy(hostAddress(copy.get()), cpu.data(), cpu.nbytes());
  }
  return copy;
}

} // namespace pretended_cuda
