// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "vtkVAETrendMap.h"

#include "vtkDataArray.h"
#include "vtkDataArrayRange.h"
#include "vtkImageData.h"
#include "vtkNew.h"
#include "vtkVAEBridge.h"

#include <algorithm>
#include <functional>

//----------------------------------------------------------------------------
vae::TrendMap vtkVAETrendMap::Of(
  vtkImageData* image, vtkDataArray* array, bool cellData, const vtkVAELatentImage::Grid& volume)
{
  vtkVAEBridge::RequireOneComponent(array, "Trend Array");
  vtkVAEBridge::VolumeOf(image, { array }, cellData); // tells what is wrong with it
  vae::TrendMap map;
  map.dims = vtkVAEBridge::DimsOf(image, cellData);
  const auto values = vtk::DataArrayValueRange<1>(array);
  map.values.reserve(static_cast<std::size_t>(values.size()));
  for (const double v : values)
  {
    map.values.push_back(static_cast<float>(v));
  }
  vtkNew<vtkImageData> grid;
  volume.ApplyTo(grid);
  const auto indexOf = [&](int dx, int dy, int dz)
  {
    const double to = volume.CellData ? 0.5 : 0;
    double point[3];
    std::array<double, 3> index;
    grid->TransformContinuousIndexToPhysicalPoint(
      volume.Extent[0] + dx + to, volume.Extent[2] + dy + to, volume.Extent[4] + dz + to, point);
    image->TransformPhysicalPointToContinuousIndex(point, index.data());
    for (std::size_t a = 0; a < 3; ++a)
    {
      index[a] -= image->GetExtent()[2 * a] + (cellData ? 0.5 : 0);
    }
    return index;
  };
  map.first = indexOf(0, 0, 0);
  map.steps = { indexOf(1, 0, 0), indexOf(0, 1, 0), indexOf(0, 0, 1) };
  for (std::array<double, 3>& step : map.steps)
  {
    std::transform(step.begin(), step.end(), map.first.begin(), step.begin(), std::minus<>());
  }
  return map;
}
