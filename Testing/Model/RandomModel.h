// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Torch/Inference/TorchModel.h"
#include "Volumes.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/core/GradMode.h>

namespace test
{

/// A model with random weights, the residual branches included.
inline std::shared_ptr<vae::TorchModel> randomModel(const vae::Volume& volume, int dimensions,
  int blocks, int stride = 8, vae::Likelihood likelihood = vae::Likelihood::Gaussian)
{
  vae::ModelInfo info;
  info.network.dimensions = dimensions;
  info.network.width = 16;
  info.network.blocks = blocks;
  info.network.latentStride = stride;
  info.network.latentChannels = 3;
  info.network.channels = static_cast<int>(volume.channels.size());
  info.likelihood = likelihood;
  info.trainingDims = volume.dims;
  for (const vae::Channel& c : volume.channels)
  {
    vae::ChannelInfo channel;
    channel.array = c.array;
    channel.type = c.type;
    channel.minimum = -100;
    channel.maximum = 100;
    if (likelihood == vae::Likelihood::Bernoulli)
    {
      channel.phases = { 0, 1 };
      channel.fractions = { 0.5, 0.5 };
    }
    info.channels.push_back(channel);
    info.sigma.push_back(1);
  }
  vae::NetworkPtr network = vae::makeNetwork(info.network);
  const c10::NoGradGuard guard;
  at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(5);
  for (at::Tensor& p : network->parameters())
  {
    p.uniform_(-0.08, 0.08, generator);
  }
  return std::make_shared<vae::TorchModel>(std::move(info), std::move(network));
}

inline std::vector<float> noise(std::int64_t n)
{
  at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(3);
  const at::Tensor t = at::randn({ n }, generator);
  return { t.const_data_ptr<float>(), t.const_data_ptr<float>() + n };
}

} // namespace test
