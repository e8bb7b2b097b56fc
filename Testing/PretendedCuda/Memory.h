// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Streams.h"

#include <c10/core/Allocator.h>

// The memory of the devices, and pinned memory of the host. Each is one sparse file in memory that
// is mapped twice: at the address that tensors have, which the host may not touch, and at the one
// that kernels use. (Pinned memory has the second only.)
namespace pretended_cuda
{

constexpr int Pinned = Devices; ///< the arena of pinned memory; those of the devices are before it

/// Memory of an arena; of a device, for its current stream.
/// \throws c10::OutOfMemoryError beyond the limit of the device
c10::DataPtr allocate(std::size_t bytes, int arena);
c10::Allocator* deviceAllocator(); ///< of the current device
c10::Allocator* pinnedAllocator();

int deviceOf(const void* address); ///< -1 if it is of no device
bool isPinned(const void* address);
void* hostAddress(const void* device); ///< that of kernels; null if it is of no device
/// Of the block that starts at a device's address; null if there is none. The caller holds the
/// lock.
Uses* usesOf(const void* address);

} // namespace pretended_cuda
