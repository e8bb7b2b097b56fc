// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Blocks.h"

#include <ATen/Functions.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <type_traits>

namespace vae
{

Frame::Frame(
  const Dims& dims, const std::array<double, 3>& gridSpacing, const NetworkOptions& network)
  : dimensions(network.dimensions)
{
  const Index3 strides{ 1, dims[0], dims[0] * dims[1] };
  // Slowest axis first; in 2-D the axis of one voxel comes before the two that are used.
  std::array<int, 3> order{ 2, 1, 0 };
  if (this->dimensions == 2)
  {
    std::stable_sort(
      order.begin(), order.end(), [&](int a, int b) { return dims[a] == 1 && dims[b] != 1; });
  }
  for (int a = 0; a < 3; ++a)
  {
    const auto source = static_cast<std::size_t>(order[a]);
    this->axis[a] = source;
    this->size[a] = dims[source];
    this->stride[a] = strides[source];
    this->spacing[a] = gridSpacing[source];
    this->fold[a] = this->used(a) ? network.fold() : 1;
    this->cell[a] = this->used(a) ? network.stride() : 1;
  }
}

Index3 Frame::cells() const
{
  const Index3& c = this->cell;
  return { (this->size[0] + c[0] - 1) / c[0], (this->size[1] + c[1] - 1) / c[1],
    (this->size[2] + c[2] - 1) / c[2] };
}

Dims Frame::cellsWithMargin(int margin) const
{
  const Index3 n = this->cells();
  Dims dims{};
  for (int a = 0; a < 3; ++a)
  {
    dims[this->axis[a]] = n[a] + (this->used(a) ? 2 * margin : 0);
  }
  return dims;
}

Orientation randomOrientation(const Frame& frame, const Index3& patch,
  const AugmentationSymmetry& symmetry, std::mt19937_64& random)
{
  Orientation o;
  const int first = frame.dimensions == 2 ? 1 : 0;
  for (int a = first; a < 3 && symmetry.flips; ++a)
  {
    o.flip[a] = symmetry.together && a > first ? o.flip[first] : random() & 1;
  }
  const auto alike = [&](int a, int b)
  {
    return a == b ||
      (symmetry.kind[a] == symmetry.kind[b] && patch[a] == patch[b] &&
        std::abs(frame.spacing[a] - frame.spacing[b]) <= 1e-3 * std::abs(frame.spacing[a]));
  };
  const bool exchanges = symmetry.kind != std::array{ 0, 1, 2 };
  for (int a = 2; a > first && exchanges; --a) // Fisher and Yates, among axes that look alike
  {
    std::array<int, 3> choice{};
    unsigned choices = 0;
    for (int b = first; b <= a; ++b)
    {
      if (alike(a, b))
      {
        choice[choices++] = b;
      }
    }
    std::swap(o.from[a], o.from[choice[random() % choices]]);
  }
  return o;
}

bool hasSign(ScalarType type)
{
  return dispatch(type, [](auto t) { return std::is_signed_v<decltype(t)>; });
}

std::vector<std::size_t> vectorsOf(const std::vector<ChannelInfo>& channels)
{
  std::vector<std::size_t> first;
  for (std::size_t c = 0; c + 2 < channels.size(); ++c)
  {
    bool vector = true;
    for (int i = 0; i < 3; ++i)
    {
      const ChannelInfo& info = channels[c + static_cast<std::size_t>(i)];
      vector = vector && info.array == channels[c].array && info.components == 3 &&
        info.component == i && info.phases.empty() && hasSign(info.type);
    }
    if (vector)
    {
      first.push_back(c);
    }
  }
  return first;
}

std::vector<TurnedChannel> turnedChannels(
  const std::vector<ChannelInfo>& channels, const Frame& frame, const Orientation& orientation)
{
  std::vector<TurnedChannel> turned;
  for (std::size_t c = 0; c < channels.size(); ++c)
  {
    turned.push_back({ c, false });
  }
  for (const std::size_t first : vectorsOf(channels))
  {
    for (std::size_t a = 0; a < 3; ++a)
    {
      const auto from = static_cast<std::size_t>(orientation.from[a]);
      turned[first + frame.axis[a]] = { first + frame.axis[from], orientation.flip[a] };
    }
  }
  return turned;
}

namespace
{

std::int64_t reflect(std::int64_t i, std::int64_t n)
{
  if (n == 1)
  {
    return 0;
  }
  const std::int64_t period = 2 * (n - 1);
  i = std::abs(i) % period;
  return i < n ? i : period - i;
}

/// Index of the value in `phases`, which are ascending, that is nearest to v.
double nearest(const std::vector<double>& phases, double v)
{
  const auto above = std::lower_bound(phases.begin() + 1, phases.end() - 1, v);
  return static_cast<double>(above - phases.begin()) - (v - *(above - 1) < *above - v ? 1 : 0);
}

/// Call `use` with the function that normalises a T.
template <typename T, typename F>
void withScaling(const ChannelInfo& info, F&& use)
{
  const auto finite = [&info](T value)
  {
    const auto v = static_cast<double>(value);
    if constexpr (std::is_floating_point_v<T>)
    {
      return std::isfinite(v) ? v : info.mean;
    }
    return v;
  };
  const auto scaled = [&, factor = 1 / info.scale](T value)
  { return static_cast<float>((finite(value) - info.offset) * factor); };
  const auto index = [&](T value)
  { return static_cast<float>(nearest(info.phases, finite(value))); };
  const auto tabled = [&](const auto& function)
  {
    if constexpr (sizeof(T) == 1) // there are so few that a table of them is soon made
    {
      std::array<float, 256> table{};
      for (unsigned i = 0; i < table.size(); ++i)
      {
        table[i] = function(std::bit_cast<T>(static_cast<std::uint8_t>(i)));
      }
      use([&table](T v) { return table[std::bit_cast<std::uint8_t>(v)]; });
    }
    else
    {
      use(function);
    }
  };
  if (info.phases.size() > 2)
  {
    tabled(index);
  }
  else if (info.phases.size() == 2) // 0 and 1
  {
    tabled([&](T v) { return std::clamp(scaled(v), 0.F, 1.F); });
  }
  else
  {
    tabled(scaled);
  }
}

/// Call `use` with the number, where it is the usual one as a constant: loops of so many turns
/// are then unrolled.
template <std::int64_t Usual, typename F>
void withConstant(std::int64_t n, F&& use)
{
  if (n == Usual)
  {
    use(std::integral_constant<std::int64_t, Usual>());
  }
  else
  {
    use(n);
  }
}
constexpr std::int64_t UsualFold = 4;

template <typename T>
void readAs(const Channel& channel, const ChannelInfo& info, const Frame& frame,
  const std::array<std::vector<std::int64_t>, 3>& offsets, std::int64_t cellValues,
  std::int64_t channelStart, float* out)
{
  const T* data = static_cast<const T*>(channel.data);
  const std::ptrdiff_t step = channel.stride;
  const auto nz = static_cast<std::int64_t>(offsets[0].size());
  const auto ny = static_cast<std::int64_t>(offsets[1].size());
  const auto nx = static_cast<std::int64_t>(offsets[2].size());
  const auto [fz, fy, foldX] = frame.fold;
  const std::int64_t h = ny / fy, w = nx / foldX;
  const auto read = [&, fz = fz, fy = fy](auto fx, const auto& normalised)
  {
    at::parallel_for(0, nz * ny, 64, [&](std::int64_t begin, std::int64_t end)
    {
      for (std::int64_t row = begin; row < end; ++row)
      {
        const std::int64_t z = row / ny, y = row % ny;
        float* to = out + ((z / fz) * h + y / fy) * w * cellValues + channelStart +
          ((z % fz) * fy + y % fy) * fx;
        const T* from = data + (offsets[0][z] + offsets[1][y]) * step;
        const std::int64_t* x = offsets[2].data();
        for (std::int64_t cell = 0; cell < w; ++cell, to += cellValues, x += fx)
        {
          for (std::int64_t i = 0; i < fx; ++i)
          {
            to[i] = normalised(from[x[i] * step]);
          }
        }
      }
    });
  };
  withScaling<T>(info, [&](const auto& normalised)
  { withConstant<UsualFold>(foldX, [&](auto fx) { read(fx, normalised); }); });
}

} // namespace

std::array<std::vector<std::int64_t>, 3> offsetsOf(
  const Index3& volume, const Index3& stride, const Box& box, const Orientation& orientation)
{
  std::array<std::vector<std::int64_t>, 3> offsets;
  for (int a = 0; a < 3; ++a)
  {
    const int s = orientation.from[a];
    const std::int64_t n = box.size[s];
    for (std::int64_t i = 0; i < n; ++i)
    {
      const std::int64_t at = box.origin[s] + (orientation.flip[a] ? n - 1 - i : i);
      offsets[a].push_back(reflect(at, volume[s]) * stride[s]);
    }
  }
  return offsets;
}

void readFolded(const Volume& volume, const Frame& frame, const std::vector<ChannelInfo>& channels,
  const Box& box, const Orientation& orientation, float* out)
{
  const auto offsets = offsetsOf(frame.size, frame.stride, box, orientation);
  const std::int64_t r = frame.folded();
  const auto count = static_cast<std::int64_t>(channels.size());
  const std::vector<TurnedChannel> turned = turnedChannels(channels, frame, orientation);
  for (std::int64_t c = 0; c < count; ++c)
  {
    const auto& [from, negative] = turned[static_cast<std::size_t>(c)];
    const Channel& channel = volume.channels[from];
    ChannelInfo info = channels[from];
    info.scale = negative ? -info.scale : info.scale;
    dispatch(channel.type,
      [&](auto t) { readAs<decltype(t)>(channel, info, frame, offsets, count * r, c * r, out); });
  }
}

at::Tensor readFolded(const Volume& volume, const Frame& frame,
  const std::vector<ChannelInfo>& channels, const Box& box)
{
  const at::Tensor x = emptyFolded(1, frame, box.size, static_cast<int>(channels.size()));
  readFolded(volume, frame, channels, box, {}, x.mutable_data_ptr<float>());
  return x;
}

at::Tensor toGrid(const at::Tensor& folded, const Frame& frame)
{
  const auto [fz, fy, fx] = frame.fold;
  const at::Tensor blocks = fromNetworkShape(folded).unflatten(1, { -1, fz, fy, fx });
  return blocks.permute({ 0, 1, 5, 2, 6, 3, 7, 4 }).flatten(6, 7).flatten(4, 5).flatten(2, 3);
}

at::Tensor cellMeans(const at::Tensor& folded, const Frame& frame)
{
  std::vector<std::int64_t> kernel;
  for (int a = 3 - frame.dimensions; a < 3; ++a)
  {
    kernel.push_back(frame.cell[a] / frame.fold[a]);
  }
  const at::Tensor mean = folded.narrow(1, 0, frame.folded()).mean(1, true);
  return frame.dimensions == 3 ? at::avg_pool3d(mean, kernel) : at::avg_pool2d(mean, kernel);
}

at::Tensor cellMeans(const Volume& volume, const Frame& frame,
  const std::vector<ChannelInfo>& channels, at::Tensor (*of)(const at::Tensor&))
{
  const Index3 cells = frame.cells();
  const at::Tensor all = at::empty({ 1, cells[0], cells[1], cells[2] });
  const int last = frame.used(0) ? 0 : 1;
  for (std::int64_t i = 0; i < cells[last]; ++i)
  {
    Box slab;
    for (int a = 0; a < 3; ++a)
    {
      slab.size[a] = (a == last ? 1 : cells[a]) * frame.cell[a];
    }
    slab.origin[last] = i * frame.cell[last];
    const at::Tensor means = cellMeans(of(readFolded(volume, frame, channels, slab)), frame);
    all.narrow(last + 1, i, 1).copy_(fromNetworkShape(means)[0]);
  }
  return all;
}

namespace
{

/// Call `use` with the function that makes a T of what was decoded.
template <typename T, typename F>
void withConversion(Decode what, const ChannelInfo& info, F&& use)
{
  std::vector<T> labels;
  for (const double phase : info.phases)
  {
    labels.push_back(toScalar<T>(phase));
  }
  switch (what)
  {
    case Decode::Value:
    {
      const double low = std::min(info.minimum, info.maximum), high = info.maximum;
      return use(
        [&](float v) { return toScalar<T>(std::clamp(v * info.scale + info.offset, low, high)); });
    }
    case Decode::Phase:
      return use([&](float v) { return labels[static_cast<std::size_t>(v)]; });
    case Decode::Likelier:
      return use([less = labels[0], more = labels[1]](float v) { return v > 0 ? more : less; });
    case Decode::Sigmoid:
      return use([](float v) { return toScalar<T>(1 / (1 + std::exp(-static_cast<double>(v)))); });
    case Decode::Plain:
      return use([](float v) { return toScalar<T>(v); });
  }
}

} // namespace

void writeFolded(const float* folded, const Box& covered, const Box& box, const Frame& frame,
  int channels, int channel, const ChannelInfo& info, Decode what, const OutputChannel& out,
  float shift)
{
  const auto [fz, fy, foldX] = frame.fold;
  const std::int64_t r = frame.folded(), cellValues = r * channels;
  const std::int64_t h = covered.size[1] / fy, w = covered.size[2] / foldX;
  Index3 end, skipped;
  for (int a = 0; a < 3; ++a)
  {
    end[a] = std::min(box.origin[a] + box.size[a], frame.size[a]);
    skipped[a] = box.origin[a] - covered.origin[a];
  }
  const std::int64_t rows = end[1] - box.origin[1];
  const auto write = [&, fz = fz, fy = fy](auto* data, auto fx, auto step, const auto& converted)
  {
    at::parallel_for(0, (end[0] - box.origin[0]) * rows, 64,
      [&](std::int64_t first, std::int64_t last)
    {
      for (std::int64_t row = first; row < last; ++row)
      {
        const std::int64_t z = row / rows, y = row % rows;
        const std::int64_t cz = z + skipped[0], cy = y + skipped[1];
        const float* cell = folded +
          (((cz / fz) * h + cy / fy) * w + skipped[2] / fx) * cellValues + channel * r +
          ((cz % fz) * fy + cy % fy) * fx;
        auto* to = data + box.origin[2] * step +
          ((box.origin[0] + z) * frame.stride[0] + (box.origin[1] + y) * frame.stride[1]) *
            out.stride;
        std::int64_t begun = skipped[2] % fx; // voxels of a cell that are before the box
        for (std::int64_t x = box.origin[2]; x < end[2]; cell += cellValues, begun = 0)
        {
          const std::int64_t some = std::min<std::int64_t>(fx - begun, end[2] - x);
          if (some == fx)
          {
            for (std::int64_t i = 0; i < fx; ++i)
            {
              to[i * step] = converted(cell[i] + shift);
            }
          }
          else
          {
            for (std::int64_t i = 0; i < some; ++i)
            {
              to[i * step] = converted(cell[begun + i] + shift);
            }
          }
          to += some * step;
          x += some;
        }
      }
    });
  };
  dispatch(out.type, [&](auto t)
  {
    using T = decltype(t);
    withConversion<T>(what, info, [&](const auto& converted)
    {
      withConstant<UsualFold>(foldX, [&](auto fx)
      {
        withConstant<1>(frame.stride[2] * out.stride,
          [&](auto step) { write(static_cast<T*>(out.data), fx, step, converted); });
      });
    });
  });
}

at::Tensor emptyFolded(std::int64_t batch, const Frame& frame, const Index3& size, int channels)
{
  const std::int64_t values = channels * frame.folded();
  const at::Tensor last = at::empty(
    { batch, size[0] / frame.fold[0], size[1] / frame.fold[1], size[2] / frame.fold[2], values });
  return toNetworkShape(last.permute({ 0, 4, 1, 2, 3 }), frame.dimensions);
}

at::Tensor toNetworkShape(const at::Tensor& t, int dimensions)
{
  return dimensions == 2 ? t.squeeze(2) : t;
}

at::Tensor fromNetworkShape(const at::Tensor& t) { return t.dim() == 4 ? t.unsqueeze(2) : t; }

} // namespace vae
