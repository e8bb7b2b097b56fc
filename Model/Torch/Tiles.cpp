// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Tiles.h"

#include "../Check.h"
#include "../Memory.h"
#include "Network.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <new>

namespace vae
{
Budget budgetOf(const RunOptions& run, const Place& place)
{
  constexpr double mebibyte = 1048576, gibibyte = 1024 * mebibyte;
  check(run);
  if (run.memoryBudget > 0)
  {
    return { run.memoryBudget * mebibyte, "asked for" };
  }
  // Larger tiles than these are no faster.
  const bool gpu = place.device.is_cuda();
  const double left = gpu ? freeMemoryOf(place.device) : freeMemory();
  const double share = gpu ? 0.5 : 0.25, most = (gpu ? 16 : 4) * gibibyte;
  char text[80];
  std::snprintf(text, sizeof text, "%s of the %.1f GiB that are free",
    share * left > most ? "of use"
      : gpu             ? "a half"
                        : "a quarter",
    left / gibibyte);
  return { std::min(share * left, most), text };
}

double bytesPerVoxel(const NetworkOptions& n, const Place& place)
{
  // About six activations of the finest level live at once, data and what is decoded in the
  // network's type, and two float32 copies of either.
  const bool convolves =
    n.architecture == Architecture::Field || n.architecture == Architecture::Vector;
  const double cell = std::pow(convolves ? n.fold() : n.blockSize, n.dimensions);
  const double bytes = place.compute == at::kBFloat16 ? 2 : 4;
  return 6 * bytes * (convolves ? n.width : n.hiddenUnits) / cell + (2 * bytes + 8) * n.channels;
}

Index3 tileSize(const Index3& cells, const Index3& cell, int halo, double mostVoxels)
{
  struct Cut
  {
    std::int64_t size = 1;
    double largest = 0, all = 0; ///< voxels along this axis, halos included: of a tile, of all
  };
  // Tiles much smaller than their halo save no memory and cost much time.
  const std::int64_t smallest = std::max(1, halo / 2);
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
      cuts[a].push_back(cut);
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

Box widen(const Box& box, std::int64_t halo, const Index3& low, const Index3& high)
{
  Box wide;
  for (int a = 0; a < 3; ++a)
  {
    wide.origin[a] = std::max(box.origin[a] - halo, low[a]);
    wide.size[a] = std::min(box.origin[a] + box.size[a] + halo, high[a]) - wide.origin[a];
  }
  return wide;
}

Halo around(const Box& box, const Box& wide, int dimensions)
{
  Halo halo;
  for (int a = 3 - dimensions; a < 3; ++a)
  {
    halo.low.push_back(box.origin[a] - wide.origin[a]);
    halo.high.push_back(wide.origin[a] + wide.size[a] - box.origin[a] - box.size[a]);
  }
  return halo;
}

Box toVoxels(const Box& cells, const Index3& cell)
{
  Box box;
  for (int a = 0; a < 3; ++a)
  {
    box.origin[a] = cells.origin[a] * cell[a];
    box.size[a] = cells.size[a] * cell[a];
  }
  return box;
}

at::Tensor slice(const at::Tensor& t, const Index3& origin, const Index3& size)
{
  at::Tensor part = t;
  for (int a = 0; a < 3; ++a)
  {
    part = part.narrow(part.dim() - 3 + a, origin[a], size[a]);
  }
  return part;
}

void report(const Monitor& monitor, double progress)
{
  if (monitor.progress && !monitor.stop.stop_requested())
  {
    monitor.progress(progress);
  }
  if (monitor.stop.stop_requested())
  {
    throw Stopped();
  }
}

void forEachTile(const Index3& cells, const Index3& size, const Monitor& monitor,
  const std::function<void(const Box&)>& work)
{
  Index3 most = size;
  std::vector<Box> left{ { { 0, 0, 0 }, cells } }; // the last is next
  double done = 0;
  const auto all = static_cast<double>(cells[0] * cells[1] * cells[2]);
  while (!left.empty())
  {
    const Box box = left.back();
    left.pop_back();
    int cut = -1; // the slowest axis along which it is too large
    for (int a = 2; a >= 0; --a)
    {
      cut = box.size[a] > most[a] ? a : cut;
    }
    if (cut >= 0)
    {
      Box first = box, rest = box;
      first.size[cut] = most[cut];
      rest.origin[cut] += most[cut];
      rest.size[cut] -= most[cut];
      left.push_back(rest);
      left.push_back(first);
      continue;
    }
    report(monitor, done / all);
    try
    {
      work(box);
      done += static_cast<double>(box.size[0] * box.size[1] * box.size[2]);
    }
    catch (const std::exception& e)
    {
      const auto longest = std::max_element(box.size.begin(), box.size.end()) - box.size.begin();
      if (!isOutOfMemory(e))
      {
        throw;
      }
      if (box.size[longest] == 1)
      {
        throw std::bad_alloc();
      }
      most[longest] = (box.size[longest] + 1) / 2;
      left.push_back(box);
    }
  }
  report(monitor, 1);
}

} // namespace vae
