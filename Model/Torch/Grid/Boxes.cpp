// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Boxes.h"

#include "Torch/Runtime/Room.h"

#include <algorithm>
#include <new>

namespace vae
{

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

namespace
{

/// The axis along which half the box, with its halo, takes the least memory.
/// \return -1 where no half takes much less
int axisToHalve(const Index3& size, const Index3& cells, int halo)
{
  constexpr double worthwhile = 0.9;
  int best = -1;
  double least = worthwhile;
  for (int a = 0; a < 3; ++a)
  {
    // Of the largest tile: with one or two along the axis, each touches a border.
    const auto wide = [&](std::int64_t n)
    { return static_cast<double>(std::min(n + (2 * n < cells[a] ? 2 : 1) * halo, cells[a])); };
    const double part = wide((size[a] + 1) / 2) / wide(size[a]);
    if (size[a] > 1 && part < least)
    {
      best = a;
      least = part;
    }
  }
  return best;
}

} // namespace

void forEachTile(const Index3& cells, const TileSize& tile, const Monitor& monitor,
  const std::function<void(const Box&)>& work)
{
  Index3 most = tile.size;
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
    monitor.report(done / all);
    try
    {
      work(box);
      done += static_cast<double>(box.size[0] * box.size[1] * box.size[2]);
    }
    catch (const std::exception& e)
    {
      if (!isOutOfMemory(e))
      {
        throw;
      }
      const int axis = axisToHalve(box.size, cells, tile.halo);
      if (axis < 0)
      {
        throw std::bad_alloc();
      }
      most[axis] = (box.size[axis] + 1) / 2;
      left.push_back(box);
    }
  }
  monitor.report(1);
}

} // namespace vae
