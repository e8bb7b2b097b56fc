// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Components.h"

// Where the porosity is: by slice, by cell (Hilfer, Adv. Chem. Phys. 92, 1996), by size of cell.
namespace vae::statistics
{

/// Porosity of each slice normal to each axis.
std::array<std::vector<double>, 3> sliceProfiles(const Mask& mask, const Work& work);

/// Measurement cells: all cubes of `size` voxels whose origins are multiples of half of it (and
/// that are as thick as the volume along axes of one voxel).
struct Cells
{
  std::int64_t size = 0;
  std::vector<double> porosity; ///< one a cell
  /// For each cell, if asked for: bit a is set when a component inside the cell touches both of
  /// its faces along axis a.
  std::vector<std::uint8_t> percolates;

  double mean() const;
  double stddev() const; ///< over the cells, n - 1
  /// Fraction of the cells whose bits `wanted` are all set; with `any`, at least one.
  double percolating(int wanted, bool any = false) const;
};

/// Voxels of the phase in boxes, from sums over all boxes at the origin.
class BoxSums
{
public:
  BoxSums(const Mask& mask, const Work& work);
  std::int64_t sum(const Dims& origin, const Dims& dims) const;

private:
  Dims Size;
  std::vector<std::uint32_t> Sums; // modulo 2^32: differences of boxes below that are exact
};

Cells measureCells(const Mask& mask, const BoxSums& sums, std::int64_t size, bool percolation,
  Connectivity connectivity, const Work& work);

/// Local porosity distribution mu(phi; L) and local percolation probabilities lambda(phi; L).
struct LocalPorosity
{
  std::vector<double> porosity; ///< centres of the bins, [0, 1]
  std::vector<double> density;  ///< mu: integrates to 1
  /// Fraction of the cells of that porosity that percolate: along x, y, z, along all axes, along
  /// any; NaN where no cell is. Empty if it was not asked for.
  std::array<std::vector<double>, 5> percolating;
};
LocalPorosity localPorosity(const Cells& cells, const Dims& dims, int bins);

} // namespace vae::statistics
