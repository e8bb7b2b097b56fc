// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Variogram.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <cmath>

namespace vae
{
namespace
{

double ofVoxels(const at::Tensor& v, bool phases, std::int64_t lag)
{
  double sum = 0;
  int axes = 0;
  for (std::int64_t a = 2; a < 5; ++a)
  {
    const std::int64_t n = v.size(a) - lag;
    if (n > 0)
    {
      const at::Tensor d = v.narrow(a, lag, n) - v.narrow(a, 0, n);
      sum += (phases ? d.ne(0).to(at::kFloat) : d.square()).mean().item<double>();
      ++axes;
    }
  }
  return axes > 0 ? sum / axes : 0;
}

} // namespace

double variogram(const at::Tensor& values, const Frame& frame, bool phases, std::int64_t lag)
{
  return ofVoxels(toGrid(values, frame), phases, lag);
}

double eulerDensity(const at::Tensor& values, const Frame& frame)
{
  const at::Tensor where = toGrid(values.eq(0), frame);
  double sum = 0;
  for (int axes = 0; axes < 8; ++axes) // the directions that an element extends to
  {
    at::Tensor element = where;
    int sign = 1;
    for (int a = 0; a < 3; ++a)
    {
      if (axes >> a & 1)
      {
        const std::int64_t n = element.size(a + 2) - 1;
        element = element.narrow(a + 2, 0, n).logical_and(element.narrow(a + 2, 1, n));
        sign = -sign;
      }
    }
    if (element.numel() > 0)
    {
      sum += sign * element.sum().item<double>() / static_cast<double>(element.numel());
    }
  }
  return sum;
}

double variogramError(
  const at::Tensor& values, const at::Tensor& x, const Frame& frame, bool phases)
{
  const at::Tensor drawn = toGrid(values, frame).contiguous(), data = toGrid(x, frame).contiguous();
  double uncorrelated = 2 * data.var(false).item<double>();
  if (phases)
  {
    uncorrelated = 1;
    for (double k = 0; k <= data.max().item<double>(); ++k)
    {
      uncorrelated -= std::pow(data.eq(k).to(at::kFloat).mean().item<double>(), 2);
    }
  }
  double wrong = 0, all = 0;
  // Denser where it changes.
  for (std::int64_t lag = 1; 2 * lag <= data.size(4); lag += 1 + lag / 4)
  {
    const double truth = ofVoxels(data, phases, lag);
    wrong += std::abs(ofVoxels(drawn, phases, lag) - truth);
    all += std::abs(uncorrelated - truth);
  }
  return wrong / std::max(all, 1e-12);
}

} // namespace vae
