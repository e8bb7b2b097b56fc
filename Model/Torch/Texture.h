// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "../Model.h"
#include "Blocks.h"
#include "Likelihood.h"

// A decoder gives p(x|z), voxel by voxel. The likeliest value everywhere is too smooth, a draw for
// each voxel by itself is salt and pepper: what the latent vector does not tell is still alike in
// neighbouring voxels. A texture draws x from p(x|z) with normal noise of unit variance that is
// white noise smoothed by a Gaussian (a Gaussian copula: each voxel's own distribution stays what
// the decoder says, Observation::drawn). Its width is the one that gives the training data's
// roughness back.
namespace vae
{

/// Noise of a box of latent cells, folded as the decoder's values: [1, channels * fold^d,
/// cells...].
/// \param width standard deviation of the Gaussian, voxels
at::Tensor textureNoise(const Box& cells, const Frame& frame, double width, std::int64_t channels,
  const Texture& texture, const at::Device& device = at::kCPU);

/// The width with which values drawn from `decoded` differ from one voxel to the next as `x` does:
/// phases in as many pairs, grey values by the same mean square. Both are folded, of a box of
/// `frame`'s cells. 0 where even the likeliest values are rougher than x.
double fitTexture(const at::Tensor& decoded, const at::Tensor& x, const Frame& frame,
  const Observation& seen, bool phases);

} // namespace vae
