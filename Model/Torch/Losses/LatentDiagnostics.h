// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "ModelInfo.h"
#include "Torch/Networks/Network.h"

namespace vae
{

/// How much information the latents hold, from the posteriors of one batch: fills activeLatents,
/// klOfLatents, mutualInformation and mmd of a row. Without distributions (an autoencoder) only the
/// first and the last have a meaning; the others are not a number.
void measureLatents(const Posterior& q, bool stochastic, EpochRecord& row);

} // namespace vae
