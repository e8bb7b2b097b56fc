// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "MaskRegion.h"

#include "Boxes.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <algorithm>
#include <limits>

namespace vae
{
namespace
{

/// The largest cube, along the axes of more than one cell, of cells that are `whole`, [z, y, x].
Box largestCube(const at::Tensor& whole)
{
  const Index3 n{ whole.size(0), whole.size(1), whole.size(2) };
  // The edge of the largest one that ends in a cell is one more than the least of those that end in
  // the cells before it.
  const at::Tensor edges = whole.to(at::kInt).contiguous();
  int* edge = edges.mutable_data_ptr<int>();
  const Index3 step{ n[1] * n[2], n[2], 1 };
  int longest = 0;
  Index3 end{};
  Index3 at;
  for (at[0] = 0; at[0] < n[0]; ++at[0])
  {
    for (at[1] = 0; at[1] < n[1]; ++at[1])
    {
      for (at[2] = 0; at[2] < n[2]; ++at[2])
      {
        const std::int64_t here = at[0] * step[0] + at[1] * step[1] + at[2];
        if (edge[here] == 0)
        {
          continue;
        }
        int least = std::numeric_limits<int>::max();
        for (int back = 1; back < 8; ++back) // the axes along which to step back
        {
          std::int64_t before = here;
          bool used = true, inside = true;
          for (int a = 0; a < 3; ++a)
          {
            if (back >> a & 1)
            {
              used = used && n[a] > 1;
              inside = inside && at[a] > 0;
              before -= step[a];
            }
          }
          least = used ? std::min(least, inside ? edge[before] : 0) : least;
        }
        edge[here] = least == std::numeric_limits<int>::max() ? 1 : least + 1;
        if (edge[here] > longest)
        {
          longest = edge[here];
          end = at;
        }
      }
    }
  }
  Box box;
  for (int a = 0; a < 3; ++a)
  {
    box.size[a] = longest == 0 ? 0 : n[a] > 1 ? longest : 1;
    box.origin[a] = end[a] + 1 - box.size[a];
  }
  return box;
}

/// `box` with more layers on its sides, in turn, as long as they are whole.
Box grown(Box box, const at::Tensor& whole)
{
  for (bool grows = true; grows;)
  {
    grows = false;
    for (int a = 0; a < 3; ++a)
    {
      for (const bool upper : { false, true })
      {
        Box layer = box;
        layer.size[a] = 1;
        layer.origin[a] = upper ? box.origin[a] + box.size[a] : box.origin[a] - 1;
        if (layer.origin[a] >= 0 && layer.origin[a] < whole.size(a) &&
          slice(whole, layer.origin, layer.size).all().item<bool>())
        {
          box.origin[a] -= upper ? 0 : 1;
          ++box.size[a];
          grows = true;
        }
      }
    }
  }
  return box;
}

/// The voxels of a box as an array of their own.
Channel copied(const Channel& from, const Frame& frame, const Box& box, const Dims& dims)
{
  Channel to = from;
  to.stride = 1;
  dispatch(from.type, [&](auto t)
  {
    using T = decltype(t);
    const auto values = std::make_shared<std::vector<T>>(static_cast<std::size_t>(voxels(dims)));
    const T* data = static_cast<const T*>(from.data);
    std::size_t i = 0;
    Index3 low; // along x, y, z
    std::array<std::int64_t, 3> stride;
    for (std::size_t a = 0; a < 3; ++a)
    {
      low[frame.axis[a]] = box.origin[a];
      stride[frame.axis[a]] = frame.stride[a];
    }
    for (std::int64_t z = 0; z < dims[2]; ++z)
    {
      for (std::int64_t y = 0; y < dims[1]; ++y)
      {
        for (std::int64_t x = 0; x < dims[0]; ++x)
        {
          const std::int64_t at =
            (low[0] + x) * stride[0] + (low[1] + y) * stride[1] + (low[2] + z) * stride[2];
          (*values)[i++] = data[at * from.stride];
        }
      }
    }
    to.data = values->data();
    to.owner = values;
  });
  return to;
}

} // namespace

at::Tensor insideMask(const Volume& volume, const Frame& frame)
{
  if (!volume.mask.data)
  {
    return {};
  }
  Volume mask;
  mask.dims = volume.dims;
  mask.channels = { volume.mask };
  const auto isSet = [](const at::Tensor& values) { return values.ne(0).to(at::kFloat); };
  return cellMeans(mask, frame, { ChannelInfo() }, isSet);
}

Box maskedBox(const at::Tensor& inside, const Frame& frame)
{
  if (!inside.defined())
  {
    return { {}, frame.cells() };
  }
  const at::Tensor whole = inside[0].ge(1.);
  const Box cube = largestCube(whole);
  return cube.size[0] == 0 ? cube : grown(cube, whole);
}

Volume copyOf(const Volume& volume, const Frame& frame, const Box& box)
{
  Volume part = volume;
  for (int a = 0; a < 3; ++a)
  {
    part.dims[frame.axis[a]] = box.size[a];
  }
  for (Channel& c : part.channels)
  {
    c = copied(c, frame, box, part.dims);
  }
  part.mask = {};
  return part;
}

Volume partOf(const Volume& volume, const Frame& frame, const Box& cells)
{
  if (!volume.mask.data)
  {
    return volume;
  }
  Box box = toVoxels(cells, frame.cell);
  for (int a = 0; a < 3; ++a)
  {
    box.size[a] = std::min(box.size[a], frame.size[a] - box.origin[a]);
  }
  return copyOf(volume, frame, box);
}

} // namespace vae
