// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "../ModelInfo.h"

namespace vae
{

/// The objective's parameters with their defaults, and nothing that the choices made do not use:
/// options that differ only there train the same.
/// \throws std::invalid_argument as completeObjective
void completeOptions(TrainOptions& options);

/// What a model knows before the first step: network, likelihood, normalisation, fingerprint.
/// \throws std::invalid_argument naming what in the data cannot be trained on
ModelInfo describeTraining(const std::vector<Volume>& volumes, const TrainOptions& options);

} // namespace vae
