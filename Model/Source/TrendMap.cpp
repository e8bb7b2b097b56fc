// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "TrendMap.h"

#include "Model.h"

#include <algorithm>
#include <cmath>

namespace vae
{

double TrendMap::at(const std::array<double, 3>& voxel) const
{
  std::array<std::int64_t, 3> low, high;
  std::array<double, 3> weight;
  for (std::size_t a = 0; a < 3; ++a)
  {
    const double index = this->first[a] + this->steps[0][a] * voxel[0] +
      this->steps[1][a] * voxel[1] + this->steps[2][a] * voxel[2];
    const auto last = static_cast<double>(this->dims[a] - 1);
    const double inside = index > 0 ? std::min(index, last) : 0; // also of what is no number
    low[a] = static_cast<std::int64_t>(inside);
    high[a] = std::min(low[a] + 1, this->dims[a] - 1);
    weight[a] = inside - static_cast<double>(low[a]);
  }
  const auto alongX = [&](std::int64_t y, std::int64_t z)
  {
    const auto row = static_cast<std::size_t>((z * this->dims[1] + y) * this->dims[0]);
    return std::lerp(static_cast<double>(this->values[row + static_cast<std::size_t>(low[0])]),
      static_cast<double>(this->values[row + static_cast<std::size_t>(high[0])]), weight[0]);
  };
  return std::lerp(std::lerp(alongX(low[1], low[2]), alongX(high[1], low[2]), weight[1]),
    std::lerp(alongX(low[1], high[2]), alongX(high[1], high[2]), weight[1]), weight[2]);
}

void TrendMap::row(std::int64_t x, std::int64_t y, std::int64_t z, std::span<double> to) const
{
  std::array<double, 3> voxel{ static_cast<double>(x), static_cast<double>(y),
    static_cast<double>(z) };
  for (double& value : to)
  {
    value = this->at(voxel);
    ++voxel[0];
  }
}

std::vector<float> TrendMap::onCells(const Dims& volume, const NetworkOptions& network, int margin,
  const std::array<bool, 3>& periodic) const
{
  const Dims cells = latentDims(volume, network);
  std::array<std::vector<double>, 3> middles; // in voxels
  for (std::size_t a = 0; a < 3; ++a)
  {
    const bool unused = network.dimensions == 2 && volume[a] == 1;
    const int more = unused ? 0 : margin;
    const int stride = unused ? 1 : network.stride();
    for (std::int64_t c = -more; c < cells[a] + more; ++c)
    {
      const std::int64_t cell = periodic[a] ? ((c % cells[a]) + cells[a]) % cells[a] : c;
      middles[a].push_back(static_cast<double>(cell * stride) + 0.5 * (stride - 1));
    }
  }
  std::vector<float> on;
  for (const double z : middles[2])
  {
    for (const double y : middles[1])
    {
      for (const double x : middles[0])
      {
        on.push_back(static_cast<float>(this->at({ x, y, z })));
      }
    }
  }
  return on;
}

} // namespace vae
