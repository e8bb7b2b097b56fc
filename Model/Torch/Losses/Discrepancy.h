// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/core/Tensor.h>

namespace vae
{

enum class Kernel
{
  RBF = 0, ///< exp(-r^2 / C)
  IMQ = 1  ///< inverse multiquadratic: sum of s C / (s C + r^2), s = 0.1, 0.2, 0.5, 1, 2, 5, 10
};

/// Squared maximum mean discrepancy of two samples, [n, latent] and [m, latent], without bias
/// (Gretton et al. 2012, Eq. 3); C = 2 latent, the mean squared distance of standard normal vectors
/// (Tolstikhin et al. 2018).
/// \param patch of `a`: only pairs of different patches are independent, and count
///        (SomeRows::patch); undefined: all pairs
at::Tensor meanDiscrepancy(
  const at::Tensor& a, const at::Tensor& b, Kernel kernel, const at::Tensor& patch = {});

} // namespace vae
