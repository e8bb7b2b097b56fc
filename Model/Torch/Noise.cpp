// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Noise.h"

#include <ATen/Functions.h>
#include <ATen/Parallel.h>

#include <cmath>
#include <numbers>

namespace vae
{
namespace
{

std::uint64_t scramble(std::uint64_t x) // the finaliser of SplitMix64 (Steele et al. 2014)
{
  x += 0x9e3779b97f4a7c15ull;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
  return x ^ (x >> 31);
}

} // namespace

at::Tensor gridNoise(
  const Box& box, const Index3& grid, std::int64_t channels, std::int64_t seed, std::int64_t sample)
{
  at::Tensor noise = at::empty({ 1, channels, box.size[0], box.size[1], box.size[2] });
  float* out = noise.mutable_data_ptr<float>();
  const std::uint64_t stream =
    scramble(scramble(static_cast<std::uint64_t>(seed)) + static_cast<std::uint64_t>(sample));
  const auto inside = [&](std::int64_t i, int axis)
  { return (i % grid[axis] + grid[axis]) % grid[axis]; };
  at::parallel_for(0, channels * box.size[0], 1, [&](std::int64_t begin, std::int64_t end)
  {
    for (std::int64_t plane = begin; plane < end; ++plane)
    {
      const std::int64_t channel = plane / box.size[0];
      const std::int64_t z = inside(box.origin[0] + plane % box.size[0], 0);
      float* to = out + plane * box.size[1] * box.size[2];
      for (std::int64_t j = 0; j < box.size[1]; ++j)
      {
        const std::int64_t y = inside(box.origin[1] + j, 1);
        const std::int64_t row = ((channel * grid[0] + z) * grid[1] + y) * grid[2];
        std::int64_t x = inside(box.origin[2], 2);
        for (std::int64_t i = 0; i < box.size[2]; ++i)
        {
          const std::uint64_t a = scramble(stream ^ scramble(static_cast<std::uint64_t>(row + x)));
          const std::uint64_t b = scramble(a);
          // Box and Muller (1958); 53 bits, and never the logarithm of 0.
          const double u = (static_cast<double>(a >> 11) + 0.5) * 0x1p-53;
          const double v = static_cast<double>(b >> 11) * 0x1p-53;
          *to++ =
            static_cast<float>(std::sqrt(-2 * std::log(u)) * std::cos(2 * std::numbers::pi * v));
          x = x + 1 == grid[2] ? 0 : x + 1;
        }
      }
    }
  });
  return noise;
}

} // namespace vae
