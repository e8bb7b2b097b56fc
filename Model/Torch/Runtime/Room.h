// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <exception>

// Checks for CPU memory before it is needed. Libraries below LibTorch end the process, hang, or use
// memory that is not there if one of their allocations or threads fails.
namespace vae
{

/// Whether an exception reports a lack of memory: std::bad_alloc, OutOfMemory, or the
/// message of LibTorch or of a library below it (oneDNN, cuDNN, cuBLAS, cuFFT).
bool isOutOfMemory(const std::exception& e);

/// Whether so many bytes can be allocated now; they are not kept or touched.
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

/// How many threads of a loop may call OpenBLAS at a time: those that are wanted, or one where there
/// is no room for a buffer of each.
int blasCallers(int wanted);

} // namespace vae
