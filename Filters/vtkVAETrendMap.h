// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#ifndef vtkVAETrendMap_h
#define vtkVAETrendMap_h

#include "TrendMap.h"
#include "vtkVAELatentImage.h"

// Image data as a map of what is wanted where. Private to this module.
namespace vtkVAETrendMap
{

/// \param array of the image's points or cells
/// \param volume the grid that the map is seen from
vae::TrendMap Of(
  vtkImageData* image, vtkDataArray* array, bool cellData, const vtkVAELatentImage::Grid& volume);

} // namespace vtkVAETrendMap

#endif
// VTK-HeaderTest-Exclude: vtkVAETrendMap.h
