// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "TwoSampleTest.h"

namespace vae
{

/// See Backend::twoSampleTest. Of each input a third of the layers of blocks along its longest axis
/// (of four or more volumes: a third of them) is learned from, the rest is tested. The control cuts
/// the real input into halves, along each axis that has four layers in turn, and treats the two
/// halves in the same way: its accuracy is that of all these trainings together.
TwoSampleResult twoSampleTest(const TwoSampleInput& input, const TwoSampleOptions& options,
  const RunOptions& run, const Monitor& monitor);

} // namespace vae
