// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "KeptMemory.h"

#include "Room.h"

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <c10/core/impl/alloc_cpu.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <new>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include <sys/mman.h>

namespace vae
{
namespace
{

/// Before each tensor's elements, and as long as a cache line: LibTorch wants them aligned to one.
struct alignas(64) Head
{
  std::shared_ptr<KeptMemory::Pool> pool; ///< null: of no kept memory, or free
  std::size_t bytes = 0;                  ///< after it
  void* start = nullptr;                  ///< of the block
};

constexpr std::size_t Page = 4096, HugePage = 2 << 20;

/// Large ones of huge pages, where the system has them: there are five hundred times fewer to ask
/// for and to look up.
void* fromSystem(std::size_t bytes)
{
  void* start = nullptr;
  // oneDNN crashes where it cannot map the code of a kernel, and the end of a training needs some.
  constexpr std::size_t small = 256 << 10;
  if (bytes >= small && !canMap(static_cast<double>(bytes) + RoomForKernels))
  {
    throw std::bad_alloc();
  }
  try
  {
    start = c10::alloc_cpu(bytes);
  }
  catch (const c10::Error&) // whose words are for a programmer
  {
    throw std::bad_alloc();
  }
  if (bytes >= HugePage)
  {
    const auto at = reinterpret_cast<std::uintptr_t>(start);
    const std::uintptr_t first = (at + Page - 1) / Page * Page;
    ::madvise(reinterpret_cast<void*>(first), (at + bytes) / Page * Page - first, MADV_HUGEPAGE);
  }
  return start;
}

/// Large blocks begin at the start of a page. Where all tensors do, elements that belong together
/// drive each other out of the cache (7 % of a step): so they begin at one line of it or another.
Head* allocate(std::size_t bytes)
{
  constexpr std::size_t line = sizeof(Head);
  static std::atomic<std::size_t> count = 0;
  const std::size_t shift = bytes < Page ? 0 : count++ % (Page / line) * line;
  void* start = fromSystem(shift + sizeof(Head) + bytes);
  return new (static_cast<char*>(start) + shift) Head{ nullptr, bytes, start };
}

void release(Head* head)
{
  void* start = head->start;
  head->~Head();
  c10::free_cpu(start);
}

} // namespace

struct KeptMemory::Pool
{
  std::mutex mutex;
  std::unordered_map<std::size_t, std::vector<Head*>> blocks; ///< free ones, by size
  std::size_t free = 0, used = 0, most = 0;                   ///< bytes; `most`: were used at once
  bool closed = false;

  /// Null if there is none.
  Head* take(std::size_t bytes)
  {
    const std::lock_guard lock(this->mutex);
    const auto found = this->blocks.find(bytes);
    if (found == this->blocks.end() || found->second.empty())
    {
      if (this->free > 2 * this->most) // sizes have changed: what is kept is of no use
      {
        this->clear();
      }
      return nullptr;
    }
    Head* head = found->second.back();
    found->second.pop_back();
    this->free -= head->bytes;
    this->count(head->bytes);
    return head;
  }

  /// That so much more is used.
  void count(std::size_t bytes)
  {
    this->used += bytes;
    this->most = std::max(this->most, this->used);
  }

  /// False if it is not kept.
  bool put(Head* head)
  {
    const std::lock_guard lock(this->mutex);
    this->used -= head->bytes;
    if (this->closed)
    {
      return false;
    }
    try
    {
      this->blocks[head->bytes].push_back(head);
    }
    catch (const std::bad_alloc&) // a tensor that is freed must not fail
    {
      return false;
    }
    this->free += head->bytes;
    return true;
  }

  void clear()
  {
    for (const auto& [bytes, heads] : this->blocks)
    {
      std::for_each(heads.begin(), heads.end(), release);
    }
    this->blocks.clear();
    this->free = 0;
    this->most = this->used;
  }
};

namespace
{

thread_local std::shared_ptr<KeptMemory::Pool> Current;

/// All kept memory of the process. It is never destroyed: threads that end late still have some.
struct Pools
{
  std::mutex mutex;
  std::set<KeptMemory::Pool*> all;
  static Pools& instance()
  {
    static auto* pools = new Pools;
    return *pools;
  }
};

class Allocator : public c10::Allocator
{
public:
  c10::DataPtr allocate(std::size_t bytes) override
  {
    if (bytes == 0)
    {
      return { nullptr, nullptr, &Allocator::free, c10::DeviceType::CPU };
    }
    Head* head = Current ? Current->take(bytes) : nullptr;
    if (!head)
    {
      try
      {
        head = vae::allocate(bytes);
      }
      catch (const std::bad_alloc&)
      {
        if (!KeptMemory::giveBackAll())
        {
          throw;
        }
        head = vae::allocate(bytes);
      }
      if (Current)
      {
        const std::lock_guard lock(Current->mutex);
        Current->count(bytes);
      }
    }
    head->pool = Current;
    return { head + 1, head + 1, &Allocator::free, c10::DeviceType::CPU };
  }
  c10::DeleterFnPtr raw_deleter() const override { return &Allocator::free; }
  void copy_data(void* to, const void* from, std::size_t count) const override
  {
    this->default_copy_data(to, from, count);
  }

private:
  static void free(void* data)
  {
    if (data)
    {
      Head* head = static_cast<Head*>(data) - 1;
      const std::shared_ptr<KeptMemory::Pool> pool = std::move(head->pool);
      if (!pool || !pool->put(head))
      {
        release(head);
      }
    }
  }
};

/// Before anything is computed: who has memory from one allocator must not give it to another. It
/// outlives the last tensor of the process.
[[maybe_unused]] const bool Installed = []
{
  c10::SetCPUAllocator(new Allocator, /*priority=*/1);
  return true;
}();

} // namespace

KeptMemory::KeptMemory() : Mine(std::make_shared<Pool>())
{
  Pools& pools = Pools::instance();
  const std::lock_guard lock(pools.mutex);
  pools.all.insert(this->Mine.get());
}

KeptMemory::~KeptMemory()
{
  Pools& pools = Pools::instance();
  const std::lock_guard first(pools.mutex);
  pools.all.erase(this->Mine.get());
  const std::lock_guard lock(this->Mine->mutex);
  this->Mine->clear();
  this->Mine->closed = true;
}

std::size_t KeptMemory::kept() const
{
  const std::lock_guard lock(this->Mine->mutex);
  return this->Mine->free;
}

std::size_t KeptMemory::most() const
{
  const std::lock_guard lock(this->Mine->mutex);
  return this->Mine->most;
}

KeptMemory::Use::Use(const KeptMemory& memory) : Before(std::exchange(Current, memory.Mine)) {}

KeptMemory::Use::~Use() { Current = std::move(this->Before); }

bool KeptMemory::inUse() { return Current != nullptr; }

bool KeptMemory::giveBack(std::size_t but)
{
  if (!Current)
  {
    return false;
  }
  const std::lock_guard lock(Current->mutex);
  const bool any = Current->free > but;
  if (any)
  {
    Current->clear();
  }
  return any;
}

bool KeptMemory::giveBackAll()
{
  Pools& pools = Pools::instance();
  const std::lock_guard first(pools.mutex);
  bool any = false;
  for (Pool* pool : pools.all)
  {
    const std::lock_guard lock(pool->mutex);
    any = any || pool->free > 0;
    pool->clear();
  }
  return any;
}

} // namespace vae
