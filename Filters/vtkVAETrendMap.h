// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#ifndef vtkVAETrendMap_h
#define vtkVAETrendMap_h

#include "vtkVAELatentImage.h"

#include <span>

/// A map of what is wanted where, seen from the grid of a volume: linear between the map's values,
/// beyond its border the border's. Private to this module.
class vtkVAETrendMap
{
public:
  /// \throws std::invalid_argument if a value is not finite or, being a fraction, not in [0, 1]
  vtkVAETrendMap(vtkImageData* map, vtkDataArray* array, bool cellData, bool fraction,
    const vtkVAELatentImage::Grid& volume);

  /// At voxels of a row along x, from voxel (x, y, z) on.
  void Row(std::int64_t x, std::int64_t y, std::int64_t z, std::span<double> row) const;

  /// In the middle of the volume's latent cells and of `margin` more on each side, x fastest. Along
  /// a periodic axis those beyond the end are those of the beginning.
  std::vector<float> OnCells(
    const vae::NetworkOptions& network, int margin, const std::array<bool, 3>& periodic) const;

private:
  double At(const std::array<double, 3>& voxel) const;

  vae::Dims Size;   ///< of the map
  vae::Dims Voxels; ///< of the volume
  std::vector<float> Values;
  /// Continuous index into the map of voxel (0, 0, 0), and its changes from a voxel to the next
  /// along x, y, z.
  std::array<double, 3> First;
  std::array<std::array<double, 3>, 3> Steps;
};

#endif
// VTK-HeaderTest-Exclude: vtkVAETrendMap.h
