// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "vtkVAETrendMap.h"

#include "vtkDataArray.h"
#include "vtkDataArrayRange.h"
#include "vtkImageData.h"
#include "vtkNew.h"
#include "vtkVAEBridge.h"
#include "vtkVariant.h"

#include <algorithm>
#include <cmath>

//----------------------------------------------------------------------------
vtkVAETrendMap::vtkVAETrendMap(vtkImageData* map, vtkDataArray* array, bool cellData, bool fraction,
  const vtkVAELatentImage::Grid& volume)
  : Size(vtkVAEBridge::DimsOf(map, cellData))
  , Voxels(volume.Dims())
{
  vtkVAEBridge::RequireOneComponent(array, "Trend Array");
  vtkVAEBridge::VolumeOf(map, { array }, cellData); // tells what is wrong with it
  for (const double v : vtk::DataArrayValueRange<1>(array))
  {
    if (!std::isfinite(v) || (fraction && (v < 0 || v > 1)))
    {
      throw std::invalid_argument("The Trend Map has the value " + vtkVariant(v).ToString() + "; " +
        (fraction ? "a wanted fraction is in [0, 1]" : "a wanted mean is finite"));
    }
    this->Values.push_back(static_cast<float>(v));
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
    map->TransformPhysicalPointToContinuousIndex(point, index.data());
    for (std::size_t a = 0; a < 3; ++a)
    {
      index[a] -= map->GetExtent()[2 * a] + (cellData ? 0.5 : 0);
    }
    return index;
  };
  this->First = indexOf(0, 0, 0);
  this->Steps = { indexOf(1, 0, 0), indexOf(0, 1, 0), indexOf(0, 0, 1) };
  for (std::array<double, 3>& step : this->Steps)
  {
    std::transform(step.begin(), step.end(), this->First.begin(), step.begin(), std::minus<>());
  }
}

//----------------------------------------------------------------------------
double vtkVAETrendMap::At(const std::array<double, 3>& voxel) const
{
  std::array<std::int64_t, 3> low, high;
  std::array<double, 3> weight;
  for (std::size_t a = 0; a < 3; ++a)
  {
    const double at = this->First[a] + this->Steps[0][a] * voxel[0] + this->Steps[1][a] * voxel[1] +
      this->Steps[2][a] * voxel[2];
    const double inside = vtkVAEBridge::Within(at, 0, static_cast<double>(this->Size[a] - 1));
    low[a] = static_cast<std::int64_t>(inside);
    high[a] = std::min(low[a] + 1, this->Size[a] - 1);
    weight[a] = inside - static_cast<double>(low[a]);
  }
  const auto alongX = [&](std::int64_t y, std::int64_t z)
  {
    const auto row = static_cast<std::size_t>((z * this->Size[1] + y) * this->Size[0]);
    return std::lerp(static_cast<double>(this->Values[row + static_cast<std::size_t>(low[0])]),
      static_cast<double>(this->Values[row + static_cast<std::size_t>(high[0])]), weight[0]);
  };
  return std::lerp(std::lerp(alongX(low[1], low[2]), alongX(high[1], low[2]), weight[1]),
    std::lerp(alongX(low[1], high[2]), alongX(high[1], high[2]), weight[1]), weight[2]);
}

//----------------------------------------------------------------------------
void vtkVAETrendMap::Row(
  std::int64_t x, std::int64_t y, std::int64_t z, std::span<double> row) const
{
  std::array<double, 3> voxel{ static_cast<double>(x), static_cast<double>(y),
    static_cast<double>(z) };
  for (double& value : row)
  {
    value = this->At(voxel);
    ++voxel[0];
  }
}

//----------------------------------------------------------------------------
std::vector<float> vtkVAETrendMap::OnCells(
  const vae::NetworkOptions& network, int margin, const std::array<bool, 3>& periodic) const
{
  const vae::Dims cells = vae::latentDims(this->Voxels, network);
  std::array<std::vector<double>, 3> middles; // in voxels
  for (std::size_t a = 0; a < 3; ++a)
  {
    const bool unused = network.dimensions == 2 && this->Voxels[a] == 1;
    const int more = unused ? 0 : margin;
    const int stride = unused ? 1 : network.stride();
    for (std::int64_t c = -more; c < cells[a] + more; ++c)
    {
      const std::int64_t cell = periodic[a] ? ((c % cells[a]) + cells[a]) % cells[a] : c;
      middles[a].push_back(static_cast<double>(cell * stride) + 0.5 * (stride - 1));
    }
  }
  std::vector<float> values;
  for (const double z : middles[2])
  {
    for (const double y : middles[1])
    {
      for (const double x : middles[0])
      {
        values.push_back(static_cast<float>(this->At({ x, y, z })));
      }
    }
  }
  return values;
}
