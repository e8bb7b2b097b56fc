// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Volume.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

namespace vae
{

Overwritten overwrite(const Volume& known, const std::vector<OutputChannel>& arrays)
{
  Overwritten found;
  const std::int64_t count = voxels(known.dims);
  std::array<double, 4096> values;
  std::array<bool, 4096> wanted;
  for (std::size_t c = 0; c < arrays.size(); ++c)
  {
    const Channel& from = known.channels[c];
    const OutputChannel& to = arrays[c];
    for (std::int64_t begin = 0; begin < count; begin += 4096)
    {
      const auto n = static_cast<std::size_t>(std::min<std::int64_t>(4096, count - begin));
      dispatch(known.mask.type, [&](auto t)
      {
        const auto* mask =
          static_cast<const decltype(t)*>(known.mask.data) + begin * known.mask.stride;
        for (std::size_t i = 0; i < n; ++i)
        {
          wanted[i] = mask[static_cast<std::ptrdiff_t>(i) * known.mask.stride] != 0;
        }
      });
      dispatch(from.type, [&](auto t)
      {
        const auto* in = static_cast<const decltype(t)*>(from.data) + begin * from.stride;
        for (std::size_t i = 0; i < n; ++i)
        {
          values[i] = static_cast<double>(in[static_cast<std::ptrdiff_t>(i) * from.stride]);
        }
      });
      dispatch(to.type, [&](auto t)
      {
        using T = decltype(t);
        auto* out = static_cast<T*>(to.data) + begin * to.stride;
        for (std::size_t i = 0; i < n; ++i)
        {
          if (wanted[i])
          {
            T& value = out[static_cast<std::ptrdiff_t>(i) * to.stride];
            const double difference = static_cast<double>(value) - values[i];
            ++found.known;
            found.equal += difference == 0;
            found.squares += difference * difference;
            value = toScalar<T>(values[i]);
          }
        }
      });
    }
  }
  return found;
}

std::string toString(const Dims& d)
{
  return std::to_string(d[0]) + " x " + std::to_string(d[1]) + " x " + std::to_string(d[2]);
}

namespace
{

// FNV-1a over 64-bit words; four lanes, so that it runs at memory speed.
class Hash
{
public:
  void add(std::uint64_t word)
  {
    std::uint64_t& lane = this->Lanes[this->Next++ & 3];
    lane = (lane ^ word) * 1099511628211ull;
    lane ^= lane >> 32;
  }
  std::uint64_t value() const
  {
    std::uint64_t h = 14695981039346656037ull;
    for (const std::uint64_t lane : this->Lanes)
    {
      h = (h ^ lane) * 1099511628211ull;
      h ^= h >> 29;
    }
    return h;
  }

private:
  std::uint64_t Lanes[4] = { 1, 2, 3, 4 };
  unsigned Next = 0;
};

template <typename T>
ChannelSummary summariseAs(
  const Channel& channel, std::int64_t count, const std::vector<bool>& inside)
{
  ChannelSummary s;
  const T* data = static_cast<const T*>(channel.data);
  Hash hash;
  // Mean and standard deviation about the first finite value: no cancellation for data far
  // from zero, one pass.
  double origin = 0, sum = 0, squares = 0, low = 0, high = 0;
  std::int64_t finite = 0;
  std::vector<double> values; // in the order of their appearance
  std::vector<std::int64_t> counts;
  std::size_t last = 0; // index of the value before
  bool few = true;
  std::uint64_t word = 0;
  for (std::int64_t i = 0; i < count; ++i)
  {
    const T raw = data[i * channel.stride];
    if constexpr (sizeof(T) < 8)
    {
      std::uint64_t bits = 0;
      std::memcpy(&bits, &raw, sizeof raw);
      word = word << (8 * sizeof raw) | bits;
      if ((i + 1) % static_cast<std::int64_t>(8 / sizeof raw) == 0)
      {
        hash.add(word);
        word = 0;
      }
    }
    else
    {
      std::memcpy(&word, &raw, sizeof raw);
      hash.add(word);
    }
    if (!inside.empty() && !inside[static_cast<std::size_t>(i)])
    {
      continue;
    }
    ++s.count;
    const double v = static_cast<double>(raw);
    if constexpr (std::is_floating_point_v<T>)
    {
      if (!std::isfinite(v))
      {
        continue;
      }
    }
    if (finite++ == 0)
    {
      origin = low = high = v;
    }
    const double d = v - origin;
    sum += d;
    squares += d * d;
    low = std::min(low, v);
    high = std::max(high, v);
    if (few && (last >= values.size() || values[last] != v))
    {
      last = static_cast<std::size_t>(std::find(values.begin(), values.end(), v) - values.begin());
      if (last == values.size())
      {
        values.push_back(v);
        counts.push_back(0);
        few = values.size() <= MostPhases;
      }
    }
    if (few)
    {
      ++counts[last];
    }
  }
  hash.add(word);
  hash.add(static_cast<std::uint64_t>(count));
  s.notFinite = s.count - finite;
  s.hash = hash.value();
  if (finite > 0)
  {
    const double n = static_cast<double>(finite);
    s.minimum = low;
    s.maximum = high;
    s.mean = origin + sum / n;
    s.stddev = std::sqrt(std::max(0., squares / n - (sum / n) * (sum / n)));
    if (few)
    {
      std::vector<std::size_t> order(values.size());
      std::iota(order.begin(), order.end(), 0u);
      std::sort(order.begin(), order.end(),
        [&](std::size_t i, std::size_t j) { return values[i] < values[j]; });
      for (const std::size_t i : order)
      {
        s.values.push_back(values[i]);
        s.fractions.push_back(static_cast<double>(counts[i]) / n);
      }
    }
  }
  return s;
}

} // namespace

ChannelSummary summarise(const Channel& channel, std::int64_t count, const Channel& mask)
{
  std::vector<bool> inside;
  if (mask.data)
  {
    inside.reserve(static_cast<std::size_t>(count));
    dispatch(mask.type, [&](auto t)
    {
      const auto* values = static_cast<const decltype(t)*>(mask.data);
      for (std::int64_t i = 0; i < count; ++i)
      {
        inside.push_back(values[i * mask.stride] != 0);
      }
    });
  }
  return dispatch(
    channel.type, [&](auto t) { return summariseAs<decltype(t)>(channel, count, inside); });
}

std::vector<std::vector<ChannelSummary>> summarise(const std::vector<Volume>& volumes)
{
  std::vector<std::vector<ChannelSummary>> summaries;
  for (const Volume& v : volumes)
  {
    auto& list = summaries.emplace_back();
    for (const Channel& c : v.channels)
    {
      list.push_back(summarise(c, voxels(v.dims), v.mask));
    }
    if (v.mask.data)
    {
      list.push_back(summarise(v.mask, voxels(v.dims)));
    }
  }
  return summaries;
}

} // namespace vae
