// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Spectrum.h"

#include "Torch/Grid/Boxes.h"
#include "Torch/Grid/Noise.h"
#include "Torch/Runtime/Device.h"
#include "Torch/Runtime/Room.h"

#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <vector>

namespace vae
{
namespace
{

const std::vector<std::int64_t> Axes{ -3, -2, -1 };

/// Covariances, [pairs, lags...], on the grid.
at::Tensor onGrid(at::Tensor c, const Spectrum::Sizes& grid)
{
  for (std::int64_t a = 0; a < 3; ++a)
  {
    const std::int64_t n = grid[static_cast<std::size_t>(a)];
    std::vector<std::int64_t> shape = c.sizes().vec();
    shape[static_cast<std::size_t>(a) + 1] = n;
    const at::Tensor places = lags(c.size(a + 1) / 2, n).to(c.device());
    c = at::zeros(shape, c.options()).index_add(a + 1, places, c);
  }
  return c;
}

/// Each Hermitian matrix, of which the lower triangle is read, becomes L, with L L^H the nearest
/// one that is not negative. LAPACK takes one after the other, so on the CPU each thread has a part
/// of them, in pieces that stay in its cache.
void factorise(const at::Tensor& matrices)
{
  const std::int64_t count = matrices.size(0), each = matrices.is_cpu() ? 1 << 12 : 1 << 18;
  const auto work = [&](std::int64_t begin, std::int64_t end)
  {
    const c10::InferenceMode inference;
    for (std::int64_t i = begin; i < end; ++i)
    {
      const at::Tensor part = matrices.slice(0, i * each, std::min(count, (i + 1) * each));
      const auto [factors, info] = at::linalg_cholesky_ex(part);
      if (const at::Tensor bad = info.nonzero().flatten(); bad.numel() > 0) // not positive
      {
        const auto [values, vectors] = at::linalg_eigh(part.index_select(0, bad));
        at::Tensor(factors).index_copy_(
          0, bad, vectors * values.clamp_min(0).sqrt().unsqueeze(1).to(vectors.dtype()));
      }
      part.copy_(factors);
    }
  };
  const std::int64_t pieces = (count + each - 1) / each;
  if (matrices.is_cpu())
  {
    const std::int64_t callers = blasCallers(at::get_num_threads());
    at::parallel_for(0, pieces, (pieces + callers - 1) / callers, work);
  }
  else
  {
    work(0, pieces);
  }
}

} // namespace

at::Tensor lags(std::int64_t radius, std::int64_t period)
{
  return at::arange(-radius, radius + 1, at::kLong).remainder(period);
}

Spectrum::Spectrum(const at::Tensor& covariance, const Sizes& grid) : Grid(grid)
{
  // One Hermitian matrix of cross-spectra a frequency, whose lower triangle says all. The transform
  // of C[i][j](h) is E[conj(G_i) G_j].
  const std::int64_t channels = covariance.size(0);
  const at::Tensor pairs = at::tril_indices(channels, channels).to(covariance.device());
  const at::Tensor spectra = at::fft_rfftn(
    onGrid(covariance.flatten(0, 1).index_select(0, pairs[0] * channels + pairs[1]), grid), grid,
    Axes)
                               .conj()
                               .flatten(1);
  // By columns, as LAPACK has them.
  const at::Tensor columns = at::zeros({ spectra.size(1), channels, channels }, spectra.options());
  columns.flatten(1).index_copy_(1, pairs[1] * channels + pairs[0], spectra.t());
  constexpr double jitter = 1e-3;
  columns.diagonal(0, 1, 2).add_(jitter);
  this->Factors = columns.transpose(1, 2);
  factorise(this->Factors);
}

at::Tensor Spectrum::coloured(const at::Tensor& field, bool twice) const
{
  const at::Tensor f = at::fft_rfftn(field, {}, Axes);
  at::Tensor columns = f.flatten(1).transpose(0, 1).unsqueeze(2);
  if (twice)
  {
    columns = at::matmul(this->Factors.mH(), columns);
  }
  columns = at::matmul(this->Factors, columns).squeeze(2).transpose(0, 1);
  return at::fft_irfftn(columns.reshape(f.sizes()), field.sizes().slice(1), Axes);
}

at::Tensor Spectrum::draw(const Sizes& size, at::Generator generator) const
{
  const at::Tensor white =
    streamNoise({ this->Factors.size(1), this->Grid[0], this->Grid[1], this->Grid[2] }, generator,
      this->device());
  return slice(this->coloured(white, false), { 0, 0, 0 }, size);
}

at::Tensor Spectrum::times(const at::Tensor& values) const
{
  const Sizes size{ values.size(1), values.size(2), values.size(3) };
  const at::Tensor padded =
    at::zeros({ values.size(0), this->Grid[0], this->Grid[1], this->Grid[2] }, values.options());
  slice(padded, { 0, 0, 0 }, size).copy_(values);
  return slice(this->coloured(padded, true), { 0, 0, 0 }, size);
}

std::shared_ptr<const Spectrum> LastSpectrum::of(
  const at::Tensor& covariance, const Spectrum::Sizes& grid)
{
  {
    const std::lock_guard guard(this->Lock);
    if (this->Last && this->Last->grid() == grid && this->Last->device() == covariance.device())
    {
      return this->Last;
    }
    this->Last = nullptr; // its memory is wanted
  }
  const auto made = std::make_shared<const Spectrum>(covariance, grid);
  const at::Device device = made->device();
  const double most = device.is_cpu() ? 256. * (1 << 20) : freeMemoryOf(device).value_or(0) / 8;
  if (made->bytes() <= most)
  {
    const std::lock_guard guard(this->Lock);
    this->Last = made;
  }
  return made;
}

} // namespace vae
