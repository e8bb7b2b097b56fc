// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Lines.h"

#include <algorithm>
#include <bit>
#include <limits>

namespace vae::statistics
{
namespace
{

using Words = std::vector<std::uint64_t>;

/// Set bits of a[i] & b[i].
template <typename Popcount>
[[gnu::always_inline]] inline std::int64_t bothSet(
  const std::uint64_t* a, const std::uint64_t* b, std::int64_t n, Popcount popcount)
{
  std::int64_t sum = 0;
  for (std::int64_t i = 0; i < n; ++i)
  {
    sum += popcount(a[i] & b[i]);
  }
  return sum;
}

std::int64_t bothSetPlain(const std::uint64_t* a, const std::uint64_t* b, std::int64_t n)
{
  return bothSet(a, b, n, [](std::uint64_t w) { return std::popcount(w); });
}

#if defined(__x86_64__) && defined(__GNUC__)
// The compiler's baseline for x86-64 has no instruction for this; nearly every machine does.
[[gnu::target("popcnt")]] std::int64_t bothSetNative(
  const std::uint64_t* a, const std::uint64_t* b, std::int64_t n)
{
  std::int64_t sum = 0;
  for (std::int64_t i = 0; i < n; ++i)
  {
    sum += __builtin_popcountll(a[i] & b[i]);
  }
  return sum;
}
#endif

using BothSet = std::int64_t (*)(const std::uint64_t*, const std::uint64_t*, std::int64_t);

BothSet bestBothSet()
{
#if defined(__x86_64__) && defined(__GNUC__)
  if (__builtin_cpu_supports("popcnt"))
  {
    return bothSetNative;
  }
#endif
  return bothSetPlain;
}

} // namespace

PairCounts countPairs(const Mask& mask, std::int64_t maximumLag, bool periodic, const Work& work)
{
  const auto [nx, ny, nz] = mask.dims;
  const std::int64_t words = (nx + 63) / 64;
  const std::int64_t stride = words + 1; // a word of zeros after each row, for shifts
  Words bits(static_cast<std::size_t>(stride * ny * nz), 0);
  work.part(0, 0.2).forEach(nz, [&](std::int64_t z)
  {
    for (std::int64_t y = 0; y < ny; ++y)
    {
      const std::uint8_t* row = mask.row(y, z);
      std::uint64_t* out = bits.data() + (z * ny + y) * stride;
      for (std::int64_t x = 0; x < nx; ++x)
      {
        out[x >> 6] |= static_cast<std::uint64_t>(row[x]) << (x & 63);
      }
    }
  });

  PairCounts result;
  const BothSet both = bestBothSet();
  double done = 0.2;
  for (const int axis : axesOf(mask.dims))
  {
    const auto a = static_cast<std::size_t>(axis);
    const std::int64_t n = mask.dims[a];
    const std::int64_t lines = mask.count() / n;
    // Periodic pairs at r are the pairs inside at r and those at n - r, taken the other way.
    std::vector<std::int64_t> lags;
    for (std::int64_t r = 0; r <= maximumLag; ++r)
    {
      lags.push_back(r);
      if (periodic && r > 0 && n - r > maximumLag)
      {
        lags.push_back(n - r);
      }
    }
    std::vector<std::int64_t> inside(static_cast<std::size_t>(n) + 1, 0);
    work.part(done, done + 0.26)
      .forEach(static_cast<std::int64_t>(lags.size()), [&](std::int64_t i)
    {
      const std::int64_t r = lags[static_cast<std::size_t>(i)];
      std::int64_t sum = 0;
      if (axis == 0)
      {
        const std::int64_t shift = r & 63, skip = r >> 6;
        Words moved(static_cast<std::size_t>(words), 0);
        for (std::int64_t line = 0; line < ny * nz; ++line)
        {
          const std::uint64_t* row = bits.data() + line * stride;
          const std::int64_t left = words - skip;
          for (std::int64_t w = 0; w < left; ++w)
          {
            moved[static_cast<std::size_t>(w)] = shift == 0
              ? row[w + skip]
              : row[w + skip] >> shift | row[w + skip + 1] << (64 - shift);
          }
          sum += both(row, moved.data(), left);
        }
      }
      else if (axis == 1)
      {
        for (std::int64_t z = 0; z < nz; ++z)
        {
          const std::uint64_t* slice = bits.data() + z * ny * stride;
          sum += both(slice, slice + r * stride, (ny - r) * stride);
        }
      }
      else
      {
        sum = both(bits.data(), bits.data() + r * ny * stride, (nz - r) * ny * stride);
      }
      inside[static_cast<std::size_t>(r)] = sum;
    });
    done += 0.26;
    for (std::int64_t r = 0; r <= maximumLag; ++r)
    {
      std::int64_t pairs = inside[static_cast<std::size_t>(r)];
      if (periodic && r > 0)
      {
        pairs += inside[static_cast<std::size_t>(n - r)];
      }
      result.pairs[a].push_back(pairs);
      result.valid[a].push_back(periodic ? mask.count() : (n - r) * lines);
    }
  }
  return result;
}

double Runs::mean(const Histogram& histogram)
{
  double length = 0, number = 0;
  for (std::size_t i = 1; i < histogram.size(); ++i)
  {
    length += static_cast<double>(i) * static_cast<double>(histogram[i]);
    number += static_cast<double>(histogram[i]);
  }
  return number > 0 ? length / number : std::numeric_limits<double>::quiet_NaN();
}

double Runs::linealPath(
  const Histogram& histogram, std::int64_t r, std::int64_t side, std::int64_t lines)
{
  double segments = 0;
  for (std::size_t i = static_cast<std::size_t>(r) + 1; i < histogram.size(); ++i)
  {
    segments +=
      static_cast<double>(static_cast<std::int64_t>(i) - r) * static_cast<double>(histogram[i]);
  }
  return segments / static_cast<double>((side - r) * lines);
}

namespace
{

/// Counts the runs of a line that is fed voxel by voxel.
struct Counter
{
  Runs::Histogram* all[2];
  Runs::Histogram* interior[2];
  std::int64_t* faces;

  /// A run of value v has ended. \param cut it touches a face of the volume
  void add(int v, std::int64_t length, bool cut)
  {
    ++(*this->all[v])[static_cast<std::size_t>(length)];
    if (!cut)
    {
      ++(*this->interior[v])[static_cast<std::size_t>(length)];
    }
  }
};

void resize(Runs& runs, const Dims& dims)
{
  for (std::size_t a = 0; a < 3; ++a)
  {
    const auto n = static_cast<std::size_t>(dims[a]) + 1;
    for (Runs::Histogram* h :
      { &runs.all[a], &runs.interior[a], &runs.otherAll[a], &runs.otherInterior[a] })
    {
      h->assign(n, 0);
    }
  }
}

} // namespace

Runs countRuns(const Mask& mask, const Work& work)
{
  const auto [nx, ny, nz] = mask.dims;
  std::vector<Runs> parts(static_cast<std::size_t>(work.threads()));
  for (Runs& r : parts)
  {
    resize(r, mask.dims);
  }
  const auto counter = [&](int thread, std::size_t a)
  {
    Runs& r = parts[static_cast<std::size_t>(thread)];
    return Counter{ { &r.otherAll[a], &r.all[a] }, { &r.otherInterior[a], &r.interior[a] },
      &r.faces[a] };
  };

  work.part(0, 0.3).forEach(nz, [&](std::int64_t z, int thread)
  {
    Counter c = counter(thread, 0);
    for (std::int64_t y = 0; y < ny; ++y)
    {
      const std::uint8_t* row = mask.row(y, z);
      std::int64_t start = 0;
      for (std::int64_t x = 1; x < nx; ++x)
      {
        if (row[x] != row[x - 1])
        {
          c.add(row[x - 1], x - start, start == 0);
          start = x;
          ++*c.faces;
        }
      }
      c.add(row[nx - 1], nx - start, true);
    }
  });

  // Along y and z a line of voxels in x is carried on at once: where each one's run began.
  for (const std::size_t a : { std::size_t(1), std::size_t(2) })
  {
    const std::int64_t n = a == 1 ? ny : nz;
    const std::int64_t lines = a == 1 ? nz : ny;
    work.part(a == 1 ? 0.3 : 0.65, a == 1 ? 0.65 : 1)
      .forEach(lines, [&](std::int64_t line, int thread)
    {
      Counter c = counter(thread, a);
      std::vector<std::int32_t> start(static_cast<std::size_t>(nx), 0);
      const auto rowAt = [&](std::int64_t i)
      { return a == 1 ? mask.row(i, line) : mask.row(line, i); };
      for (std::int64_t i = 1; i < n; ++i)
      {
        const std::uint8_t* before = rowAt(i - 1);
        const std::uint8_t* row = rowAt(i);
        for (std::int64_t x = 0; x < nx; ++x)
        {
          if (row[x] != before[x])
          {
            std::int32_t& s = start[static_cast<std::size_t>(x)];
            c.add(before[x], i - s, s == 0);
            s = static_cast<std::int32_t>(i);
            ++*c.faces;
          }
        }
      }
      const std::uint8_t* last = rowAt(n - 1);
      for (std::int64_t x = 0; x < nx; ++x)
      {
        c.add(last[x], n - start[static_cast<std::size_t>(x)], true);
      }
    });
  }

  Runs sum = std::move(parts[0]);
  for (std::size_t p = 1; p < parts.size(); ++p)
  {
    for (std::size_t a = 0; a < 3; ++a)
    {
      const auto add = [](Runs::Histogram& to, const Runs::Histogram& from)
      { std::transform(to.begin(), to.end(), from.begin(), to.begin(), std::plus<>()); };
      add(sum.all[a], parts[p].all[a]);
      add(sum.interior[a], parts[p].interior[a]);
      add(sum.otherAll[a], parts[p].otherAll[a]);
      add(sum.otherInterior[a], parts[p].otherInterior[a]);
      sum.faces[a] += parts[p].faces[a];
    }
  }
  return sum;
}

} // namespace vae::statistics
