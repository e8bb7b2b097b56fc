// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Lineage.h"

namespace vae
{

/// The file of weights that have seen many materials: the one that the environment variable
/// VAE_EXPERIENCE_FILE names, or experience.safetensors in the folder of this library. It may be
/// missing.
std::string experienceFile();

/// What a training may start from, as its option Start From says. A file that is missing, damaged,
/// or does not fit is no error: the training then starts from random weights, and says why where
/// experience was asked for.
/// \param options complete
/// \throws std::invalid_argument naming what in the data cannot be trained on
Experience experienceFor(
  const DataSet& data, const TrainOptions& options, const std::string& file = experienceFile());

} // namespace vae
