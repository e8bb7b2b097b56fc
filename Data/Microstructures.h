// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Rock.h"

#include <array>

// Two-phase microstructures with random parameters, of which no two are alike: what weights learn
// from that are to know many materials.
namespace rock
{

/// How one is made. Each kind gives a field of about the distance, in voxels, from something; it is
/// cut where the wanted fraction lies inside.
struct Recipe
{
  enum class Kind
  {
    Grains,     ///< ellipsoids packed without overlap, then grown or shrunk
    Spheres,    ///< ellipsoids at random places, overlapping (Boolean model)
    Excursions, ///< a Gaussian field above a level, with or without a characteristic wave length
    Sheets,     ///< a Gaussian field near its mean: two sets of channels and the wall between them
    Walls,      ///< borders between the cells of random points: a closed-cell foam
    Struts,     ///< where three such cells meet: an open-cell foam
    Fibres,     ///< curved, overlapping
    Fractures   ///< rough planes
  };

  Kind kind = Kind::Grains;
  double feature = 12;      ///< voxels across of what it is made of, 3 to 40
  double inside = 0.5;      ///< fraction that is cut out, 0.03 to 0.97
  bool largerInside = true; ///< whether that has the larger label
  double spread = 0;        ///< standard deviation of the logarithm of sizes
  double flatness = 1;      ///< Grains, Spheres: the shortest axis over the others
  double order = 0;         ///< 0: bodies point anywhere; 1: all the same way
  double wave = 0;          ///< Excursions, Sheets: how much of the longer waves is missing, 0 to 1
  std::array<double, 3> stretch{ 1, 1, 1 }; ///< of lengths along x, y, z; their product is 1
  double roughness = 0;                     ///< of surfaces, voxels
  double trend = 0;                         ///< slow change of the level, in units of `feature`
  std::uint64_t seed = 0;                   ///< of where things lie
};

/// Of two scales: the first, and the second in what the first leaves or cut out of it.
struct Microstructure
{
  Recipe first, second;
  bool twoScales = false;
  bool cutsOut = false; ///< the second lies inside of the first, else outside
};

/// Random parameters. The rarer phase has 0.03 to 0.5 of the volume, and may be either label.
Microstructure randomMicrostructure(std::uint64_t seed);

/// A cube; fractions are exact to a voxel but for two scales. 0 and 255, both there.
Voxels make(const Recipe& recipe, int size);
Voxels make(const Microstructure& microstructure, int size);

} // namespace rock
