// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Discrepancy.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

namespace vae
{
namespace
{

at::Tensor squaredDistances(const at::Tensor& a, const at::Tensor& b)
{
  return (a.square().sum(1, true) + b.square().sum(1) - 2 * a.matmul(b.t())).clamp_min(0);
}

at::Tensor values(const at::Tensor& squares, double c, Kernel kernel)
{
  if (kernel == Kernel::RBF)
  {
    return (-squares / c).exp();
  }
  at::Tensor sum = at::zeros_like(squares);
  for (const double s : { 0.1, 0.2, 0.5, 1., 2., 5., 10. })
  {
    sum = sum + s * c / (s * c + squares);
  }
  return sum;
}

} // namespace

at::Tensor meanDiscrepancy(
  const at::Tensor& a, const at::Tensor& b, Kernel kernel, const at::Tensor& patch)
{
  const double c = 2 * static_cast<double>(a.size(1));
  const auto within = [&](const at::Tensor& t)
  {
    const auto n = static_cast<double>(t.size(0));
    const at::Tensor k = values(squaredDistances(t, t), c, kernel);
    return (k.sum() - k.diagonal().sum()) / (n * (n - 1));
  };
  const auto between = [&]
  {
    const at::Tensor apart = patch.unsqueeze(0).ne(patch.unsqueeze(1)).to(a.options());
    return (values(squaredDistances(a, a), c, kernel) * apart).sum() / apart.sum().clamp_min(1);
  };
  return (patch.defined() ? between() : within(a)) + within(b) -
    2 * values(squaredDistances(a, b), c, kernel).mean();
}

} // namespace vae
