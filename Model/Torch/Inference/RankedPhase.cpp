// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "RankedPhase.h"

#include "Torch/Grid/DeviceBlocks.h"
#include "Torch/Runtime/Device.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <new>

namespace vae
{
namespace
{

constexpr std::int64_t AtOnce = 1 << 26; // voxels that are looked at, or sent

/// Floats have the order of these numbers.
float floatOf(std::uint32_t key)
{
  return std::bit_cast<float>(key & 0x80000000u ? key & 0x7fffffffu : ~key);
}
constexpr std::uint32_t Lowest = 0x007fffff, Highest = 0xff800000; // keys of both infinities

/// f of parts of the numbers, in their order.
template <typename F>
void inParts(const at::Tensor& flat, F&& f)
{
  for (std::int64_t i = 0; i < flat.numel(); i += AtOnce)
  {
    f(flat.slice(0, i, i + AtOnce), i);
  }
}

std::int64_t countOf(const at::Tensor& flat, float threshold)
{
  at::Tensor count = at::zeros({ 1 }, flat.options().dtype(at::kLong));
  inParts(flat, [&](const at::Tensor& part, std::int64_t) { count += part.ge(threshold).sum(); });
  return count.item<std::int64_t>();
}

} // namespace

at::Tensor areLargest(const at::Tensor& values, std::int64_t count)
{
  const at::Tensor flat = values.flatten();
  if (count <= 0)
  {
    return at::zeros(values.sizes(), values.options().dtype(at::kBool));
  }
  // The largest key that `count` numbers reach: that of the smallest among them.
  std::uint32_t low = Lowest, high = Highest + 1;
  const bool numbers = countOf(flat, floatOf(low)) >= count; // else some are NaN
  while (numbers && high - low > 1)
  {
    const std::uint32_t middle = low + (high - low) / 2;
    (countOf(flat, floatOf(middle)) >= count ? low : high) = middle;
  }
  const float last = floatOf(low);
  at::Tensor left = at::full({ 1 }, count, flat.options().dtype(at::kLong));
  const auto isAbove = [&](const at::Tensor& part)
  { return numbers ? part.gt(last) : part.eq(part); };
  inParts(flat, [&](const at::Tensor& part, std::int64_t) { left -= isAbove(part).sum(); });
  const at::Tensor largest = at::empty(flat.sizes(), flat.options().dtype(at::kBool));
  inParts(flat, [&](const at::Tensor& part, std::int64_t begin)
  {
    const at::Tensor equal = numbers ? part.eq(last) : part.ne(part), rank = equal.cumsum(0);
    largest.narrow(0, begin, part.numel())
      .copy_(isAbove(part).logical_or(equal.logical_and(rank.le(left))));
    left -= rank[part.numel() - 1];
  });
  return largest.view(values.sizes());
}

std::optional<RankedPhase> RankedPhase::on(const at::Device& device, const ModelInfo& info,
  const Frame& frame, int phase, const OutputChannel& labels)
{
  if (device.is_cpu())
  {
    return {};
  }
  const at::Tensor first = labelsOf(info.channels[0], labels.type, device);
  const Index3& n = frame.size;
  // With what tells the largest: a byte a voxel, and more for those that are looked at.
  const std::int64_t voxels = n[0] * n[1] * n[2];
  const double bytes =
    (5 + static_cast<double>(first.element_size())) * static_cast<double>(voxels) +
    20. * static_cast<double>(std::min(voxels, AtOnce));
  if (2 * bytes > freeMemoryOf(device).value_or(0)) // the network wants some, too
  {
    return {};
  }
  RankedPhase ranked(info, frame, phase, labels);
  ranked.LogOdds = at::empty({ n[0], n[1], n[2] }, at::TensorOptions(device));
  ranked.Others = at::empty({ n[0], n[1], n[2] }, first.options());
  return ranked;
}

void RankedPhase::add(const Box& cells, const at::Tensor& others, const at::Tensor& logOdds)
{
  const Box voxels = toVoxels(cells, this->Grid.cell);
  Index3 size;
  for (int a = 0; a < 3; ++a)
  {
    size[a] = std::min(voxels.size[a], this->Grid.size[a] - voxels.origin[a]);
  }
  const auto channels = static_cast<std::int64_t>(this->Info.channels.size());
  const auto put = [&](const at::Tensor& to, const at::Tensor& folded, Decode what, ScalarType type)
  {
    slice(to, voxels.origin, size)
      .copy_(slice(
        unfolded(folded, this->Grid, channels, 0, this->Info.channels[0], what, type), {}, size));
  };
  put(this->Others, others, Decode::Phase, this->Labels.type);
  put(this->LogOdds, logOdds, Decode::Plain, ScalarType::Float32);
}

void RankedPhase::write(double fraction)
{
  const Index3& n = this->Grid.size;
  const at::Tensor largest =
    areLargest(this->LogOdds, std::llround(fraction * static_cast<double>(this->LogOdds.numel())));
  const at::Tensor label =
    labelsOf(this->Info.channels[0], this->Labels.type, this->Others.device())[this->Phase];
  const std::int64_t planes = std::max<std::int64_t>(1, AtOnce / (n[1] * n[2]));
  for (std::int64_t z = 0; z < n[0]; z += planes)
  {
    const std::int64_t some = std::min(planes, n[0] - z);
    HostCopy labels(at::where(largest.narrow(0, z, some), label, this->Others.narrow(0, z, some)));
    writeUnfolded(labels.wait(), { { z, 0, 0 }, { some, n[1], n[2] } }, this->Grid, this->Labels);
  }
}

} // namespace vae
