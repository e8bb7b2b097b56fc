// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Tiles.h"

#include "Check.h"
#include "Source/Memory.h"
#include "Texture.h"
#include "Torch/Networks/Network.h"

#include <algorithm>
#include <cmath>
#include <format>
#include <limits>
#include <new>

namespace vae
{
Budget budgetOf(const RunOptions& run, const ComputeDevice& place)
{
  constexpr double mebibyte = 1048576, gibibyte = 1024 * mebibyte;
  check(run);
  const bool gpu = !place.onCpu();
  // What is staged for a larger tile takes gigabytes of memory that the system cannot move, and
  // cuDNN has been wrong on tensors of more than 2^31 elements.
  const double voxels = gpu ? 1 << 27 : std::numeric_limits<double>::infinity();
  if (run.memoryBudget > 0)
  {
    return { run.memoryBudget * mebibyte, voxels, "asked for" };
  }
  const std::optional<double> known = gpu ? freeMemoryOf(place.device) : freeMemory();
  if (!known)
  {
    return { gibibyte, voxels, "the driver does not tell how much is free" };
  }
  // Larger tiles than these are no faster.
  const double left = *known;
  const double share = gpu ? 0.5 : 0.25, most = (gpu ? 16 : 4) * gibibyte;
  const char* part = share * left > most ? "of use" : gpu ? "a half" : "a quarter";
  return { std::min(share * left, most), voxels,
    std::format("{} of the {:.1f} GiB that are free", part, left / gibibyte) };
}

double bytesPerVoxel(const NetworkOptions& n, const ComputeDevice& place)
{
  // About six activations of the finest level live at once, data and what is decoded in the
  // network's type, and two float32 copies of either.
  const bool convolves =
    n.architecture == Architecture::Field || n.architecture == Architecture::Vector;
  const double cell = std::pow(convolves ? n.fold() : n.blockSize, n.dimensions);
  const double bytes = place.compute == at::kBFloat16 ? 2 : 4;
  return 6 * bytes * (convolves ? n.width : n.hiddenUnits) / cell + (2 * bytes + 8) * n.channels;
}

double outputBytesPerVoxel(
  const ModelInfo& info, const Outputs& outputs, const ComputeDevice& place)
{
  if (place.onCpu())
  {
    return 0;
  }
  const auto channels = static_cast<double>(info.channels.size());
  const double values = info.likelihood == Likelihood::Categorical
    ? channels * static_cast<double>(info.channels[0].phases.size())
    : channels;
  double arrays = outputs.logOdds.data || outputs.fraction ? 1 : 0;
  for (const auto* list : { &outputs.values, &outputs.probability })
  {
    arrays += static_cast<double>(
      std::ranges::count_if(*list, [](const OutputChannel& c) { return c.data != nullptr; }));
  }
  const bool drawn = outputs.texture && info.textureWidth > 0;
  // Each array in float32, and as it is sent: while the next tile is decoded, too.
  return (drawn ? TextureBytes + 4 : 4) * values + (4 + 8) * arrays;
}

Index3 tileSize(const Index3& cells, const Index3& cell, int halo, double mostVoxels)
{
  struct Cut
  {
    std::int64_t size = 1;
    double largest = 0, all = 0; ///< voxels along this axis, halos included: of a tile, of all
  };
  // Tiles smaller than their halo save little memory and process each voxel dozens of times.
  const std::int64_t smallest = std::max(1, halo);
  std::array<std::vector<Cut>, 3> cuts;
  for (int a = 0; a < 3; ++a)
  {
    for (std::int64_t pieces = 1; pieces <= std::min<std::int64_t>(cells[a], 64); ++pieces)
    {
      Cut cut;
      cut.size = (cells[a] + pieces - 1) / pieces;
      if (!cuts[a].empty() && (cut.size < smallest || cut.size == cuts[a].back().size))
      {
        continue;
      }
      for (std::int64_t begin = 0; begin < cells[a]; begin += cut.size)
      {
        const std::int64_t end = std::min(begin + cut.size, cells[a]);
        const auto wide = static_cast<double>(
          (std::min(end + halo, cells[a]) - std::max<std::int64_t>(begin - halo, 0)) * cell[a]);
        cut.largest = std::max(cut.largest, wide);
        cut.all += wide;
      }
      if (cuts[a].empty() || cut.largest < cuts[a].back().largest)
      {
        cuts[a].push_back(cut);
      }
    }
  }
  Index3 best{ cuts[0].back().size, cuts[1].back().size, cuts[2].back().size };
  double least = std::numeric_limits<double>::infinity();
  for (const Cut& z : cuts[0])
  {
    for (const Cut& y : cuts[1])
    {
      for (const Cut& x : cuts[2])
      {
        if (z.largest * y.largest * x.largest <= mostVoxels && z.all * y.all * x.all < least)
        {
          least = z.all * y.all * x.all;
          best = { z.size, y.size, x.size };
        }
      }
    }
  }
  return best;
}

} // namespace vae
