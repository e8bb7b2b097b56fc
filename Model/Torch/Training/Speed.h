// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Model.h"

namespace vae
{

/// See Backend::measureSpeed.
double measureSpeed(
  const std::string& device, Precision precision, int threads, const Monitor& monitor);

} // namespace vae
