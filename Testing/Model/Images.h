// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Volumes.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

namespace test
{

/// 2048 images of 2 x 2 whose mean is zero and whose covariance has these eigenvalues, exactly.
struct GaussianImages
{
  at::Tensor images; ///< [2048, 4], float64
  std::vector<vae::Volume> volumes;

  explicit GaussianImages(const std::array<double, 4>& eigenvalues)
  {
    const std::int64_t n = 2048;
    const at::TensorOptions f64(at::kDouble);
    at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(std::uint64_t{ 1 });
    at::Tensor u = at::randn({ n, 4 }, generator, f64);
    u = u - u.mean(0);
    const at::Tensor covariance = u.t().matmul(u) / static_cast<double>(n);
    const at::Tensor white =
      at::linalg_solve_triangular(at::linalg_cholesky(covariance), u.t(), /*upper=*/false).t();
    const at::Tensor rotation = std::get<0>(at::linalg_qr(at::randn({ 4, 4 }, generator, f64)));
    const at::Tensor scales =
      at::tensor(at::ArrayRef<double>(eigenvalues.data(), 4), at::kDouble).sqrt();
    this->images = (white * scales).matmul(rotation.t()).contiguous();
    for (std::int64_t i = 0; i < n; ++i)
    {
      const double* row = this->images.const_data_ptr<double>() + 4 * i;
      this->volumes.push_back(volume(std::vector<double>(row, row + 4), { 2, 2, 1 }));
    }
  }
};

} // namespace test
