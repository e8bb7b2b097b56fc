// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Lineage.h"

namespace vae
{

/// The objective's parameters with their defaults, and nothing that the choices made do not use:
/// options that differ only there train the same.
/// \throws std::invalid_argument as completeObjective
void completeOptions(TrainOptions& options);

/// What a model knows before the first step: network, likelihood, normalisation.
/// \throws std::invalid_argument naming what in the data cannot be trained on
ModelInfo describeTraining(const DataSet& data, const TrainOptions& options);

} // namespace vae
