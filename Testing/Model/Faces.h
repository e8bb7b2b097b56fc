// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Rock.h"

namespace test
{

/// Pairs of neighbours along an axis that differ, over all voxels; those at the end have the first
/// as neighbours.
/// \param n voxels along each axis
/// \param stride of the axis: 1, n or n^2
inline double faces(const rock::Voxels& v, std::size_t n, std::size_t stride)
{
  std::size_t different = 0;
  for (std::size_t i = 0; i < v.size(); ++i)
  {
    const std::size_t at = i / stride % n;
    different += v[i] != v[i - at * stride + (at + 1) % n * stride];
  }
  return static_cast<double>(different) / static_cast<double>(v.size());
}

} // namespace test
