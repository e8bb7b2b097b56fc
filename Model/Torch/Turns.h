// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Blocks.h"

#include <string>

namespace vae
{

/// How patches of volumes may be turned. Symmetry::Automatic looks at them: axes are exchanged
/// where their spacing is equal and values change as quickly along them (their variograms, over
/// lags of 1 to 16 voxels, differ by less than a tenth, or than what eighths of the volume scatter
/// by), and patches are mirrored along each axis for itself where values change as quickly along
/// both diagonals of each pair of axes, else along all axes at once, which keeps any variogram.
/// \param frames of the volumes
/// \param why if not null: what was found, in words
Turns turnsOf(Symmetry symmetry, const std::vector<Volume>& volumes,
  const std::vector<Frame>& frames, const std::vector<ChannelInfo>& channels,
  std::string* why = nullptr);

} // namespace vae
