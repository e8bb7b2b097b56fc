// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Torch/Grid/Boxes.h"
#include "Torch/Losses/Likelihood.h"
#include "Torch/Networks/Network.h"
#include "Torch/Runtime/Device.h"

namespace vae
{

/// Known voxels of a volume, and the latent cells that they constrain.
class Conditioning
{
public:
  /// \param known has a mask that is not 0 where its values are known
  Conditioning(const ModelInfo& info, const Frame& frame, const Volume& known);

  /// Fraction of the voxels of each latent cell that are known, [z, y, x].
  const at::Tensor& fractions() const { return this->Fractions; }

  /// Optimise the latent vectors within one cell of the mask's boundary so that the decoder
  /// reproduces the known voxels: gradient descent on -log p(x|z) of the known voxels, with a
  /// penalty on the distance from the initial vectors, in posterior standard deviations.
  /// \param field [channels, z, y, x] with `margin` cells more on each side; changed in place
  /// \param width of the posterior of each channel, [channels]
  /// \param thresholds see LatentSample::thresholds
  void refineLatents(const at::Tensor& field, std::int64_t margin, const at::Tensor& width,
    const std::vector<double>& thresholds, Network& network, const ComputeDevice& place,
    const Monitor& monitor) const;

private:
  ///@{
  /// Of a box of cells, folded. Of the mask 1 is known, 0 is not.
  at::Tensor data(const Box& box) const;
  at::Tensor mask(const Box& box) const;
  ///@}

  const ModelInfo& Info;
  const Frame& Grid;
  const Volume& Known;
  Volume Mask;
  at::Tensor Fractions;
};

} // namespace vae
