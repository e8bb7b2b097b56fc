// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <stdexcept>
#include <string>

namespace vae
{

/// There is not enough memory: one sentence that says for what, and how to need less.
struct OutOfMemory : std::runtime_error
{
  using std::runtime_error::runtime_error;
};

std::string mebibytes(double bytes); ///< "12 MiB"

/// \throws OutOfMemory "There is not enough memory for WHAT: it takes about ... and ... are free",
/// and then the cure, unless so many bytes are free
void checkFree(const std::string& what, double bytes, const std::string& cure);

/// Bytes that this process can still allocate without swapping: what the system says is available,
/// within the limits of its control groups and of its address space.
double freeMemory();

/// Bytes that the limit of the process's address space (ulimit -v) leaves; infinity without one.
double freeAddressSpace();

} // namespace vae
