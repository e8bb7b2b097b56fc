// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Layers.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>

namespace vae
{

namespace
{

at::Tensor noKernel(int dimensions, int in, int out, int kernel, bool transposed)
{
  std::vector<std::int64_t> shape{ transposed ? in : out, transposed ? out : in };
  shape.insert(shape.end(), static_cast<std::size_t>(dimensions), kernel);
  const auto format =
    dimensions == 3 ? at::MemoryFormat::ChannelsLast3d : at::MemoryFormat::ChannelsLast;
  return at::zeros(shape).contiguous(format);
}

} // namespace

at::Tensor LayerImpl::in(at::ScalarType type, const at::Tensor& own, const at::Tensor& copy)
{
  return copy.defined() && copy.scalar_type() == type && c10::GradMode::is_enabled() ? copy
                                                                                     : own.to(type);
}

ConvImpl::ConvImpl(int dimensions, int in, int out, int kernel, bool transposed)
  : LayerImpl(noKernel(dimensions, in, out, kernel, transposed), at::zeros({ out }))
  , Stride(static_cast<std::size_t>(dimensions), kernel == 2 ? 2 : 1)
  , Padding(static_cast<std::size_t>(dimensions), kernel == 3 ? 1 : 0)
  , Transposed(transposed)
{
}

at::Tensor ConvImpl::forward(const at::Tensor& x, const std::vector<bool>& wrapped)
{
  const std::vector<std::int64_t> ones(this->Stride.size(), 1), zeros(this->Stride.size(), 0);
  std::vector<std::int64_t> padding = this->Padding;
  at::Tensor in = x;
  for (std::size_t a = 0; a < wrapped.size(); ++a)
  {
    if (wrapped[a] && padding[a] > 0)
    {
      const auto axis = static_cast<std::int64_t>(a) + 2, n = in.size(axis);
      const at::Tensor round =
        at::arange(-padding[a], n + padding[a], in.options().dtype(at::kLong)).remainder(n);
      in = in.index_select(axis, round);
      padding[a] = 0;
    }
  }
  // oneDNN's bfloat16 convolution of a volume of one cell's thickness reads memory that nobody has
  // written where the channels are odd in number, and its weights' gradient does so with two cells
  // (LibTorch 2.6: not-a-numbers come out).
  const bool thin = in.dim() == 5 && in.size(2) <= 2 && in.scalar_type() == at::kBFloat16;
  const at::ScalarType type = thin ? at::kFloat : x.scalar_type();
  return at::convolution(in.to(type), this->weightIn(type), this->biasIn(type), this->Stride,
    padding, ones, this->Transposed, zeros, 1)
    .to(x.scalar_type());
}

void ConvImpl::initialise(const at::Generator& generator)
{
  const c10::NoGradGuard guard;
  // The fan in that torch.nn.init counts: second extent times the kernel.
  const double fan = static_cast<double>(this->weight[0].numel());
  const double bound = 1 / std::sqrt(fan);
  this->weight.uniform_(-bound, bound, generator);
  this->bias.uniform_(-bound, bound, generator);
}

DenseImpl::DenseImpl(std::int64_t in, std::int64_t out)
  : LayerImpl(at::zeros({ out, in }), at::zeros({ out }))
{
}

at::Tensor DenseImpl::forward(const at::Tensor& x)
{
  return at::linear(x, this->weightIn(x.scalar_type()), this->biasIn(x.scalar_type()));
}

void DenseImpl::initialise(const at::Generator& generator)
{
  const c10::NoGradGuard guard;
  const double bound = 1 / std::sqrt(static_cast<double>(this->weight.size(1)));
  this->weight.uniform_(-bound, bound, generator);
  this->bias.uniform_(-bound, bound, generator);
}

CellNormImpl::CellNormImpl(int channels)
  : LayerImpl(at::ones({ channels }), at::zeros({ channels }))
{
}

at::Tensor CellNormImpl::forward(const at::Tensor& x)
{
  // Channels last in memory, so that this is a view and the kernel runs over neighbours.
  const at::Tensor last = x.movedim(1, -1);
  return at::layer_norm(
    last, { last.size(-1) }, this->weightIn(x.scalar_type()), this->biasIn(x.scalar_type()))
    .movedim(-1, 1);
}

ResidualImpl::ResidualImpl(int dimensions, int channels)
  : Norm(this->register_module("norm", CellNorm(channels)))
  , First(this->register_module("first", Conv(dimensions, channels, channels, 3)))
  , Second(this->register_module("second", Conv(dimensions, channels, channels, 3)))
{
  constexpr double most = 128; // inputs, at the full rate
  for (Conv conv : { this->First, this->Second })
  {
    conv->rate = std::min(1., most / static_cast<double>(conv->weight[0].numel()));
  }
}

at::Tensor activated(at::Tensor x)
{
  return c10::GradMode::is_enabled() ? at::silu(x) : at::silu_(x);
}

at::Tensor added(at::Tensor x, const at::Tensor& y)
{
  return c10::GradMode::is_enabled() ? x + y : x.add_(y);
}

at::Tensor ResidualImpl::forward(const at::Tensor& x)
{
  return added(
    this->Second->forward(activated(this->First->forward(activated(this->Norm->forward(x))))), x);
}

Stack::Stack(
  torch::nn::Module& owner, const std::string& name, int dimensions, int channels, int count)
{
  for (int i = 0; i < count; ++i)
  {
    this->Blocks.push_back(
      owner.register_module(name + std::to_string(i), Residual(dimensions, channels)));
  }
}

Trim::Trim(const Halo& halo, std::int64_t scale) : Have(halo)
{
  for (std::vector<std::int64_t>* side : { &this->Have.low, &this->Have.high })
  {
    for (std::int64_t& n : *side)
    {
      n *= scale;
    }
  }
}

void Trim::finer()
{
  for (std::size_t a = 0; a < this->Have.low.size(); ++a)
  {
    this->Have.low[a] *= 2;
    this->Have.high[a] *= 2;
  }
}

void Trim::coarser()
{
  for (std::size_t a = 0; a < this->Have.low.size(); ++a)
  {
    this->Have.low[a] /= 2;
    this->Have.high[a] /= 2;
  }
}

at::Tensor Trim::operator()(const at::Tensor& t, std::int64_t reach)
{
  at::Tensor part = t;
  for (std::size_t a = 0; a < this->Have.low.size(); ++a)
  {
    const auto axis = static_cast<std::int64_t>(a) + 2;
    const std::int64_t low = std::max<std::int64_t>(0, this->Have.low[a] - reach),
                       high = std::max<std::int64_t>(0, this->Have.high[a] - reach);
    part = part.narrow(axis, low, part.size(axis) - low - high);
    this->Have.low[a] -= low;
    this->Have.high[a] -= high;
  }
  return part;
}

at::Tensor Stack::forward(at::Tensor x, Trim& trim, std::int64_t reach)
{
  auto left = static_cast<std::int64_t>(this->Blocks.size());
  for (Residual& block : this->Blocks)
  {
    x = trim(block->forward(x), reach + 2 * --left);
  }
  return x;
}

at::Tensor Stack::forward(at::Tensor x)
{
  for (Residual& block : this->Blocks)
  {
    x = block->forward(x);
  }
  return x;
}

void initialiseLayers(torch::nn::Module& module, const at::Generator& generator)
{
  for (const auto& layer : module.modules(/*include_self=*/false))
  {
    if (auto* conv = layer->as<ConvImpl>())
    {
      conv->initialise(generator);
    }
    else if (auto* dense = layer->as<DenseImpl>())
    {
      dense->initialise(generator);
    }
  }
  const c10::NoGradGuard guard;
  for (const auto& layer : module.modules(/*include_self=*/false))
  {
    if (auto* residual = layer->as<ResidualImpl>())
    {
      residual->Second->weight.zero_();
      residual->Second->bias.zero_();
    }
  }
}

} // namespace vae
