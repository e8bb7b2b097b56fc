// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <memory>

namespace vae
{

/// Keeps the memory of CPU tensors that are created and freed again and again, in the steps of a
/// training or in layer after layer: freed memory serves the next tensor of the same size. Without
/// it the memory returns to the system, which clears every page before it hands it out again.
class KeptMemory
{
public:
  KeptMemory();
  ~KeptMemory(); ///< gives back what is free; the rest follows as it is freed
  KeptMemory(const KeptMemory&) = delete;
  void operator=(const KeptMemory&) = delete;

  /// Bytes that are free.
  std::size_t kept() const;
  /// Most bytes in use at once since memory was last given back.
  std::size_t most() const;

  static bool inUse(); ///< whether this thread's tensors are of any kept memory
  /// To the system, if this thread's tensors are of kept memory and more than `but` bytes of it are
  /// free. False if not.
  static bool giveBack(std::size_t but = 0);
  /// All that is free of all kept memory, of any thread: there is no other. False if nothing is.
  static bool giveBackAll();

  struct Pool; ///< what blocks know of it

  /// Tensors that this thread creates during the scope use this memory. Any thread may free them at
  /// any time.
  class Use
  {
  public:
    explicit Use(const KeptMemory& memory);
    ~Use();
    Use(const Use&) = delete;
    void operator=(const Use&) = delete;

  private:
    std::shared_ptr<Pool> Before;
  };

private:
  std::shared_ptr<Pool> Mine;
};

} // namespace vae
