// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "../ModelInfo.h"

namespace vae
{

/// How patches of volumes may be turned, and why. Symmetry::Automatic looks at them: axes are
/// exchanged where their spacing is equal and values change as quickly along them (their
/// variograms, over lags of 1 to 16 voxels, differ by less than a tenth, or than what eighths of
/// the volume scatter by), and patches are mirrored along each axis for itself where values change
/// as quickly along both diagonals of each pair of axes, else along all axes at once, which keeps
/// any variogram.
/// \param info has the network's dimensions, the channels and the option; told turns and why
void chooseTurns(const std::vector<Volume>& volumes, ModelInfo& info);

} // namespace vae
