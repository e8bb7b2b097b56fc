// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "StaggeredGrid.h"

#include <algorithm>

namespace vae::statistics
{

StaggeredGrid::StaggeredGrid(const Mask& mask, int axis, FlowBoundary boundary)
  : Cells(mask, boundary == FlowBoundary::Periodic)
  , Axis(static_cast<std::size_t>(axis))
{
  const double unit = std::min({ mask.spacing[0], mask.spacing[1], mask.spacing[2] });
  for (std::size_t a = 0; a < 3; ++a)
  {
    this->H[a] = mask.spacing[a] / unit;
  }
  this->Volume = this->H[0] * this->H[1] * this->H[2];
  this->number();
  this->assemble(boundary);
}

void StaggeredGrid::gradient(
  const std::vector<float>& p, std::vector<float>& g, const Work& work) const
{
  work.forRanges(static_cast<std::int64_t>(this->Faces.size()),
    [&](std::int64_t begin, std::int64_t end, int)
  {
    for (std::int64_t f = begin; f < end; ++f)
    {
      const Face& face = this->Faces[static_cast<std::size_t>(f)];
      const float high = face.high < 0 ? 0 : p[static_cast<std::size_t>(face.high)];
      const float low = face.low < 0 ? 0 : p[static_cast<std::size_t>(face.low)];
      g[static_cast<std::size_t>(f)] = (high - low) * face.share;
    }
  });
}

void StaggeredGrid::inflow(
  const std::vector<float>& u, std::vector<float>& d, const Work& work) const
{
  work.forRanges(this->Cells.size(), [&](std::int64_t begin, std::int64_t end, int)
  {
    for (std::int64_t c = begin; c < end; ++c)
    {
      const std::array<std::int32_t, 6>& of = this->Of[static_cast<std::size_t>(c)];
      double sum = 0;
      for (std::size_t a = 0; a < 3; ++a)
      {
        sum += this->flux(u, of[2 * a]) - this->flux(u, of[2 * a + 1]);
      }
      d[static_cast<std::size_t>(c)] = static_cast<float>(sum);
    }
  });
}

void StaggeredGrid::number()
{
  this->Of.assign(static_cast<std::size_t>(this->Cells.size()), { { -1, -1, -1, -1, -1, -1 } });
  for (std::size_t a = 0; a < 3; ++a)
  {
    for (std::int32_t c = 0; c < this->Cells.size(); ++c)
    {
      const std::int32_t before = this->Cells.next(c, a, -1), after = this->Cells.next(c, a, 1);
      const auto add = [&](std::int32_t low, std::int32_t high, double part)
      {
        if (low >= 0)
        {
          this->Of[static_cast<std::size_t>(low)][2 * a + 1] =
            static_cast<std::int32_t>(this->Faces.size());
        }
        if (high >= 0)
        {
          this->Of[static_cast<std::size_t>(high)][2 * a] =
            static_cast<std::int32_t>(this->Faces.size());
        }
        this->Faces.push_back(
          { low, high, static_cast<std::int32_t>(a), static_cast<float>(part * this->Volume), 0 });
      };
      if (before == CellList::Outside && a == this->Axis)
      {
        add(-1, c, 0.5); // half a control volume: the other half is outside
      }
      if (after >= 0)
      {
        add(c, after, 1);
      }
      else if (after == CellList::Outside && a == this->Axis)
      {
        add(c, -1, 0.5);
      }
    }
  }
}

void StaggeredGrid::assemble(FlowBoundary boundary)
{
  // Beside a step half of the side is a wall half a spacing away, half is open towards a velocity
  // of 0 one spacing away: the mean of both couplings.
  constexpr double Step = 1.5;
  // Next to a wall the profile is curved: with force and flux taken as 1 - 1/6 of the value at
  // the centre for each wall, the flow between plates H voxels apart is H^3/12 + 1/36 instead of
  // H^3/12 + H/6, and the matrix stays symmetric. Narrow throats depend on it
  // (Documentation/experiments/006-stokes-walls.md).
  constexpr double PerWall = 1. / 6;
  this->Viscous.resize(static_cast<std::int64_t>(this->Faces.size()));
  for (std::size_t f = 0; f < this->Faces.size(); ++f)
  {
    Face& face = this->Faces[f];
    const auto a = static_cast<std::size_t>(face.axis);
    double diagonal = 0, share = 1;
    const auto couple = [&](std::size_t k, std::int32_t to, double w)
    {
      diagonal += w;
      if (to >= 0)
      {
        this->Viscous.neighbour[f][k] = to;
        this->Viscous.weight[f][k] = static_cast<float>(w);
      }
    };
    // Along the axis, through each of the two cells to its other face (a wall: velocity 0).
    const double along = this->area(face.axis) / this->H[a];
    if (face.low >= 0)
    {
      couple(2 * a, this->Of[static_cast<std::size_t>(face.low)][2 * a], along);
    }
    if (face.high >= 0)
    {
      couple(2 * a + 1, this->Of[static_cast<std::size_t>(face.high)][2 * a + 1], along);
    }
    // To the sides: the face between the two cells' neighbours.
    for (std::size_t b = 0; b < 3; ++b)
    {
      if (b == a)
      {
        continue;
      }
      const double w = static_cast<double>(face.volume) / (this->H[b] * this->H[b]);
      double walls = 0;
      for (const int direction : { -1, 1 })
      {
        const std::size_t k = 2 * b + (direction > 0);
        const std::int32_t low =
          face.low >= 0 ? this->Cells.next(face.low, b, direction) : CellList::Wall;
        const std::int32_t high =
          face.high >= 0 ? this->Cells.next(face.high, b, direction) : CellList::Wall;
        const bool atSide = low == CellList::Outside || high == CellList::Outside;
        if (atSide && b == this->Axis)
        {
          couple(k, -1, 2 * w); // at the two ends the flow is normal to the plane
          continue;
        }
        if (atSide && boundary == FlowBoundary::Slip)
        {
          continue; // no shear
        }
        if (low >= 0 && (high >= 0 || face.high < 0))
        {
          couple(k, this->Of[static_cast<std::size_t>(low)][2 * a + 1], w);
        }
        else if (high >= 0 && face.low < 0)
        {
          couple(k, this->Of[static_cast<std::size_t>(high)][2 * a], w);
        }
        else if (low >= 0 || high >= 0)
        {
          couple(k, -1, Step * w);
          walls += 0.5;
        }
        else
        {
          couple(k, -1, 2 * w); // a wall half a spacing away
          walls += 1;
        }
      }
      share *= 1 - walls * PerWall;
    }
    face.share = static_cast<float>(this->area(face.axis) * share);
    this->Viscous.diagonal[f] = static_cast<float>(diagonal);
  }
}

} // namespace vae::statistics
