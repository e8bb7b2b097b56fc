// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include <array>
#include <memory>
#include <mutex>

namespace vae
{

/// -radius ... radius, at their places on a grid of a period, int64.
at::Tensor lags(std::int64_t radius, std::int64_t period);

/// A stationary Gaussian random field on a periodic grid, which is computed on its covariance's
/// device. Never changes.
class Spectrum
{
public:
  using Sizes = std::array<std::int64_t, 3>; ///< z, y, x, cells

  /// \param covariance [channels, channels, 2 Rz + 1, 2 Ry + 1, 2 Rx + 1]:
  ///        C[i][j](h) = E[g_i(x) g_j(x + h)]
  /// \param grid cells; lags that meet on an axis shorter than them add up
  Spectrum(const at::Tensor& covariance, const Sizes& grid);

  /// Of mean 0, [channels, size...], a part of the grid.
  at::Tensor draw(const Sizes& size, at::Generator generator) const;

  /// The covariance of all cells times values of some, [channels, size...]; the others are 0.
  at::Tensor times(const at::Tensor& values) const;

  const Sizes& grid() const { return this->Grid; }
  at::Device device() const { return this->Factors.device(); }
  double bytes() const { return static_cast<double>(this->Factors.nbytes()); }

private:
  at::Tensor coloured(const at::Tensor& field, bool twice) const;

  Sizes Grid;
  /// One matrix L a frequency, which colours white noise: [frequencies, channels, channels]. L L^H
  /// is its spectrum.
  at::Tensor Factors;
};

/// The spectrum of one covariance that was used last, for realizations of one size. Any thread may
/// ask.
class LastSpectrum
{
public:
  std::shared_ptr<const Spectrum> of(const at::Tensor& covariance, const Spectrum::Sizes& grid);

private:
  std::mutex Lock;
  std::shared_ptr<const Spectrum> Last; ///< if it is not large
};

} // namespace vae
