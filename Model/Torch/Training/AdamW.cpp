// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "AdamW.h"

#include "Torch/Networks/Layers.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <numeric>

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

/// Move tensors into one, of which they are views from then on.
at::Tensor moved(const std::vector<at::Tensor>& tensors)
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

} // namespace

AdamW::AdamW(const std::vector<at::Tensor>& parameters, torch::nn::Module& module,
  double weightDecay, at::ScalarType compute)
  : Places(parameters.size())
  , WeightDecay(weightDecay)
{
  std::vector<LayerImpl*> layers;
  for (const auto& part : module.modules())
  {
    if (auto* layer = dynamic_cast<LayerImpl*>(part.get()))
    {
      layers.push_back(layer);
    }
  }
  const auto indexOf = [&](const at::Tensor& own)
  {
    const auto at = std::find_if(
      parameters.begin(), parameters.end(), [&](const at::Tensor& p) { return p.is_same(own); });
    return static_cast<std::size_t>(at - parameters.begin());
  };
  std::vector<double> rates(parameters.size(), 1);
  for (const LayerImpl* layer : layers)
  {
    rates[indexOf(layer->weight)] = layer->rate;
  }
  std::vector<std::size_t> order(parameters.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(
    order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return rates[a] > rates[b]; });
  std::int64_t end = 0;
  for (const std::size_t i : order)
  {
    this->Places[i] = this->Parameters.size();
    this->Parameters.push_back(parameters[i]);
    if (this->Groups.empty() || this->Groups.back().rate != rates[i])
    {
      this->Groups.push_back({ end, 0, rates[i] });
    }
    const std::int64_t count = padded(parameters[i].numel());
    this->Groups.back().count += count;
    end += count;
  }

  this->All = moved(this->Parameters);
  this->Gradient = at::zeros_like(this->All);
  this->Gradients = viewsLike(this->Gradient, this->Parameters);
  this->First = at::zeros_like(this->All);
  this->Second = at::zeros_like(this->All);
  this->Steps = at::zeros({}, this->All.options());
  this->Copies.resize(this->Parameters.size());
  if (compute != at::kFloat)
  {
    const c10::NoGradGuard guard;
    this->AllCopied = at::empty(this->All.sizes(), this->All.options().dtype(compute));
    const std::vector<at::Tensor> views = viewsLike(this->AllCopied, this->Parameters);
    const auto copyOf = [&](const at::Tensor& own)
    {
      const std::size_t place = this->Places[indexOf(own)];
      this->Copies[place] = views[place].detach().requires_grad_();
      return this->Copies[place];
    };
    for (LayerImpl* layer : layers)
    {
      layer->lend(copyOf(layer->weight), copyOf(layer->bias));
    }
  }
}

void AdamW::begin()
{
  for (const auto& tensors : { this->Copies, this->Parameters })
  {
    for (at::Tensor t : tensors)
    {
      if (t.defined() && t.grad().defined())
      {
        t.mutable_grad().reset();
      }
    }
  }
  if (this->AllCopied.defined())
  {
    const c10::NoGradGuard guard;
    this->AllCopied.copy_(this->All);
  }
}

at::Tensor AdamW::sideBySide(const std::vector<at::Tensor>& others) const
{
  std::vector<at::Tensor> ordered(others.size());
  for (std::size_t i = 0; i < others.size(); ++i)
  {
    ordered[this->Places[i]] = others[i];
  }
  return moved(ordered);
}

std::vector<at::Tensor> AdamW::state() const
{
  std::vector<at::Tensor> all;
  for (const at::Tensor& moment : { this->First, this->Second })
  {
    const std::vector<at::Tensor> views = viewsLike(moment, this->Parameters);
    for (const std::size_t place : this->Places)
    {
      all.push_back(views[place]);
    }
  }
  all.push_back(this->Steps);
  return all;
}

void AdamW::collectGradients()
{
  std::vector<bool> written(this->Parameters.size(), false);
  // A layer may have read both, where it computes in two types. One launch of a GPU for each.
  for (const std::vector<at::Tensor>* tensors : { &this->Copies, &this->Parameters })
  {
    std::vector<at::Tensor> copyTo, copies, addTo, sums;
    for (std::size_t i = 0; i < tensors->size(); ++i)
    {
      if (at::Tensor from = (*tensors)[i]; from.defined() && from.grad().defined())
      {
        (written[i] ? addTo : copyTo).push_back(this->Gradients[i]);
        (written[i] ? sums : copies).push_back(from.grad());
        from.mutable_grad().reset();
        written[i] = true;
      }
    }
    if (!copies.empty())
    {
      at::_foreach_copy_(copyTo, copies);
    }
    if (!sums.empty())
    {
      at::_foreach_add_(addTo, sums);
    }
  }
  for (std::size_t i = 0; i < written.size(); ++i)
  {
    if (!written[i])
    {
      this->Gradients[i].zero_();
    }
  }
}

at::Tensor AdamW::step(const StepScalar& learningRate, double clip)
{
  const c10::NoGradGuard guard;
  this->collectGradients();
  // Nothing here asks what the norm is, for which a GPU would have to be waited for.
  const at::Tensor norm = at::linalg_vector_norm(this->Gradient);
  const at::Tensor wrong = (norm * 0).nan_to_num(/*nan=*/1); // 1 where the norm is not finite
  this->Gradient.mul_((clip / norm).clamp_max(1));
  this->Steps.add_(1 - wrong);
  for (const Group& group : this->Groups)
  {
    const auto part = [&](const at::Tensor& t) { return t.narrow(0, group.begin, group.count); };
    (learningRate * group.rate)
      .with([&](const auto& rate)
    {
      at::_fused_adamw_({ part(this->All) }, { part(this->Gradient) }, { part(this->First) },
        { part(this->Second) }, {}, { this->Steps }, rate, /*beta1=*/0.9, /*beta2=*/0.95,
        this->WeightDecay, /*eps=*/1e-8, /*amsgrad=*/false, /*maximize=*/false, /*grad_scale=*/{},
        /*found_inf=*/wrong);
    });
  }
  return norm;
}

} // namespace vae
