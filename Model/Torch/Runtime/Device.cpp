// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Device.h"

#include "Check.h"

#include <ATen/Context.h>
#include <ATen/Functions.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <c10/core/DeviceGuard.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>

#include <torch/version.h>

// LibTorch has a way to give a GPU's memory back that a build for the CPU knows too.
#if TORCH_VERSION_MAJOR > 2 || TORCH_VERSION_MINOR >= 9
#include <c10/core/CachingDeviceAllocator.h>
#define VAE_GIVES_BACK 1
#endif

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <stdexcept>
#include <thread>

#include <dlfcn.h>

namespace vae
{
namespace
{

/// Whether the environment keeps oneDNN, which runs the convolutions, from bfloat16 instructions.
bool bfloat16IsForbidden()
{
  const char* limit = std::getenv("ONEDNN_MAX_CPU_ISA");
  limit = limit ? limit : std::getenv("DNNL_MAX_CPU_ISA");
  std::string isa = limit ? limit : "";
  std::ranges::transform(isa, isa.begin(), [](unsigned char c) { return std::toupper(c); });
  constexpr std::array without{ "SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX2_VNNI_2", "AVX512_CORE",
    "AVX512_CORE_VNNI" };
  return std::ranges::find(without, isa) != without.end();
}

bool cpuHasBFloat16()
{
#if defined(__x86_64__) && defined(__GNUC__)
  return __builtin_cpu_supports("avx512bf16") && !bfloat16IsForbidden();
#else
  return false;
#endif
}

int automaticThreads()
{
  const char* asked = std::getenv("OMP_NUM_THREADS"); // as LibTorch itself
  const int threads = asked ? std::atoi(asked) : 0;
  return threads > 0 ? threads : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

int cudaDevices()
{
  return at::hasCUDA() ? static_cast<int>(at::detail::getCUDAHooks().deviceCount()) : 0;
}

} // namespace

ComputeDevice chooseDevice(const std::string& device, Precision precision, int threads)
{
  require("Threads", threads, 0, MostThreads);
  ComputeDevice place;
  const int found = cudaDevices();
  std::string why;
  if (device == "auto")
  {
    place.device = found > 0 ? at::Device(at::kCUDA, 0) : at::Device(at::kCPU);
    why = found > 0     ? "the first of " + std::to_string(found) + " CUDA device(s)"
      : builtWithCuda() ? "LibTorch found no CUDA device"
                        : "this LibTorch is built without CUDA";
  }
  else if (device == "cpu")
  {
    why = "asked for";
  }
  else if (device == "cuda" || device.rfind("cuda:", 0) == 0)
  {
    int index = 0;
    const std::string digits = device.size() > 5 ? device.substr(5) : "0";
    if (digits.find_first_not_of("0123456789") != std::string::npos || digits.size() > 3 ||
      device == "cuda:")
    {
      throw std::invalid_argument(
        "Device is '" + device + "'; it must be auto, cpu, cuda or cuda:N");
    }
    index = std::stoi(digits);
    if (index >= found)
    {
      throw std::invalid_argument("Device is '" + device + "', but " +
        (builtWithCuda() ? "LibTorch found " + std::to_string(found) + " CUDA device(s)"
                         : std::string("this LibTorch is built without CUDA")) +
        "; choose auto or cpu");
    }
    place.device = at::Device(at::kCUDA, static_cast<c10::DeviceIndex>(index));
    why = "asked for";
  }
  else
  {
    throw std::invalid_argument("Device is '" + device + "'; it must be auto, cpu, cuda or cuda:N");
  }

  const bool native = place.device.is_cuda() || cpuHasBFloat16();
  place.compute = precision == Precision::BFloat16 ? at::kBFloat16
    : precision == Precision::Float32              ? at::kFloat
    : native                                       ? at::kBFloat16
                                                   : at::kFloat;
  place.open = threads == 0;
  place.threads = threads > 0 ? threadsOf(threads) : automaticThreads();
  place.reason = place.device.str() + " (" + why + "), " +
    (place.compute == at::kBFloat16 ? "bfloat16" : "float32");
  if (place.device.is_cpu())
  {
    place.reason += ", " + std::to_string(place.threads) + " thread(s)";
  }
  return place;
}

at::Tensor toDevice(const at::Tensor& t, const at::Device& device)
{
  return device.is_cpu() || !t.is_cpu()
    ? t.to(device)
    : t.pin_memory().to(device, t.scalar_type(), /*non_blocking=*/true);
}

HostCopy::HostCopy(const at::Tensor& t) : There(t.contiguous()), Here(this->There)
{
  const at::Device device = t.device();
  if (!device.is_cpu())
  {
    this->Here = at::empty(t.sizes(), at::TensorOptions(t.scalar_type()).pinned_memory(true));
    this->Here.copy_(this->There, /*non_blocking=*/true);
    this->Copied.emplace(device.type());
    this->Copied->record(c10::impl::getDeviceGuardImpl(device.type())->getStream(device));
  }
}

const at::Tensor& HostCopy::wait()
{
  if (this->Copied)
  {
    this->Copied->synchronize();
    this->There.reset();
  }
  return this->Here;
}

double freeMemoryOf(const at::Device& gpu)
{
  // LibTorch has a call for it only in its CUDA library, which a build for the CPU does not have;
  // the driver, once it is loaded, answers to both.
  const c10::DeviceGuard guard(gpu);
  using Query = int (*)(std::size_t*, std::size_t*);
  void* driver = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_NOLOAD);
  const auto query = driver ? reinterpret_cast<Query>(dlsym(driver, "cuMemGetInfo_v2")) : nullptr;
  std::size_t left = 0, all = 0;
  constexpr double guess = 4e9;
  return query && query(&left, &all) == 0 ? static_cast<double>(left) : guess;
}

CudaCacheReleaser::~CudaCacheReleaser()
{
#ifdef VAE_GIVES_BACK
  if (cudaDevices() > 0)
  {
    try
    {
      if (auto* memory = c10::getDeviceAllocator(at::kCUDA); memory->initialized())
      {
        memory->emptyCache();
      }
    }
    catch (const std::exception&) // of a device that has failed: there is nothing to give back
    {
    }
  }
#endif
}

bool builtWithCuda()
{
  // hasCUDA() is whether there is a GPU.
  return at::detail::getCUDAHooks().hasCUDART();
}

} // namespace vae
