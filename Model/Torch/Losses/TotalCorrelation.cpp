// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "TotalCorrelation.h"

#include "Objective.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <algorithm>
#include <cmath>

namespace vae
{

at::Tensor stratifiedWeights(std::int64_t m, double n, const at::TensorOptions& options)
{
  const double others = static_cast<double>(m) - 1;
  at::Tensor weights = at::full({ m, m }, m > 1 ? std::log((n - 1) / (n * others)) : 0., options);
  return weights.fill_diagonal_(-std::log(n));
}

at::Tensor stratifiedWeights(const at::Tensor& patch, double n)
{
  const at::Tensor same = patch.unsqueeze(1).eq(patch.unsqueeze(0));
  const at::Tensor own = same.sum(1, true).to(at::kDouble); // where all are, nothing is shared
  const at::Tensor rest = (n - own) / (n * (static_cast<double>(patch.size(0)) - own));
  return at::where(same, -std::log(n), rest.log());
}

Decomposition decomposeKL(const at::Tensor& z, const at::Tensor& mean,
  const at::Tensor& logVariance, double vectors, const at::Tensor& patch)
{
  const double n = std::max(vectors, static_cast<double>(z.size(0)));
  // [i, j, latent]: log q(z_i | x_j)
  const at::Tensor each = logNormal(z.unsqueeze(1), mean.unsqueeze(0), logVariance.unsqueeze(0));
  const at::Tensor weights = patch.defined() ? stratifiedWeights(patch, n).to(z.options())
                                             : stratifiedWeights(z.size(0), n, z.options());
  const at::Tensor joint = each.sum(2);
  const at::Tensor own = joint.diagonal();                         // log q(z|x)
  const at::Tensor aggregated = at::logsumexp(joint + weights, 1); // log q(z)
  const at::Tensor product =
    at::logsumexp(each + weights.unsqueeze(2), 1).sum(1); // log prod q(z_l)
  const at::Tensor prior = logNormal(z, at::zeros_like(z), at::zeros_like(z)).sum(1);
  return { (own - aggregated).mean(), (aggregated - product).mean(), (product - prior).mean() };
}

} // namespace vae
