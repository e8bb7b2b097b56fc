// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Blocks.h"

#include <ATen/core/Generator.h>

namespace vae
{

/// Standard normal numbers for a box of a grid, [1, channels, box...], float32: functions of the
/// seed, the sample and the place alone, so that tiles that share a place share its noise, and so
/// do devices. The grid repeats.
at::Tensor gridNoise(const Box& box, const Index3& grid, std::int64_t channels, std::int64_t seed,
  std::int64_t sample, const at::Device& device = at::kCPU);

/// Standard normal numbers, [channels, z, y, x], float32, the next of a stream. On the CPU they are
/// the generator's own. A GPU would wait for those, so there they are functions of their place and
/// of one number of the generator (gridNoise()): as random, and others.
at::Tensor streamNoise(
  const std::array<std::int64_t, 4>& size, at::Generator generator, const at::Device& device);

} // namespace vae
