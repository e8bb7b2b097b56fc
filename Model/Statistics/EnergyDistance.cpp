// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "EnergyDistance.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace vae::statistics
{
namespace
{

constexpr double None = std::numeric_limits<double>::quiet_NaN();

} // namespace

double Energy::score() const
{
  if (this->reference > 0)
  {
    return 1 + this->distance() / this->reference;
  }
  return this->across == 0 && this->own == 0 && this->reference == 0 ? 1 : None;
}

Energy& Energy::operator+=(const Energy& e)
{
  this->across += e.across;
  this->own += e.own;
  this->reference += e.reference;
  return *this;
}

TwoSamples::TwoSamples(std::span<const double> own, std::span<const double> reference)
  : Own(own.size())
  , Reference(reference.size())
{
  const auto add = [&](std::span<const double> values, bool ofReference)
  {
    for (std::size_t i = 0; i < values.size(); ++i)
    {
      if (std::isfinite(values[i]))
      {
        this->Ascending.push_back({ values[i], i, ofReference });
      }
    }
  };
  add(own, false);
  add(reference, true);
  std::ranges::stable_sort(this->Ascending, {}, &Value::at);
}

Energy TwoSamples::energy() const
{
  const std::vector<double> own(this->Own, 1), reference(this->Reference, 1);
  return this->energy(own, reference);
}

Energy TwoSamples::energy(
  std::span<const double> ownWeights, std::span<const double> referenceWeights) const
{
  struct Side
  {
    double all = 0, squares = 0, below = 0, differences = 0;
    /// Of the pairs of two different blocks. The differences were added once a pair.
    double mean() const
    {
      const double pairs = this->all * this->all - this->squares;
      return pairs > 0 ? 2 * this->differences / pairs : None;
    }
  };
  Side own, reference;
  const auto weightOf = [&](const Value& v)
  { return v.reference ? referenceWeights[v.block] : ownWeights[v.block]; };
  for (const Value& v : this->Ascending)
  {
    Side& side = v.reference ? reference : own;
    const double w = weightOf(v);
    side.all += w;
    side.squares += w * w;
  }
  // A gap between two neighbours is part of the difference of all pairs with one on either side.
  double across = 0;
  for (std::size_t i = 0; i + 1 < this->Ascending.size(); ++i)
  {
    const Value& v = this->Ascending[i];
    (v.reference ? reference : own).below += weightOf(v);
    const double gap = this->Ascending[i + 1].at - v.at;
    const double ownAbove = own.all - own.below, referenceAbove = reference.all - reference.below;
    own.differences += gap * own.below * ownAbove;
    reference.differences += gap * reference.below * referenceAbove;
    across += gap * (own.below * referenceAbove + reference.below * ownAbove);
  }
  const double pairs = own.all * reference.all;
  return {
    .across = pairs > 0 ? across / pairs : None, .own = own.mean(), .reference = reference.mean()
  };
}

BlockBootstrap::BlockBootstrap(const Dims& blocks, const Dims& tile) : Blocks(blocks), Tile(tile)
{
  for (std::size_t a = 0; a < 3; ++a)
  {
    this->Tile[a] = std::clamp<std::int64_t>(tile[a], 1, blocks[a]);
  }
}

bool BlockBootstrap::tells() const
{
  std::int64_t tiles = 1;
  for (std::size_t a = 0; a < 3; ++a)
  {
    tiles *= this->Blocks[a] / this->Tile[a];
  }
  return tiles > 1;
}

std::vector<double> BlockBootstrap::draw(std::mt19937_64& random) const
{
  const std::int64_t all = voxels(this->Blocks), one = voxels(this->Tile);
  std::vector<double> number(static_cast<std::size_t>(all), 0);
  for (std::int64_t drawn = 0; drawn < all; drawn += one)
  {
    Dims origin;
    for (std::size_t a = 0; a < 3; ++a)
    {
      origin[a] = static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(this->Blocks[a]));
    }
    for (std::int64_t i = 0; i < one; ++i)
    {
      const std::int64_t x = (origin[0] + i % this->Tile[0]) % this->Blocks[0],
                         y = (origin[1] + i / this->Tile[0] % this->Tile[1]) % this->Blocks[1],
                         z = (origin[2] + i / this->Tile[0] / this->Tile[1]) % this->Blocks[2];
      ++number[static_cast<std::size_t>((z * this->Blocks[1] + y) * this->Blocks[0] + x)];
    }
  }
  return number;
}

} // namespace vae::statistics
