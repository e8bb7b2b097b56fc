// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Patches.h"

#include "ResidentVolumes.h"

#include <algorithm>
#include <cmath>

namespace vae
{
namespace
{

/// f(index of a voxel in its array) for every voxel of a cell that lies in the grid.
template <typename F>
void forCell(const Frame& grid, const Index3& cell, const Index3& size, F&& f)
{
  Index3 begin, end;
  for (int a = 0; a < 3; ++a)
  {
    begin[a] = cell[a] * size[a];
    end[a] = std::min(begin[a] + size[a], grid.size[a]);
  }
  for (std::int64_t z = begin[0]; z < end[0]; ++z)
  {
    for (std::int64_t y = begin[1]; y < end[1]; ++y)
    {
      for (std::int64_t x = begin[2]; x < end[2]; ++x)
      {
        f(z * grid.stride[0] + y * grid.stride[1] + x * grid.stride[2]);
      }
    }
  }
}

std::int64_t below(std::mt19937_64& random, std::int64_t n)
{
  return static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(n));
}

double unit(std::mt19937_64& random) { return static_cast<double>(random() >> 11) * 0x1p-53; }

} // namespace

std::int64_t heldOutVoxels(const Frame& grid, const TrainOptions& options)
{
  const int last = grid.dimensions == 2 ? 1 : 0;
  const std::int64_t n = grid.size[last], stride = grid.cell[last];
  if (options.validationFraction <= 0 || n < 3 * stride)
  {
    return 0;
  }
  const auto wanted =
    static_cast<std::int64_t>(std::lround(options.validationFraction * static_cast<double>(n)));
  return std::clamp(wanted, stride, n / 2);
}

PatchSampler::PatchSampler(
  std::vector<Volume> volumes, const ModelInfo& info, const TrainOptions& options)
  : Volumes(std::move(volumes))
  , Channels(info.channels)
  , Last(info.network.dimensions == 2 ? 1 : 0)
  , Augmentation(info.augmentation)
  , Balance(options.classBalance)
  , Batch(options.batch())
{
  for (const Volume& v : this->Volumes)
  {
    Source& s = this->Sources.emplace_back();
    s.grid = Frame(v.dims, v.spacing, info.network);
    s.cells = s.grid.cells();
    s.sampled = s.grid.size;
    s.sampled[this->Last] -= heldOutVoxels(s.grid, options);
  }
  this->Cell = this->Sources.front().grid.cell;
  for (int a = 0; a < 3; ++a)
  {
    std::int64_t room = options.patch();
    for (const Source& s : this->Sources)
    {
      room = std::min(room, s.sampled[a]);
    }
    // Thin volumes: one cell at least; what sticks out is filled by reflection.
    this->Size[a] = std::max<std::int64_t>(1, room / this->Cell[a]) * this->Cell[a];
  }

  double total = 0;
  bool upper = true;
  if (this->Balance > 0)
  {
    double fraction = 0;
    for (const Volume& v : this->Volumes)
    {
      const ChannelSummary s = summarise(v.channels[0], voxels(v.dims), v.mask);
      // A volume of one phase has it whole; one whose mask is 0 everywhere has none.
      const bool has = !s.values.empty() && s.values.back() == this->Channels[0].maximum;
      fraction += has ? s.fractions.back() : 0;
    }
    upper = fraction < 0.5 * static_cast<double>(this->Volumes.size());
  }
  for (std::size_t i = 0; i < this->Volumes.size(); ++i)
  {
    Source& s = this->Sources[i];
    double possible = 1;
    for (int a = 0; a < 3; ++a)
    {
      possible *= static_cast<double>(std::max<std::int64_t>(1, s.sampled[a] - this->Size[a] + 1));
    }
    if (this->Volumes[i].mask.data)
    {
      this->limitTo(this->Volumes[i], s);
      possible = static_cast<double>(s.candidates.size());
    }
    if (this->Balance > 0 && possible > 0)
    {
      this->countRarer(this->Volumes[i], s, upper);
    }
    total += possible;
    this->Share.push_back(total);
  }
  if (total == 0)
  {
    throw std::invalid_argument("Mask Array leaves no room for a patch of " +
      toString({ this->Size[2], this->Size[1], this->Size[0] }) +
      " voxels in the part that is not held out; choose a smaller Patch Size, or a mask whose "
      "non-zero part is larger");
  }
  for (double& share : this->Share)
  {
    share /= total;
  }
}

double PatchSampler::vectors() const
{
  double sum = 0;
  for (const Source& s : this->Sources)
  {
    double cells = 1;
    for (int a = 0; a < 3; ++a)
    {
      cells *= static_cast<double>(s.sampled[a]) / static_cast<double>(this->Cell[a]);
    }
    sum += cells;
  }
  return sum;
}

void PatchSampler::limitTo(const Volume& volume, Source& s) const
{
  const Index3& n = s.cells;
  s.inside.assign(static_cast<std::size_t>((n[0] + 1) * (n[1] + 1) * (n[2] + 1)), 0);
  const auto at = [&](std::int64_t z, std::int64_t y, std::int64_t x) -> int&
  { return s.inside[static_cast<std::size_t>((z * (n[1] + 1) + y) * (n[2] + 1) + x)]; };
  dispatch(volume.mask.type, [&](auto t)
  {
    const auto* mask = static_cast<const decltype(t)*>(volume.mask.data);
    for (std::int64_t z = 0; z < n[0]; ++z)
    {
      for (std::int64_t y = 0; y < n[1]; ++y)
      {
        for (std::int64_t x = 0; x < n[2]; ++x)
        {
          bool all = true;
          forCell(s.grid, { z, y, x }, this->Cell,
            [&](std::int64_t i) { all = all && mask[i * volume.mask.stride] != 0; });
          at(z + 1, y + 1, x + 1) = all + at(z, y + 1, x + 1) + at(z + 1, y, x + 1) +
            at(z + 1, y + 1, x) - at(z, y, x + 1) - at(z, y + 1, x) - at(z + 1, y, x) + at(z, y, x);
        }
      }
    }
  });
  for (std::int64_t i = 0; i < n[0] * n[1] * n[2]; ++i)
  {
    if (this->lies(s, this->cellOf(s, i), this->Size, s.sampled))
    {
      s.candidates.push_back(static_cast<int>(i));
    }
  }
}

void PatchSampler::countRarer(const Volume& volume, Source& s, bool upper) const
{
  const ChannelInfo& info = this->Channels[0];
  const double wanted = upper ? info.maximum : info.minimum;
  std::int64_t sum = 0;
  dispatch(volume.channels[0].type, [&](auto t)
  {
    using T = decltype(t);
    const auto* data = static_cast<const T*>(volume.channels[0].data);
    const auto value = static_cast<T>(wanted);
    for (std::int64_t i = 0; i < s.cells[0] * s.cells[1] * s.cells[2]; ++i)
    {
      const Index3 cell = this->cellOf(s, i);
      if (cell[this->Last] * this->Cell[this->Last] < s.sampled[this->Last])
      {
        forCell(s.grid, cell, this->Cell,
          [&](std::int64_t v) { sum += data[v * volume.channels[0].stride] == value; });
      }
      s.rare.push_back(sum);
    }
  });
}

Index3 PatchSampler::cellOf(const Source& s, std::int64_t i) const
{
  return { i / (s.cells[1] * s.cells[2]), i / s.cells[2] % s.cells[1], i % s.cells[2] };
}

/// Whether `size` voxels from `cell` on lie in the mask and below `limit`.
bool PatchSampler::lies(
  const Source& s, const Index3& cell, const Index3& size, const Index3& limit) const
{
  Index3 end;
  std::int64_t count = 1;
  for (int a = 0; a < 3; ++a)
  {
    const std::int64_t n = size[a] / this->Cell[a];
    end[a] = cell[a] + n;
    count *= n;
    const std::int64_t room = std::max(limit[a], this->Size[a]); // thin volumes stick out
    if (cell[a] < 0 || end[a] > s.cells[a] || end[a] * this->Cell[a] > room)
    {
      return false;
    }
  }
  const auto at = [&](std::int64_t z, std::int64_t y, std::int64_t x)
  { return s.inside[static_cast<std::size_t>((z * (s.cells[1] + 1) + y) * (s.cells[2] + 1) + x)]; };
  const auto& [z0, y0, x0] = cell;
  const auto& [z1, y1, x1] = end;
  return at(z1, y1, x1) - at(z0, y1, x1) - at(z1, y0, x1) - at(z1, y1, x0) + at(z0, y0, x1) +
    at(z0, y1, x0) + at(z1, y0, x0) - at(z0, y0, x0) ==
    count;
}

Patch PatchSampler::draw(std::mt19937_64& random) const
{
  Patch patch;
  if (this->Sources.size() > 1)
  {
    patch.volume = static_cast<std::size_t>(
      std::upper_bound(this->Share.begin(), this->Share.end() - 1, unit(random)) -
      this->Share.begin());
  }
  const Source& s = this->Sources[patch.volume];
  patch.orientation = randomOrientation(s.grid, this->Size, this->Augmentation, random);
  patch.box.size = this->Size;
  Index3& origin = patch.box.origin;
  const bool masked = !s.inside.empty();
  if (this->Balance > 0 && !s.rare.empty() && s.rare.back() > 0 && unit(random) < this->Balance)
  {
    // Centred on a cell with the rarer phase, in proportion to how much of it is there.
    for (int attempt = 0; attempt < (masked ? 64 : 1); ++attempt)
    {
      const auto found =
        std::upper_bound(s.rare.begin(), s.rare.end(), below(random, s.rare.back()));
      const Index3 cell = this->cellOf(s, found - s.rare.begin());
      Index3 corner;
      for (int a = 0; a < 3; ++a)
      {
        const std::int64_t at =
          cell[a] * this->Cell[a] + below(random, this->Cell[a]) - this->Size[a] / 2;
        const std::int64_t room = std::max<std::int64_t>(0, s.sampled[a] - this->Size[a]);
        origin[a] = std::clamp<std::int64_t>(at, 0, room);
        corner[a] = origin[a] / this->Cell[a];
      }
      if (!masked)
      {
        return patch;
      }
      if (this->lies(s, corner, this->Size, s.sampled))
      {
        for (int a = 0; a < 3; ++a)
        {
          origin[a] = corner[a] * this->Cell[a];
        }
        return patch;
      }
    }
  }
  if (masked)
  {
    const int chosen = s.candidates[static_cast<std::size_t>(
      below(random, static_cast<std::int64_t>(s.candidates.size())))];
    const Index3 cell = this->cellOf(s, chosen);
    Index3 wider;
    for (int a = 0; a < 3; ++a)
    {
      wider[a] = this->Size[a] + (this->Cell[a] > 1 ? this->Cell[a] : 0);
    }
    // Between the cells only where the mask reaches one cell further.
    const bool between = this->lies(s, cell, wider, s.sampled);
    for (int a = 0; a < 3; ++a)
    {
      const std::int64_t shift = below(random, this->Cell[a]);
      origin[a] = cell[a] * this->Cell[a] + (between ? shift : 0);
    }
    return patch;
  }
  for (int a = 0; a < 3; ++a)
  {
    origin[a] = below(random, std::max<std::int64_t>(1, s.sampled[a] - this->Size[a] + 1));
  }
  return patch;
}

std::vector<Patch> PatchSampler::heldOut() const
{
  std::vector<Patch> all;
  Index3 size = this->Size;
  for (const Source& s : this->Sources)
  {
    if (const std::int64_t slab = s.grid.size[this->Last] - s.sampled[this->Last]; slab > 0)
    {
      size[this->Last] =
        std::min(size[this->Last], slab / this->Cell[this->Last] * this->Cell[this->Last]);
    }
  }
  for (std::size_t i = 0; i < this->Sources.size(); ++i)
  {
    const Source& s = this->Sources[i];
    if (s.sampled[this->Last] == s.grid.size[this->Last])
    {
      continue;
    }
    Patch patch;
    patch.volume = i;
    patch.box.size = size;
    Index3 count{ 1, 1, 1 };
    for (int a = this->Last + 1; a < 3; ++a)
    {
      count[a] = std::max<std::int64_t>(1, s.grid.size[a] / size[a]);
    }
    for (std::int64_t k = 0; k < count[1] * count[2]; ++k)
    {
      patch.box.origin = { 0, k / count[2] * size[1], k % count[2] * size[2] };
      patch.box.origin[this->Last] = s.sampled[this->Last];
      if (!s.inside.empty())
      {
        // The cells that the patch touches.
        Index3 from, touched;
        for (int a = 0; a < 3; ++a)
        {
          const std::int64_t end = patch.box.origin[a] + size[a];
          from[a] = patch.box.origin[a] / this->Cell[a];
          touched[a] = ((end + this->Cell[a] - 1) / this->Cell[a] - from[a]) * this->Cell[a];
        }
        if (!this->lies(s, from, touched, s.grid.size))
        {
          continue;
        }
      }
      all.push_back(patch);
    }
  }
  std::vector<Patch> chosen;
  const auto wanted = std::min<std::size_t>(static_cast<std::size_t>(this->Batch), all.size());
  for (std::size_t i = 0; i < wanted; ++i)
  {
    chosen.push_back(all[i * all.size() / wanted]);
  }
  return chosen;
}

void PatchSampler::keepOn(const at::Device& device)
{
  std::vector<Frame> frames;
  for (const Source& s : this->Sources)
  {
    frames.push_back(s.grid);
  }
  this->Resident = std::make_shared<ResidentVolumes>(this->Volumes, frames, this->Channels, device);
}

at::Tensor PatchSampler::read(const std::vector<Patch>& patches) const
{
  if (this->Resident)
  {
    return this->Resident->read(patches);
  }
  const Frame& grid = this->Sources[patches.front().volume].grid;
  at::Tensor x = emptyFolded(static_cast<std::int64_t>(patches.size()), grid,
    patches.front().box.size, static_cast<int>(this->Channels.size()));
  float* out = x.mutable_data_ptr<float>();
  const std::int64_t each = x.numel() / x.size(0);
  for (const Patch& patch : patches)
  {
    readFolded(this->Volumes[patch.volume], this->Sources[patch.volume].grid, this->Channels,
      patch.box, patch.orientation, out);
    out += each;
  }
  return x;
}

} // namespace vae
