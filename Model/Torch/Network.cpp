// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Network.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/core/GradMode.h>

#include <cmath>

namespace vae
{

ConvImpl::ConvImpl(int dimensions, int in, int out, int kernel, bool transposed)
  : Stride(static_cast<std::size_t>(dimensions), kernel == 2 ? 2 : 1)
  , Padding(static_cast<std::size_t>(dimensions), kernel == 3 ? 1 : 0)
  , Transposed(transposed)
{
  std::vector<std::int64_t> shape{ transposed ? in : out, transposed ? out : in };
  shape.insert(shape.end(), static_cast<std::size_t>(dimensions), kernel);
  const auto format =
    dimensions == 3 ? at::MemoryFormat::ChannelsLast3d : at::MemoryFormat::ChannelsLast;
  this->weight = this->register_parameter("weight", at::zeros(shape).contiguous(format));
  this->bias = this->register_parameter("bias", at::zeros({ out }));
}

at::Tensor ConvImpl::forward(const at::Tensor& x)
{
  const std::vector<std::int64_t> ones(this->Stride.size(), 1), zeros(this->Stride.size(), 0);
  return at::convolution(x, this->weight.to(x.scalar_type()), this->bias.to(x.scalar_type()),
    this->Stride, this->Padding, ones, this->Transposed, zeros, 1);
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

CellNormImpl::CellNormImpl(int channels)
  : weight(this->register_parameter("weight", at::ones({ channels })))
  , bias(this->register_parameter("bias", at::zeros({ channels })))
{
}

at::Tensor CellNormImpl::forward(const at::Tensor& x)
{
  // Channels last in memory, so that this is a view and the kernel runs over neighbours.
  const at::Tensor last = x.movedim(1, -1);
  return at::layer_norm(
    last, { last.size(-1) }, this->weight.to(x.scalar_type()), this->bias.to(x.scalar_type()))
    .movedim(-1, 1);
}

ResidualImpl::ResidualImpl(int dimensions, int channels)
  : Norm(this->register_module("norm", CellNorm(channels)))
  , First(this->register_module("first", Conv(dimensions, channels, channels, 3)))
  , Second(this->register_module("second", Conv(dimensions, channels, channels, 3)))
{
}

at::Tensor ResidualImpl::forward(const at::Tensor& x)
{
  return x +
    this->Second->forward(at::silu(this->First->forward(at::silu(this->Norm->forward(x)))));
}

namespace
{

int folded(const NetworkOptions& o)
{
  return o.channels * static_cast<int>(std::lround(std::pow(o.fold, o.dimensions)));
}

at::Tensor run(std::vector<Residual>& blocks, at::Tensor x)
{
  for (Residual& block : blocks)
  {
    x = block->forward(x);
  }
  return x;
}

} // namespace

NetworkImpl::NetworkImpl(const NetworkOptions& o)
  : Options(o)
  , Stem(this->register_module("encoder_stem", Conv(o.dimensions, folded(o), o.width, 3)))
  , Down(this->register_module("encoder_down", Conv(o.dimensions, o.width, 2 * o.width, 2)))
  , Head(this->register_module(
      "encoder_head", Conv(o.dimensions, 2 * o.width, 2 * o.latentChannels, 3)))
  , Foot(
      this->register_module("decoder_foot", Conv(o.dimensions, o.latentChannels, 2 * o.width, 3)))
  , Up(this->register_module("decoder_up", Conv(o.dimensions, 2 * o.width, o.width, 2, true)))
  , Out(this->register_module("decoder_out", Conv(o.dimensions, o.width, folded(o), 3)))
{
  const auto add = [&](std::vector<Residual>& list, const char* name, int channels, int count)
  {
    for (int i = 0; i < count; ++i)
    {
      list.push_back(
        this->register_module(name + std::to_string(i), Residual(o.dimensions, channels)));
    }
  };
  add(this->EncodeFine, "encoder_fine", o.width, o.blocks);
  add(this->EncodeCoarse, "encoder_coarse", 2 * o.width, o.blocks);
  add(this->DecodeCoarse, "decoder_coarse", 2 * o.width, o.blocks);
  add(this->DecodeFine, "decoder_fine", o.width, o.blocks + 1);
}

void NetworkImpl::initialise(const at::Generator& generator)
{
  for (const auto& module : this->modules(/*include_self=*/false))
  {
    if (auto* residual = module->as<ResidualImpl>())
    {
      residual->First->initialise(generator); // the second stays zero: identity at first
    }
  }
  for (Conv* conv : { &this->Stem, &this->Down, &this->Head, &this->Foot, &this->Up, &this->Out })
  {
    (*conv)->initialise(generator);
  }
  // Posteriors start narrow: while the KL term is still ramped up, noise of unit variance would
  // teach the decoder to ignore the latents, and small batches then never recover.
  const c10::NoGradGuard guard;
  this->Head->bias.narrow(0, this->Options.latentChannels, this->Options.latentChannels)
    .fill_(InitialLogVariance);
}

NetworkImpl::Posterior NetworkImpl::encode(const at::Tensor& x)
{
  at::Tensor h = run(this->EncodeFine, this->Stem->forward(x));
  h = run(this->EncodeCoarse, this->Down->forward(at::silu(h)));
  const at::Tensor both = this->Head->forward(at::silu(h)).to(at::kFloat);
  const std::vector<at::Tensor> parts = both.chunk(2, 1);
  return { parts[0], parts[1].clamp(MinimumLogVariance, MaximumLogVariance) };
}

at::Tensor NetworkImpl::decode(const at::Tensor& z)
{
  at::Tensor h = run(this->DecodeCoarse, this->Foot->forward(z));
  h = run(this->DecodeFine, this->Up->forward(at::silu(h)));
  return this->Out->forward(at::silu(h));
}

} // namespace vae
