// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Likelihood.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace vae
{
namespace
{

constexpr double LogMinimum = -6; // of a width

/// [batch, channels * fold, cells...] to [batch, channels, values].
at::Tensor byChannel(const at::Tensor& t, std::int64_t channels)
{
  return t.unflatten(1, { channels, -1 }).flatten(2);
}

/// Standard normal numbers to those of a Laplace distribution of variance 1, quantile by quantile:
/// of |x| > t the probability is exp(-sqrt(2) t).
at::Tensor laplaceOf(const at::Tensor& normal)
{
  const at::Tensor tail = std::numbers::ln2 + at::special_log_ndtr(-normal.abs());
  return -normal.sign() * tail / std::numbers::sqrt2;
}

class BernoulliObservation : public ObservationModel
{
public:
  explicit BernoulliObservation(std::int64_t channels) : Channels(channels) {}

  at::Tensor loss(const at::Tensor& decoded, const at::Tensor& x, bool) override
  {
    return bernoulliLoss(decoded, x);
  }
  at::Tensor excess(const at::Tensor& decoded, const at::Tensor& x) const override
  {
    return at::binary_cross_entropy_with_logits(decoded, x, {}, {}, at::Reduction::None);
  }
  at::Tensor value(const at::Tensor& decoded) const override
  {
    return (decoded > 0).to(at::kFloat);
  }
  at::Tensor drawn(const at::Tensor& decoded, const at::Tensor& noise) const override
  {
    // Logistic noise: P(logit + noise > 0) is the logit's probability.
    return decoded + at::special_log_ndtr(noise) - at::special_log_ndtr(-noise);
  }
  at::Tensor withThresholds(
    const at::Tensor& decoded, const std::vector<double>& thresholds) const override
  {
    if (thresholds.empty())
    {
      return decoded;
    }
    if (thresholds.size() == 1) // also that of older files, for all channels
    {
      return decoded + thresholds[0];
    }
    std::vector<at::Tensor> moved = decoded.chunk(this->Channels, 1);
    for (std::size_t c = 0; c < std::min(moved.size(), thresholds.size()); ++c)
    {
      moved[c] = moved[c] + thresholds[c];
    }
    return at::cat(moved, 1);
  }
  at::Tensor probabilities(const at::Tensor& decoded) const override
  {
    const at::Tensor p = decoded.sigmoid();
    return at::stack({ 1 - p, p }, 1);
  }
  at::Tensor logOdds(const at::Tensor& decoded, std::int64_t phase) const override
  {
    return phase == 1 ? decoded : -decoded;
  }
  at::Tensor others(const at::Tensor& decoded, std::int64_t phase) const override
  {
    return at::full_like(decoded, 1 - phase);
  }
  at::Tensor fisherInformation(const at::Tensor& decoded) const override
  {
    const at::Tensor p = decoded.sigmoid();
    return (p * (1 - p)).mean();
  }
  double quality(const at::Tensor& decoded, const at::Tensor& x) const override
  {
    return ((decoded > 0) == (x > 0.5)).to(at::kFloat).mean().item<double>();
  }

private:
  std::int64_t Channels;
};

class CategoricalObservation : public ObservationModel
{
public:
  explicit CategoricalObservation(std::int64_t phases) : Phases(phases) {}

  at::Tensor input(const at::Tensor& x) const override
  {
    return at::stack(this->masks(x), 1).flatten(1, 2);
  }
  at::Tensor loss(const at::Tensor& decoded, const at::Tensor& x, bool) override
  {
    return categoricalLoss(this->split(decoded), x);
  }
  at::Tensor excess(const at::Tensor& decoded, const at::Tensor& x) const override
  {
    return at::cross_entropy_loss(this->split(decoded), x.to(at::kLong), {}, at::Reduction::None);
  }
  at::Tensor value(const at::Tensor& decoded) const override
  {
    return this->split(decoded).argmax(1).to(at::kFloat);
  }
  at::Tensor drawn(const at::Tensor& decoded, const at::Tensor& noise) const override
  {
    // Gumbel noise: the largest sum is that of phase k with its probability (Gumbel 1954).
    return decoded - at::log(-at::special_log_ndtr(noise));
  }
  at::Tensor withThresholds(
    const at::Tensor& decoded, const std::vector<double>& thresholds) const override
  {
    if (thresholds.empty())
    {
      return decoded;
    }
    at::Tensor moved = decoded.clone();
    moved.narrow(1, 0, decoded.size(1) / this->Phases).sub_(thresholds[0]);
    return moved;
  }
  at::Tensor probabilities(const at::Tensor& decoded) const override
  {
    return this->split(decoded).softmax(1);
  }
  at::Tensor logOdds(const at::Tensor& decoded, std::int64_t phase) const override
  {
    const at::Tensor all = this->split(decoded);
    return all.select(1, phase) - this->without(all, phase).logsumexp(1);
  }
  at::Tensor others(const at::Tensor& decoded, std::int64_t phase) const override
  {
    const at::Tensor index = this->without(this->split(decoded), phase).argmax(1);
    return (index + (index >= phase)).to(at::kFloat);
  }
  at::Tensor fisherInformation(const at::Tensor& decoded) const override
  {
    const at::Tensor p = this->probabilities(decoded);
    return (p * (1 - p)).mean();
  }
  double quality(const at::Tensor& decoded, const at::Tensor& x) const override
  {
    return (this->value(decoded) == x).to(at::kFloat).mean().item<double>();
  }

private:
  at::Tensor split(const at::Tensor& decoded) const
  {
    return decoded.unflatten(1, { this->Phases, -1 });
  }
  at::Tensor without(const at::Tensor& logits, std::int64_t phase) const
  {
    return at::cat({ logits.slice(1, 0, phase), logits.slice(1, phase + 1) }, 1);
  }
  std::vector<at::Tensor> masks(const at::Tensor& x) const
  {
    std::vector<at::Tensor> all;
    for (std::int64_t i = 0; i < this->Phases; ++i)
    {
      all.push_back((x == i).to(x.scalar_type()));
    }
    return all;
  }
  std::int64_t Phases;
};

/// Gaussian and Laplace: a value and a width.
class GreyObservation : public ObservationModel
{
public:
  GreyObservation(const ModelInfo& info, at::Device device)
    : Laplace(info.likelihood == Likelihood::Laplace)
    , From(info.options.scale)
    , Channels(static_cast<std::int64_t>(info.channels.size()))
  {
    const at::Tensor width =
      at::tensor(at::ArrayRef<double>(info.sigma), at::kDouble).to(device, at::kFloat);
    // Analytic: the smoothed mean error (squared for a Gaussian), and whether there was one.
    // Learned: what softClip makes the width's logarithm of. Fixed: the width.
    if (this->From == Scale::Analytic)
    {
      this->State = { this->Laplace ? width : width.square(), at::zeros({ 1 }, width.options()) };
    }
    else
    {
      this->State = { this->From == Scale::Learned
          ? LogMinimum + at::log(at::expm1(width.log() - LogMinimum))
          : width };
    }
    std::vector<double> residuals;
    for (const ChannelInfo& c : info.channels)
    {
      this->Ranges.push_back((c.maximum - c.minimum) / c.scale);
      residuals.push_back(c.residual);
    }
    this->Residuals = at::tensor(residuals, at::kFloat);
    if (this->From == Scale::Learned)
    {
      this->State[0].set_requires_grad(true);
    }
  }

  at::Tensor loss(const at::Tensor& decoded, const at::Tensor& x, bool training) override
  {
    if (this->From == Scale::Analytic && training)
    {
      return this->at(decoded, x, this->follow(decoded.detach() - x));
    }
    return this->at(decoded, x, this->width());
  }

  at::Tensor excess(const at::Tensor& decoded, const at::Tensor& x) const override
  {
    const at::Tensor d = (decoded - x).unflatten(1, { this->Channels, -1 });
    const at::Tensor t = d / this->beside(d, this->width());
    return (this->Laplace ? t.abs() : 0.5 * t.square()).flatten(1, 2);
  }

  at::Tensor drawn(const at::Tensor& decoded, const at::Tensor& noise) const override
  {
    const at::Tensor n = noise.unflatten(1, { this->Channels, -1 });
    const at::Tensor unit = this->Laplace ? laplaceOf(n) : n;
    return decoded + (unit * this->beside(n, this->Residuals.to(n.device()))).flatten(1, 2);
  }

  at::Tensor fisherInformation(const at::Tensor&) const override
  {
    // Of the location: 1/sigma^2, and 1/b^2 for Laplace.
    return this->width().square().reciprocal().mean();
  }

  double quality(const at::Tensor& decoded, const at::Tensor& x) const override
  {
    const at::Tensor squares = byChannel(decoded - x, this->Channels)
                                 .square()
                                 .mean(at::IntArrayRef({ 0, 2 }))
                                 .to(at::kCPU, at::kDouble);
    double sum = 0;
    for (std::int64_t c = 0; c < this->Channels; ++c)
    {
      const double range = this->Ranges[static_cast<std::size_t>(c)];
      sum += 10 * std::log10(range * range / squares[c].item<double>());
    }
    return sum / static_cast<double>(this->Channels);
  }

  std::size_t parameters() const override { return this->From == Scale::Learned ? 1 : 0; }

  std::vector<double> scales() const override
  {
    const at::Tensor w = this->width().detach().to(at::kCPU, at::kDouble).contiguous();
    return { w.const_data_ptr<double>(), w.const_data_ptr<double>() + w.numel() };
  }

private:
  /// The best width for a batch, its mean error (Rybkin et al. 2021, Eq. 8): there the loss does
  /// not change with it, so no gradient flows through it. What is kept is smoothed.
  at::Tensor follow(const at::Tensor& difference)
  {
    const at::Tensor d = byChannel(difference, this->Channels);
    const at::Tensor error = (this->Laplace ? d.abs() : d.square()).mean(at::IntArrayRef({ 0, 2 }));
    const at::Tensor kept = 0.95 * this->State[1];
    this->State[0].mul_(kept).add_(error * (1 - kept));
    this->State[1].fill_(1);
    return softClip(at::log((this->Laplace ? error : error.sqrt()) + 1e-6)).exp();
  }
  /// A number a channel as it goes with [batch, channels, values, cells...].
  at::Tensor beside(const at::Tensor& t, const at::Tensor& ofChannels) const
  {
    std::vector<std::int64_t> shape(static_cast<std::size_t>(t.dim()), 1);
    shape[1] = this->Channels;
    return ofChannels.view(shape);
  }
  at::Tensor width() const
  {
    return this->From == Scale::Learned             ? softClip(this->State[0]).exp()
      : this->From == Scale::Fixed || this->Laplace ? this->State[0]
                                                    : this->State[0].sqrt();
  }
  at::Tensor at(const at::Tensor& decoded, const at::Tensor& x, const at::Tensor& width) const
  {
    return this->Laplace ? laplaceLoss(decoded, x, width) : gaussianLoss(decoded, x, width);
  }

  bool Laplace;
  Scale From;
  std::int64_t Channels;
  std::vector<double> Ranges; ///< of the data, normalised
  at::Tensor Residuals;
};

} // namespace

std::unique_ptr<ObservationModel> makeObservationModel(const ModelInfo& info, at::Device device)
{
  switch (info.likelihood)
  {
    case Likelihood::Bernoulli:
      return std::make_unique<BernoulliObservation>(
        static_cast<std::int64_t>(info.channels.size()));
    case Likelihood::Categorical:
      return std::make_unique<CategoricalObservation>(
        static_cast<std::int64_t>(info.channels[0].phases.size()));
    case Likelihood::Gaussian:
    case Likelihood::Laplace:
      return std::make_unique<GreyObservation>(info, device);
    case Likelihood::Automatic:
      break;
  }
  throw std::logic_error("the likelihood was not chosen");
}

at::Tensor bernoulliLoss(const at::Tensor& logits, const at::Tensor& x)
{
  return at::binary_cross_entropy_with_logits(logits, x, {}, {}, at::Reduction::None)
    .flatten(1)
    .sum(1);
}

at::Tensor categoricalLoss(const at::Tensor& logits, const at::Tensor& phase)
{
  return at::cross_entropy_loss(logits, phase.to(at::kLong), {}, at::Reduction::None)
    .flatten(1)
    .sum(1);
}

at::Tensor gaussianLoss(const at::Tensor& mean, const at::Tensor& x, const at::Tensor& width)
{
  const at::Tensor d = byChannel(mean - x, width.size(0));
  const at::Tensor squares = d.square().sum(2);
  const auto n = static_cast<double>(d.size(2));
  return (0.5 * squares / width.square() + n * (width.log() + 0.5 * std::log(2 * std::numbers::pi)))
    .sum(1);
}

at::Tensor laplaceLoss(const at::Tensor& mean, const at::Tensor& x, const at::Tensor& width)
{
  const at::Tensor d = byChannel(mean - x, width.size(0));
  const auto n = static_cast<double>(d.size(2));
  return (d.abs().sum(2) / width + n * (2 * width).log()).sum(1);
}

at::Tensor softClip(const at::Tensor& logSigma)
{
  return LogMinimum + at::softplus(logSigma - LogMinimum);
}

} // namespace vae
