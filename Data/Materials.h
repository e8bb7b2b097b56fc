// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Rock.h"

#include <span>

// Made volumes that differ in kind, to judge a method on more than one material. All are periodic.
namespace rock
{

struct Material
{
  const char* name;
  const char* words; ///< what it is
  double porosity;   ///< of its own, where none is asked for
  double radius;     ///< likewise, voxels at 192^3 or more
  Voxels (*make)(const Options&);
};

/// The materials, with what Rock.h makes as the first two. Except for these two they use additions,
/// products and square roots only, so that a seed gives the same bytes everywhere.
std::span<const Material> materials();

/// Cemented grains of `radius`, half of which hold pores of a second, smaller scale, radius / 6. A
/// third of the pore space is of the small scale. 0 and 255.
Voxels carbonate(const Options& options);

/// Curved fibres of `radius`, nearly parallel to the xy plane, overlapping. 0 and 255.
Voxels fibres(const Options& options);

/// Flat particles with half axes near `radius` in the xy plane and a third of it along z. 0 and
/// 255.
Voxels layeredParticles(const Options& options);

/// An open-cell foam: struts where three cells meet; cells of about twice `radius` across. 0 and
/// 255.
Voxels foam(const Options& options);

/// Particles (255), a binder in the necks between them (128), and pores (0). Of what is not pore a
/// quarter is binder.
Voxels threePhases(const Options& options);

/// Grains as a scanner shows them: each with its own grey level, edges averaged over 3^3 voxels,
/// noise. Grey values; `porosity` is that of the grains before the averaging.
Voxels greySand(const Options& options);

} // namespace rock
