// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Model.h"
#include "Torch/Grid/Blocks.h"
#include "Torch/Losses/Likelihood.h"

// A decoder gives p(x|z) for each voxel. The likeliest value everywhere is too smooth; independent
// draws look like salt and pepper, because details that the latent vector lacks are still
// correlated between neighbours. A texture draws x from p(x|z) with normal noise of unit variance:
// white noise smoothed by a Gaussian, with a white part (a Gaussian copula, which keeps each
// voxel's own distribution, ObservationModel::drawn). The width is fitted to the training data's
// roughness; for phases both are fitted to roughness and Euler number.
namespace vae
{

struct NoiseShape
{
  double width = 0; ///< standard deviation of the Gaussian, voxels
  double white = 0; ///< part of the variance that is not smoothed, [0, 1]
};

/// Noise of a box of latent cells, folded as the decoder's values: [1, channels * fold^d,
/// cells...].
at::Tensor textureNoise(const Box& cells, const Frame& frame, const NoiseShape& shape,
  std::int64_t channels, const Texture& texture, const at::Device& device = at::kCPU);

/// Bytes that making the noise of one value of a voxel takes, at most: its place's hash, two
/// uniform numbers and what they are made of, in 64 bits, also for the voxels around a tile.
constexpr double TextureBytes = 40;

/// The width with which values drawn from `decoded` are as rough as `x`: as many neighbours of
/// different phases, or the same mean square difference of grey values. Both are folded, of a box
/// of `frame`'s cells. 0 where even the likeliest values are rougher than x.
double fitTexture(const at::Tensor& decoded, const at::Tensor& x, const Frame& frame,
  const ObservationModel& seen, bool phases);

/// Measures of the surface of phases.
struct SurfaceMeasure
{
  double faces = 0; ///< fraction of neighbouring voxels that differ: variogram()
  double euler = 0; ///< of the first phase, eulerDensity()
};

/// The noise with which values drawn from what was decoded, folded, of as many volumes, have on
/// average the data's `wanted` surface and Euler number: white noise adds specks to a phase, and
/// more width takes faces away. Where not both can be, a 25th of the faces weighs as much as a
/// quarter of the Euler number. Looked for near the width that `width` is, [0.78, 1.57] of it, with
/// up to a quarter of the variance white.
NoiseShape fitTexture(const std::vector<at::Tensor>& decoded, const SurfaceMeasure& wanted,
  double width, const Frame& frame, const ObservationModel& seen);

} // namespace vae
