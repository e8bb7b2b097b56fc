// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Model.h"

// Points, lines and arcs in the space of latent fields. Only means are looked at: results have no
// log variance.
namespace vae
{

/// The mean of each channel everywhere.
Latent meanField(const Dims& dims, const std::vector<LatentStatistics>& statistics);

/// z + offsets[c] * stddev_c in every cell of channel c; offsets may be fewer than the channels.
/// \throws std::invalid_argument if they are more
Latent shifted(Latent latent, const std::vector<double>& offsets,
  const std::vector<LatentStatistics>& statistics);

/// (1 - t) a + t b. Between independent fields the standard deviation falls to 1/sqrt(2) on the
/// way.
Latent lerp(const Latent& a, const Latent& b, double t);

/// The same of LatentSample::thresholds, of which missing ones are 0.
std::vector<double> lerp(const std::vector<double>& a, const std::vector<double>& b, double t);

/// Spherical interpolation (Shoemake 1985; White 2016 for latents) of the deviations from the mean
/// m of each channel, over the whole vector of cells and channels:
///   u = a - m, v = b - m, theta = acos(u.v / (|u||v|)),
///   z = m + sin((1 - t) theta) / sin theta * u + sin(t theta) / sin theta * v.
/// Independent fields are nearly orthogonal, so their standard deviation is kept all the way. It is
/// the deviation that turns, not z: latents here do not have mean zero, and a mean is not to be
/// stretched. Linear where u and v are parallel, or one of them is zero.
Latent slerp(
  const Latent& a, const Latent& b, double t, const std::vector<LatentStatistics>& statistics);

} // namespace vae
