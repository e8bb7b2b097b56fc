// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Options.h"
#include "Work.h"

namespace vae::statistics
{

using Spacing = std::array<double, 3>;

/// The indicator function I(x) of a phase: 1 in it, 0 outside; x runs fastest.
struct Mask
{
  Dims dims{ 0, 0, 0 };
  Spacing spacing{ 1, 1, 1 };
  std::vector<std::uint8_t> data;

  const std::uint8_t* row(std::int64_t y, std::int64_t z) const
  {
    return this->data.data() + (z * this->dims[1] + y) * this->dims[0];
  }
  std::uint8_t* row(std::int64_t y, std::int64_t z)
  {
    return this->data.data() + (z * this->dims[1] + y) * this->dims[0];
  }
  std::int64_t count() const { return voxels(this->dims); }
};

/// How the phase was chosen.
struct PhaseChoice
{
  Phase phase = Phase::Label;
  double value = 0;
  std::string text; ///< in words: "rock = 0"
  std::string why;  ///< where it was chosen automatically: "the rarer of two values"
};

/// Which of some labels Automatic means, in all filters: the pore, as well as can be guessed. The
/// rarest one (of equal ones the smallest), unless there are two and the name of the array tells:
/// of 'pores' or 'void' (PoreSpy's images, in which True is pore) it is the larger one, of 'solid',
/// 'grain' or 'matrix' the smaller one.
struct AutomaticPhase
{
  std::size_t index;
  const char* why;
};
AutomaticPhase automaticPhase(const std::string& array, const std::vector<double>& fractions);

/// Which voxels `phase` and `value` mean in this channel.
/// \throws std::invalid_argument for Automatic in data that do not have exactly two values
PhaseChoice choosePhase(
  const Channel& channel, const ChannelSummary& summary, Phase phase, double value);

/// The voxels of the chosen phase. NaN belongs to no phase.
Mask maskOf(const Volume& volume, const PhaseChoice& choice, const Work& work = Work());

/// Fraction of the volume of each value, of data with up to 64 different ones; empty otherwise.
std::vector<std::pair<double, double>> phaseFractions(const Volume& volume, const Work& work);

/// A box of a mask. \param origin, dims inside the mask
Mask boxOf(const Mask& mask, const Dims& origin, const Dims& dims);

/// Voxels of the phase.
std::int64_t volumeOf(const Mask& mask, const Work& work = Work());

/// The axes along which the volume has more than one voxel.
std::vector<int> axesOf(const Dims& dims);

/// Smallest number of voxels along those axes; 1 if there are none.
std::int64_t smallestSide(const Dims& dims);

} // namespace vae::statistics
