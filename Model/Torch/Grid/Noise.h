// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Blocks.h"

namespace vae
{

/// Standard normal numbers for a box of a grid, [1, channels, box...], float32: functions of the
/// seed, the sample and the place alone, so that tiles that share a place share its noise, and so
/// do devices. The grid repeats.
at::Tensor gridNoise(const Box& box, const Index3& grid, std::int64_t channels, std::int64_t seed,
  std::int64_t sample, const at::Device& device = at::kCPU);

} // namespace vae
