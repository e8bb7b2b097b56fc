// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Thickness.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>

namespace vae::statistics
{
namespace
{

constexpr float Infinite = std::numeric_limits<float>::infinity();

double square(double v) { return v * v; }

/// out[i] = min over j of f[j] + (h (i - j))^2 for a line of n values.
class Envelope
{
public:
  explicit Envelope(std::int64_t n)
    : Where(static_cast<std::size_t>(n))
    , From(static_cast<std::size_t>(n) + 1)
    , Copy(static_cast<std::size_t>(n))
  {
  }

  void run(float* f, std::int64_t n, double h)
  {
    const double h2 = h * h;
    std::int64_t k = -1;
    for (std::int64_t i = 0; i < n; ++i)
    {
      if (f[i] == Infinite)
      {
        continue;
      }
      // Where this parabola falls below the last one; it may hide some.
      double from = -1;
      while (k >= 0)
      {
        const std::int64_t j = this->Where[static_cast<std::size_t>(k)];
        const auto di = static_cast<double>(i), dj = static_cast<double>(j);
        from = ((static_cast<double>(f[i]) - static_cast<double>(f[j])) / h2 + di * di - dj * dj) /
          (2 * (di - dj));
        if (from > this->From[static_cast<std::size_t>(k)])
        {
          break;
        }
        --k;
      }
      ++k;
      this->Where[static_cast<std::size_t>(k)] = i;
      this->From[static_cast<std::size_t>(k)] = k == 0 ? -Infinite : from;
    }
    if (k < 0)
    {
      return;
    }
    std::copy_n(f, n, this->Copy.data());
    std::int64_t p = 0;
    for (std::int64_t i = 0; i < n; ++i)
    {
      while (p < k && this->From[static_cast<std::size_t>(p) + 1] < static_cast<double>(i))
      {
        ++p;
      }
      const std::int64_t j = this->Where[static_cast<std::size_t>(p)];
      const auto d = static_cast<double>(i - j);
      f[i] = static_cast<float>(
        static_cast<double>(this->Copy[static_cast<std::size_t>(j)]) + h2 * d * d);
    }
  }

private:
  std::vector<std::int64_t> Where;
  std::vector<double> From;
  std::vector<float> Copy;
};

/// About the centre of a voxel.
struct Ball
{
  std::int32_t x, y, z;
  float squared; ///< radius
};

/// A row of a ball's voxels.
struct Row
{
  std::int32_t y, z, reach; ///< offsets; voxels to each side of the centre
};

/// The rows of a ball of this square of the radius, cut to the volume's dimensions.
void rowsOf(float s, const Mask& mask, std::vector<Row>& rows)
{
  const auto [nx, ny, nz] = mask.dims;
  const Spacing& h = mask.spacing;
  rows.clear();
  // Strictly nearer than r, whatever the rounding of the squares in float32.
  const double inside = std::min(static_cast<double>(s), 1e12) * (1 - 1e-6);
  const auto reachZ =
    static_cast<std::int32_t>(std::min<double>(std::sqrt(inside) / h[2], static_cast<double>(nz)));
  for (std::int32_t z = -reachZ; z <= reachZ; ++z)
  {
    const double restY = inside - square(z * h[2]);
    const auto reachY = static_cast<std::int32_t>(
      std::min<double>(std::sqrt(std::max(0., restY)) / h[1], static_cast<double>(ny)));
    for (std::int32_t y = -reachY; y <= reachY; ++y)
    {
      const double restX = restY - square(y * h[1]);
      if (restX >= 0)
      {
        rows.push_back({ y, z,
          static_cast<std::int32_t>(
            std::min<double>(std::sqrt(restX) / h[0], static_cast<double>(nx))) });
      }
    }
  }
}

/// Finds balls that lie inside the ball of a neighbouring voxel, and so add nothing. Of small balls
/// (on cubic voxels) it is known which square of the radius the neighbour needs to contain all
/// their voxels; of others, that the radius is larger by the distance.
class Hidden
{
public:
  Hidden(const Mask& mask, const std::vector<float>& squared)
    : Of(mask)
    , Squared(squared)
    , Cubic(mask.spacing[0] == mask.spacing[1] && mask.spacing[1] == mask.spacing[2])
  {
    const Spacing& h = mask.spacing;
    for (int k = -1; k <= 1; ++k)
    {
      for (int j = -1; j <= 1; ++j)
      {
        for (int i = -1; i <= 1; ++i)
        {
          if (i != 0 || j != 0 || k != 0)
          {
            this->Offsets.push_back({ i, j, k, static_cast<std::size_t>(i * i + j * j + k * k),
              std::hypot(i * h[0], j * h[1], k * h[2]) });
          }
        }
      }
    }
    if (this->Cubic)
    {
      this->knowSmallBalls();
    }
  }

  /// Whether the ball about voxel (x, y, z) is hidden by another one.
  bool operator()(std::int64_t x, std::int64_t y, std::int64_t z) const
  {
    const auto [nx, ny, nz] = this->Of.dims;
    const Spacing& h = this->Of.spacing;
    const float s = this->Squared[static_cast<std::size_t>((z * ny + y) * nx + x)];
    const double r = std::sqrt(static_cast<double>(s));
    const double voxels = static_cast<double>(s) / (h[0] * h[0]);
    const bool small = this->Cubic && voxels < Known + 0.5;
    const auto number = static_cast<std::size_t>(small ? voxels + 0.5 : 0);
    for (const Offset& o : this->Offsets)
    {
      const std::int64_t a = x + o.x, b = y + o.y, c = z + o.z;
      if (a < 0 || a >= nx || b < 0 || b >= ny || c < 0 || c >= nz)
      {
        continue;
      }
      const float t = this->Squared[static_cast<std::size_t>((c * ny + b) * nx + a)];
      if (t <= s)
      {
        continue;
      }
      const double reach = r + o.length;
      if (small ? t > this->Needed[number][o.away]
                : static_cast<double>(t) >= reach * reach * (1 - 1e-6))
      {
        return true;
      }
    }
    return false;
  }

private:
  void knowSmallBalls()
  {
    const Spacing& h = this->Of.spacing;
    std::vector<Row> some;
    for (int k = 0; k <= Known; ++k)
    {
      this->Needed.push_back({});
      rowsOf(static_cast<float>(k * h[0] * h[0]), this->Of, some);
      for (int away = 1; away <= 3; ++away)
      {
        // The neighbour at (1, 0, 0), (1, 1, 0) or (1, 1, 1); all others by symmetry.
        int farthest = 0;
        for (const Row& row : some)
        {
          const int x = row.reach + 1, y = std::abs(row.y) + (away > 1),
                    z = std::abs(row.z) + (away > 2);
          farthest = std::max(farthest, x * x + y * y + z * z);
        }
        this->Needed.back()[static_cast<std::size_t>(away)] =
          static_cast<float>(farthest * h[0] * h[0] * (1 + 1e-6));
      }
    }
  }

  static constexpr int Known = 400;
  struct Offset
  {
    int x, y, z;
    std::size_t away; ///< squared, in voxels
    double length;
  };
  const Mask& Of;
  const std::vector<float>& Squared;
  const bool Cubic;
  std::vector<Offset> Offsets;
  /// [square of the radius][squared distance of the neighbour]
  std::vector<std::array<float, 4>> Needed;
};

/// Those that no neighbour hides, from small to large.
std::vector<Ball> ballsOf(const Mask& mask, const std::vector<float>& squared, const Work& work)
{
  const auto [nx, ny, nz] = mask.dims;
  const Hidden hidden(mask, squared);
  std::vector<std::vector<Ball>> found(static_cast<std::size_t>(nz));
  work.forEach(nz, [&](std::int64_t z)
  {
    auto& balls = found[static_cast<std::size_t>(z)];
    for (std::int64_t y = 0; y < ny; ++y)
    {
      for (std::int64_t x = 0; x < nx; ++x)
      {
        const float s = squared[static_cast<std::size_t>((z * ny + y) * nx + x)];
        if (s != 0 && !hidden(x, y, z))
        {
          balls.push_back({ static_cast<std::int32_t>(x), static_cast<std::int32_t>(y),
            static_cast<std::int32_t>(z), s });
        }
      }
    }
  });
  std::vector<Ball> balls;
  for (auto& b : found)
  {
    balls.insert(balls.end(), b.begin(), b.end());
    std::vector<Ball>().swap(b);
  }
  std::sort(balls.begin(), balls.end(), [](const Ball& a, const Ball& b)
  { return std::tie(a.squared, a.z, a.y, a.x) < std::tie(b.squared, b.z, b.y, b.x); });
  return balls;
}

} // namespace

std::vector<float> squaredDistances(const Mask& mask, const Work& work)
{
  const auto [nx, ny, nz] = mask.dims;
  std::vector<float> d(mask.data.size());
  const double hx = mask.spacing[0];
  work.part(0, 0.2).forEach(nz, [&](std::int64_t z)
  {
    for (std::int64_t y = 0; y < ny; ++y)
    {
      const std::uint8_t* in = mask.row(y, z);
      float* out = d.data() + (z * ny + y) * nx;
      float steps = Infinite; // from the last voxel outside, in voxels
      for (std::int64_t x = 0; x < nx; ++x)
      {
        steps = in[x] ? steps + 1 : 0;
        out[x] = steps;
      }
      steps = Infinite;
      for (std::int64_t x = nx - 1; x >= 0; --x)
      {
        steps = in[x] ? steps + 1 : 0;
        const double s = std::min(out[x], steps) * hx;
        out[x] = static_cast<float>(s * s);
      }
    }
  });
  // Lines along y and z are gathered a few at a time, so that whole cache lines are read.
  constexpr std::int64_t Wide = 16;
  for (const int axis : { 1, 2 })
  {
    const std::int64_t n = axis == 1 ? ny : nz, others = axis == 1 ? nz : ny;
    const std::int64_t step = axis == 1 ? nx : nx * ny, otherStep = axis == 1 ? nx * ny : nx;
    if (n == 1)
    {
      continue;
    }
    work.part(axis == 1 ? 0.2 : 0.6, axis == 1 ? 0.6 : 1)
      .forEach(others, [&](std::int64_t o)
    {
      Envelope envelope(n);
      std::vector<float> lines(static_cast<std::size_t>(n * Wide));
      for (std::int64_t x0 = 0; x0 < nx; x0 += Wide)
      {
        const std::int64_t wide = std::min(Wide, nx - x0);
        float* base = d.data() + o * otherStep + x0;
        bool any = false;
        for (std::int64_t i = 0; i < n; ++i)
        {
          for (std::int64_t w = 0; w < wide; ++w)
          {
            const float v = base[i * step + w];
            lines[static_cast<std::size_t>(w * n + i)] = v;
            any = any || v != 0;
          }
        }
        if (!any)
        {
          continue;
        }
        for (std::int64_t w = 0; w < wide; ++w)
        {
          envelope.run(lines.data() + w * n, n, mask.spacing[static_cast<std::size_t>(axis)]);
        }
        for (std::int64_t i = 0; i < n; ++i)
        {
          for (std::int64_t w = 0; w < wide; ++w)
          {
            base[i * step + w] = lines[static_cast<std::size_t>(w * n + i)];
          }
        }
      }
    });
  }
  return d;
}

std::vector<float> localThickness(
  const Mask& mask, const std::vector<float>& squared, const Work& work)
{
  const auto [nx, ny, nz] = mask.dims;
  // From small to large, so that the last one that paints a voxel is the largest.
  const std::vector<Ball> balls = ballsOf(mask, squared, work.part(0, 0.3));
  std::vector<float> radius(mask.data.size(), 0);
  // Each thread paints the rows of its own slices, so no two write to the same place.
  const std::int64_t slab = std::max<std::int64_t>(8, nz / (4 * work.threads()));
  work.part(0.3, 1).forEach((nz + slab - 1) / slab, [&](std::int64_t part)
  {
    const std::int64_t zBegin = part * slab, zEnd = std::min(nz, zBegin + slab);
    std::vector<Row> rows;
    float current = -1;
    for (const Ball& b : balls)
    {
      if (b.squared != current)
      {
        current = b.squared;
        rowsOf(current, mask, rows);
      }
      const float r = std::sqrt(current);
      const std::int32_t deep = rows.empty() ? 0 : rows.back().z;
      if (b.z + deep < zBegin || b.z - deep >= zEnd)
      {
        continue;
      }
      for (const Row& row : rows)
      {
        const std::int64_t z = b.z + row.z, y = b.y + row.y;
        if (z < zBegin || z >= zEnd || y < 0 || y >= ny)
        {
          continue;
        }
        const std::int64_t begin = std::max<std::int64_t>(0, b.x - row.reach);
        const std::int64_t end = std::min<std::int64_t>(nx, b.x + row.reach + 1);
        std::fill(
          radius.data() + (z * ny + y) * nx + begin, radius.data() + (z * ny + y) * nx + end, r);
      }
    }
  });
  return radius;
}

PoreSizes poreSizes(const Mask& mask, const std::vector<float>& radius, const Work& work)
{
  const double bin = 2 * std::min({ mask.spacing[0], mask.spacing[1], mask.spacing[2] });
  struct Part
  {
    std::vector<std::int64_t> histogram;
    double sum = 0;
    std::int64_t count = 0;
  };
  std::vector<Part> parts(static_cast<std::size_t>(work.threads()));
  work.forRanges(mask.count(), [&](std::int64_t begin, std::int64_t end, int thread)
  {
    Part& p = parts[static_cast<std::size_t>(thread)];
    for (std::int64_t i = begin; i < end; ++i)
    {
      const float r = radius[static_cast<std::size_t>(i)];
      if (r <= 0 || !std::isfinite(r))
      {
        continue;
      }
      const double diameter = 2 * static_cast<double>(r);
      const auto b = static_cast<std::size_t>(std::max(0., std::ceil(diameter / bin - 1e-4) - 1));
      if (b >= p.histogram.size())
      {
        p.histogram.resize(b + 1, 0);
      }
      ++p.histogram[b];
      p.sum += diameter;
      ++p.count;
    }
  });
  PoreSizes sizes;
  std::vector<std::int64_t> histogram;
  double sum = 0, count = 0;
  for (const Part& p : parts)
  {
    histogram.resize(std::max(histogram.size(), p.histogram.size()), 0);
    for (std::size_t i = 0; i < p.histogram.size(); ++i)
    {
      histogram[i] += p.histogram[i];
    }
    sum += p.sum;
    count += static_cast<double>(p.count);
  }
  sizes.mean = count > 0 ? sum / count : std::numeric_limits<double>::quiet_NaN();
  double below = 0;
  for (std::size_t i = 0; i < histogram.size(); ++i)
  {
    const auto n = static_cast<double>(histogram[i]);
    below += n;
    sizes.diameter.push_back(static_cast<double>(i + 1) * bin);
    sizes.density.push_back(n / count / bin);
    sizes.cumulative.push_back(below / count);
  }
  return sizes;
}

} // namespace vae::statistics
