// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Quality.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

namespace vae::statistics
{
namespace
{

/// Values [begin, begin + count) of a channel.
void read(const Channel& channel, std::int64_t begin, std::int64_t count, double* out)
{
  dispatch(channel.type, [&](auto t)
  {
    const auto* from = static_cast<const decltype(t)*>(channel.data) + begin * channel.stride;
    for (std::int64_t i = 0; i < count; ++i)
    {
      out[i] = static_cast<double>(from[i * channel.stride]);
    }
  });
}

void write(
  const OutputChannel& channel, std::int64_t begin, std::int64_t count, const double* values)
{
  dispatch(channel.type, [&](auto t)
  {
    auto* to = static_cast<decltype(t)*>(channel.data) + begin * channel.stride;
    for (std::int64_t i = 0; i < count; ++i)
    {
      to[i * channel.stride] = static_cast<decltype(t)>(values[i]);
    }
  });
}

/// Which of some voxels are ghosts and do not count.
class Counted
{
public:
  explicit Counted(const Channel& ghosts) : Ghosts(ghosts) {}
  const std::vector<double>& of(std::int64_t begin, std::int64_t count)
  {
    this->Flags.resize(static_cast<std::size_t>(count), 0.); // zeros stay where there are no ghosts
    if (this->Ghosts.data)
    {
      read(this->Ghosts, begin, count, this->Flags.data());
    }
    return this->Flags;
  }

private:
  const Channel& Ghosts;
  std::vector<double> Flags; ///< not zero: a ghost
};

struct Sums
{
  double squares = 0, similarity = 0;
  std::int64_t equal = 0, counted = 0, windows = 0;

  Sums& operator+=(const Sums& s)
  {
    this->squares += s.squares;
    this->similarity += s.similarity;
    this->equal += s.equal;
    this->counted += s.counted;
    this->windows += s.windows;
    return *this;
  }
};

/// Of two channels of bytes without ghosts: whole numbers, many at once.
Sums sumOfBytes(const std::uint8_t* before, const std::uint8_t* after, std::int64_t count)
{
  std::int32_t squares = 0, equal = 0; // a piece of voxels does not fill them
  for (std::int64_t i = 0; i < count; ++i)
  {
    const std::int32_t d = after[i] - before[i];
    squares += d * d;
    equal += d == 0;
  }
  Sums sum;
  sum.squares = squares;
  sum.equal = equal;
  sum.counted = count;
  return sum;
}

Sums sumOf(const std::vector<double>& differences, const std::vector<double>& ghost)
{
  Sums sum;
  for (std::size_t v = 0; v < differences.size(); ++v)
  {
    if (ghost[v] == 0)
    {
      sum.squares += differences[v] * differences[v];
      sum.equal += differences[v] == 0;
      ++sum.counted;
    }
  }
  return sum;
}

/// Sums over `window` neighbours along an axis, in place: element i becomes that of [i, i +
/// window).
void boxSums(std::vector<double>& values, const Dims& size, int axis, std::int64_t window)
{
  const std::int64_t step = axis == 0 ? 1 : axis == 1 ? size[0] : size[0] * size[1];
  const auto lines = static_cast<std::int64_t>(values.size()) / size[axis];
  for (std::int64_t line = 0; line < lines; ++line)
  {
    double* at = values.data() + line / step * step * size[axis] + line % step;
    double sum = 0;
    for (std::int64_t i = 0; i < window; ++i)
    {
      sum += at[i * step];
    }
    for (std::int64_t i = 0; i + window <= size[axis]; ++i)
    {
      const double first = at[i * step];
      at[i * step] = sum;
      sum += (i + window < size[axis] ? at[(i + window) * step] : 0.) - first;
    }
  }
}

/// Structural similarity of all windows, block by block.
void similarity(const Comparison& what, const Dims& dims, const Work& work, std::vector<Sums>& sums)
{
  constexpr std::int64_t edge =
    32; // windows of a block along an axis: all of it stays in the cache
  Dims window, blocks;
  for (std::size_t a = 0; a < 3; ++a)
  {
    window[a] = std::min<std::int64_t>(7, dims[a]);
    blocks[a] = (dims[a] - window[a] + edge) / edge;
  }
  const auto n = static_cast<double>(voxels(window));
  const double c1 = std::pow(0.01 * what.range, 2), c2 = std::pow(0.03 * what.range, 2);
  const double sample = n > 1 ? n / (n - 1) : 1;
  work.forEach(voxels(blocks), [&](std::int64_t block, int thread)
  {
    const Dims index{ block % blocks[0], block / blocks[0] % blocks[1],
      block / blocks[0] / blocks[1] };
    Dims begin, count, size; // count: of windows
    for (std::size_t a = 0; a < 3; ++a)
    {
      begin[a] = index[a] * edge;
      count[a] = std::min(edge, dims[a] - window[a] + 1 - begin[a]);
      size[a] = count[a] + window[a] - 1;
    }
    const auto all = static_cast<std::size_t>(voxels(size));
    std::vector<double> x(all), y(all), xx(all), yy(all), xy(all), ghost(all);
    Counted counted(what.ghosts);
    for (std::int64_t z = 0; z < size[2]; ++z)
    {
      for (std::int64_t row = 0; row < size[1]; ++row)
      {
        const std::int64_t from = ((begin[2] + z) * dims[1] + begin[1] + row) * dims[0] + begin[0];
        const std::int64_t to = (z * size[1] + row) * size[0];
        read(what.before, from, size[0], x.data() + to);
        read(what.after, from, size[0], y.data() + to);
        std::ranges::copy(counted.of(from, size[0]), ghost.begin() + to);
      }
    }
    for (std::size_t i = 0; i < all; ++i)
    {
      xx[i] = x[i] * x[i];
      yy[i] = y[i] * y[i];
      xy[i] = x[i] * y[i];
    }
    for (auto* values : { &x, &y, &xx, &yy, &xy })
    {
      for (int a = 0; a < 3; ++a)
      {
        boxSums(*values, size, a, window[static_cast<std::size_t>(a)]);
      }
    }
    Sums sum;
    const std::int64_t centre = (window[2] / 2 * size[1] + window[1] / 2) * size[0] + window[0] / 2;
    for (std::int64_t z = 0; z < count[2]; ++z)
    {
      for (std::int64_t row = 0; row < count[1]; ++row)
      {
        for (std::int64_t i = (z * size[1] + row) * size[0], end = i + count[0]; i < end; ++i)
        {
          const auto at = static_cast<std::size_t>(i);
          if (ghost[static_cast<std::size_t>(i + centre)] != 0)
          {
            continue;
          }
          const double mx = x[at] / n, my = y[at] / n;
          const double vx = sample * (xx[at] / n - mx * mx), vy = sample * (yy[at] / n - my * my);
          const double cov = sample * (xy[at] / n - mx * my);
          sum.similarity +=
            (2 * mx * my + c1) * (2 * cov + c2) / ((mx * mx + my * my + c1) * (vx + vy + c2));
          ++sum.windows;
        }
      }
    }
    sums[static_cast<std::size_t>(thread)] += sum;
  });
}

} // namespace

Quality compare(const Comparison& what, const Dims& dims, const Work& work)
{
  const std::int64_t all = voxels(dims);
  constexpr std::int64_t piece = 4096; // stays in the nearest cache
  struct Buffers
  {
    std::vector<double> before, after;
    Counted counted;
  };
  const auto threads = static_cast<std::size_t>(work.threads());
  const auto ofBytes = [](const Channel& c)
  { return c.type == ScalarType::UInt8 && c.stride == 1; };
  const bool bytes = ofBytes(what.before) && ofBytes(what.after) && !what.ghosts.data;
  std::vector<Sums> sums(threads);
  std::vector<Buffers> buffers(
    threads, { std::vector<double>(piece), std::vector<double>(piece), Counted(what.ghosts) });
  work.part(0, what.ssim ? 0.3 : 1)
    .forEach((all + piece - 1) / piece, [&](std::int64_t i, int thread)
  {
    const std::int64_t begin = i * piece, count = std::min(piece, all - begin);
    Sums& sum = sums[static_cast<std::size_t>(thread)];
    if (bytes)
    {
      sum += sumOfBytes(static_cast<const std::uint8_t*>(what.before.data) + begin,
        static_cast<const std::uint8_t*>(what.after.data) + begin, count);
      if (!what.error.data && !what.absolute.data)
      {
        return;
      }
    }
    auto& [before, after, counted] = buffers[static_cast<std::size_t>(thread)];
    before.resize(static_cast<std::size_t>(count));
    after.resize(static_cast<std::size_t>(count));
    read(what.before, begin, count, before.data());
    read(what.after, begin, count, after.data());
    std::transform(after.begin(), after.end(), before.begin(), after.begin(), std::minus<>());
    if (!bytes)
    {
      sum += sumOf(after, counted.of(begin, count));
    }
    if (what.error.data)
    {
      write(what.error, begin, count, after.data());
    }
    if (what.absolute.data)
    {
      std::transform(
        after.begin(), after.end(), after.begin(), [](double d) { return std::abs(d); });
      write(what.absolute, begin, count, after.data());
    }
  });
  if (what.ssim)
  {
    similarity(what, dims, work.part(0.3, 1), sums);
  }
  Sums total;
  for (const Sums& s : sums)
  {
    total += s;
  }
  const auto counted = static_cast<double>(total.counted);
  Quality quality;
  quality.equal = static_cast<double>(total.equal) / counted;
  quality.psnr = 10 * std::log10(what.range * what.range * counted / total.squares);
  quality.ssim = what.ssim ? total.similarity / static_cast<double>(total.windows)
                           : std::numeric_limits<double>::quiet_NaN();
  return quality;
}

} // namespace vae::statistics
