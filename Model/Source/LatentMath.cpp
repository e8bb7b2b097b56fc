// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "LatentMath.h"

#include <algorithm>
#include <cmath>

namespace vae
{
namespace
{

void checkEqualSize(const Latent& a, const Latent& b)
{
  if (a.dims != b.dims || a.channels != b.channels || a.mean.size() != b.mean.size())
  {
    throw std::invalid_argument("The latent fields to interpolate between are " + toString(a.dims) +
      " and " + toString(b.dims) + " cells; they must be of one size");
  }
}

void checkChannels(const Latent& latent, const std::vector<LatentStatistics>& statistics)
{
  if (static_cast<std::size_t>(latent.channels) != statistics.size())
  {
    throw std::invalid_argument("The latent field has " + std::to_string(latent.channels) +
      " channels; the model's statistics are of " + std::to_string(statistics.size()));
  }
}

std::size_t cells(const Latent& latent) { return static_cast<std::size_t>(voxels(latent.dims)); }

/// p a + q b
Latent combine(const Latent& a, double p, const Latent& b, double q)
{
  Latent out;
  out.dims = a.dims;
  out.channels = a.channels;
  out.mean.resize(a.mean.size());
  std::transform(a.mean.begin(), a.mean.end(), b.mean.begin(), out.mean.begin(),
    [p, q](float x, float y) { return static_cast<float>(p * x + q * y); });
  return out;
}

} // namespace

Latent meanField(const Dims& dims, const std::vector<LatentStatistics>& statistics)
{
  Latent latent;
  latent.dims = dims;
  latent.channels = static_cast<int>(statistics.size());
  latent.mean.reserve(statistics.size() * cells(latent));
  for (const LatentStatistics& channel : statistics)
  {
    latent.mean.insert(latent.mean.end(), cells(latent), static_cast<float>(channel.mean));
  }
  return latent;
}

Latent shifted(Latent latent, const std::vector<double>& offsets,
  const std::vector<LatentStatistics>& statistics)
{
  if (offsets.size() > statistics.size())
  {
    throw std::invalid_argument("Latent Offsets has " + std::to_string(offsets.size()) +
      " values; the model has " + std::to_string(statistics.size()) + " latent channels");
  }
  checkChannels(latent, statistics);
  latent.logVariance.clear();
  const std::size_t n = cells(latent);
  for (std::size_t c = 0; c < offsets.size(); ++c)
  {
    const auto by = static_cast<float>(offsets[c] * statistics[c].stddev);
    if (by != 0)
    {
      std::for_each(latent.mean.begin() + static_cast<std::ptrdiff_t>(c * n),
        latent.mean.begin() + static_cast<std::ptrdiff_t>((c + 1) * n),
        [by](float& z) { z += by; });
    }
  }
  return latent;
}

Latent lerp(const Latent& a, const Latent& b, double t)
{
  checkEqualSize(a, b);
  return combine(a, 1 - t, b, t);
}

std::vector<double> lerp(const std::vector<double>& a, const std::vector<double>& b, double t)
{
  const auto at = [](const std::vector<double>& v, std::size_t i)
  { return i < v.size() ? v[i] : 0; };
  std::vector<double> out;
  for (std::size_t i = 0; i < std::max(a.size(), b.size()); ++i)
  {
    out.push_back((1 - t) * at(a, i) + t * at(b, i));
  }
  return out;
}

Latent slerp(
  const Latent& a, const Latent& b, double t, const std::vector<LatentStatistics>& statistics)
{
  checkEqualSize(a, b);
  checkChannels(a, statistics);
  double uu = 0, vv = 0, uv = 0;
  const std::size_t n = cells(a);
  for (std::size_t c = 0; c < statistics.size(); ++c)
  {
    for (std::size_t i = c * n; i < (c + 1) * n; ++i)
    {
      const double u = a.mean[i] - statistics[c].mean, v = b.mean[i] - statistics[c].mean;
      uu += u * u;
      vv += v * v;
      uv += u * v;
    }
  }
  // A deviation that is only rounding has no direction.
  const bool both = std::min(uu, vv) > 1e-10 * std::max(uu, vv);
  const double theta = both ? std::acos(std::clamp(uv / std::sqrt(uu * vv), -1., 1.)) : 0;
  if (std::sin(theta) < 1e-6)
  {
    return lerp(a, b, t);
  }
  const double p = std::sin((1 - t) * theta) / std::sin(theta);
  const double q = std::sin(t * theta) / std::sin(theta);
  Latent out = combine(a, p, b, q);
  for (std::size_t c = 0; c < statistics.size(); ++c) // m + p (a - m) + q (b - m)
  {
    const auto rest = static_cast<float>((1 - p - q) * statistics[c].mean);
    std::for_each(out.mean.begin() + static_cast<std::ptrdiff_t>(c * n),
      out.mean.begin() + static_cast<std::ptrdiff_t>((c + 1) * n), [rest](float& z) { z += rest; });
  }
  return out;
}

} // namespace vae
