// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Report.h"
#include "Work.h"

#include <string_view>

// What a verdict (Verdict.h) judges blocks by.
namespace vae::statistics
{

/// Measures of Report.h that neither a training nor VAE Generate fits or forces. They do with
/// porosity, its scatter, S2, the faces, the Euler density, and the mean chord, which follows from
/// porosity and faces (Testing/Protocol/groups.py).
inline constexpr std::string_view FreeMeasures[] = { "Lineal Path", "Chord Lengths",
  "Chord Lengths of the Other Phase", "Two-Point Cluster", "Pore Sizes",
  "Integral Mean Curvature Density", "Component Density", "Fraction in Largest Component",
  "Effective Porosity" };

/// A score counts as this if it is more: one measure alone does not decide.
inline constexpr double LargestScore = 10;

/// Reports of the blocks, with all of the free measures that they have.
std::vector<Report> reportsOf(const std::vector<Mask>& blocks, const Work& work);

/// Mean score of the free measures (MeasureComparison::score) of blocks of one size: 1 if both vary
/// alike. A measure that does not vary over the reference at all counts as LargestScore if the
/// others differ. NaN if nothing is known.
double freeScore(const std::vector<Report>& blocks, const std::vector<Report>& references);

} // namespace vae::statistics
