// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Work.h"

namespace vae::statistics
{

/// A symmetric positive (semi-)definite matrix with up to six off-diagonal entries a row, all
/// negative: (A x)_i = diagonal_i x_i - sum over k of weight_ik x_neighbour(i,k). A missing
/// neighbour is row rows(), where vectors hold a zero; so vectors have rows() + 1 entries.
struct Stencil
{
  std::vector<std::array<std::int32_t, 6>> neighbour;
  std::vector<std::array<float, 6>> weight;
  std::vector<float> diagonal;

  std::int64_t rows() const { return static_cast<std::int64_t>(this->diagonal.size()); }
  void resize(std::int64_t rows);

  /// Conjugate gradients with the diagonal as preconditioner, from x as it is, until the residual
  /// is `tolerance` times that of x = 0. float32 vectors, sums in double: tolerances to 1e-6.
  /// \return iterations
  /// \throws Stopped
  int solve(const std::vector<float>& b, std::vector<float>& x, double tolerance,
    int maximumIterations, const Work& work) const;
};

} // namespace vae::statistics
