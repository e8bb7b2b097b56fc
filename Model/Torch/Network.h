// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "../Options.h"

#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>

namespace vae
{

/// A convolution in two or three dimensions. It computes in the type of its input; its
/// weights stay float32.
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

/// Fully convolutional encoder and decoder over folded space, without normalisation over
/// space, so that blocks with the true halo equal the whole. Input and output are
/// [batch, channels * fold^d, size / fold...], latents [batch, latent, size / (2 fold)...].
class NetworkImpl : public torch::nn::Module
{
public:
  explicit NetworkImpl(const NetworkOptions& options); ///< all weights zero
  void initialise(const at::Generator& generator);

  struct Posterior
  {
    at::Tensor mean, logVariance; ///< float32
  };
  Posterior encode(const at::Tensor& folded);
  at::Tensor decode(const at::Tensor& latent); ///< in the type of the input

  /// Cells of the latent field within which an input voxel, or a latent cell, has influence.
  int encodeHalo() const
  {
    return (1 + 2 * this->Options.blocks + 1) / 2 + 2 * this->Options.blocks + 1;
  }
  int decodeHalo() const
  {
    return 1 + 2 * this->Options.blocks + (2 * this->Options.blocks + 3 + 1) / 2;
  }

private:
  NetworkOptions Options;
  Conv Stem, Down, Head, Foot, Up, Out;
  std::vector<Residual> EncodeFine, EncodeCoarse, DecodeCoarse, DecodeFine;
};
TORCH_MODULE(Network);

/// Largest and smallest log variance a posterior may have.
constexpr double MinimumLogVariance = -12, MaximumLogVariance = 6;
constexpr double InitialLogVariance = -4;

} // namespace vae
