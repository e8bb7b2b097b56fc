// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "ResidentVolumes.h"

#include "Torch/Grid/DeviceBlocks.h"
#include "Torch/Runtime/Device.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <algorithm>

namespace vae
{

ResidentVolumes::ResidentVolumes(const std::vector<Volume>& volumes,
  const std::vector<Frame>& frames, const std::vector<ChannelInfo>& channels,
  const at::Device& device)
  : Frames(frames)
  , Channels(channels)
{
  std::int64_t all = 0;
  for (const Volume& v : volumes)
  {
    this->First.push_back(all);
    all += voxels(v.dims);
  }
  this->Values = at::empty({ all, static_cast<std::int64_t>(channels.size()) },
    at::TensorOptions(device).dtype(at::kFloat));
  for (std::size_t i = 0; i < volumes.size(); ++i)
  {
    Frame flat = frames[i];
    flat.fold = { 1, 1, 1 };
    const std::int64_t plane = flat.size[1] * flat.size[2];
    const auto most = std::max<std::int64_t>(1, (std::int64_t{ 1 } << 24) / plane); // 64 MiB each
    for (std::int64_t z = 0; z < flat.size[0]; z += most)
    {
      const std::int64_t planes = std::min(most, flat.size[0] - z);
      const at::Tensor slab = readFolded(volumes[i], flat, channels,
        { { z, 0, 0 }, { planes, flat.size[1], flat.size[2] } }, device);
      this->Values.narrow(0, this->First[i] + z * plane, planes * plane)
        .copy_(fromNetworkShape(slab)[0].flatten(1).t());
    }
  }
}

double ResidentVolumes::bytes(const std::vector<Volume>& volumes, std::size_t channels)
{
  double all = 0;
  for (const Volume& v : volumes)
  {
    all += static_cast<double>(voxels(v.dims)) * static_cast<double>(channels) * sizeof(float);
  }
  return all;
}

at::Tensor ResidentVolumes::read(const std::vector<Patch>& patches) const
{
  // The places of voxels along each axis; a voxel's own is their sum.
  const auto batch = static_cast<std::int64_t>(patches.size());
  const Index3& size = patches.front().box.size;
  const at::Tensor tables = at::empty({ batch, size[0] + size[1] + size[2] }, at::kLong);
  auto* out = tables.mutable_data_ptr<std::int64_t>();
  for (const Patch& patch : patches)
  {
    const Frame& frame = this->Frames[patch.volume];
    const Index3 stride{ frame.size[1] * frame.size[2], frame.size[2], 1 };
    const auto offsets = offsetsOf(frame.size, stride, patch.box, patch.orientation);
    for (const std::int64_t z : offsets[0])
    {
      *out++ = this->First[patch.volume] + z;
    }
    out = std::copy(offsets[1].begin(), offsets[1].end(), out);
    out = std::copy(offsets[2].begin(), offsets[2].end(), out);
  }
  const at::Tensor there = toDevice(tables, this->Values.device());
  const at::Tensor places = there.narrow(1, 0, size[0]).view({ batch, size[0], 1, 1 }) +
    there.narrow(1, size[0], size[1]).view({ batch, 1, size[1], 1 }) +
    there.narrow(1, size[0] + size[1], size[2]).view({ batch, 1, 1, size[2] });
  const Frame& frame = this->Frames.front();
  const auto [fz, fy, fx] = frame.fold;
  const auto channels = this->Values.size(1);
  const at::Tensor read = this->Values.index_select(0, places.flatten());
  const at::Tensor folded =
    this->turned(read.view({ batch, -1, channels }), patches)
      .view({ batch, size[0] / fz, fz, size[1] / fy, fy, size[2] / fx, fx, channels })
      .permute({ 0, 1, 3, 5, 7, 2, 4, 6 })
      .reshape({ batch, size[0] / fz, size[1] / fy, size[2] / fx, channels * frame.folded() });
  return toNetworkShape(folded.permute({ 0, 4, 1, 2, 3 }), frame.dimensions);
}

at::Tensor ResidentVolumes::turned(
  const at::Tensor& values, const std::vector<Patch>& patches) const
{
  if (vectorsOf(this->Channels).empty())
  {
    return values;
  }
  const auto batch = values.size(0), channels = values.size(2);
  const at::Tensor from = at::empty({ batch, 1, channels }, at::kLong);
  const at::Tensor sign = at::empty({ batch, 1, channels }, at::kFloat);
  auto* channel = from.mutable_data_ptr<std::int64_t>();
  auto* factor = sign.mutable_data_ptr<float>();
  for (const Patch& patch : patches)
  {
    for (const TurnedChannel& t :
      turnedChannels(this->Channels, this->Frames[patch.volume], patch.orientation))
    {
      *channel++ = static_cast<std::int64_t>(t.from);
      *factor++ = t.negative ? -1.f : 1.f;
    }
  }
  const at::Device device = values.device();
  return values.gather(2, toDevice(from, device).expand_as(values)) * toDevice(sign, device);
}

} // namespace vae
