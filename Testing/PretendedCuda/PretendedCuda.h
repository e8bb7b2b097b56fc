// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

// What tests ask of the pretended CUDA devices, beside what they ask of LibTorch. Any thread may
// call these at any time. README.md says what is pretended.
namespace pretended_cuda
{

constexpr int Devices = 2;

/// Of all devices, since the start or resetCounts().
struct Counts
{
  std::int64_t launches = 0;         ///< operators on a device: at least so many kernels
  std::int64_t synchronizations = 0; ///< times that the host waited for a stream
  std::int64_t toDevice = 0, toHost = 0, onDevice = 0, betweenDevices = 0; ///< copies
  std::int64_t bytesToDevice = 0, bytesToHost = 0;
  std::int64_t pageable = 0; ///< non_blocking copies that wait: of host memory that is not pinned
  std::int64_t allocations = 0;
  std::int64_t races = 0; ///< uses of memory that did not wait for another stream, or for the host
};
Counts counts();
void resetCounts();
/// How often each operator was launched, and how often each made the host wait. Since
/// resetCounts().
std::map<std::string, std::int64_t> launchesByOperator();
std::map<std::string, std::int64_t> synchronizationsByOperator();

/// Whether a race throws a c10::Error, and is not only counted.
void throwOnRaces(bool throws);

/// Where kernels find what is at an address of a device, and the host can read it. Null elsewhere.
const void* kernelAddress(const void* device);

std::size_t memoryInUse(int device);
std::size_t mostMemoryInUse(int device); ///< at once
/// More in use throws c10::OutOfMemoryError. std::size_t(-1): as much as there is.
void limitMemory(int device, std::size_t bytes);

/// Libraries that report a lack of memory in words of their own.
enum class Library
{
  CuDnn,  ///< convolutions
  CuBlas, ///< matrix products
  CuFft   ///< Fourier transforms
};
/// The next operator of that library throws a c10::Error with the library's words, once.
/// \param after so many that still succeed
void failOnce(Library library, int after = 0);

/// The devices are cards that do not convolve in bfloat16: that throws. True: they do, as slowly as
/// the CPU emulates it.
void allowBFloat16(bool allowed);

} // namespace pretended_cuda
