// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Mask.h"

#include <cstdint>
#include <random>
#include <span>
#include <vector>

// How unlike two samples are, by the energy distance (Szekely and Rizzo 2013, Energy statistics: a
// class of statistics based on distances), and how sure that is.
namespace vae::statistics
{

/// Mean absolute differences of two samples X and Y. Estimates without bias: a value is not
/// compared with itself (U-statistics). NaN where a sample has fewer than two values.
struct Energy
{
  double across = 0;    ///< E|X - Y|
  double own = 0;       ///< E|X - X'|
  double reference = 0; ///< E|Y - Y'|

  /// 2 E|X-Y| - E|X-X'| - E|Y-Y'|: not negative, and 0 only for equal distributions; of two
  /// samples it scatters about that.
  double distance() const { return 2 * this->across - this->own - this->reference; }
  /// 1 + distance / E|Y-Y'|: 1 for equal distributions, and larger for any others. The unit is the
  /// mean difference of two values of the reference. Where neither sample varies: 1 if they are
  /// equal, else NaN.
  double score() const;

  Energy& operator+=(const Energy& e);
};

/// One number of two media, measured on blocks of each.
class TwoSamples
{
public:
  /// Values that are not finite are unknown and do not count.
  TwoSamples(std::span<const double> own, std::span<const double> reference);

  /// \param ownWeights, referenceWeights how often each block counts
  Energy energy(std::span<const double> ownWeights, std::span<const double> referenceWeights) const;
  Energy energy() const; ///< each once

private:
  struct Value
  {
    double at;
    std::size_t block;
    bool reference;
  };
  std::vector<Value> Ascending;
  std::size_t Own, Reference; ///< numbers of blocks
};

/// Draws blocks of a volume again (bootstrap). Where neighbouring blocks are correlated, blocks are
/// drawn in tiles wider than the correlation: at any place of the grid, which goes on at its other
/// end (circular block bootstrap, Politis and Romano 1992).
class BlockBootstrap
{
public:
  /// \param blocks along each axis, x fastest
  /// \param tile blocks along each axis that are drawn together
  BlockBootstrap(const Dims& blocks, const Dims& tile);

  /// Whether there are two tiles or more: one tells nothing of the scatter.
  bool tells() const;
  /// How often each block was drawn; together at least as often as there are blocks.
  std::vector<double> draw(std::mt19937_64& random) const;

private:
  Dims Blocks, Tile;
};

} // namespace vae::statistics
