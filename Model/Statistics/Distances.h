// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Work.h"

#include <string>
#include <vector>

// Distances of two samples of vectors, such as the measures of blocks: they need no training.
namespace vae::statistics
{

/// A row a block, a column a feature; what is not known is NaN.
using Features = std::vector<std::vector<double>>;

struct Distance
{
  std::string name;
  double value;
  double control; ///< the same of every other block of the first sample and the rest of it
  double pValue;  ///< part of 199 random divisions of all blocks that are as far apart, or farther
};

/// Squared maximum mean discrepancy, unbiased, with a Gaussian kernel whose width is the median
/// distance (Gretton et al. 2012, Eq. 3; it may be negative), and the sliced Wasserstein distance:
/// that of order 1 of the projections on 64 random directions, their mean (Bonneel et al. 2015).
/// Features are in standard deviations of the first sample; one without scatter there is left out,
/// and one that is not known of a block is taken for the mean.
/// \returns NaN where a sample has fewer than four rows, or nothing has scatter
std::vector<Distance> distances(
  const Features& first, const Features& second, std::uint64_t seed, const Work& work);

/// The same of the measures of Report.h that are numbers, of up to 128 blocks of each input that do
/// not overlap, spread evenly; a measure with several estimators or axes is their mean. Of the
/// first channel: of two phases the one with the smaller label, of several (whole numbers) each by
/// itself, of grey values what is below the first input's mean.
/// \param block voxels along x, y, z
std::vector<Distance> blockDistances(const std::vector<Volume>& first,
  const std::vector<Volume>& second, const Dims& block, std::uint64_t seed, const Work& work);

} // namespace vae::statistics
