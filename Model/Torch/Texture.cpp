// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Texture.h"

#include "Noise.h"
#include "Tiles.h"
#include "Variogram.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <cmath>

namespace vae
{
namespace
{

constexpr double Narrowest = 0.25, Widest = 8; // voxels
constexpr double Reach = 3;                    // of the Gaussian, widths

/// [values, wide] weights that smooth white noise along an axis and keep its variance 1.
at::Tensor weights(std::int64_t values, std::int64_t halo, double width)
{
  const at::Tensor tap = at::arange(-halo, halo + 1, at::kFloat);
  at::Tensor w = at::exp(-0.5 * (tap / width).square());
  w = w / w.square().sum().sqrt();
  at::Tensor all = at::zeros({ values, values + 2 * halo });
  for (std::int64_t i = 0; i < values; ++i)
  {
    all[i].narrow(0, i, 2 * halo + 1).copy_(w);
  }
  return all;
}

/// [channels, z, y, x] to [1, channels * fold^d, cells...].
at::Tensor folded(const at::Tensor& t, const Frame& frame)
{
  const Index3& f = frame.fold;
  const at::Tensor blocks =
    t.unflatten(3, { -1, f[2] }).unflatten(2, { -1, f[1] }).unflatten(1, { -1, f[0] });
  return toNetworkShape(
    blocks.permute({ 0, 2, 4, 6, 1, 3, 5 }).flatten(0, 3).unsqueeze(0), frame.dimensions);
}

} // namespace

at::Tensor textureNoise(const Box& cells, const Frame& frame, double width, std::int64_t channels,
  const Texture& texture, const at::Device& device)
{
  const auto halo = static_cast<std::int64_t>(std::ceil(Reach * width));
  Box box = toVoxels(cells, frame.cell);
  Index3 grid{};
  for (int a = 0; a < 3; ++a)
  {
    const std::int64_t padded = frame.cells()[a] * frame.cell[a];
    const bool repeats = texture.periodic[frame.axis[a]];
    const std::int64_t around = frame.used(a) ? halo : 0;
    grid[a] = repeats ? padded : padded + 2 * around; // places outside have noise of their own
    box.origin[a] -= repeats ? around : 0;
    box.size[a] += 2 * around;
  }
  at::Tensor noise = gridNoise(box, grid, channels, texture.seed, texture.sample, device)[0];
  for (int a = 0; a < 3; ++a)
  {
    if (frame.used(a))
    {
      const at::Tensor w = weights(box.size[a] - 2 * halo, halo, width).to(device);
      noise = a == 2 ? at::matmul(noise, w.t())
        : a == 1     ? at::matmul(w, noise)
                     : at::matmul(w, noise.flatten(2)).unflatten(2, noise.sizes().slice(2));
    }
  }
  return folded(noise, frame);
}

double fitTexture(const at::Tensor& decoded, const at::Tensor& x, const Frame& frame,
  const Observation& seen, bool phases)
{
  const Index3 cells{ fromNetworkShape(x).size(2), x.size(-2), x.size(-1) };
  Box box;
  for (int a = 0; a < 3; ++a)
  {
    box.size[a] = cells[a] * frame.fold[a] / frame.cell[a];
  }
  const double wanted = variogram(x, frame, phases, 1);
  const auto values = decoded.size(1) / frame.folded();
  const auto drawn = [&](double width)
  {
    const at::Tensor noise =
      textureNoise(box, frame, width, values, { 0, 0, {} }, decoded.device());
    return variogram(seen.value(seen.drawn(decoded, noise)), frame, phases, 1);
  };
  if (wanted <= drawn(Widest))
  {
    return 0;
  }
  double low = Narrowest, high = Widest;
  for (int i = 0; i < 10; ++i) // the wider the smoother
  {
    const double middle = std::sqrt(low * high);
    (drawn(middle) > wanted ? low : high) = middle;
  }
  return std::sqrt(low * high);
}

} // namespace vae
