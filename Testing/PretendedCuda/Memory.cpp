// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Memory.h"

#include <c10/util/Exception.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <format>
#include <unordered_map>
#include <vector>

#include <sys/mman.h>
#include <unistd.h>

namespace pretended_cuda
{
namespace
{

constexpr std::size_t MemoryBytes = std::size_t(1) << 36; // of a device, unless it is limited
constexpr std::size_t ArenaBytes =
  4 * MemoryBytes; // of addresses, which rounding wastes; pages come with use
constexpr std::size_t SmallestBlock = 512; // as LibTorch's allocator

struct Block
{
  std::size_t size = 0;
  Uses uses;
};

/// Blocks of a device's memory. A freed one serves the next of its size, as on a real device, so
/// that use after freeing is found. The caller holds the lock.
class Arena
{
public:
  Arena()
  {
    const int file = memfd_create("pretended-cuda", MFD_CLOEXEC);
    TORCH_CHECK(file >= 0 && ftruncate(file, ArenaBytes) == 0, "no memory to pretend a device");
    const auto map = [&](int protection)
    {
      void* at = mmap(nullptr, ArenaBytes, protection, MAP_SHARED | MAP_NORESERVE, file, 0);
      TORCH_CHECK(at != MAP_FAILED, "no addresses to pretend a device");
      return static_cast<char*>(at);
    };
    this->Device = map(PROT_NONE);
    this->Host = map(PROT_READ | PROT_WRITE);
    close(file);
  }

  std::size_t allocate(std::size_t size, int stream)
  {
    if (size > this->Limit || this->InUse > this->Limit - size)
    {
      C10_THROW_ERROR(OutOfMemoryError,
        std::format("CUDA out of memory. Tried to allocate {} bytes. The pretended device has a "
                    "total capacity of {} bytes of which {} are in use",
          size, this->Limit, this->InUse));
    }
    const std::size_t rounded = std::bit_ceil(std::max(size, SmallestBlock));
    auto& free = this->Free[rounded];
    if (free.empty())
    {
      TORCH_CHECK(this->Top + rounded <= ArenaBytes, "the pretended device has no more addresses");
      free.push_back(this->Top);
      this->Top += rounded;
    }
    const std::size_t at = free.back();
    free.pop_back();
    this->Blocks[at] = { size, Uses{ .owner = stream } };
    this->InUse += size;
    this->Most = std::max(this->Most, this->InUse);
    return at;
  }
  Uses release(std::size_t at)
  {
    auto block = this->Blocks.extract(at).mapped();
    this->InUse -= block.size;
    this->Free[std::bit_ceil(std::max(block.size, SmallestBlock))].push_back(at);
    return std::move(block.uses);
  }
  Uses* uses(std::size_t at)
  {
    const auto found = this->Blocks.find(at);
    return found == this->Blocks.end() ? nullptr : &found->second.uses;
  }

  char *Device = nullptr, *Host = nullptr;
  std::size_t InUse = 0, Most = 0, Limit = MemoryBytes;

private:
  std::size_t Top = 0;
  std::map<std::size_t, std::vector<std::size_t>> Free; ///< by size
  std::unordered_map<std::size_t, Block> Blocks;        ///< by where they begin
};

Arena& arena(int index)
{
  static auto* all = new std::array<Arena, Devices + 1>; // tensors outlive static objects
  return (*all)[index];
}

bool isIn(const char* base, const void* address)
{
  return address >= base && address < base + ArenaBytes;
}

std::size_t offsetOf(const void* address, int device)
{
  return static_cast<const char*>(address) - arena(device).Device;
}

void release(void* address)
{
  if (!address)
  {
    return;
  }
  const Lock lock = locked();
  const int device = deviceOf(address);
  if (device < 0)
  {
    arena(Pinned).release(static_cast<char*>(address) - arena(Pinned).Host);
  }
  else
  {
    checkRelease(arena(device).release(offsetOf(address, device)));
  }
}

class Allocator final : public c10::Allocator
{
public:
  explicit Allocator(bool pinned) : OfPinned(pinned) {}
  c10::DataPtr allocate(std::size_t bytes) override
  {
    return pretended_cuda::allocate(bytes, this->OfPinned ? Pinned : currentDevice());
  }
  c10::DeleterFnPtr raw_deleter() const override { return &release; }
  void copy_data(void* to, const void* from, std::size_t bytes) const override
  {
    std::memcpy(
      this->OfPinned ? to : hostAddress(to), this->OfPinned ? from : hostAddress(from), bytes);
  }

private:
  bool OfPinned;
};

} // namespace

c10::DataPtr allocate(std::size_t bytes, int index)
{
  const bool pinned = index == Pinned;
  const Lock lock = locked();
  ++state().counts.allocations;
  void* address = nullptr;
  if (bytes > 0)
  {
    Arena& of = arena(index);
    address =
      (pinned ? of.Host : of.Device) + of.allocate(bytes, pinned ? -1 : currentStream(index));
  }
  if (!pinned)
  {
    makeContextCurrent();
  }
  return { address, address, &release, pinned ? c10::Device(c10::kCPU) : cuda(index) };
}

c10::Allocator* deviceAllocator()
{
  static Allocator allocator(false);
  return &allocator;
}

c10::Allocator* pinnedAllocator()
{
  static Allocator allocator(true);
  return &allocator;
}

int deviceOf(const void* address)
{
  int device = Devices - 1;
  while (device >= 0 && !isIn(arena(device).Device, address))
  {
    --device;
  }
  return device;
}

bool isPinned(const void* address) { return isIn(arena(Pinned).Host, address); }

void* hostAddress(const void* address)
{
  const int device = deviceOf(address);
  return device < 0 ? nullptr : arena(device).Host + offsetOf(address, device);
}

Uses* usesOf(const void* address)
{
  const int device = deviceOf(address);
  return device < 0 ? nullptr : arena(device).uses(offsetOf(address, device));
}

const void* kernelAddress(const void* device) { return hostAddress(device); }

std::size_t memoryInUse(int device)
{
  const Lock lock = locked();
  return arena(device).InUse;
}

std::size_t mostMemoryInUse(int device)
{
  const Lock lock = locked();
  return arena(device).Most;
}

void limitMemory(int device, std::size_t bytes)
{
  const Lock lock = locked();
  arena(device).Limit = std::min(bytes, MemoryBytes);
  arena(device).Most = arena(device).InUse;
}

} // namespace pretended_cuda

// What asks the driver for free memory finds these: the library's name is the driver's.
extern "C"
{
  int cuMemGetInfo_v2(std::size_t* left, std::size_t* all)
  {
    using namespace pretended_cuda;
    constexpr int noContext = 201; // CUDA_ERROR_INVALID_CONTEXT
    if (!hasContext())
    {
      return noContext;
    }
    const Lock lock = locked();
    const Arena& of = arena(currentDevice());
    *all = of.Limit;
    *left = of.Limit - std::min(of.InUse, of.Limit);
    return 0;
  }
}
