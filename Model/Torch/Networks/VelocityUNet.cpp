// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "VelocityUNet.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/core/GradMode.h>

#include <cmath>

namespace vae
{
namespace
{

constexpr int Frequencies = 32, Times = 128;
constexpr double LargestFrequency = 1000;

/// [batch] to [batch, 2 * Frequencies]: sines and cosines (Vaswani et al. 2017).
at::Tensor waves(const at::Tensor& time)
{
  const at::Tensor f =
    at::exp(at::linspace(0, std::log(LargestFrequency), Frequencies, time.options()));
  const at::Tensor phase = time.unsqueeze(1) * f;
  return at::cat({ phase.sin(), phase.cos() }, 1);
}

} // namespace

FlowBlockImpl::FlowBlockImpl(int dimensions, int channels, int times)
  : FirstNorm(this->register_module("norm1", CellNorm(channels)))
  , SecondNorm(this->register_module("norm2", CellNorm(channels)))
  , First(this->register_module("conv1", Conv(dimensions, channels, channels, 3)))
  , Second(this->register_module("conv2", Conv(dimensions, channels, channels, 3)))
  , Modulation(this->register_module("time", Dense(times, 2 * channels)))
{
}

at::Tensor FlowBlockImpl::forward(
  const at::Tensor& x, const at::Tensor& time, const Wrapped& wrapped)
{
  const at::Tensor h = this->SecondNorm->forward(
    this->First->forward(activated(this->FirstNorm->forward(x)), wrapped));
  std::vector<std::int64_t> shape{ time.size(0), -1 };
  shape.resize(static_cast<std::size_t>(x.dim()), 1);
  const auto both = this->Modulation->forward(time).to(x.scalar_type()).chunk(2, 1);
  return added(this->Second->forward(
                 activated(at::addcmul(both[1].view(shape), h, both[0].view(shape) + 1)), wrapped),
    x);
}

VelocityUNet::VelocityUNet(int dimensions, int latentChannels, int width)
  : TimeIn(this->register_module("time_in", Dense(2 * Frequencies, Times)))
  , TimeOut(this->register_module("time_out", Dense(Times, Times)))
  , In(this->register_module("in", Conv(dimensions, 2 * latentChannels + 2, width, 3)))
  , Down(this->register_module("down", Conv(dimensions, width, 2 * width, 2)))
  , Up(this->register_module("up", Conv(dimensions, 2 * width, width, 2, true)))
  , Out(this->register_module("out", Conv(dimensions, width, latentChannels, 3)))
  , Last(this->register_module("norm", CellNorm(width)))
{
  const auto add =
    [&](std::vector<FlowBlock>& blocks, const std::string& name, int channels, int count)
  {
    for (int i = 0; i < count; ++i)
    {
      blocks.push_back(
        this->register_module(name + std::to_string(i), FlowBlock(dimensions, channels, Times)));
    }
  };
  add(this->Before, "before", width, 2);
  add(this->Middle, "middle", 2 * width, 4);
  add(this->After, "after", width, 2);
}

double VelocityUNet::parametersOf(int dimensions, std::int64_t latentChannels, std::int64_t width)
{
  const double kernel = std::pow(3, dimensions), half = std::pow(2, dimensions);
  const auto latent = static_cast<double>(latentChannels), fine = static_cast<double>(width),
             coarse = 2 * fine;
  const auto layer = [](double in, double out, double taps) { return in * out * taps + out; };
  const auto block = [&](double channels)
  { return 2 * layer(channels, channels, kernel) + 4 * channels + layer(Times, 2 * channels, 1); };
  return layer(2 * Frequencies, Times, 1) + layer(Times, Times, 1) +
    layer(2 * latent + 2, fine, kernel) + layer(fine, coarse, half) + layer(coarse, fine, half) +
    layer(fine, latent, kernel) + 2 * fine + 4 * block(fine) + 4 * block(coarse);
}

void VelocityUNet::initialise(const at::Generator& generator)
{
  initialiseLayers(*this, generator);
  const c10::NoGradGuard guard;
  for (const std::vector<FlowBlock>* blocks : { &this->Before, &this->Middle, &this->After })
  {
    for (const FlowBlock& block : *blocks) // begin as the identity
    {
      block->Second->weight.zero_();
      block->Second->bias.zero_();
    }
  }
}

at::Tensor VelocityUNet::given(
  const at::Tensor& trend, const at::Tensor& latents, const at::Tensor& known)
{
  return at::cat({ trend, latents * known, known }, 1);
}

at::Tensor VelocityUNet::forward(
  const at::Tensor& x, const at::Tensor& given, const at::Tensor& time, const Wrapped& wrapped)
{
  const at::Tensor t =
    activated(this->TimeOut->forward(activated(this->TimeIn->forward(waves(time)))));
  at::Tensor fine = this->In->forward(at::cat({ x, given }, 1), wrapped);
  for (FlowBlock& block : this->Before)
  {
    fine = block->forward(fine, t, wrapped);
  }
  at::Tensor coarse = this->Down->forward(fine);
  for (FlowBlock& block : this->Middle)
  {
    coarse = block->forward(coarse, t, wrapped);
  }
  at::Tensor h = added(this->Up->forward(coarse), fine);
  for (FlowBlock& block : this->After)
  {
    h = block->forward(h, t, wrapped);
  }
  return this->Out->forward(activated(this->Last->forward(h)), wrapped);
}

} // namespace vae
