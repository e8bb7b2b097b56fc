// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Augmentation.h"

#include "Torch/Grid/Blocks.h"

#include <algorithm>
#include <cmath>
#include <format>

namespace vae
{
namespace
{

constexpr int Points = 4096; // of a block
constexpr std::int64_t Lags[] = { 1, 2, 4, 8, 16 };
constexpr double Negligible = 0.1; // of the logarithm of a ratio
constexpr double Errors = 4;       // standard errors of a mean of few blocks
constexpr std::size_t FewestBlocks = 4;
constexpr double Directed = 0.25; // mean of a vector's component, standard deviations

/// The three axes, then two diagonals of each pair of axes.
constexpr std::array<std::array<int, 3>, 9> Directions{ { { 1, 0, 0 }, { 0, 1, 0 }, { 0, 0, 1 },
  { 1, 1, 0 }, { 1, -1, 0 }, { 1, 0, 1 }, { 1, 0, -1 }, { 0, 1, 1 }, { 0, 1, -1 } } };
constexpr std::array<std::array<int, 2>, 3> Pairs{ { { 0, 1 }, { 0, 2 }, { 1, 2 } } };
using Change = std::array<double, Directions.size()>; ///< along each direction, summed over lags

/// Add how much values of a channel change from points of a block on.
template <typename T>
void addChange(const Channel& channel, const ChannelInfo& info, const Channel& mask,
  const Frame& frame, const Box& block, std::int64_t longest, Change& sums)
{
  const T* data = static_cast<const T*>(channel.data);
  const bool labels = info.phases.size() > 2;
  const auto inMask = [&](std::int64_t at)
  {
    return !mask.data ||
      dispatch(mask.type,
        [&](auto t) { return static_cast<const decltype(t)*>(mask.data)[at * mask.stride] != 0; });
  };
  std::mt19937_64 random(1); // the same points for all directions
  for (int i = 0; i < Points; ++i)
  {
    Index3 p;
    std::int64_t at = 0;
    for (int a = 0; a < 3; ++a)
    {
      p[a] = block.origin[a] +
        static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(block.size[a]));
      at += p[a] * frame.stride[a];
    }
    const auto here = static_cast<double>(data[at * channel.stride]);
    if (!std::isfinite(here) || !inMask(at))
    {
      continue;
    }
    for (std::size_t d = 0; d < Directions.size(); ++d)
    {
      for (const std::int64_t lag : Lags)
      {
        for (const std::int64_t step : { lag, -lag }) // the other way where the volume ends
        {
          std::int64_t there = 0;
          bool inside = lag <= longest;
          for (int a = 0; a < 3; ++a)
          {
            const std::int64_t q = p[a] + step * Directions[d][static_cast<std::size_t>(a)];
            inside = inside && q >= 0 && q < frame.size[a];
            there += q * frame.stride[a];
          }
          if (inside)
          {
            const auto value = static_cast<double>(data[there * channel.stride]);
            if (std::isfinite(value) && inMask(there))
            {
              const double change = (value - here) / info.scale;
              sums[d] += labels ? change != 0 : change * change;
            }
            break;
          }
        }
      }
    }
  }
}

/// Of each block of each volume.
std::vector<Change> changes(const std::vector<Volume>& volumes, const std::vector<Frame>& frames,
  const std::vector<ChannelInfo>& channels)
{
  std::vector<Change> all;
  for (std::size_t v = 0; v < volumes.size(); ++v)
  {
    const Frame& frame = frames[v];
    std::int64_t longest = Lags[std::size(Lags) - 1];
    for (int a = 0; a < 3; ++a)
    {
      longest = frame.used(a) ? std::min(longest, frame.size[a] / 4) : longest;
    }
    for (int part = 0; part < (frame.used(0) ? 8 : 4); ++part)
    {
      Box block;
      for (int a = 0; a < 3; ++a)
      {
        const bool upper = part >> (2 - a) & 1;
        const std::int64_t half = frame.used(a) ? frame.size[a] / 2 : 0;
        block.origin[a] = upper ? half : 0;
        block.size[a] = upper || half == 0 ? frame.size[a] - block.origin[a] : half;
      }
      Change sums{};
      for (std::size_t c = 0; c < channels.size(); ++c)
      {
        dispatch(volumes[v].channels[c].type, [&](auto t)
        {
          addChange<decltype(t)>(
            volumes[v].channels[c], channels[c], volumes[v].mask, frame, block, longest, sums);
        });
      }
      all.push_back(sums);
    }
  }
  return all;
}

/// How many times as much values change along one direction as along another; 1 where that is not
/// to be told from chance.
double ratio(const std::vector<Change>& blocks, std::size_t one, std::size_t other)
{
  double sum = 0, squares = 0;
  std::size_t n = 0;
  for (const Change& c : blocks)
  {
    if (c[one] > 0 && c[other] > 0)
    {
      const double log = std::log(c[one] / c[other]);
      sum += log;
      squares += log * log;
      ++n;
    }
  }
  if (n < FewestBlocks)
  {
    return 1;
  }
  const auto count = static_cast<double>(n);
  const double mean = sum / count;
  const double error = std::sqrt(std::max(0., squares / count - mean * mean) / (count - 1));
  return std::abs(mean) > std::max(Negligible, Errors * error) ? std::exp(mean) : 1;
}

/// Why an array's components forbid to turn patches; empty if none do.
std::string tensorReason(const std::vector<ChannelInfo>& channels)
{
  for (const ChannelInfo& c : channels)
  {
    if ((c.components == 6 || c.components == 9) && c.phases.empty() && hasSign(c.type))
    {
      return std::format(
        "'{}' has {} components, as a tensor has, which would not turn with a patch", c.array,
        c.components);
    }
  }
  return {};
}

/// Which vector has a direction on average; empty if none has.
std::string directionReason(const std::vector<ChannelInfo>& channels, const Frame& frame)
{
  for (const std::size_t first : vectorsOf(channels))
  {
    for (int a = 2; a >= 0; --a)
    {
      const std::size_t axis = frame.axis[static_cast<std::size_t>(a)];
      const ChannelInfo& c = channels[first + axis];
      if (frame.used(a) && std::abs(c.mean) > Directed * c.scale)
      {
        return std::format("the mean of '{}' along {} is {:.2f} of its standard deviation, and a "
                           "mirror image has another",
          c.array, "xyz"[axis], c.mean / c.scale);
      }
    }
  }
  return {};
}

} // namespace

void normaliseVectors(const Volume& volume, ModelInfo& info)
{
  if (!info.augmentation.flips)
  {
    return;
  }
  const Frame frame(volume.dims, volume.spacing, info.network);
  const std::vector<ChannelInfo> measured = info.channels;
  for (const std::size_t first : vectorsOf(measured))
  {
    for (std::size_t a = 0; a < 3; ++a)
    {
      double squares = 0, count = 0, largest = 0;
      for (std::size_t b = 0; b < 3; ++b)
      {
        if (frame.used(static_cast<int>(b)) &&
          info.augmentation.kind[a] == info.augmentation.kind[b])
        {
          const ChannelInfo& c = measured[first + frame.axis[b]];
          squares += c.mean * c.mean + c.scale * c.scale;
          largest = std::max({ largest, std::abs(c.minimum), std::abs(c.maximum) });
          ++count;
        }
      }
      if (frame.used(static_cast<int>(a)))
      {
        ChannelInfo& c = info.channels[first + frame.axis[a]];
        c.offset = c.mean = 0;
        c.scale = std::sqrt(squares / count);
        c.minimum = -largest;
        c.maximum = largest;
      }
    }
  }
}

void chooseAugmentation(const std::vector<Volume>& volumes, ModelInfo& info)
{
  const Symmetry symmetry = info.options.symmetry;
  AugmentationSymmetry& chosen = info.augmentation;
  chosen.flips = symmetry != Symmetry::None;
  const bool exchanges = symmetry == Symmetry::Cube || symmetry == Symmetry::Automatic;
  chosen.kind = exchanges ? std::array{ 0, 0, 0 } : std::array{ 0, 1, 2 };
  info.symmetryReason = "chosen by the user";
  if (const std::string tensor = tensorReason(info.channels);
    symmetry != Symmetry::None && !tensor.empty())
  {
    chosen = {};
    info.symmetryReason = tensor;
    return;
  }
  if (symmetry != Symmetry::Automatic)
  {
    return;
  }
  std::vector<Frame> frames;
  for (const Volume& v : volumes)
  {
    frames.emplace_back(v.dims, v.spacing, info.network);
  }
  const Frame& frame = frames.front();
  if (const std::string direction = directionReason(info.channels, frame); !direction.empty())
  {
    chosen = {};
    info.symmetryReason = direction;
    return;
  }
  const std::vector<Change> blocks = changes(volumes, frames, info.channels);
  std::string differ;
  const auto say = [&](const std::string& words)
  { differ += (differ.empty() ? "" : "; ") + words; };
  const auto nameOf = [&](int a) { return "xyz"[frame.axis[static_cast<std::size_t>(a)]]; };
  std::array<bool, 3> alike{ true, true, true }; ///< the pairs
  for (std::size_t i = 0; i < Pairs.size(); ++i)
  {
    const auto [a, b] = Pairs[i];
    if (!frame.used(a) || !frame.used(b))
    {
      continue;
    }
    const double axes = ratio(blocks, static_cast<std::size_t>(a), static_cast<std::size_t>(b)),
                 diagonals = ratio(blocks, 3 + 2 * i, 4 + 2 * i);
    if (axes != 1)
    {
      say(std::format(
        "values change {:.2f} times as much along {} as along {}", axes, nameOf(a), nameOf(b)));
      alike[i] = false;
    }
    if (diagonals != 1)
    {
      say(std::format("{:.2f} times as much along one diagonal of {} and {} as along the other",
        diagonals, nameOf(a), nameOf(b)));
      chosen.together = true;
    }
  }
  chosen.kind[1] = alike[0] ? 0 : 1;
  chosen.kind[2] = alike[1] && (alike[2] || !alike[0]) ? 0 : alike[2] && !alike[0] ? 1 : 2;
  if (chosen.together) // tilted: an exchange would tilt it otherwise
  {
    chosen.kind = { 0, 1, 2 };
  }
  info.symmetryReason = differ.empty() ? "values change equally along all axes" : differ;
}

} // namespace vae
