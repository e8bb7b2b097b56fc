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
/// all axes at once, which keeps any variogram.
/// \param info has the network's dimensions, the channels and the option; receives augmentation and
/// reason
void chooseAugmentation(const std::vector<Volume>& volumes, ModelInfo& info);

} // namespace vae
