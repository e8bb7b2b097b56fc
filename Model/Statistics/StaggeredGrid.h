// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Mask.h"
#include "Stencil.h"

// The voxels of a phase as cells, and the faces between them: what transport is solved on.
namespace vae::statistics
{

/// The voxels that take part, numbered along x, y, z.
struct CellList
{
  Dims dims;
  bool periodic;
  std::vector<std::int32_t> at; ///< number of a voxel's cell, or -1
  std::vector<std::int64_t> voxel;

  CellList(const Mask& mask, bool isPeriodic)
    : dims(mask.dims)
    , periodic(isPeriodic)
    , at(mask.data.size(), -1)
  {
    for (std::size_t i = 0; i < mask.data.size(); ++i)
    {
      if (mask.data[i])
      {
        this->at[i] = static_cast<std::int32_t>(this->voxel.size());
        this->voxel.push_back(static_cast<std::int64_t>(i));
      }
    }
  }
  std::int64_t size() const { return static_cast<std::int64_t>(this->voxel.size()); }

  static constexpr std::int32_t Wall = -1, Outside = -2;
  /// The cell next to cell c along an axis, or Wall, or Outside the volume.
  std::int32_t next(std::int32_t c, std::size_t axis, int direction) const
  {
    const std::int64_t v = this->voxel[static_cast<std::size_t>(c)];
    const std::int64_t step = axis == 0 ? 1
      : axis == 1                       ? this->dims[0]
                                        : this->dims[0] * this->dims[1];
    const std::int64_t n = this->dims[axis], i = v / step % n;
    std::int64_t to = v + direction * step;
    if (i + direction < 0 || i + direction >= n)
    {
      if (!this->periodic)
      {
        return Outside;
      }
      to -= direction * n * step;
    }
    return this->at[static_cast<std::size_t>(to)];
  }
};

/// The staggered grid: for each face between two cells, or between a cell and a reservoir, a
/// velocity. Lengths in the smallest spacing.
class StaggeredGrid
{
public:
  StaggeredGrid(const Mask& mask, int axis, FlowBoundary boundary);

  const CellList Cells;
  const std::size_t Axis;
  std::array<double, 3> H{};
  double Volume = 0;
  struct Face
  {
    std::int32_t low, high; ///< cells; -1 for the reservoir
    std::int32_t axis;
    float volume; ///< of its control volume
    /// Area of the face times the mean velocity in it, for a velocity of 1 at its centre.
    float share;
  };
  std::vector<Face> Faces;
  /// Faces of each cell: [2 * axis] the lower, [2 * axis + 1] the upper one; -1 is a wall.
  std::vector<std::array<std::int32_t, 6>> Of;
  Stencil Viscous;

  double area(std::int32_t axis) const
  {
    return this->Volume / this->H[static_cast<std::size_t>(axis)];
  }

  /// What flows through a face; 0 through a wall.
  double flux(const std::vector<float>& u, std::int32_t face) const
  {
    return face < 0 ? 0
                    : static_cast<double>(u[static_cast<std::size_t>(face)]) *
        this->Faces[static_cast<std::size_t>(face)].share;
  }

  /// Difference of a pressure across each face, times its share.
  void gradient(const std::vector<float>& p, std::vector<float>& g, const Work& work) const;

  /// The transpose: minus what flows out of each cell.
  void inflow(const std::vector<float>& u, std::vector<float>& d, const Work& work) const;

private:
  void number();
  void assemble(FlowBoundary boundary);
};

} // namespace vae::statistics
