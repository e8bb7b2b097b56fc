// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Options.h"

#include <cstdlib>
#include <string>

namespace test
{

/// Where tests train and use models: the CPU, or what VAE_TEST_DEVICE names.
inline std::string device()
{
  const char* named = std::getenv("VAE_TEST_DEVICE");
  return named && *named ? named : "cpu";
}

/// Of tests that leave it open. The pretended CUDA devices compute as the CPU does: bfloat16, which
/// a real GPU would take, is slow there.
inline vae::Precision precision()
{
  return device() == "cpu" ? vae::Precision::Automatic : vae::Precision::Float32;
}

} // namespace test
