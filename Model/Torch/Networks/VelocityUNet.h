// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Layers.h"

namespace vae
{

/// Axes of a tensor, slowest first, along which a field's end meets its beginning.
using Wrapped = std::vector<bool>;

/// A residual block conditioned on the time, which scales and shifts its second normalisation
/// (Perez et al. 2018, feature-wise linear modulation).
class FlowBlockImpl : public torch::nn::Module
{
public:
  FlowBlockImpl(int dimensions, int channels, int times);
  at::Tensor forward(const at::Tensor& x, const at::Tensor& time, const Wrapped& wrapped);

  CellNorm FirstNorm, SecondNorm;
  Conv First, Second;
  Dense Modulation;
};
TORCH_MODULE(FlowBlock);

/// The velocity of a flow from noise (t = 0) to latent fields (t = 1): a small U-Net of two levels
/// over latent cells. It is conditioned on the local mean of the data and on the known latent
/// vectors (as Palette, Saharia et al. 2022: a network that was trained to fill needs no guidance).
/// It normalises over the channels of a cell only, so a field of any size is like the crops of the
/// training.
class VelocityUNet : public torch::nn::Module
{
public:
  VelocityUNet(int dimensions, int latentChannels, int width); ///< all weights zero
  /// How many numbers such a network has, without making it.
  static double parametersOf(int dimensions, std::int64_t latentChannels, std::int64_t width);

  void initialise(const at::Generator& generator);

  /// \param x [batch, latent channels, cells...], even sizes, in the type to compute in
  /// \param given [batch, latent channels + 2, cells...], see given()
  /// \param time [batch], float32, 0..1
  at::Tensor forward(
    const at::Tensor& x, const at::Tensor& given, const at::Tensor& time, const Wrapped& wrapped);

  /// The conditions of a field as channels.
  /// \param trend [batch, 1, cells...]: local mean, normalised
  /// \param latents [batch, latent channels, cells...]
  /// \param known [batch, 1, cells...]: 1 where the latents are known, 0 where not
  static at::Tensor given(
    const at::Tensor& trend, const at::Tensor& latents, const at::Tensor& known);

private:
  Dense TimeIn, TimeOut;
  Conv In, Down, Up, Out;
  CellNorm Last;
  std::vector<FlowBlock> Before, Middle, After;
};

} // namespace vae
