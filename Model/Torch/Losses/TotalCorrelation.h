// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/core/Tensor.h>

namespace vae
{

/// The three parts of the mean KL divergence, nats a latent vector (Chen et al. 2018, Eq. 2):
/// E KL(q(z|x) || p(z)) = mutual information + total correlation + KL of each dimension.
struct Decomposition
{
  at::Tensor mutualInformation, totalCorrelation, dimensionKL;
};

/// Logarithms of the weights [M, M] of posterior j in the sum that stands for q(z_i), by minibatch
/// stratified sampling (Chen et al. 2018, appendix C.2): a sample's own posterior has the weight
/// 1/N and the other M - 1 share the rest, so that the estimate of q(z_i) is unbiased.
at::Tensor stratifiedWeights(
  std::int64_t m, double n, const at::TensorOptions& options = at::kDouble);
/// The same where a patch gives several posteriors, which are alike: those of a sample's own patch
/// have the weight 1/N each, and those of the others, which are independent, share the rest.
/// \param patch [M], SomeRows::patch
at::Tensor stratifiedWeights(const at::Tensor& patch, double n);

/// Estimated from M samples z of M posteriors, all [M, latent], which were drawn from `vectors`
/// vectors of data. With `vectors` no larger than M the batch is the whole data and the sum is
/// exact.
/// \param patch SomeRows::patch; undefined: posteriors are independent
Decomposition decomposeKL(const at::Tensor& z, const at::Tensor& mean,
  const at::Tensor& logVariance, double vectors, const at::Tensor& patch = {});

} // namespace vae
