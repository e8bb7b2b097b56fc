// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Partition.h"

#include <algorithm>

namespace vae
{
namespace
{

std::int64_t countIn(const Index3& size, const Index3& block)
{
  return (size[0] / block[0]) * (size[1] / block[1]) * (size[2] / block[2]);
}

} // namespace

Partition::Partition(const std::vector<Frame>& frames, const Index3& block) : Block(block)
{
  for (std::size_t i = 0; i < frames.size(); ++i)
  {
    if (countIn(frames[i].size, block) > 0)
    {
      this->Volumes.push_back({ i, frames[i].size });
    }
  }
}

std::int64_t Partition::units(std::size_t parts, int axis) const
{
  if (this->byVolume(parts))
  {
    return static_cast<std::int64_t>(this->Volumes.size());
  }
  std::int64_t layers = 0;
  for (const Usable& v : this->Volumes)
  {
    layers += v.size[axis] / this->Block[axis];
  }
  return layers;
}

int Partition::longestAxis(std::size_t parts) const
{
  int longest = 0;
  for (int a = 1; a < 3; ++a)
  {
    // An axis that is not used has a block of 1 voxel, and is as long.
    const bool used = this->Block[a] > 1, better = this->Block[longest] == 1;
    longest = used && (better || this->units(parts, a) > this->units(parts, longest)) ? a : longest;
  }
  return longest;
}

std::vector<Part> Partition::cut(const std::vector<std::int64_t>& counts, int axis) const
{
  std::vector<Part> parts(counts.size());
  const bool whole = this->byVolume(counts.size());
  std::size_t part = 0;
  std::int64_t left = counts[0];
  for (const Usable& v : this->Volumes)
  {
    const std::int64_t n = v.size[axis], layers = whole ? 1 : n / this->Block[axis];
    for (std::int64_t i = 0; i < layers; ++i)
    {
      while (left == 0)
      {
        if (++part == counts.size())
        {
          return parts;
        }
        left = counts[part];
      }
      --left;
      Part& to = parts[part];
      if (to.empty() || to.back().volume != v.number)
      {
        to.push_back({ v.number, { {}, v.size } });
        to.back().box.origin[axis] = n * i / layers;
      }
      to.back().box.size[axis] = n * (i + 1) / layers - to.back().box.origin[axis];
    }
  }
  return parts;
}

std::int64_t Partition::blocks() const
{
  std::int64_t count = 0;
  for (const Usable& v : this->Volumes)
  {
    count += countIn(v.size, this->Block);
  }
  return count;
}

std::vector<Region> blocksOf(const Part& part, const Index3& block)
{
  std::vector<Region> blocks;
  for (const auto& [volume, box] : part)
  {
    Index3 count;
    for (int a = 0; a < 3; ++a)
    {
      count[a] = box.size[a] / block[a];
    }
    for (std::int64_t i = 0; i < count[0] * count[1] * count[2]; ++i)
    {
      const Index3 at{ i / (count[1] * count[2]), i / count[2] % count[1], i % count[2] };
      Region& b = blocks.emplace_back(Region{ volume, { box.origin, block } });
      for (int a = 0; a < 3; ++a)
      {
        b.box.origin[a] += box.size[a] * at[a] / count[a];
      }
    }
  }
  return blocks;
}

Region drawBlock(const Part& part, const Index3& block, std::mt19937_64& random)
{
  const auto below = [&](std::int64_t n)
  { return static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(n)); };
  const auto voxelsOf = [](const Box& box) { return box.size[0] * box.size[1] * box.size[2]; };
  std::int64_t all = 0;
  for (const Region& r : part)
  {
    all += voxelsOf(r.box);
  }
  std::int64_t at = below(all);
  std::size_t chosen = 0;
  while (at >= voxelsOf(part[chosen].box))
  {
    at -= voxelsOf(part[chosen++].box);
  }
  Region drawn{ part[chosen].volume, { part[chosen].box.origin, block } };
  for (int a = 0; a < 3; ++a)
  {
    drawn.box.origin[a] += below(part[chosen].box.size[a] - block[a] + 1);
  }
  return drawn;
}

} // namespace vae
