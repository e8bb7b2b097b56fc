// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Statistics/Mask.h"
#include "Statistics/Radial.h"

namespace vae
{

/// The next size, from n on, that a fast Fourier transform likes: a product of 2, 3 and 5.
std::int64_t goodFftSize(std::int64_t n);

/// Radial S2 by fast Fourier transforms: the autocorrelation of the mask, padded by maximumLag
/// voxels of zeros and divided by the number of pairs inside the volume, or periodic.
/// float32: about 1e-7 in S2. Memory: 8 bytes a voxel of the padded volume along y and half of x,
/// about 0.4 GB for 400^3 voxels and 100 lags.
/// \param maximumLag voxels of the smallest spacing, less than the smallest side (half of it when
/// periodic)
statistics::RadialS2 radialS2(const statistics::Mask& mask, std::int64_t maximumLag, bool periodic,
  const RunOptions& run, const Monitor& monitor);

} // namespace vae
