// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Correlation.h"

#include "Torch/Runtime/Device.h"

#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
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

/// Adds up correlations by the length of their lags, where they are. The order of the sums is that
/// of the lags, and the length is that of std::hypot.
class RadialSums
{
public:
  /// \param reach, size lags along x, y, z, and periods of the transforms
  RadialSums(const statistics::Mask& mask, const std::array<std::int64_t, 3>& reach,
    const std::array<std::int64_t, 3>& size, std::int64_t maximumLag, bool periodic,
    const at::Device& device)
    : Count(maximumLag + 1)
    , Bin(std::min({ mask.spacing[0], mask.spacing[1], mask.spacing[2] }))
    , Spacing(mask.spacing[2])
    , Layers(periodic ? 0 : mask.dims[2])
    , Doubles(at::TensorOptions(device).dtype(at::kDouble))
  {
    for (std::size_t a = 0; a < 2; ++a)
    {
      const at::Tensor lag = at::arange(-reach[a], reach[a] + 1, this->Doubles.dtype(at::kLong));
      this->Places[a] = lag.remainder(size[a]);
      this->Apart[a] = lag.abs().to(at::kDouble).view({ a == 0 ? 1 : -1, a == 0 ? -1 : 1 });
    }
    const auto [nx, ny, nz] = mask.dims;
    this->Valid = periodic
      ? at::full({ this->Places[1].numel(), this->Places[0].numel() },
          static_cast<double>(mask.count()), this->Doubles)
      : (static_cast<double>(ny) - this->Apart[1]) * (static_cast<double>(nx) - this->Apart[0]);
    for (std::size_t a = 0; a < 2; ++a)
    {
      this->Apart[a] = this->Apart[a] * mask.spacing[a];
    }
    this->Longest = at::maximum(this->Apart[0], this->Apart[1]);
  }

  /// Pairs, pairs that could be, and those times their distance, for each of some slices. The last
  /// bin is for lags that are too long.
  at::Tensor none(std::int64_t slices) const
  {
    return at::zeros({ slices, 3, this->Count + 1 }, this->Doubles);
  }

  /// A slice of correlations, [y, x], at a lag of z layers.
  void add(const at::Tensor& slice, std::int64_t z, const at::Tensor& to) const
  {
    const double both = z == 0 ? 1 : 2; // the lags with -z are the same pairs taken back
    const at::Tensor along = at::full({ 1 }, static_cast<double>(z) * this->Spacing, this->Doubles);
    at::Tensor longest = at::maximum(this->Longest, along);
    longest = at::where(longest.gt(0), longest, 1.);
    const auto part = [&](const at::Tensor& apart)
    {
      const at::Tensor p = apart / longest;
      return p * p;
    };
    const at::Tensor length =
      longest * (part(this->Apart[0]) + part(this->Apart[1]) + part(along)).sqrt();
    const at::Tensor bin =
      (length / this->Bin + 0.5).to(at::kLong).clamp_max(this->Count).flatten();
    const at::Tensor valid =
      this->Valid * (both * static_cast<double>(this->Layers > 0 ? this->Layers - z : 1));
    const at::Tensor pairs =
      slice.index_select(0, this->Places[1]).index_select(1, this->Places[0]).to(at::kDouble) *
      both;
    to[0].index_add_(0, bin, pairs.flatten());
    to[1].index_add_(0, bin, valid.flatten());
    to[2].index_add_(0, bin, (valid * length).flatten());
  }

private:
  std::int64_t Count;
  double Bin, Spacing;
  std::int64_t Layers; ///< 0 where all pairs are inside
  at::TensorOptions Doubles;
  std::array<at::Tensor, 2> Places, Apart; ///< of the lags along x, y: in a slice, and lengths
  at::Tensor Valid, Longest;               ///< [y, x]
};

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
  const RadialSums radial(mask, reach, size, maximumLag, periodic, place.device);
  const at::Tensor sums = radial.none(kept);
  inParts(kept, place, monitor, 0.75, 1, [&](std::int64_t begin, std::int64_t end)
  {
    const at::Tensor values = at::fft_irfft2(
      spectrum.slice(0, begin, end), at::IntArrayRef{ size[1], size[0] }, at::IntArrayRef{ 1, 2 });
    for (std::int64_t z = begin; z < end; ++z)
    {
      radial.add(values[z - begin], z, sums[z]);
    }
  });
  const at::Tensor found = sums.to(at::kCPU);
  const double* sum = found.const_data_ptr<double>(); // [slice][pairs, valid, distance][bin]
  const std::int64_t bins = maximumLag + 1, each = bins + 1;
  statistics::RadialS2 result;
  for (std::int64_t i = 0; i < bins; ++i)
  {
    double pairs = 0, valid = 0, distance = 0;
    for (std::int64_t z = 0; z < kept; ++z)
    {
      const double* slice = sum + 3 * z * each + i;
      pairs += slice[0];
      valid += slice[each];
      distance += slice[2 * each];
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
