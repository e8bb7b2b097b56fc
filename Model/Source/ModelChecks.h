// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "ModelInfo.h"

namespace vae
{

/// Whether what a model says of itself fits together: what uses a model relies on it.
/// \throws std::runtime_error with one sentence
void checkConsistent(const ModelInfo& info);

} // namespace vae
