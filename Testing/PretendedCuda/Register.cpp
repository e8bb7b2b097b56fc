// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "CpuCall.h"
#include "Memory.h"
#include "Operators.h"

#include <ATen/EmptyTensor.h>
#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/native/transformers/attention.h>
#include <ATen/ops/_reshape_alias_native.h>
#include <ATen/ops/as_strided_native.h>
#include <ATen/ops/set_native.h>
#include <ATen/ops/unfold_native.h>
#include <ATen/ops/view_native.h>
#include <c10/core/DeviceGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <torch/library.h>

#include <limits>
#include <utility>

// The operators of a device: a few by hand, which make tensors, copy, or see memory differently; of
// all others the CPU's kernels.
namespace pretended_cuda
{
namespace
{

constexpr c10::DispatchKeySet Keys(c10::DispatchKey::CUDA);

at::Tensor empty(c10::IntArrayRef size, std::optional<at::ScalarType> type,
  std::optional<at::Layout> /*layout*/, std::optional<c10::Device> device,
  std::optional<bool> /*pinned*/, std::optional<at::MemoryFormat> format)
{
  const c10::OptionalDeviceGuard guard(device);
  return at::detail::empty_generic(
    size, deviceAllocator(), Keys, c10::dtype_or_default(type), format);
}

at::Tensor emptyStrided(c10::IntArrayRef size, c10::IntArrayRef stride,
  std::optional<at::ScalarType> type, std::optional<at::Layout> /*layout*/,
  std::optional<c10::Device> device, std::optional<bool> /*pinned*/)
{
  const c10::OptionalDeviceGuard guard(device);
  return at::detail::empty_strided_generic(
    size, stride, deviceAllocator(), Keys, c10::dtype_or_default(type));
}

/// What no kernel may leave where the host has not waited for.
void poison(at::Tensor& t)
{
  if (t.is_floating_point() || t.is_complex())
  {
    t.fill_(std::numeric_limits<double>::quiet_NaN());
  }
  else
  {
    t.fill_(t.scalar_type() == at::kBool ? 1 : 90);
  }
}

at::Tensor& copy(at::Tensor& to, const at::Tensor& from, bool nonBlocking)
{
  if (to.is_same(from) || to.is_meta() || from.is_meta())
  {
    return to;
  }
  const bool fromHost = !from.is_cuda(), toHost = !to.is_cuda(), crosses = fromHost || toHost;
  const int device = (fromHost ? to : from).get_device();
  const int stream = currentStream(device);
  // Between devices the current streams of both take part.
  const int other = currentStream(toHost ? device : to.get_device());
  const bool pinned = crosses && nonBlocking && isPinned((fromHost ? from : to).storage().data());
  Blocks blocks;
  blocks[from.storage().data()] = false;
  blocks[to.storage().data()] = true;
  std::int64_t launched = 0;
  {
    const Lock lock = locked();
    State& s = state();
    ++(fromHost                        ? s.counts.toDevice
        : toHost                       ? s.counts.toHost
        : to.device() == from.device() ? s.counts.onDevice
                                       : s.counts.betweenDevices);
    if (crosses)
    {
      (fromHost ? s.counts.bytesToDevice : s.counts.bytesToHost) +=
        static_cast<std::int64_t>(from.nbytes());
    }
    s.counts.pageable += crosses && nonBlocking && !pinned;
    join(s.clocks[stream], s.clocks[other]);
    launched = launch("copy_", device, blocks, !crosses);
    join(s.clocks[other], s.clocks[stream]);
  }
  const at::AutoDispatchBelowADInplaceOrView below;
  CpuCall call(device);
  at::Tensor target = call.toCpu(to);
  const at::Tensor source = call.toCpu(from);
  if (!pinned)
  {
    target.copy_(source);
    if (toHost || (fromHost && !nonBlocking)) // to memory that is not pinned the host always waits
    {
      waitForStream(stream, fromHost ? "copy to the device" : "copy to the host");
    }
    return to;
  }
  PendingCopy pending{ stream, launched, toHost, fromHost ? source : target, source.clone() };
  if (fromHost)
  {
    target.copy_(source);
  }
  else
  {
    poison(target);
  }
  const Lock lock = locked();
  state().pending.push_back(std::move(pending));
  return to;
}

at::Tensor& setEmpty(at::Tensor& self)
{
  const c10::Storage nothing(c10::Storage::use_byte_size_t(), 0,
    c10::DataPtr(nullptr, self.device()), deviceAllocator(), /*resizable=*/true);
  return at::native::set_storage_cpu_(self, nothing, 0, { 0 }, {});
}

void recordStream(at::Tensor& t, c10::Stream stream)
{
  c10::impl::VirtualGuardImpl(c10::kCUDA).recordDataPtrOnStream(t.storage().data_ptr(), stream);
}

/// Of scaled dot product attention: the one that is made of other operators.
std::int64_t plainAttention(const at::Tensor& /*query*/, const at::Tensor& /*key*/,
  const at::Tensor& /*value*/, const std::optional<at::Tensor>& /*mask*/, double /*dropout*/,
  bool /*causal*/, std::optional<double> /*scale*/, bool /*grouped*/)
{
  return 0; // sdp::SDPBackend::math
}

/// Whether an operator needs an entry of its own. Where LibTorch composes an operator of others,
/// that has precedence over a device's fallback; a real CUDA build has kernels of its own for what
/// the CPU has, and for these.
bool needsEntry(const c10::OperatorHandle& op, const std::string& name)
{
  return name.starts_with("aten::") && op.hasSchema() &&
    !op.hasKernelForDispatchKey(c10::DispatchKey::CUDA) &&
    (op.hasKernelForDispatchKey(c10::DispatchKey::CPU) || name.starts_with("aten::_foreach_") ||
      name == "aten::convolution" || name == "aten::convolution_backward");
}

TORCH_LIBRARY_IMPL(_, CUDA, library)
{
  library.fallback(torch::CppFunction::makeFromBoxedFunction<&runOnCpu>());
}

TORCH_LIBRARY_IMPL(aten, CUDA, library)
{
  constexpr std::uint8_t first = 255; // before any other allocator
  c10::SetAllocator(c10::kCUDA, deviceAllocator(), first);
  at::native::_fused_sdp_choice_stub.set_cuda_dispatch_ptr(&plainAttention);
  library.impl("empty.memory_format", TORCH_FN(empty));
  library.impl("empty_strided", TORCH_FN(emptyStrided));
  library.impl("copy_", TORCH_FN(copy));
  library.impl("as_strided", TORCH_FN(at::native::as_strided_tensorimpl));
  library.impl("view", TORCH_FN(at::native::view));
  library.impl("_reshape_alias", TORCH_FN(at::native::_reshape_alias));
  library.impl("unfold", TORCH_FN(at::native::unfold));
  library.impl("set_", TORCH_FN(setEmpty));
  library.impl("set_.source_Tensor", TORCH_FN(at::native::set_tensor_));
  library.impl("set_.source_Storage",
    static_cast<at::Tensor& (*)(at::Tensor&, at::Storage)>(&at::native::set_));
  library.impl("set_.source_Storage_storage_offset", TORCH_FN(at::native::set_storage_cpu_));
  library.impl("record_stream", TORCH_FN(recordStream));
  for (const c10::OperatorName& name : c10::Dispatcher::singleton().getAllOpNames())
  {
    if (const auto op = c10::Dispatcher::singleton().findOp(name); op && needsEntry(*op, name.name))
    {
      library.impl(
        c10::toString(name).c_str(), torch::CppFunction::makeFromBoxedFunction<&runOnCpu>());
    }
  }
}

} // namespace
} // namespace pretended_cuda
