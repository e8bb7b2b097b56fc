// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Work.h"

namespace vae::statistics
{

/// How like one channel of a volume is to another of the same size.
struct Quality
{
  double equal = 0; ///< fraction of voxels with the same value
  double psnr = 0;  ///< 10 log10(range^2 / mean squared difference), dB
  double ssim = 0;  ///< structural similarity, not a number where it was not asked for
};

struct Comparison
{
  Channel before, after;
  Channel ghosts;                ///< voxels where it is not zero do not count; no data: all do
  double range = 1;              ///< of the values, for PSNR and SSIM
  bool ssim = false;             ///< takes as long as several reads of the volume
  OutputChannel error, absolute; ///< after - before; no data: not wanted
};

/// One pass over the volume, a second one for the structural similarity: of Wang et al. 2004, with
/// a cube of 7 voxels (a square in 2-D) as the window, sample covariances, K1 = 0.01, K2 = 0.03,
/// the mean over all windows that lie within the volume.
Quality compare(const Comparison& what, const Dims& dims, const Work& work);

} // namespace vae::statistics
