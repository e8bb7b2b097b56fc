// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Generators.h"
#include "Memory.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>

#include <array>
#include <memory>
#include <utility>

// How LibTorch changes devices and streams, waits, and asks what there is.
namespace pretended_cuda
{
namespace
{

int indexOf(c10::Device device) { return device.has_index() ? device.index() : currentDevice(); }

class Guard final : public c10::impl::DeviceGuardImplInterface
{
public:
  c10::DeviceType type() const override { return c10::kCUDA; }
  c10::DeviceIndex deviceCount() const noexcept override { return Devices; }
  c10::Device getDevice() const override { return cuda(currentDevice()); }
  c10::Device exchangeDevice(c10::Device device) const override
  {
    const c10::Device before = this->getDevice();
    this->setDevice(device);
    return before;
  }
  void setDevice(c10::Device device) const override
  {
    TORCH_CHECK(device.is_cuda() && device.index() < Devices, "CUDA error: invalid device ordinal ",
      device, " (pretended)");
    this->uncheckedSetDevice(device);
  }
  void uncheckedSetDevice(c10::Device device) const noexcept override
  {
    const int index = indexOf(device);
    if (index < Devices && index != currentDevice()) // as LibTorch: else the driver is not asked
    {
      currentDevice() = index;
      makeContextCurrent();
    }
  }

  c10::Stream getStream(c10::Device device) const noexcept override
  {
    return stream(indexOf(device), currentStreamOf(indexOf(device)));
  }
  c10::Stream getDefaultStream(c10::Device device) const override
  {
    return stream(indexOf(device), 0);
  }
  c10::Stream getStreamFromGlobalPool(c10::Device device, bool /*high*/) const override
  {
    const Lock lock = locked();
    return stream(indexOf(device), 1 + state().streams++ % 32);
  }
  c10::Stream exchangeStream(c10::Stream to) const noexcept override
  {
    const int device = to.device_index();
    return stream(device, std::exchange(currentStreamOf(device), static_cast<int>(to.id())));
  }
  bool queryStream(const c10::Stream& s) const override
  {
    this->synchronizeStream(s);
    return true;
  }
  void synchronizeStream(const c10::Stream& s) const override { waitForStream(key(s), "stream"); }
  void synchronizeDevice(const c10::DeviceIndex device) const override
  {
    waitForDevice(device < 0 ? currentDevice() : device, "device");
  }

  void record(void** event, const c10::Stream& s, const c10::DeviceIndex /*device*/,
    const c10::EventFlag /*flag*/) const override
  {
    const Lock lock = locked();
    if (!*event)
    {
      *event = new Clock;
    }
    *static_cast<Clock*>(*event) = state().clocks[key(s)];
  }
  void block(void* event, const c10::Stream& s) const override
  {
    const Lock lock = locked();
    join(state().clocks[key(s)], clock(event));
  }
  void destroyEvent(void* event, const c10::DeviceIndex /*device*/) const noexcept override
  {
    delete static_cast<Clock*>(event);
  }
  bool queryEvent(void* event) const override
  {
    this->synchronizeEvent(event);
    return true;
  }
  void synchronizeEvent(void* event) const override { waitFor(clock(event), "event"); }
  void recordDataPtrOnStream(const c10::DataPtr& data, const c10::Stream& s) const override
  {
    const Lock lock = locked();
    if (Uses* uses = usesOf(data.get()))
    {
      uses->recorded[key(s)] = 1;
    }
  }

private:
  static c10::Stream stream(int device, int id)
  {
    return c10::Stream(c10::Stream::UNSAFE, cuda(device), id);
  }
  static int key(const c10::Stream& s)
  {
    return streamKey(s.device_index(), static_cast<int>(s.id()));
  }
  static Clock clock(void* event) { return event ? *static_cast<Clock*>(event) : Clock(); }
};
C10_REGISTER_GUARD_IMPL(CUDA, Guard)

/// Numbers of the CPU's generator, not those of a GPU's.
class Generator final : public at::CPUGeneratorImpl
{
public:
  explicit Generator(int device)
  {
    this->device_ = cuda(device);
    this->key_set_ = c10::DispatchKeySet(c10::DispatchKey::CUDA);
  }

private:
  Generator* clone_impl() const override
  {
    auto copy = std::make_unique<Generator>(this->device_.index());
    copy->set_state(*this->get_state());
    return copy.release();
  }
};

at::Generator newGenerator(int device)
{
  return at::Generator(c10::make_intrusive<Generator>(device < 0 ? currentDevice() : device));
}

} // namespace

const at::Generator& defaultGenerator(int of)
{
  static auto* all = new std::array<at::Generator, Devices>{ newGenerator(0), newGenerator(1) };
  return (*all)[of < 0 ? currentDevice() : of];
}

// LibTorch's macro takes the class's name for the one that it looks for.
class CUDAHooks final : public at::CUDAHooksInterface
{
public:
  explicit CUDAHooks(at::CUDAHooksArgs /*unused*/) {}
  void init() const override {}
  bool hasCUDA() const override { return true; }
  bool hasCUDART() const override { return true; }
  bool hasCuDNN() const override { return true; } // compiledWithCuDNN() stays false: no kernels
  int getNumGPUs() const override { return Devices; }
  c10::DeviceIndex deviceCount() const override { return Devices; }
  bool hasPrimaryContext(c10::DeviceIndex /*device*/) const override { return true; }
  c10::DeviceIndex current_device() const override
  {
    return static_cast<c10::DeviceIndex>(currentDevice());
  }
  const at::Generator& getDefaultGenerator(c10::DeviceIndex device) const override
  {
    return defaultGenerator(device);
  }
  at::Generator getNewGenerator(c10::DeviceIndex device) const override
  {
    return newGenerator(device);
  }
  c10::Device getDeviceFromPtr(void* address) const override { return cuda(deviceOf(address)); }
  bool isPinnedPtr(const void* address) const override { return isPinned(address); }
  c10::Allocator* getPinnedMemoryAllocator() const override { return pinnedAllocator(); }
  c10::Allocator* getCUDADeviceAllocator() const override { return deviceAllocator(); }
  void deviceSynchronize(c10::DeviceIndex device) const override
  {
    waitForDevice(device < 0 ? currentDevice() : device, "device");
  }
};

using at::CUDAHooksRegistry;
using at::RegistererCUDAHooksRegistry;
REGISTER_CUDA_HOOKS(CUDAHooks)

} // namespace pretended_cuda
