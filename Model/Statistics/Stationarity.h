// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Mask.h"

// Over which length values are alike, and whether a volume is one material throughout.
namespace vae::statistics
{

/// What of a volume is looked at: (value - offset) / scale of one channel.
struct Quantity
{
  Dims dims{ 0, 0, 0 };
  Channel channel;
  Channel mask; ///< values count where it is not 0; no data: everywhere
  double offset = 0, scale = 1;
  std::string mean;      ///< what its mean is, in words: "fraction of rock = 0"
  std::string roughness; ///< what its mean step from voxel to voxel is: "surface of rock = 0"
  /// What a change of the mean is compared with: the fraction of the rarer phase, or the standard
  /// deviation of grey values.
  double level = 1;
};

/// The fraction of a phase. \param mask must outlive it
Quantity quantityOf(const Mask& mask, const std::string& phase);

/// Of two values the fraction of the one that Automatic takes, else the mean.
Quantity quantityOf(const Volume& volume, std::size_t channel, const ChannelSummary& summary);

/// Along each axis the number of voxels from which on the correlation of two values is below 0.1. 0
/// along an axis where it is longer than an eighth of the side, or where nothing varies. Values are
/// taken about a straight fit to each half along each axis, and the correlation above its mean at
/// lags of an eighth to a quarter of the side, so that trends and regions do not count.
Dims correlationLengths(const Quantity& quantity, const Work& work);

/// Whether the mean, or the mean step from voxel to voxel, of a quantity is the same everywhere.
struct Stationarity
{
  bool judged = false; ///< false: the volume has too few independent parts to tell
  /// A sentence for each of the two that is not, and what to do; empty: nothing was found.
  std::string warning;
};

/// Means of 3 or 4 blocks along each axis (up to 8 in 2-D), with gaps of one and a half correlation
/// lengths between them, so that they are independent in a stationary medium and may be exchanged.
/// Two statistics are compared with those of 999 random exchanges: the correlation with the
/// coordinates, which a trend raises, and Moran's I of neighbours (Moran 1950), which regions of
/// any shape raise. One that is larger than all 999 is reported, if the change is also as large as
/// a quarter of the level. So of 1000 stationary volumes at most 4 are warned of (two quantities,
/// two statistics).
Stationarity stationarity(const Quantity& quantity, const Work& work);

/// The warning of the first channel of the first volume, of four at most, that has one; else empty.
/// \param summaries of each volume, each channel
std::string stationarityWarning(const std::vector<Volume>& volumes,
  const std::vector<std::vector<ChannelSummary>>& summaries, const Work& work);

} // namespace vae::statistics
