// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Texture.h"

#include "Tiles.h"
#include "Torch/Grid/Noise.h"
#include "Torch/Losses/Variogram.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <cmath>
#include <limits>

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

at::Tensor textureNoise(const Box& cells, const Frame& frame, const NoiseShape& shape,
  std::int64_t channels, const Texture& texture, const at::Device& device)
{
  const auto halo = static_cast<std::int64_t>(std::ceil(Reach * shape.width));
  const Box box = toVoxels(cells, frame.cell);
  Box wide = box, same = box; // the latter's place in the grid is that of the box in `wide`
  Index3 grid{};
  for (int a = 0; a < 3; ++a)
  {
    const std::int64_t padded = frame.cells()[a] * frame.cell[a];
    const bool repeats = texture.periodic[frame.axis[a]];
    const std::int64_t around = frame.used(a) ? halo : 0;
    grid[a] = repeats ? padded : padded + 2 * around; // places outside have noise of their own
    wide.origin[a] -= repeats ? around : 0;
    wide.size[a] += 2 * around;
    same.origin[a] += repeats ? 0 : around;
  }
  at::Tensor noise = gridNoise(wide, grid, channels, texture.seed, texture.sample, device)[0];
  for (int a = 0; a < 3; ++a)
  {
    if (frame.used(a))
    {
      const at::Tensor w = toDevice(weights(box.size[a], halo, shape.width), device);
      noise = a == 2 ? at::matmul(noise, w.t())
        : a == 1     ? at::matmul(w, noise)
                     : at::matmul(w, noise.flatten(2)).unflatten(2, noise.sizes().slice(2));
    }
  }
  if (shape.white > 0)
  {
    const at::Tensor white =
      gridNoise(same, grid, channels, ~texture.seed, texture.sample, device)[0];
    noise = std::sqrt(1 - shape.white) * noise + std::sqrt(shape.white) * white;
  }
  return folded(noise, frame);
}

namespace
{

/// Values drawn from what was decoded for a box of cells.
at::Tensor drawn(const at::Tensor& decoded, const Frame& frame, const NoiseShape& shape,
  std::int64_t sample, const ObservationModel& seen)
{
  const at::Tensor cells = fromNetworkShape(decoded);
  Box box;
  for (int a = 0; a < 3; ++a)
  {
    box.size[a] = cells.size(a + 2) * frame.fold[a] / frame.cell[a];
  }
  const std::int64_t values = decoded.size(1) / frame.folded();
  const Texture texture{ 0, sample, {} };
  return seen.value(
    seen.drawn(decoded, textureNoise(box, frame, shape, values, texture, decoded.device())));
}

/// Weights of three places for a parabola's value at x (Lagrange).
std::array<double, 3> parabola(const std::array<double, 3>& at, double x)
{
  std::array<double, 3> w;
  for (std::size_t i = 0; i < 3; ++i)
  {
    const double a = at[(i + 1) % 3], b = at[(i + 2) % 3];
    w[i] = (x - a) * (x - b) / ((at[i] - a) * (at[i] - b));
  }
  return w;
}

} // namespace

double fitTexture(const at::Tensor& decoded, const at::Tensor& x, const Frame& frame,
  const ObservationModel& seen, bool phases)
{
  const double wanted = variogram(x, frame, phases, 1);
  const auto roughness = [&](double width)
  { return variogram(drawn(decoded, frame, { width, 0 }, 0, seen), frame, phases, 1); };
  if (wanted <= roughness(Widest))
  {
    return 0;
  }
  double low = Narrowest, high = Widest;
  for (int i = 0; i < 10; ++i) // the wider the smoother
  {
    const double middle = std::sqrt(low * high);
    (roughness(middle) > wanted ? low : high) = middle;
  }
  return std::sqrt(low * high);
}

NoiseShape fitTexture(const std::vector<at::Tensor>& decoded, const SurfaceMeasure& wanted,
  double width, const Frame& frame, const ObservationModel& seen)
{
  // Both measures change smoothly with either number: nine looks, and a parabola along each.
  constexpr std::array<double, 3> wider{ -0.25, 0.1, 0.45 }; // logarithms
  constexpr std::array<double, 3> whites{ 0, 0.1, 0.25 };
  // What the Euler number is told from: where it is near 0, a hundredth of a surface's third power,
  // which has its unit.
  const double facesScale = 0.04 * wanted.faces,
               eulerScale =
                 0.25 * std::max(std::abs(wanted.euler), 0.01 * std::pow(3 * wanted.faces, 3));
  std::array<double, 9> faces{}, euler{}; // errors, in those scales
  for (std::size_t i = 0; i < 9; ++i)
  {
    const NoiseShape shape{ width * std::exp(wider[i / 3]), whites[i % 3] };
    for (std::size_t n = 0; n < decoded.size(); ++n)
    {
      const at::Tensor x = drawn(decoded[n], frame, shape, static_cast<std::int64_t>(n), seen);
      const auto count = static_cast<double>(decoded.size());
      faces[i] += (variogram(x, frame, true, 1) - wanted.faces) / facesScale / count;
      euler[i] += (eulerDensity(x, frame) - wanted.euler) / eulerScale / count;
    }
  }
  NoiseShape best;
  double least = std::numeric_limits<double>::infinity();
  constexpr int steps = 35;
  for (int i = 0; i <= steps; ++i)
  {
    const double more = wider[0] + (wider[2] - wider[0]) * i / steps;
    const auto u = parabola(wider, more);
    for (int j = 0; j <= steps; ++j)
    {
      const double white = whites[2] * j / steps;
      const auto v = parabola(whites, white);
      double f = 0, e = 0;
      for (std::size_t k = 0; k < 9; ++k)
      {
        f += u[k / 3] * v[k % 3] * faces[k];
        e += u[k / 3] * v[k % 3] * euler[k];
      }
      if (f * f + e * e < least)
      {
        least = f * f + e * e;
        best = { width * std::exp(more), white };
      }
    }
  }
  return best;
}

} // namespace vae
