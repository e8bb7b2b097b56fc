// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "LatentField.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace vae
{
namespace
{

constexpr std::int64_t MaximumLag = 12; // cells; beyond it the field is uncorrelated
constexpr std::int64_t Scores = 257;
constexpr double LargestScore = 4; // standard deviations
using Shape3 = std::array<std::int64_t, 3>;

at::Tensor normalCdf(const at::Tensor& x)
{
  return 0.5 * at::special_erfc(x * -std::numbers::sqrt2 / 2);
}

/// Ranks to normal scores, channel by channel.
at::Tensor normalScores(const at::Tensor& field)
{
  const at::Tensor flat = field.flatten(1);
  const auto n = flat.size(1);
  const at::Tensor order = flat.argsort(/*stable=*/true, 1);
  const at::Tensor ranks = at::empty_like(order);
  ranks.scatter_(1, order, at::arange(n, order.options()).expand_as(order));
  const at::Tensor p = (ranks.to(at::kDouble) + 0.5) / static_cast<double>(n);
  return at::special_ndtri(p).view(field.sizes());
}

/// Bohman's window: compact support, a spectrum without negative values, flat at the origin.
at::Tensor window(std::int64_t radius)
{
  const at::Tensor h =
    at::arange(-radius, radius + 1, at::kDouble).abs() / static_cast<double>(radius + 1);
  return (1 - h) * at::cos(std::numbers::pi * h) + at::sin(std::numbers::pi * h) / std::numbers::pi;
}

at::Tensor along(
  const at::Tensor& v, int axis) // a vector along spatial axis 0..2 of [..., z, y, x]
{
  std::vector<std::int64_t> shape(3, 1);
  shape[static_cast<std::size_t>(axis)] = v.size(0);
  return v.view(shape);
}

at::Tensor lags(std::int64_t radius, std::int64_t period)
{
  return at::arange(-radius, radius + 1, at::kLong).remainder(period);
}

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

} // namespace

LatentField LatentField::fit(const at::Tensor& mean, const at::Tensor& logVariance)
{
  const at::Tensor field = mean.to(at::kDouble);
  const auto channels = field.size(0);
  LatentField out;
  out.PosteriorVariance = logVariance.defined()
    ? logVariance.to(at::kDouble).exp().flatten(1).mean(1).to(at::kFloat)
    : at::zeros({ channels });

  const at::Tensor scores = at::linspace(-LargestScore, LargestScore, Scores, at::kDouble);
  out.Quantiles = at::quantile(field.flatten(1).slice(1, 0, {}, 1), normalCdf(scores), 1)
                    .transpose(0, 1)
                    .to(at::kFloat)
                    .contiguous();

  const at::Tensor g = normalScores(field);
  Shape3 radius, padded;
  std::vector<std::int64_t> sizes(3);
  for (int a = 0; a < 3; ++a)
  {
    const std::int64_t n = field.size(a + 1);
    radius[a] = std::min(MaximumLag, n / 2);
    sizes[static_cast<std::size_t>(a)] = padded[a] = goodFftSize(n + radius[a]);
  }
  const std::vector<std::int64_t> axes{ -3, -2, -1 };
  const at::Tensor f = at::fft_rfftn(g, sizes, axes);
  // The number of pairs at each lag: exact sums without periodic wrap.
  at::Tensor pairs = at::ones({ 1, 1, 1 }, at::kDouble), taper = pairs;
  for (int a = 0; a < 3; ++a)
  {
    const at::Tensor lag = at::arange(-radius[a], radius[a] + 1, at::kDouble);
    pairs = pairs * along(static_cast<double>(field.size(a + 1)) - lag.abs(), a);
    taper = taper * along(window(radius[a]), a);
  }
  out.Covariance =
    at::empty({ channels, channels, 2 * radius[0] + 1, 2 * radius[1] + 1, 2 * radius[2] + 1 });
  for (std::int64_t i = 0; i < channels; ++i)
  {
    for (std::int64_t j = 0; j < channels; ++j)
    {
      at::Tensor c = at::fft_irfftn(f[i].conj() * f[j], sizes, axes);
      for (int a = 0; a < 3; ++a)
      {
        c = c.index_select(a, lags(radius[a], padded[a]));
      }
      out.Covariance[i][j].copy_(c / pairs * taper);
    }
  }
  return out;
}

at::Tensor LatentField::sample(
  const Shape3& size, at::Generator generator, double temperature) const
{
  const auto channels = this->Covariance.size(0);
  std::vector<std::int64_t> sizes(3);
  for (int a = 0; a < 3; ++a)
  {
    // Wide enough that neither the covariance nor the sample meets its own periodic image.
    const std::int64_t radius = this->Covariance.size(a + 2) / 2;
    sizes[static_cast<std::size_t>(a)] = goodFftSize(std::max(size[a] + radius, 2 * radius + 1));
  }
  const std::vector<std::int64_t> axes{ -3, -2, -1 };
  at::Tensor periodic = at::zeros({ channels, channels, sizes[0], sizes[1], sizes[2] });
  periodic.index_put_({ {}, {}, lags(this->Covariance.size(2) / 2, sizes[0]).view({ -1, 1, 1 }),
                        lags(this->Covariance.size(3) / 2, sizes[1]).view({ 1, -1, 1 }),
                        lags(this->Covariance.size(4) / 2, sizes[2]).view({ 1, 1, -1 }) },
    this->Covariance);
  // One Hermitian matrix of cross-spectra a frequency; its Cholesky factor colours white noise.
  // C[i][j](h) = E[g_i(x) g_j(x + h)], so its transform is E[conj(G_i) G_j].
  const at::Tensor spectra =
    at::fft_rfftn(periodic, sizes, axes).conj().flatten(2).permute({ 2, 0, 1 });
  const double jitter = 1e-3;
  const at::Tensor regular = spectra + jitter * at::eye(channels).to(spectra.dtype());
  auto [factor, info] = at::linalg_cholesky_ex(regular);
  const at::Tensor bad = info.nonzero().flatten();
  if (bad.numel() > 0) // not positive: the nearest matrix that is
  {
    const auto [values, vectors] = at::linalg_eigh(regular.index_select(0, bad));
    factor.index_copy_(
      0, bad, vectors * values.clamp_min(0).sqrt().unsqueeze(1).to(vectors.dtype()));
  }
  const at::Tensor white = at::randn({ channels, sizes[0], sizes[1], sizes[2] }, generator);
  const at::Tensor noise = at::fft_rfftn(white, sizes, axes);
  const at::Tensor coloured =
    at::matmul(factor, noise.flatten(1).transpose(0, 1).unsqueeze(2)).squeeze(2).transpose(0, 1);
  const at::Tensor g = at::fft_irfftn(coloured.reshape(noise.sizes()), sizes, axes)
                         .slice(1, 0, size[0])
                         .slice(2, 0, size[1])
                         .slice(3, 0, size[2]) *
    temperature;

  // Back from normal scores to the measured marginals, by linear interpolation.
  const at::Tensor position =
    ((g + LargestScore) * ((Scores - 1) / (2 * LargestScore))).clamp(0, Scores - 1 - 1e-3);
  const at::Tensor lower = position.floor();
  const at::Tensor index = lower.to(at::kLong).flatten(1);
  const at::Tensor low = this->Quantiles.gather(1, index).view(g.sizes());
  const at::Tensor high = this->Quantiles.gather(1, index + 1).view(g.sizes());
  return at::lerp(low, high, position - lower).contiguous();
}

std::vector<LatentStatistics> LatentField::statistics() const
{
  // E[f(z)] of a variable whose quantile at a normal score s is Q(s): the mean of f(Q(s)) over N(0,
  // 1).
  const at::Tensor scores = at::linspace(-LargestScore, LargestScore, Scores, at::kDouble);
  at::Tensor weights = at::exp(-0.5 * scores.square());
  weights = weights / weights.sum();
  const at::Tensor q = this->Quantiles.to(at::kDouble);
  const at::Tensor mean = q.matmul(weights);
  const at::Tensor variance = (q - mean.unsqueeze(1)).square().matmul(weights);
  std::vector<LatentStatistics> out;
  for (std::int64_t c = 0; c < q.size(0); ++c)
  {
    LatentStatistics channel;
    const double posterior = this->PosteriorVariance[c].item<float>();
    channel.mean = mean[c].item<double>();
    channel.stddev = std::sqrt(variance[c].item<double>() + posterior);
    channel.posteriorStddev = std::sqrt(posterior);
    const double* data = q[c].const_data_ptr<double>();
    channel.quantiles.assign(data, data + Scores);
    out.push_back(std::move(channel));
  }
  return out;
}

std::map<std::string, at::Tensor> LatentField::tensors() const
{
  return { { "quantiles", this->Quantiles }, { "covariance", this->Covariance },
    { "posterior_variance", this->PosteriorVariance } };
}

LatentField LatentField::fromTensors(
  const at::Tensor& quantiles, const at::Tensor& covariance, const at::Tensor& posteriorVariance)
{
  const bool good = quantiles.dim() == 2 && quantiles.size(1) == Scores && covariance.dim() == 5 &&
    covariance.size(0) == quantiles.size(0) && covariance.size(1) == quantiles.size(0) &&
    (!posteriorVariance.defined() || posteriorVariance.sizes() == quantiles.sizes().slice(0, 1));
  if (!good)
  {
    throw std::runtime_error("the statistics of the latent field have the wrong shape");
  }
  LatentField field;
  field.Quantiles = quantiles;
  field.Covariance = covariance;
  field.PosteriorVariance =
    posteriorVariance.defined() ? posteriorVariance : at::zeros({ quantiles.size(0) });
  return field;
}

} // namespace vae
