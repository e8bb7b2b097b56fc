// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/core/Generator.h>

namespace pretended_cuda
{

/// Of random numbers. -1: of the current device
const at::Generator& defaultGenerator(int device);

} // namespace pretended_cuda
