// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "AdamW.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/core/GradMode.h>

#include <cmath>

namespace vae
{

AdamW::AdamW(std::vector<at::Tensor> parameters, double weightDecay)
  : Parameters(std::move(parameters))
  , WeightDecay(weightDecay)
{
  for (const at::Tensor& p : this->Parameters)
  {
    this->First.push_back(at::zeros_like(p));
    this->Second.push_back(at::zeros_like(p));
    this->Steps.push_back(at::zeros({}, p.options()));
  }
}

std::vector<at::Tensor> AdamW::state() const
{
  std::vector<at::Tensor> all = this->First;
  all.insert(all.end(), this->Second.begin(), this->Second.end());
  all.insert(all.end(), this->Steps.begin(), this->Steps.end());
  return all;
}

double AdamW::step(double learningRate, double clip)
{
  const c10::NoGradGuard guard;
  std::vector<at::Tensor> gradients;
  for (const at::Tensor& p : this->Parameters)
  {
    gradients.push_back(p.grad().defined() ? p.grad() : at::zeros_like(p));
  }
  const double norm =
    at::linalg_vector_norm(at::stack(at::_foreach_norm(gradients))).item<double>();
  if (std::isfinite(norm))
  {
    if (norm > clip)
    {
      at::_foreach_mul_(gradients, clip / norm);
    }
    at::_foreach_add_(this->Steps, 1);
    at::_fused_adamw_(this->Parameters, gradients, this->First, this->Second, {}, this->Steps,
      learningRate, /*beta1=*/0.9, /*beta2=*/0.95, this->WeightDecay, /*eps=*/1e-8,
      /*amsgrad=*/false, /*maximize=*/false);
  }
  for (at::Tensor& p : this->Parameters)
  {
    p.mutable_grad().reset();
  }
  return norm;
}

} // namespace vae
