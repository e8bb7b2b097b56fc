// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/core/Generator.h>

#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>

// What networks are made of. Layers compute in the type of their input; their weights stay
// float32.
namespace vae
{

/// A convolution in two or three dimensions.
class ConvImpl : public torch::nn::Module
{
public:
  /// kernel 3: same size. kernel 2: half the size, or twice when transposed.
  ConvImpl(int dimensions, int in, int out, int kernel, bool transposed = false);
  at::Tensor forward(const at::Tensor& x);
  /// As PyTorch does: uniform, bound 1/sqrt(fan in).
  void initialise(const at::Generator& generator);

  at::Tensor weight, bias;

private:
  std::vector<std::int64_t> Stride, Padding;
  bool Transposed;
};
TORCH_MODULE(Conv);

/// A fully connected layer, [batch, in] to [batch, out].
class DenseImpl : public torch::nn::Module
{
public:
  DenseImpl(std::int64_t in, std::int64_t out);
  at::Tensor forward(const at::Tensor& x);
  void initialise(const at::Generator& generator); ///< as Conv

  at::Tensor weight, bias;
};
TORCH_MODULE(Dense);

/// Layer normalisation over the channels of each cell (Ba, Kiros and Hinton 2016). It knows
/// nothing of other cells, so tiles stay exact; without it training with large steps diverges.
class CellNormImpl : public torch::nn::Module
{
public:
  explicit CellNormImpl(int channels);
  at::Tensor forward(const at::Tensor& x);

  at::Tensor weight, bias;
};
TORCH_MODULE(CellNorm);

/// x + conv(silu(conv(silu(norm(x))))), identity at the start of training.
class ResidualImpl : public torch::nn::Module
{
public:
  ResidualImpl(int dimensions, int channels);
  at::Tensor forward(const at::Tensor& x);

  CellNorm Norm;
  Conv First, Second;
};
TORCH_MODULE(Residual);

/// Residual blocks one after the other, registered with `owner` as name0, name1...
class Stack
{
public:
  Stack(torch::nn::Module& owner, const std::string& name, int dimensions, int channels, int count);
  at::Tensor forward(at::Tensor x);

private:
  std::vector<Residual> Blocks;
};

/// Every layer of a module: PyTorch's initialisation, but residual blocks begin as the identity.
void initialiseLayers(torch::nn::Module& module, const at::Generator& generator);

} // namespace vae
