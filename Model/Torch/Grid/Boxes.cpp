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
    monitor.report(done / all);
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
  monitor.report(1);
}

} // namespace vae
