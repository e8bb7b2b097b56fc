// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "ModelInfo.h"

namespace vae
{

/// Chooses the symmetries for patches, and says why. Symmetry::Automatic measures the volumes. Axes
/// are exchanged if their spacing is equal and their variograms over lags of 1 to 16 voxels differ
/// by less than a tenth, or less than those of eighths of the volume. Patches are mirrored along
/// each axis separately if the variograms of both diagonals of each pair of axes agree, else along
/// all axes at once, which keeps any variogram. Nothing is turned where a vector has a direction on
/// average, which a mirror image has not. Whatever is asked for, nothing is turned where an array
/// has the components of a tensor.
/// \param info has the network's dimensions, the channels and the option; receives augmentation and
/// reason
void chooseAugmentation(const std::vector<Volume>& volumes, ModelInfo& info);

/// Normalise vectors so that a turned patch is normalised to the turned values: along axes that are
/// mirrored the mean is 0, that of the data and its mirror image, and axes that may be exchanged
/// have one scale.
/// \param volume whose grid the augmentation was chosen for
/// \param info has the augmentation, and channels with the mean and the scale of the data
void normaliseVectors(const Volume& volume, ModelInfo& info);

} // namespace vae
