// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "DeviceBlocks.h"

#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>

#include <algorithm>
#include <limits>

namespace vae
{
namespace
{

/// A type of LibTorch with as many bits as a T.
template <typename T>
constexpr at::ScalarType Bits = std::is_same_v<T, float> ? at::kFloat
  : std::is_same_v<T, double>                            ? at::kDouble
  : std::is_same_v<T, std::uint8_t>                      ? at::kByte
  : sizeof(T) == 1                                       ? at::kChar
  : sizeof(T) == 2                                       ? at::kShort
  : sizeof(T) == 4                                       ? at::kInt
                                                         : at::kLong;

/// What holds any T on its way back: not every 64-bit integer is a float64.
template <typename T>
constexpr at::ScalarType Carrier = std::is_integral_v<T> && sizeof(T) == 8 ? at::kDouble : Bits<T>;

/// Call `work` with ranges of planes of about four million voxels: float64, in which all is
/// converted, is there for one of them at a time.
template <typename F>
void inSlabs(const at::Tensor& voxels, std::int64_t multiple, F&& work)
{
  const std::int64_t plane = std::max<std::int64_t>(1, voxels.size(1) * voxels.size(2));
  const std::int64_t most = std::max<std::int64_t>(1, (1 << 22) / (plane * multiple)) * multiple;
  for (std::int64_t z = 0; z < voxels.size(0); z += most)
  {
    work(z, std::min(most, voxels.size(0) - z));
  }
}

/// The numbers that bits of a T are.
template <typename T>
at::Tensor toDouble(const at::Tensor& bits)
{
  if constexpr (std::is_unsigned_v<T> && sizeof(T) == 2)
  {
    return bits.to(at::kInt).bitwise_and_(0xffff).to(at::kDouble);
  }
  else if constexpr (std::is_unsigned_v<T> && sizeof(T) == 4)
  {
    return bits.to(at::kLong).bitwise_and_(0xffffffff).to(at::kDouble);
  }
  else if constexpr (std::is_unsigned_v<T> && sizeof(T) == 8)
  {
    const at::Tensor high = at::__rshift__(bits, 32).bitwise_and_(0xffffffff);
    const at::Tensor low = bits.bitwise_and(0xffffffff);
    return high.to(at::kDouble).mul_(0x1p32).add_(low.to(at::kDouble)); // rounded once
  }
  else
  {
    return bits.to(at::kDouble);
  }
}

/// As Blocks.cpp normalises a T. \param phases of the channel, where the voxels are
template <typename T>
at::Tensor normalised(const at::Tensor& bits, const ChannelInfo& info, const at::Tensor& phases)
{
  at::Tensor v = toDouble<T>(bits);
  if constexpr (std::is_floating_point_v<T>)
  {
    v = at::where(v.isfinite(), v, info.mean);
  }
  if (info.phases.size() > 2) // the index of the nearest
  {
    const at::Tensor above = at::searchsorted(phases.slice(0, 1, -1), v) + 1;
    const auto phase = [&](const at::Tensor& index)
    { return phases.index_select(0, index.flatten()).view(index.sizes()); };
    return (above - (v - phase(above - 1)).lt(phase(above) - v).to(at::kLong)).to(at::kFloat);
  }
  const at::Tensor scaled = v.sub(info.offset).mul_(1 / info.scale).to(at::kFloat);
  return info.phases.size() == 2 ? scaled.clamp(0, 1) : scaled;
}

template <typename T>
void gather(const Channel& channel, const std::array<std::vector<std::int64_t>, 3>& offsets, T* out)
{
  const T* data = static_cast<const T*>(channel.data);
  const std::vector<std::int64_t>& xs = offsets[2];
  const auto ny = static_cast<std::int64_t>(offsets[1].size()),
             nx = static_cast<std::int64_t>(xs.size());
  const std::int64_t rows = static_cast<std::int64_t>(offsets[0].size()) * ny;
  const bool together =
    channel.stride == 1 && xs.back() - xs.front() == nx - 1 && std::ranges::is_sorted(xs);
  at::parallel_for(0, rows, 64, [&](std::int64_t begin, std::int64_t end)
  {
    for (std::int64_t row = begin; row < end; ++row)
    {
      const T* from = data + (offsets[0][row / ny] + offsets[1][row % ny]) * channel.stride;
      T* to = out + row * nx;
      if (together)
      {
        std::copy_n(from + xs.front(), nx, to);
        continue;
      }
      for (std::int64_t x = 0; x < nx; ++x)
      {
        to[x] = from[xs[x] * channel.stride];
      }
    }
  });
}

} // namespace

at::Tensor gathered(const Channel& channel, const Frame& frame, const Box& box, bool pinned)
{
  const auto offsets = offsetsOf(frame.size, frame.stride, box, {});
  return dispatch(channel.type, [&](auto t)
  {
    using T = decltype(t);
    at::Tensor bits = at::empty(
      { box.size[0], box.size[1], box.size[2] }, at::TensorOptions(Bits<T>).pinned_memory(pinned));
    gather<T>(channel, offsets, static_cast<T*>(bits.mutable_data_ptr()));
    return bits;
  });
}

at::Tensor foldedOf(const std::vector<at::Tensor>& gathered, const std::vector<Channel>& from,
  const Frame& frame, const std::vector<ChannelInfo>& channels)
{
  const auto [fz, fy, fx] = frame.fold;
  const std::int64_t r = frame.folded(), count = static_cast<std::int64_t>(channels.size());
  const at::Tensor& first = gathered.front();
  const at::Tensor all =
    at::empty({ 1, first.size(0) / fz, first.size(1) / fy, first.size(2) / fx, count * r },
      first.options().dtype(at::kFloat).pinned_memory(false));
  for (std::int64_t c = 0; c < count; ++c)
  {
    const auto i = static_cast<std::size_t>(c);
    const ChannelInfo& info = channels[i];
    const at::Tensor phases = info.phases.empty()
      ? at::Tensor()
      : toDevice(at::tensor(info.phases, at::kDouble), first.device());
    inSlabs(first, fz, [&, fz = fz, fy = fy, fx = fx](std::int64_t z, std::int64_t planes)
    {
      const at::Tensor values = dispatch(from[i].type, [&](auto t)
      { return normalised<decltype(t)>(gathered[i].narrow(0, z, planes), info, phases); });
      all[0]
        .narrow(0, z / fz, planes / fz)
        .narrow(-1, c * r, r)
        .unflatten(-1, { fz, fy, fx })
        .copy_(values.unflatten(2, { -1, fx })
            .unflatten(1, { -1, fy })
            .unflatten(0, { -1, fz })
            .permute({ 0, 2, 4, 1, 3, 5 }));
    });
  }
  return toNetworkShape(all.permute({ 0, 4, 1, 2, 3 }), frame.dimensions);
}

at::Tensor readFolded(const Volume& volume, const Frame& frame,
  const std::vector<ChannelInfo>& channels, const Box& box, const at::Device& device)
{
  if (device.is_cpu())
  {
    return readFolded(volume, frame, channels, box);
  }
  std::vector<at::Tensor> there;
  for (std::size_t c = 0; c < channels.size(); ++c)
  {
    const at::Tensor here = gathered(volume.channels[c], frame, box, true);
    there.push_back(here.to(device, here.scalar_type(), /*non_blocking=*/true));
  }
  return foldedOf(there, volume.channels, frame, channels);
}

namespace
{

/// As toScalar does.
template <typename T>
at::Tensor toCarrier(const at::Tensor& values)
{
  if constexpr (std::is_integral_v<T>)
  {
    const at::Tensor whole =
      values.round().clamp_(static_cast<double>(std::numeric_limits<T>::lowest()),
        static_cast<double>(std::numeric_limits<T>::max()));
    if constexpr (std::is_unsigned_v<T> && (sizeof(T) == 2 || sizeof(T) == 4))
    {
      return whole.to(at::kLong).to(Carrier<T>); // its bits
    }
    return whole.to(Carrier<T>);
  }
  return values.to(Carrier<T>);
}

/// Float32 values as an array of T holds them. \param labels of the phases, where the values are
template <typename T>
at::Tensor converted(
  const at::Tensor& v, const ChannelInfo& info, Decode what, const at::Tensor& labels)
{
  switch (what)
  {
    case Decode::Value:
      return toCarrier<T>(v.to(at::kDouble)
          .mul_(info.scale)
          .add_(info.offset)
          .clamp_(std::min(info.minimum, info.maximum), info.maximum));
    case Decode::Phase:
      return labels.index_select(0, v.flatten().to(at::kLong)).view(v.sizes());
    case Decode::Likelier:
      return at::where(v.gt(0), labels[1], labels[0]);
    case Decode::Sigmoid:
      return toCarrier<T>(v.to(at::kDouble).sigmoid_());
    case Decode::Plain:
      break;
  }
  return std::is_same_v<T, float> ? v : toCarrier<T>(v.to(at::kDouble));
}

} // namespace

at::Tensor labelsOf(const ChannelInfo& info, ScalarType type, const at::Device& device)
{
  return dispatch(type, [&](auto t)
  { return toDevice(toCarrier<decltype(t)>(at::tensor(info.phases, at::kDouble)), device); });
}

at::Tensor unfolded(const at::Tensor& folded, const Frame& frame, std::int64_t channels,
  std::int64_t channel, const ChannelInfo& info, Decode what, ScalarType type, float shift)
{
  const std::int64_t r = folded.size(1) / channels;
  const at::Tensor v = toGrid(folded.narrow(1, channel * r, r), frame)[0][0];
  return dispatch(type, [&](auto t)
  {
    using T = decltype(t);
    const at::Tensor labels = what == Decode::Phase || what == Decode::Likelier
      ? labelsOf(info, type, v.device())
      : at::Tensor();
    const at::Tensor all = at::empty(v.sizes(), v.options().dtype(Carrier<T>));
    inSlabs(v, 1, [&](std::int64_t z, std::int64_t planes)
    {
      const at::Tensor some = v.narrow(0, z, planes);
      all.narrow(0, z, planes)
        .copy_(converted<T>(shift != 0 ? some + shift : some, info, what, labels));
    });
    return all;
  });
}

void writeUnfolded(
  const at::Tensor& values, const Box& box, const Frame& frame, const OutputChannel& out)
{
  Index3 size;
  for (int a = 0; a < 3; ++a)
  {
    size[a] = std::min(values.size(a), frame.size[a] - box.origin[a]);
  }
  const std::int64_t step = frame.stride[2] * out.stride;
  const auto write = [&](auto* data, const auto* from)
  {
    at::parallel_for(0, size[0] * size[1], 64, [&](std::int64_t first, std::int64_t last)
    {
      for (std::int64_t row = first; row < last; ++row)
      {
        const std::int64_t z = row / size[1], y = row % size[1];
        const auto* in = from + (z * values.size(1) + y) * values.size(2);
        auto* to = data + box.origin[2] * step +
          ((box.origin[0] + z) * frame.stride[0] + (box.origin[1] + y) * frame.stride[1]) *
            out.stride;
        for (std::int64_t x = 0; x < size[2]; ++x, to += step)
        {
          if constexpr (std::is_same_v<decltype(in), const std::remove_pointer_t<decltype(to)>*>)
          {
            *to = in[x];
          }
          else
          {
            *to = toScalar<std::remove_pointer_t<decltype(to)>>(in[x]);
          }
        }
      }
    });
  };
  dispatch(out.type, [&](auto t)
  {
    using T = decltype(t);
    using From = std::conditional_t<std::is_integral_v<T> && sizeof(T) == 8, double, T>;
    write(static_cast<T*>(out.data), static_cast<const From*>(values.const_data_ptr()));
  });
}

void FoldedWrites::write(const at::Tensor& folded, const Box& voxels, const Frame& frame,
  int channels, int channel, const ChannelInfo& info, Decode what, const OutputChannel& to,
  float shift)
{
  if (!folded.is_cpu())
  {
    this->All.push_back(
      { HostCopy(unfolded(folded, frame, channels, channel, info, what, to.type, shift)), voxels,
        frame, to });
    return;
  }
  const auto format =
    folded.dim() == 5 ? at::MemoryFormat::ChannelsLast3d : at::MemoryFormat::ChannelsLast;
  const at::Tensor values = folded.to(at::kFloat).contiguous(format);
  writeFolded(values.const_data_ptr<float>(), voxels, voxels, frame, channels, channel, info, what,
    to, shift);
}

void FoldedWrites::flush()
{
  for (Pending& one : this->All)
  {
    writeUnfolded(one.values.wait(), one.voxels, one.frame, one.to);
  }
  this->All.clear();
}

} // namespace vae
