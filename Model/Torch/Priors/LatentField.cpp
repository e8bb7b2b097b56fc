// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "LatentField.h"

#include "Torch/Grid/Boxes.h"
#include "Torch/Grid/Correlation.h"

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

constexpr std::int64_t Scores = 257;
constexpr double LargestScore = 4; // standard deviations
using Shape3 = std::array<std::int64_t, 3>;

at::TensorOptions doublesOn(const at::Device& device)
{
  return at::TensorOptions(device).dtype(at::kDouble);
}

at::Tensor normalCdf(const at::Tensor& x)
{
  return 0.5 * at::special_erfc(x * -std::numbers::sqrt2 / 2);
}

/// Of equally spaced normal scores, for means over N(0, 1).
at::Tensor normalWeights(const at::Tensor& scores)
{
  const at::Tensor density = at::exp(-0.5 * scores.square());
  return density / density.sum();
}

/// E[f(S) h_k(S)] of functions of a normal score, [channels, scores], and the normalised Hermite
/// polynomials h_0 ... h_n: [channels, n + 1].
at::Tensor hermiteCoefficients(const at::Tensor& values, const at::Tensor& scores, int n)
{
  const at::Tensor weight = normalWeights(scores);
  at::Tensor before = at::zeros_like(scores), now = at::ones_like(scores);
  std::vector<at::Tensor> all;
  for (int k = 0;; ++k)
  {
    all.push_back(values.matmul(now * weight));
    if (k == n)
    {
      return at::stack(all, 1);
    }
    const at::Tensor next =
      (scores * now - std::sqrt(static_cast<double>(k)) * before) / std::sqrt(k + 1.);
    before = now;
    now = next;
  }
}

/// Bohman's window: compact support, a spectrum without negative values, flat at the origin.
at::Tensor window(std::int64_t radius, const at::Device& device)
{
  const at::Tensor h =
    at::arange(-radius, radius + 1, doublesOn(device)).abs() / static_cast<double>(radius + 1);
  return (1 - h) * at::cos(std::numbers::pi * h) + at::sin(std::numbers::pi * h) / std::numbers::pi;
}

at::Tensor along(
  const at::Tensor& v, int axis) // a vector along spatial axis 0..2 of [..., z, y, x]
{
  std::vector<std::int64_t> shape(3, 1);
  shape[static_cast<std::size_t>(axis)] = v.size(0);
  return v.view(shape);
}

const std::vector<std::int64_t> Axes{ -3, -2, -1 };

Shape3 sizeOf(const at::Tensor& field) // of [channels, z, y, x]
{
  return { field.size(1), field.size(2), field.size(3) };
}

at::Tensor taper(const Shape3& radius, const at::Device& device)
{
  const auto of = [&](int axis) { return along(window(radius[axis], device), axis); };
  return of(0) * of(1) * of(2);
}

/// Of fields [fields, channels, z, y, x] of mean 0, at lags up to a radius:
/// [channels, channels, 2 R + 1 ...]. Pairs are counted exactly, without periodic wrap.
at::Tensor covarianceOf(const at::Tensor& fields, const Shape3& radius)
{
  std::vector<std::int64_t> sizes;
  const at::TensorOptions doubles = doublesOn(fields.device());
  at::Tensor pairs = at::full({ 1, 1, 1 }, static_cast<double>(fields.size(0)), doubles);
  for (int a = 0; a < 3; ++a)
  {
    const at::Tensor lag = at::arange(-radius[a], radius[a] + 1, doubles);
    pairs = pairs * along(static_cast<double>(fields.size(a + 2)) - lag.abs(), a);
    sizes.push_back(goodFftSize(fields.size(a + 2) + radius[a]));
  }
  const at::Tensor f = at::fft_rfftn(fields, sizes, Axes);
  const auto channels = fields.size(1);
  const at::Tensor covariance = at::empty(
    { channels, channels, 2 * radius[0] + 1, 2 * radius[1] + 1, 2 * radius[2] + 1 }, doubles);
  for (std::int64_t i = 0; i < channels; ++i)
  {
    for (std::int64_t j = 0; j < channels; ++j)
    {
      at::Tensor c = at::fft_irfftn((f.select(1, i).conj() * f.select(1, j)).sum(0), sizes, Axes);
      for (int a = 0; a < 3; ++a)
      {
        c = c.index_select(a, lags(radius[a], sizes[static_cast<std::size_t>(a)]).to(c.device()));
      }
      covariance[i][j].copy_(c / pairs);
    }
  }
  return covariance;
}

/// The length of each wave vector of a grid of lags, in steps of its longest axis, rounded.
at::Tensor waveNumbers(const Shape3& radius)
{
  const auto most = static_cast<double>(2 * *std::max_element(radius.begin(), radius.end()) + 1);
  at::Tensor squares = at::zeros({ 1, 1, 1 });
  for (int a = 0; a < 3; ++a)
  {
    squares = squares + along((at::fft_fftfreq(2 * radius[a] + 1) * most).square(), a);
  }
  return squares.sqrt().round().to(at::kLong);
}

/// The covariance of a field seen as power: summed over all waves of about a length.
class Waves
{
public:
  Waves(const Shape3& r, const at::Device& device)
    : Radius(r)
    , Number(waveNumbers(r).to(device))
    , Taper(taper(r, device))
  {
  }

  /// Of what two fields of mean 0, [channels, z, y, x], share: [channels, channels, numbers].
  at::Tensor power(const at::Tensor& field) const
  {
    const at::Tensor c = covarianceOf(field.unsqueeze(0), this->Radius) * this->Taper;
    const at::Tensor p = at::real(at::fft_fftn(at::fft_ifftshift(c, Axes), {}, Axes));
    const std::int64_t numbers = this->Number.max().item<std::int64_t>() + 1;
    at::Tensor bins = at::zeros({ p.size(0), p.size(1), numbers }, p.options());
    return bins.index_add_(2, this->Number.flatten(), p.flatten(2));
  }

  /// A correlation, [channels, channels, lags...], with a factor for each number, made one again.
  at::Tensor scaled(const at::Tensor& correlation, const at::Tensor& gain) const
  {
    const at::Tensor spectra = at::fft_fftn(at::fft_ifftshift(correlation, Axes), {}, Axes);
    const at::Tensor factors =
      gain.to(at::kFloat).index_select(0, this->Number.flatten()).view(this->Number.sizes());
    const at::Tensor c =
      at::fft_fftshift(at::real(at::fft_ifftn(spectra * factors, {}, Axes)), Axes);
    const at::Tensor scale = // diagonal() puts channels last
      c.diagonal(0, 0, 1)[this->Radius[0]][this->Radius[1]][this->Radius[2]]
        .clamp_min(1e-12)
        .rsqrt();
    return (c * scale.view({ -1, 1, 1, 1, 1 }) * scale.view({ 1, -1, 1, 1, 1 })).contiguous();
  }

private:
  Shape3 Radius;
  at::Tensor Number, Taper;
};

} // namespace

LatentField LatentField::fit(
  const at::Tensor& mean, const at::Tensor& logVariance, std::int64_t maximumLag)
{
  const auto several = [](const at::Tensor& t) // of one field, too
  { return (t.dim() == 4 ? t.unsqueeze(0) : t).to(at::kDouble); };
  const auto cellsOf = [](const at::Tensor& t) { return t.transpose(0, 1).flatten(1); };
  const at::Tensor fields = several(mean), values = cellsOf(fields); // [channels, all cells]
  LatentField out;
  out.PosteriorVariance = logVariance.defined()
    ? cellsOf(several(logVariance).exp()).mean(1).to(at::kFloat)
    : at::zeros({ values.size(0) }, values.options().dtype(at::kFloat));

  const at::Tensor scores =
    at::linspace(-LargestScore, LargestScore, Scores, doublesOn(values.device()));
  out.Quantiles =
    at::quantile(values, normalCdf(scores), 1).transpose(0, 1).to(at::kFloat).contiguous();

  Shape3 radius;
  for (int a = 0; a < 3; ++a)
  {
    radius[a] = std::min(maximumLag, fields.size(a + 2) / 2);
  }
  const at::Tensor covariance = covarianceOf(fields - fields.mean({ 0, 2, 3, 4 }, true), radius);
  out.Covariance =
    (out.covarianceOfScores(covariance) * taper(radius, values.device())).to(at::kFloat);
  return out;
}

at::Tensor LatentField::covarianceOfScores(const at::Tensor& values) const
{
  // Cov[f(X), g(Y)] = sum over k >= 1 of f_k g_k r^k, which rises with r as f and g do: a table of
  // it, backwards. Ranks would be simpler, but not where many values are the same.
  constexpr int terms = 24, steps = 400;
  const at::TensorOptions doubles = doublesOn(values.device());
  const at::Tensor scores = at::linspace(-7, 7, 2801, doubles);
  const auto channels = values.size(0);
  const at::Tensor f = hermiteCoefficients(
    this->valuesAt(scores.to(at::kFloat).expand({ channels, -1 })).to(at::kDouble), scores, terms)
                         .slice(1, 1);
  const at::Tensor r = at::linspace(-1, 1, steps + 1, doubles);
  const at::Tensor powers =
    r.unsqueeze(0).pow(at::arange(1, terms + 1, doubles).unsqueeze(1)); // [terms, steps + 1]
  const at::Tensor table = (f.unsqueeze(1) * f.unsqueeze(0)).flatten(0, 1).matmul(powers);
  const at::Tensor wanted = values.flatten(2).flatten(0, 1).contiguous();
  const at::Tensor above = at::searchsorted(table.contiguous(), wanted).clamp(1, steps);
  const at::Tensor low = table.gather(1, above - 1), high = table.gather(1, above);
  const at::Tensor part = ((wanted - low) / (high - low).clamp_min(1e-12)).clamp(0, 1);
  const at::Tensor varies = (table.select(1, steps) - table.select(1, 0)).unsqueeze(1).gt(1e-12);
  return at::where(varies, (above - 1 + part) * (2. / steps) - 1, 0).view(values.sizes());
}

void LatentField::match(const at::Tensor& wanted,
  const std::function<Observed(const at::Tensor&)>& observe, const Shape3& size,
  at::Generator generator, int rounds)
{
  const int last = std::max(1, rounds / 3);       // of which tell the thresholds
  constexpr double smallest = 0.05, largest = 20; // gain
  constexpr double weakest = 0.5, strongest = 4, louder = 1.5, damping = 0.1; // amplitude
  const Waves waves(this->radius(), this->Covariance.device());
  const auto power = [&](const at::Tensor& values)
  {
    const at::Tensor v = values.to(at::kDouble), p = waves.power(v - v.mean())[0][0];
    return p.clamp_min(1e-3 * p.max()); // what tapering leaves below 0
  };
  const auto variance = [](const at::Tensor& values)
  { return std::max(values.var().item<double>(), 1e-12); };
  const at::Tensor truth = power(wanted), correlation = this->Covariance;
  const double level = std::log(variance(wanted));
  at::Tensor gain = at::ones_like(truth);
  std::vector<double> thresholds;
  double responses = 0;
  for (int i = 0;; ++i)
  {
    const at::Generator same = generator.clone();
    const Observed seen = observe(this->sample(size, generator, 1));
    thresholds.resize(seen.thresholds.size());
    for (std::size_t c = 0; c < thresholds.size(); ++c)
    {
      thresholds[c] += i > rounds - last ? seen.thresholds[c] : 0;
    }
    if (i == rounds) // a last look
    {
      this->Thresholds = std::move(thresholds);
      for (double& t : this->Thresholds)
      {
        t /= last;
      }
      return;
    }
    const double part = 1 / (1 + 0.5 * i); // less and less: the noise of samples averages out
    gain = (gain * (truth / power(seen.means)).pow(part)).clamp(smallest, largest);
    // Which way the variance goes with the amplitude differs from data to data, so it is measured,
    // with the same noise; and where it does not go, the amplitude stays (damped Newton steps).
    const double now = std::log(variance(seen.means)),
                 then = std::log(variance(observe(this->sample(size, same, louder)).means));
    responses += (then - now) / std::log(louder);
    const double response = responses / (i + 1);
    this->Amplitude = std::clamp(this->Amplitude *
        std::exp(part * (level - now) * response / (response * response + damping * damping)),
      weakest, strongest);
    this->setCovariance(waves.scaled(correlation, gain));
  }
}

void LatentField::compensate(const std::vector<at::Tensor>& pairs)
{
  const Waves waves(this->radius(), this->Covariance.device());
  at::Tensor power;
  for (const at::Tensor& pair : pairs)
  {
    const at::Tensor p = pair.to(at::kDouble);
    const at::Tensor more = waves.power(p - p.mean({ 1, 2, 3 }, true));
    power = power.defined() ? power + more : more;
  }
  // What comes out is a part of what went in, and something else.
  const at::Tensor in = power[0][0].clamp_min(1e-12), out = power[1][1].clamp_min(1e-12),
                   passed = power[0][1].square() / in;
  const at::Tensor gain = ((in - (out - passed)) / passed.clamp_min(1e-12)).clamp(0.25, 4);
  this->setCovariance(waves.scaled(this->Covariance, gain.pow((passed / out).clamp(0, 1))));
}

std::array<std::int64_t, 3> LatentField::radius() const
{
  return { this->Covariance.size(2) / 2, this->Covariance.size(3) / 2,
    this->Covariance.size(4) / 2 };
}

void LatentField::setCovariance(const at::Tensor& covariance)
{
  this->Covariance = covariance;
  this->Kept = std::make_shared<LastSpectrum>();
}

LatentField LatentField::on(const at::Device& device) const
{
  LatentField out = *this;
  for (at::Tensor* t : { &out.Quantiles, &out.Covariance, &out.PosteriorVariance })
  {
    *t = t->to(device);
  }
  return out;
}

std::shared_ptr<const Spectrum> LatentField::spectrum(
  const Shape3& size, const std::array<bool, 3>& periodic) const
{
  // Wide enough that neither the covariance nor the sample meets its own periodic image.
  Shape3 grid = size;
  const Shape3 radius = this->radius();
  for (std::size_t a = 0; a < 3; ++a)
  {
    grid[a] = periodic[a] ? size[a] : goodFftSize(std::max(size[a] + radius[a], 2 * radius[a] + 1));
  }
  return this->Kept->of(this->Covariance, grid);
}

at::Tensor LatentField::valuesAt(const at::Tensor& scores) const
{
  // By linear interpolation. What is not a number has no place in a table.
  const at::Tensor position = ((scores + LargestScore) * ((Scores - 1) / (2 * LargestScore)))
                                .nan_to_num(0)
                                .clamp(0, Scores - 1 - 1e-3);
  const at::Tensor lower = position.floor();
  const at::Tensor index = lower.to(at::kLong).flatten(1);
  const at::Tensor low = this->Quantiles.gather(1, index).view(scores.sizes());
  const at::Tensor high = this->Quantiles.gather(1, index + 1).view(scores.sizes());
  return at::lerp(low, high, position - lower).contiguous();
}

at::Tensor LatentField::scoresOf(const at::Tensor& values) const
{
  const at::Tensor quantiles = this->Quantiles.contiguous(), flat = values.flatten(1).contiguous();
  const at::Tensor first = at::searchsorted(quantiles, flat), above = first.clamp(1, Scores - 1);
  const at::Tensor low = quantiles.gather(1, above - 1), high = quantiles.gather(1, above);
  const at::Tensor part = ((flat - low) / (high - low).clamp_min(1e-12)).clamp(0, 1);
  const auto score = [](const at::Tensor& index)
  { return index * (2 * LargestScore / (Scores - 1)) - LargestScore; };
  // A value that many cells have stands for a range of scores: its middle in probability.
  const at::Tensor last =
    at::searchsorted(quantiles, flat, /*out_int32=*/false, /*right=*/true) - 1;
  const at::Tensor middle = at::special_ndtri(
    0.5 * (normalCdf(score(first.to(at::kDouble))) + normalCdf(score(last.to(at::kDouble)))));
  return at::where(last.gt(first), middle.to(at::kFloat), score(above - 1 + part))
    .view(values.sizes());
}

at::Tensor LatentField::sample(const Shape3& size, at::Generator generator, double temperature,
  const std::array<bool, 3>& periodic) const
{
  return this->valuesAt(
    this->spectrum(size, periodic)->draw(size, generator) * (temperature * this->Amplitude));
}

at::Tensor LatentField::sample(const Shape3& size, const Group& group, double temperature,
  const std::array<bool, 3>& periodic) const
{
  return this->valuesAt(this->scores(*this->spectrum(size, periodic), size, group, temperature));
}

at::Tensor LatentField::scores(
  const Spectrum& s, const Shape3& size, const Group& group, double temperature) const
{
  const double scale = temperature * this->Amplitude;
  at::Tensor mine;
  std::vector<at::Tensor> boxes;
  for (std::size_t i = 0; i < group.generators.size(); ++i)
  {
    const at::Tensor scores = s.draw(size, group.generators[i].clone()) * scale,
                     box = slice(scores, group.box.origin, group.box.size);
    boxes.insert(boxes.end(), { box, -box });
    if (i == group.member / 2)
    {
      mine = group.member % 2 == 0 ? scores : -scores;
    }
  }
  return mine + this->shiftOf(at::cat(boxes, 1), scale);
}

double LatentField::shiftOf(const at::Tensor& scores, double scale) const
{
  const at::Device device = scores.device();
  const auto first = [&](const at::Tensor& s) { return this->valuesAt(s)[0]; };
  const at::Tensor normal =
    at::linspace(-LargestScore, LargestScore, Scores, at::TensorOptions(device));
  const double expected =
    first(normal.expand({ scores.size(0), -1 }) * scale).dot(normalWeights(normal)).item<double>();
  // Values rise with scores, so -1 to 1 is halved 16 times. Counts of the scores in narrow bins
  // tell which interval is the last, and two looks at all of them whether that is so.
  constexpr std::int64_t intervals = 1 << 16, bins = 1 << 14;
  constexpr double widest = LargestScore + 2;
  const auto border = [](std::int64_t i) { return static_cast<double>(i) / (intervals / 2) - 1; };
  const auto last = [](const auto& isBelow)
  {
    std::int64_t low = 0, high = intervals;
    while (high - low > 1)
    {
      const std::int64_t middle = (low + high) / 2;
      (isBelow(middle) ? low : high) = middle;
    }
    return low;
  };
  const at::Tensor counts =
    at::histc(scores[0].nan_to_num(0).clamp(-widest, widest), bins, -widest, widest)
      .to(at::kDouble);
  const double count = counts.sum().item<double>();
  const at::Tensor places =
    ((at::arange(bins, doublesOn(device)) + 0.5) * (2 * widest / bins) - widest)
      .to(at::kFloat)
      .expand({ scores.size(0), -1 });
  const auto seemsBelow = [&](std::int64_t i)
  {
    return first(places + border(i)).to(at::kDouble).dot(counts).item<double>() < expected * count;
  };
  const auto isBelow = [&](std::int64_t i)
  { return first(scores + border(i)).mean().item<double>() < expected; };
  const bool many = scores[0].numel() > 4 * bins; // else they are looked at as fast
  std::int64_t low = many ? last(seemsBelow) : last(isBelow);
  if (many && ((low > 0 && !isBelow(low)) || (low + 1 < intervals && isBelow(low + 1))))
  {
    low = last(isBelow);
  }
  return (border(low) + border(low + 1)) / 2;
}

at::Tensor LatentField::sampleGiven(const at::Tensor& known, const at::Tensor& where,
  at::Generator generator, double temperature) const
{
  const auto s = this->spectrum(sizeOf(known), {});
  return this->given(
    known, where, *s, s->draw(sizeOf(known), generator) * (temperature * this->Amplitude));
}

at::Tensor LatentField::sampleGiven(
  const at::Tensor& known, const at::Tensor& where, const Group& group, double temperature) const
{
  const auto s = this->spectrum(sizeOf(known), {});
  return this->given(known, where, *s, this->scores(*s, sizeOf(known), group, temperature));
}

at::Tensor LatentField::given(
  const at::Tensor& known, const at::Tensor& where, const Spectrum& s, const at::Tensor& free) const
{
  const at::Tensor mask = where.to(at::kFloat).unsqueeze(0);
  const at::Tensor misfit = (this->scoresOf(known) - free) * mask;
  // Conjugate gradients for the kriging weights; the nugget is what a latent vector does not tell.
  constexpr double nugget = 1e-2, tolerance = 1e-3;
  at::Tensor weights = at::zeros_like(misfit), rest = misfit.clone(), direction = rest;
  double square = rest.square().sum().item<double>();
  const double enough = tolerance * tolerance * square;
  for (int i = 0; i < 200 && square > enough; ++i)
  {
    const at::Tensor moved = s.times(direction) * mask + nugget * direction;
    const double step = square / (direction * moved).sum().item<double>();
    weights = weights + step * direction;
    rest = rest - step * moved;
    const double next = rest.square().sum().item<double>();
    direction = rest + next / square * direction;
    square = next;
  }
  const at::Tensor drawn = this->valuesAt(free + s.times(weights));
  return at::where(mask.to(at::kBool), known, drawn).contiguous();
}

std::vector<LatentStatistics> LatentField::statistics() const
{
  // E[f(z)] of a variable whose quantile at a normal score s is Q(s): the mean of f(Q(s)) over N(0,
  // 1).
  const at::Tensor scores = at::linspace(-LargestScore, LargestScore, Scores, at::kDouble);
  const at::Tensor weights = normalWeights(scores);
  const at::Tensor q = this->Quantiles.to(at::kCPU, at::kDouble);
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

State LatentField::state() const
{
  State state{ { "quantiles", this->Quantiles }, { "covariance", this->Covariance } };
  if (this->PosteriorVariance.any().item<bool>())
  {
    state["posterior_variance"] = this->PosteriorVariance;
  }
  if (this->Amplitude != 1)
  {
    state["amplitude"] = at::full({ 1 }, this->Amplitude);
  }
  if (!this->Thresholds.empty())
  {
    state["threshold"] = at::tensor(at::ArrayRef<double>(this->Thresholds), at::kFloat);
  }
  return state;
}

namespace
{

/// Ascending along the last axis, but for rounding.
bool ascending(const at::Tensor& quantiles)
{
  const at::Tensor steps = quantiles.diff();
  return (steps + 1e-4 * quantiles.abs().amax(-1, true)).ge(0).all().item<bool>();
}

bool within(const at::Tensor& t, double low, double high)
{
  return t.ge(low).all().item<bool>() && t.le(high).all().item<bool>();
}

} // namespace

LatentField LatentField::fromState(const TensorReader& state, std::int64_t channels)
{
  constexpr std::int64_t largestRadius = 32;
  constexpr double largest = 1e6; // of a latent value, and of what should be a correlation
  LatentField field;
  field.Quantiles = state.get("quantiles");
  field.Covariance = state.get("covariance");
  const auto number = [&](const char* name, double otherwise)
  { return state.has(name) ? state.get(name, { 1 }).item<float>() : otherwise; };
  field.Amplitude = number("amplitude", 1);
  if (state.has("threshold"))
  {
    const at::Tensor all = state.get("threshold").flatten().to(at::kDouble);
    field.Thresholds.assign(
      all.const_data_ptr<double>(), all.const_data_ptr<double>() + all.numel());
  }
  field.PosteriorVariance = state.has("posterior_variance")
    ? state.get("posterior_variance", { channels })
    : at::zeros({ channels });
  const at::IntArrayRef sizes = field.Covariance.sizes(),
                        lags = sizes.slice(std::min<std::size_t>(2, sizes.size()));
  if (field.Quantiles.sizes() != at::IntArrayRef({ channels, Scores }) || sizes.size() != 5 ||
    sizes[0] != channels || sizes[1] != channels ||
    !std::all_of(lags.begin(), lags.end(),
      [](std::int64_t n) { return n % 2 == 1 && n <= 2 * largestRadius + 1; }))
  {
    throw std::runtime_error("the statistics of the latent field have the wrong shape");
  }
  if (!within(field.Quantiles, -largest, largest) || !ascending(field.Quantiles) ||
    !within(field.Covariance, -largest, largest) || !(field.Amplitude > 0) ||
    field.Amplitude > 100 ||
    !std::ranges::all_of(field.Thresholds, [](double t) { return std::abs(t) <= 1000; }) ||
    !within(field.PosteriorVariance, 0, largest))
  {
    throw std::runtime_error("the statistics of the latent field have impossible values");
  }
  return field;
}

} // namespace vae
