// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Device.h"

#include "Check.h"

#include <ATen/Context.h>
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <c10/core/DeviceGuard.h>
#include <c10/core/GradMode.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>

#include <torch/version.h>

// LibTorch has a way to give a GPU's memory back that a build for the CPU knows too.
#if TORCH_VERSION_MAJOR > 2 || TORCH_VERSION_MINOR >= 9
#include <c10/core/CachingDeviceAllocator.h>
#define VAE_GIVES_BACK 1
#endif
#if TORCH_VERSION_MAJOR > 2 || TORCH_VERSION_MINOR >= 11
#define VAE_TELLS_MEMORY 1
#endif

#include <algorithm>
#include <array>
#include <atomic>
#include <cctype>
#include <cmath>
#include <cstdlib>
#include <format>
#include <limits>
#include <map>
#include <mutex>
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

/// Of this process among those of its MPI job on its machine, as its launcher tells; none without.
std::optional<int> rankHere()
{
  for (const char* name : { "OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID",
         "MV2_COMM_WORLD_LOCAL_RANK", "PALS_LOCAL_RANKID", "SLURM_LOCALID" })
  {
    const char* value = std::getenv(name);
    if (value && std::isdigit(static_cast<unsigned char>(*value)))
    {
      return static_cast<int>(std::strtol(value, nullptr, 10) & 0xffff);
    }
  }
  return {};
}

/// As bfloat16Refusal(), each device asked once; a lack of memory says nothing about it.
std::string bfloat16RefusalOnce(const at::Device& device)
{
  static std::mutex mutex;
  static std::map<c10::DeviceIndex, std::string> known;
  const std::lock_guard lock(mutex);
  const auto found = known.find(device.index());
  return found != known.end()
    ? found->second
    : known.emplace(device.index(), bfloat16Refusal(device)).first->second;
}

} // namespace

int deviceOfRank(int devices) { return devices > 0 ? rankHere().value_or(0) % devices : 0; }

std::string bfloat16Refusal(
  const at::Device& device, const Convolution& asked, const Stopwatch::Now& now)
{
  constexpr std::int64_t channels = 32, edge = 16;
  const Convolution convolve = asked ? asked : [](const at::Tensor& x, const at::Tensor& weight)
  { return at::conv3d(x, weight, {}, /*stride=*/1, /*padding=*/1); };
  const c10::NoGradGuard guard;
  const auto values = [&](std::int64_t batch, std::int64_t size, double step)
  {
    return at::arange(batch * channels * size * size * size, at::kFloat)
      .mul_(step)
      .sin_()
      .to(at::kBFloat16) // both types hold the same numbers
      .to(at::kFloat)
      .view({ batch, channels, size, size, size })
      .to(device)
      .contiguous(at::MemoryFormat::ChannelsLast3d);
  };
  const at::Tensor x = values(1, edge, 0.7), weight = values(channels, 3, 1.3);
  // Seconds of the fastest of a few, after one that also loads libraries, and what they make.
  const auto run = [&](at::ScalarType type)
  {
    const at::Tensor in = x.to(type), taps = weight.to(type);
    double least = std::numeric_limits<double>::infinity();
    at::Tensor result;
    for (int i = 0; i < 4; ++i)
    {
      const double begin = now();
      const at::Tensor y = convolve(in, taps);
      result = y.to(at::kCPU).to(at::kDouble); // waits for it
      least = i > 0 ? std::min(least, now() - begin) : least;
    }
    return std::pair(least, result);
  };
  try
  {
    constexpr double error = 0.02, longer = 1.5;
    const auto [seconds, exact] = run(at::kFloat);
    const auto [halfSeconds, found] = run(at::kBFloat16);
    const double wrong =
      ((found - exact).square().sum() / exact.square().sum()).sqrt().item<double>();
    return !(wrong < error) ? std::format("its bfloat16 convolutions are wrong by {:.2g}", wrong)
      : halfSeconds > longer * seconds
      ? std::format("its bfloat16 convolutions take {:.1f} times as long", halfSeconds / seconds)
      : "";
  }
  catch (const std::exception& e)
  {
    if (isOutOfMemory(e))
    {
      throw;
    }
    const std::string what = e.what();
    return "it refuses bfloat16 convolutions: " + what.substr(0, what.find('\n'));
  }
}

ComputeDevice chooseDevice(const std::string& device, Precision precision, int threads)
{
  require("Threads", threads, 0, MostThreads);
  ComputeDevice place;
  const int found = cudaDevices();
  const at::Device mine(at::kCUDA, static_cast<c10::DeviceIndex>(deviceOfRank(found)));
  std::string why;
  if (device == "auto")
  {
    place.device = found > 0 ? mine : at::Device(at::kCPU);
    why = found > 0 && rankHere()
      ? "of " + std::to_string(found) + " CUDA device(s) that of this MPI rank"
      : found > 0       ? "the first of " + std::to_string(found) + " CUDA device(s)"
      : builtWithCuda() ? "LibTorch found no CUDA device"
                        : "this LibTorch is built without CUDA";
  }
  else if (device == "cpu")
  {
    why = "asked for";
  }
  else if (device == "cuda" || device.rfind("cuda:", 0) == 0)
  {
    const std::string digits = device.size() > 5 ? device.substr(5) : std::to_string(mine.index());
    if (digits.find_first_not_of("0123456789") != std::string::npos || digits.size() > 3 ||
      device == "cuda:")
    {
      throw std::invalid_argument(
        "Device is '" + device + "'; it must be auto, cpu, cuda or cuda:N");
    }
    const int index = std::stoi(digits);
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

  const bool open = precision == Precision::Automatic;
  const std::string refusal =
    open && place.device.is_cuda() ? bfloat16RefusalOnce(place.device) : std::string();
  const bool native = place.device.is_cuda() ? refusal.empty() : cpuHasBFloat16();
  place.compute = precision == Precision::BFloat16 ? at::kBFloat16
    : precision == Precision::Float32              ? at::kFloat
    : native                                       ? at::kBFloat16
                                                   : at::kFloat;
  place.open = threads == 0;
  place.threads = threads > 0 ? threadsOf(threads) : automaticThreads();
  place.reason = place.device.str() + " (" + why + "), " +
    (place.compute == at::kBFloat16 ? "bfloat16" : "float32") +
    (refusal.empty() ? "" : " (" + refusal + ")");
  if (place.device.is_cpu())
  {
    place.reason += ", " + std::to_string(place.threads) + " thread(s)";
  }
  return place;
}

void reserveOn(const ComputeDevice& place, double bytes)
{
  if (place.onCpu())
  {
    reserve(bytes);
  }
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

std::optional<double> freeMemoryOf(const at::Device& gpu)
{
  const c10::DeviceGuard guard(gpu);
  // The driver answers a thread only where it has a context, which it gets with its first kernel.
  const at::Tensor first = at::zeros({ 1 }, at::TensorOptions(gpu));
#ifdef VAE_TELLS_MEMORY
  auto* memory = c10::getDeviceAllocator(gpu.type());
  const auto stats = memory->getDeviceStats(gpu.index());
  const auto kept = stats.reserved_bytes[0].current - stats.allocated_bytes[0].current;
  return static_cast<double>(memory->getMemoryInfo(gpu.index()).first) + static_cast<double>(kept);
#else
  // Older LibTorch has a call for it only in its CUDA library, which a build for the CPU does not
  // have; the driver, once it is loaded, answers to both.
  using Query = int (*)(std::size_t*, std::size_t*);
  void* driver = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_NOLOAD);
  const auto query = driver ? reinterpret_cast<Query>(dlsym(driver, "cuMemGetInfo_v2")) : nullptr;
  std::size_t left = 0, all = 0;
  return query && query(&left, &all) == 0 ? std::optional(static_cast<double>(left)) : std::nullopt;
#endif
}

namespace
{

std::atomic<std::int64_t> Trainings = 0, Released = 0;

} // namespace

CudaCacheReleaser::CudaCacheReleaser(Of what) : What(what)
{
  Trainings += this->What == Of::Training;
}

std::int64_t CudaCacheReleaser::released() { return Released; }

CudaCacheReleaser::~CudaCacheReleaser()
{
  Trainings -= this->What == Of::Training;
  if (Trainings > 0)
  {
    return;
  }
  ++Released;
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
