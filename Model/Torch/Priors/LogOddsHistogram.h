// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/core/Tensor.h>

namespace vae
{

/// Histogram of the log odds of a phase in many voxels, which then need not be kept. Counts are
/// exact for any number of voxels.
class LogOddsHistogram
{
public:
  void add(const at::Tensor& odds);

  /// What has to be subtracted from them so that their mean probability is a fraction, [0, 1],
  /// within [-8, 8]: the fraction of the phase where voxels are drawn.
  double threshold(double fraction) const;

private:
  at::Tensor Counts; ///< int64, of equal bins, where the odds are
};

} // namespace vae
