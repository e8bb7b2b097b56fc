// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Torch/Grid/Blocks.h"

// Two-point statistics, and the Euler number, of folded values [batch, channels * fold^d,
// cells...], as they lie in the volume.
namespace vae
{

/// Of pairs of voxels that are `lag` apart along an axis: the fraction that differs (phases), or
/// the mean square of their difference (grey values); mean over the axes that are longer. For an
/// indicator it is 2 (phi - S2(lag)), for grey values twice the semivariogram.
double variogram(const at::Tensor& values, const Frame& frame, bool phases, std::int64_t lag);

/// Euler number a voxel of where values are 0, voxels that share a face being connected: vertices
/// in their middles, less the edges between them, plus squares, less cubes, each kind per place
/// that it could have in the box, so that the box's border has no part in it.
double eulerDensity(const at::Tensor& values, const Frame& frame);

/// How far the variogram of values is from that of data x, over lags up to half of it: the summed
/// absolute difference over the data's own summed distance from uncorrelated. With equal fractions
/// it is the error of the two-point probability S2.
double variogramError(
  const at::Tensor& values, const at::Tensor& x, const Frame& frame, bool phases);

} // namespace vae
