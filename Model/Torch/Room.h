// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <exception>

// The CPU's memory, asked for before it is needed: libraries below LibTorch end the process, wait
// without end or go on with what is not there where an allocation or a thread of their own fails.
namespace vae
{

/// Whether that is what it says: a std::bad_alloc, an OutOfMemory, or LibTorch's words for it.
bool isOutOfMemory(const std::exception& e);

/// Whether so many bytes can be had now, without keeping or touching them.
bool canMap(double bytes);

/// The same, but memory that is kept for tensors is given back if that helps.
bool hasRoom(double bytes);

/// The same, before a network runs.
/// \throws std::bad_alloc if not
void reserve(double bytes);

/// What kernels take that are compiled while a network runs, and all else that is small.
constexpr double RoomForKernels = 64e6;

/// Start OpenMP's threads for this thread's loops, and have OpenBLAS map its buffers: a thread that
/// cannot be started ends the process, and OpenBLAS tries without end to map what does not fit.
/// \throws OutOfMemory where there is no room for them
void prepareThreads(int threads);

} // namespace vae
