// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

namespace vae
{

/// Bytes that this process can still allocate without swapping: what the system says is available,
/// within the limits of its control groups and of its address space.
double freeMemory();

} // namespace vae
