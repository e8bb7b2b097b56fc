// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Correlation.h"

#include "Torch/Runtime/Device.h"

#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace vae
{

std::int64_t goodFftSize(std::int64_t n)
{
  for (;; ++n)
  {
    std::int64_t rest = n;
    for (const std::int64_t p : { 2, 3, 5 })
    {
      while (rest % p == 0)
      {
        rest /= p;
      }
    }
    if (rest == 1)
    {
      return n;
    }
  }
}

namespace
{

/// An even goodFftSize().
std::int64_t fastSize(std::int64_t n)
{
  n += n % 2;
  while (goodFftSize(n) != n)
  {
    n += 2;
  }
  return n;
}

/// f(begin, end) over [0, count): threads on the CPU (transforms of one slice run on one thread),
/// a few slices at a time on a GPU. Reports between `from` and `to` and stops.
template <typename F>
void inParts(std::int64_t count, const ComputeDevice& place, const Monitor& monitor, double from,
  double to, F&& f)
{
  const std::int64_t group = place.device.is_cpu() ? 4 * place.threads : 32;
  for (std::int64_t begin = 0; begin < count; begin += group)
  {
    const std::int64_t end = std::min(count, begin + group);
    if (place.device.is_cpu())
    {
      at::parallel_for(begin, end, 1, [&](std::int64_t b, std::int64_t e)
      {
        const c10::InferenceMode inference;
        for (std::int64_t i = b; i < e; ++i)
        {
          f(i, i + 1);
        }
      });
    }
    else
    {
      f(begin, end);
    }
    if (monitor.progress)
    {
      monitor.progress(from + (to - from) * static_cast<double>(end) / static_cast<double>(count));
    }
    if (monitor.stop.stop_requested())
    {
      throw Stopped();
    }
  }
}

statistics::RadialS2 radialS2On(const ComputeDevice& place, const statistics::Mask& mask,
  std::int64_t maximumLag, bool periodic, const Monitor& monitor)
{
  const RunScope scope(place, false);
  const c10::InferenceMode inference;
  const statistics::Spacing& h = mask.spacing;
  const double bin = std::min({ h[0], h[1], h[2] });
  std::array<std::int64_t, 3> reach, size; // lags along each axis, sizes of the transforms
  for (std::size_t a = 0; a < 3; ++a)
  {
    reach[a] = std::min(mask.dims[a] - 1,
      static_cast<std::int64_t>((static_cast<double>(maximumLag) + 0.5) * bin / h[a]));
    size[a] = periodic || mask.dims[a] == 1 ? mask.dims[a] : fastSize(mask.dims[a] + reach[a]);
  }
  const auto [nx, ny, nz] = mask.dims;
  const std::int64_t kx = size[0] / 2 + 1;
  const auto real = at::TensorOptions().device(place.device).dtype(at::kFloat);

  // Along x and y, slice by slice: the padding along z would be zeros.
  at::Tensor spectrum = at::empty({ nz, size[1], kx }, real.dtype(at::kComplexFloat));
  inParts(nz, place, monitor, 0, 0.35, [&](std::int64_t z, std::int64_t end)
  {
    const at::Tensor slices =
      at::from_blob(const_cast<std::uint8_t*>(mask.row(0, z)), { end - z, ny, nx }, at::kByte)
        .to(real);
    spectrum.slice(0, z, end).copy_(
      at::fft_rfft2(slices, at::IntArrayRef{ size[1], size[0] }, at::IntArrayRef{ 1, 2 }));
  });
  // Along z: transform, squared modulus (real, so half of its transform says all), back; of the
  // result only the lags that are wanted are kept, in the place of the first slices.
  const std::int64_t kept = reach[2] + 1;
  inParts(size[1], place, monitor, 0.35, 0.75, [&](std::int64_t y, std::int64_t end)
  {
    const at::Tensor f = at::fft_fft(spectrum.slice(1, y, end), size[2], 0);
    const at::Tensor power = at::view_as_real(f).square().sum(-1);
    spectrum.slice(1, y, end)
      .slice(0, 0, kept)
      .copy_(at::fft_ihfft(power, std::nullopt, 0).slice(0, 0, kept));
  });
  // Back along y and x, and into bins.
  struct Sums
  {
    std::vector<double> pairs, valid, distance;
  };
  const auto bins = static_cast<std::size_t>(maximumLag) + 1;
  const auto zeros = std::vector<double>(bins, 0);
  std::vector<Sums> slices(static_cast<std::size_t>(kept), Sums{ zeros, zeros, zeros });
  inParts(kept, place, monitor, 0.75, 1, [&](std::int64_t begin, std::int64_t end)
  {
    const at::Tensor values = at::fft_irfft2(
      spectrum.slice(0, begin, end), at::IntArrayRef{ size[1], size[0] }, at::IntArrayRef{ 1, 2 })
                                .to(at::kCPU)
                                .contiguous();
    for (std::int64_t z = begin; z < end; ++z)
    {
      Sums& sum = slices[static_cast<std::size_t>(z)];
      const float* plane = values.const_data_ptr<float>() + (z - begin) * size[1] * size[0];
      const double both = z == 0 ? 1 : 2; // the lags with -z are the same pairs taken back
      for (std::int64_t y = -reach[1]; y <= reach[1]; ++y)
      {
        const float* row = plane + (y < 0 ? y + size[1] : y) * size[0];
        for (std::int64_t x = -reach[0]; x <= reach[0]; ++x)
        {
          const double length = std::hypot(static_cast<double>(x) * h[0],
            static_cast<double>(y) * h[1], static_cast<double>(z) * h[2]);
          const auto i = static_cast<std::size_t>(length / bin + 0.5);
          if (i >= bins)
          {
            continue;
          }
          const double valid = both *
            (periodic ? static_cast<double>(mask.count())
                      : static_cast<double>((nx - std::abs(x)) * (ny - std::abs(y)) * (nz - z)));
          sum.valid[i] += valid;
          sum.distance[i] += valid * length;
          sum.pairs[i] += both * static_cast<double>(row[x < 0 ? x + size[0] : x]);
        }
      }
    }
  });
  statistics::RadialS2 result;
  for (std::size_t i = 0; i < bins; ++i)
  {
    double pairs = 0, valid = 0, distance = 0;
    for (const Sums& s : slices)
    {
      pairs += s.pairs[i];
      valid += s.valid[i];
      distance += s.distance[i];
    }
    const double none = std::numeric_limits<double>::quiet_NaN();
    result.distance.push_back(valid > 0 ? distance / valid : none);
    result.s2.push_back(valid > 0 ? pairs / valid : none);
  }
  return result;
}

} // namespace

statistics::RadialS2 radialS2(const statistics::Mask& mask, std::int64_t maximumLag, bool periodic,
  const RunOptions& run, const Monitor& monitor)
{
  const CudaCacheReleaser returned;
  const ComputeDevice place = chooseDevice(run.device, Precision::Float32, run.threads);
  bool fellBack = false;
  statistics::RadialS2 result = onDeviceOrCpu(place, run.threads, fellBack,
    [&](const ComputeDevice& at) { return radialS2On(at, mask, maximumLag, periodic, monitor); });
  if (fellBack)
  {
    result.note = "Radial S2 was computed on the CPU: " + place.device.str() +
      " has too little free memory for its Fourier transforms.";
  }
  return result;
}

} // namespace vae
