// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
//
// As torch.cuda.graph of PyTorch does it. CMake defines VAE_CUDA_HEADERS where CUDA's headers and
// LibTorch 2.11 are; elsewhere this compiles, and all steps are plain.
#include "StepGraph.h"

#ifdef VAE_CUDA_HEADERS
#include <ATen/core/CachingHostAllocator.h>
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAGuard.h>
#endif

#include <cstdlib>
#include <utility>

namespace vae
{

#ifdef VAE_CUDA_HEADERS
namespace
{

/// Libraries make their handles, and cuDNN chooses its algorithms, in the first steps: neither can
/// be recorded. Three, as in PyTorch.
constexpr int WarmUp = 3;

std::string firstLine(const std::exception& e)
{
  const std::string what = e.what();
  return what.substr(0, what.find('\n'));
}

} // namespace

struct StepGraph::Recording
{
  explicit Recording(const at::Device& device)
    : Aside(c10::cuda::getStreamFromPool(/*isHighPriority=*/false, device.index()))
  {
  }

  /// On the stream that is recorded later, so that what libraries keep for each stream is there.
  void warmUp(const std::function<void()>& work)
  {
    this->awaitOthers();
    const c10::cuda::CUDAStreamGuard guard(this->Aside);
    work();
    this->Aside.synchronize();
  }

  /// \return why it could not be recorded; empty: it was. Nothing has been done then.
  std::string record(const std::function<void()>& work)
  {
    this->awaitOthers();
    c10::cuda::CUDACachingAllocator::emptyCache(); // the graph has memory of its own
    const c10::cuda::CUDAStreamGuard guard(this->Aside);
    std::string refusal;
    try
    {
      // What other threads of the process ask of the device meanwhile is their own affair.
      this->Graph.capture_begin(this->Pool, cudaStreamCaptureModeThreadLocal);
      work();
    }
    catch (const std::exception& e)
    {
      refusal = firstLine(e);
    }
    try
    {
      this->Graph.capture_end();
    }
    catch (const std::exception& e)
    {
      refusal = refusal.empty() ? firstLine(e) : refusal;
      this->leavePool();
    }
    this->Done = refusal.empty();
    return refusal;
  }

  at::cuda::CUDAGraph Graph;
  bool Done = false;

private:
  void awaitOthers() { c10::cuda::getCurrentCUDAStream(this->Aside.device_index()).synchronize(); }
  /// Where recording fails, CUDAGraph leaves LibTorch's allocators at it, with a pointer to itself.
  void leavePool()
  {
    const c10::DeviceIndex device = this->Aside.device_index();
    const auto unless =
      [](const std::function<void()>& left) // an allocator that was not at it throws
    {
      try
      {
        left();
      }
      catch (const std::exception&)
      {
      }
    };
    unless([&]
    {
      c10::cuda::CUDACachingAllocator::endAllocateToPool(device, this->Pool);
      c10::cuda::CUDACachingAllocator::releasePool(device, this->Pool);
    });
    unless([&]
    {
      at::getHostAllocator(at::kCUDA)->end_allocate_to_pool(this->Pool);
      at::getHostAllocator(at::kCUDA)->release_pool(this->Pool);
    });
  }

  c10::cuda::CUDAStream Aside;
  decltype(at::cuda::graph_pool_handle()) Pool = at::cuda::graph_pool_handle();
};
#else
struct StepGraph::Recording
{
};
#endif

bool StepGraph::wanted()
{
  const char* named = std::getenv("VAE_CUDA_GRAPHS");
  return named && std::string(named) == "1";
}

StepGraph::StepGraph(const at::Device& device, std::string obstacle)
{
  if (obstacle.empty() && !device.is_cuda())
  {
    obstacle = "the device is no GPU";
  }
#ifdef VAE_CUDA_HEADERS
  if (obstacle.empty())
  {
    this->Graph = std::make_unique<Recording>(device);
    return;
  }
#endif
  this->plain(obstacle.empty() ? "it was built without CUDA's headers" : obstacle);
}

StepGraph::~StepGraph() = default;

void StepGraph::run(const std::function<void()>& work)
{
#ifdef VAE_CUDA_HEADERS
  if (this->Graph && !this->Graph->Done)
  {
    if (this->Before++ < WarmUp)
    {
      this->Graph->warmUp(work);
      return;
    }
    if (const std::string refusal = this->Graph->record(work); refusal.empty())
    {
      this->News = "steps are a CUDA graph";
    }
    else
    {
      this->Graph.reset();
      this->plain(refusal);
    }
  }
  if (this->Graph)
  {
    this->Graph->Graph.replay();
    return;
  }
#endif
  work();
}

std::string StepGraph::news() { return std::exchange(this->News, {}); }

void StepGraph::plain(const std::string& why) { this->News = "no CUDA graph of steps: " + why; }

} // namespace vae
