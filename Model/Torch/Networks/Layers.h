// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Network.h"

#include <ATen/core/Generator.h>

#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>

// What networks are made of. Layers compute in the type of their input; their weights stay
// float32.
namespace vae
{

/// What has a weight and a bias. A training casts all of them at once, and lends the layers the
/// result: steps that learn read that and leave their gradients there.
class LayerImpl : public torch::nn::Module
{
public:
  void lend(at::Tensor ofWeight, at::Tensor ofBias)
  {
    this->WeightCopy = std::move(ofWeight);
    this->BiasCopy = std::move(ofBias);
  }

  at::Tensor weight, bias;
  double rate = 1; ///< the weight's learning rate, of the training's

protected:
  LayerImpl(at::Tensor w, at::Tensor b)
    : weight(this->register_parameter("weight", std::move(w)))
    , bias(this->register_parameter("bias", std::move(b)))
  {
  }
  at::Tensor weightIn(at::ScalarType type) const
  {
    return in(type, this->weight, this->WeightCopy);
  }
  at::Tensor biasIn(at::ScalarType type) const { return in(type, this->bias, this->BiasCopy); }

private:
  static at::Tensor in(at::ScalarType type, const at::Tensor& own, const at::Tensor& copy);

  at::Tensor WeightCopy, BiasCopy;
};

/// A convolution in two or three dimensions.
class ConvImpl : public LayerImpl
{
public:
  /// kernel 3: same size. kernel 2: half the size, or twice when transposed.
  ConvImpl(int dimensions, int in, int out, int kernel, bool transposed = false);
  at::Tensor forward(const at::Tensor& x) { return this->forward(x, {}); }
  /// Axes that are `wrapped` (none if empty) are padded with what comes round, not with zeros.
  at::Tensor forward(const at::Tensor& x, const std::vector<bool>& wrapped);
  /// As PyTorch does: uniform, bound 1/sqrt(fan in).
  void initialise(const at::Generator& generator);

private:
  std::vector<std::int64_t> Stride, Padding;
  bool Transposed;
};
TORCH_MODULE(Conv);

/// A fully connected layer, [batch, in] to [batch, out].
class DenseImpl : public LayerImpl
{
public:
  DenseImpl(std::int64_t in, std::int64_t out);
  at::Tensor forward(const at::Tensor& x);
  void initialise(const at::Generator& generator); ///< as Conv
};
TORCH_MODULE(Dense);

/// Layer normalisation over the channels of each cell (Ba, Kiros and Hinton 2016). It knows
/// nothing of other cells, so tiles stay exact; without it training with large steps diverges.
class CellNormImpl : public LayerImpl
{
public:
  explicit CellNormImpl(int channels);
  at::Tensor forward(const at::Tensor& x);
};
TORCH_MODULE(CellNorm);

///@{
/// Of a tensor that is not used again: in place, unless a gradient needs the old values.
at::Tensor activated(at::Tensor x);
at::Tensor added(at::Tensor x, const at::Tensor& y);
///@}

/// x + conv(silu(conv(silu(norm(x))))), identity at the start of training. Its convolutions learn
/// the more slowly the more inputs they have (Yang et al. 2021, Tensor Programs V): Adam moves all
/// weights equally far, their effects add up, and large steps would diverge.
class ResidualImpl : public torch::nn::Module
{
public:
  ResidualImpl(int dimensions, int channels);
  at::Tensor forward(const at::Tensor& x);

  CellNorm Norm;
  Conv First, Second;
};
TORCH_MODULE(Residual);

/// Drops from the borders of a tile what the layers to come no longer reach, so that a tile with
/// its halo costs little more than one without. Zeros that a convolution pads a tile with are
/// dropped before they matter; those at the volume's own borders, where there is no halo, stay.
class Trim
{
public:
  Trim() = default;                           ///< of no tile: drops nothing
  Trim(const Halo& halo, std::int64_t scale); ///< `scale`: cells of the tensor in a latent cell
  /// The tensor goes to twice the cells a latent cell, or half of them.
  void finer();
  void coarser();
  at::Tensor operator()(const at::Tensor& t, std::int64_t reach);

private:
  Halo Have; ///< in cells of the tensor
};

/// Residual blocks one after the other, registered with `owner` as name0, name1...
class Stack
{
public:
  Stack(torch::nn::Module& owner, const std::string& name, int dimensions, int channels, int count);
  /// `reach`: of the layers after it.
  at::Tensor forward(at::Tensor x, Trim& trim, std::int64_t reach);
  at::Tensor forward(at::Tensor x);

private:
  std::vector<Residual> Blocks;
};

/// Every layer of a module: PyTorch's initialisation, but residual blocks begin as the identity.
void initialiseLayers(torch::nn::Module& module, const at::Generator& generator);

} // namespace vae
