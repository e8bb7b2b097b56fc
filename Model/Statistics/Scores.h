// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "EnergyDistance.h"
#include "Report.h"

namespace vae::statistics
{

/// A measure on the blocks of two media: the number of that name in `like`, or else each number of
/// the curves of the measure.
/// \param like a report that has all that is compared
std::vector<TwoSamples> samplesOf(const Report& like, const std::vector<Report>& blocks,
  const std::vector<Report>& references, const std::string& name, const std::string& measure);

} // namespace vae::statistics
