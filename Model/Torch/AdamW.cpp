// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "AdamW.h"

#include "Networks/Layers.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/core/GradMode.h>

#include <algorithm>

namespace vae
{
namespace
{

/// Where a tensor of so many elements ends: the next begins at a multiple of 64 bytes, also of
/// bfloat16, as kernels expect of tensors.
std::int64_t padded(std::int64_t count) { return (count + 31) / 32 * 32; }

/// Views of a tensor, shaped and laid out like some tensors side by side.
std::vector<at::Tensor> viewsLike(const at::Tensor& all, const std::vector<at::Tensor>& tensors)
{
  std::vector<at::Tensor> views;
  std::int64_t at = 0;
  for (const at::Tensor& t : tensors)
  {
    const at::Tensor part = all.narrow(0, at, t.numel());
    views.push_back(t.is_non_overlapping_and_dense() ? part.as_strided(t.sizes(), t.strides())
                                                     : part.view(t.sizes()));
    at += padded(t.numel());
  }
  return views;
}

} // namespace

at::Tensor sideBySide(const std::vector<at::Tensor>& tensors)
{
  const c10::NoGradGuard guard;
  std::int64_t count = 0;
  for (const at::Tensor& t : tensors)
  {
    count += padded(t.numel());
  }
  const at::Tensor all = at::zeros({ count }, tensors.front().options().requires_grad(false));
  const std::vector<at::Tensor> views = viewsLike(all, tensors);
  for (std::size_t i = 0; i < tensors.size(); ++i)
  {
    views[i].copy_(tensors[i]);
    at::Tensor(tensors[i]).set_data(views[i]);
  }
  return all;
}

AdamW::AdamW(std::vector<at::Tensor> parameters, double weightDecay)
  : Parameters(std::move(parameters))
  , Copies(this->Parameters.size())
  , All(sideBySide(this->Parameters))
  , Gradient(at::zeros_like(this->All))
  , First(at::zeros_like(this->All))
  , Second(at::zeros_like(this->All))
  , Steps(at::zeros({}, this->All.options()))
  , WeightDecay(weightDecay)
{
  this->Gradients = viewsLike(this->Gradient, this->Parameters);
}

void AdamW::lendCopies(torch::nn::Module& module, at::ScalarType compute)
{
  if (compute == at::kFloat)
  {
    return;
  }
  const c10::NoGradGuard guard;
  this->AllCopied = at::empty(this->All.sizes(), this->All.options().dtype(compute));
  const std::vector<at::Tensor> views = viewsLike(this->AllCopied, this->Parameters);
  const auto copyOf = [&](const at::Tensor& own)
  {
    const auto at = std::find_if(this->Parameters.begin(), this->Parameters.end(),
      [&](const at::Tensor& p) { return p.is_same(own); });
    const auto i = static_cast<std::size_t>(at - this->Parameters.begin());
    this->Copies[i] = views[i].detach().requires_grad_();
    return this->Copies[i];
  };
  for (const auto& part : module.modules())
  {
    if (auto* layer = dynamic_cast<LayerImpl*>(part.get()))
    {
      layer->lend(copyOf(layer->weight), copyOf(layer->bias));
    }
  }
}

void AdamW::refreshCopies()
{
  if (this->AllCopied.defined())
  {
    const c10::NoGradGuard guard;
    this->AllCopied.copy_(this->All);
  }
}

std::vector<at::Tensor> AdamW::state() const
{
  std::vector<at::Tensor> all = viewsLike(this->First, this->Parameters);
  const std::vector<at::Tensor> second = viewsLike(this->Second, this->Parameters);
  all.insert(all.end(), second.begin(), second.end());
  all.push_back(this->Steps);
  return all;
}

at::Tensor AdamW::step(double learningRate, double clip)
{
  const c10::NoGradGuard guard;
  for (std::size_t i = 0; i < this->Parameters.size(); ++i)
  {
    bool none = true; // a layer may have read both, where it computes in two types
    for (at::Tensor from : { this->Copies[i], this->Parameters[i] })
    {
      if (from.defined() && from.grad().defined())
      {
        none ? this->Gradients[i].copy_(from.grad()) : this->Gradients[i].add_(from.grad());
        from.mutable_grad().reset();
        none = false;
      }
    }
    if (none)
    {
      this->Gradients[i].zero_();
    }
  }
  // Nothing here asks what the norm is, for which a GPU would have to be waited for.
  const at::Tensor norm = at::linalg_vector_norm(this->Gradient);
  const at::Tensor wrong = at::isfinite(norm).logical_not().to(at::kFloat);
  this->Gradient.mul_((clip / norm).clamp_max(1));
  this->Steps.add_(1 - wrong);
  at::_fused_adamw_({ this->All }, { this->Gradient }, { this->First }, { this->Second }, {},
    { this->Steps }, learningRate, /*beta1=*/0.9, /*beta2=*/0.95, this->WeightDecay,
    /*eps=*/1e-8, /*amsgrad=*/false, /*maximize=*/false, /*grad_scale=*/{}, /*found_inf=*/wrong);
  return norm;
}

} // namespace vae
