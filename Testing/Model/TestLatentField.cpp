// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Torch/Grid/Noise.h"
#include "Torch/Priors/LatentField.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <gtest/gtest.h>

#include <cmath>
#include <thread>

using namespace vae;

namespace
{

at::Generator generator(std::uint64_t seed)
{
  return at::make_generator<at::CPUGeneratorImpl>(seed);
}

/// Two channels of smoothed noise, the second correlated with the first one cell further
/// along x, and with a skewed marginal.
at::Tensor example(std::int64_t n, std::uint64_t seed)
{
  at::Tensor noise = at::randn({ 2, n + 2, n + 2, n + 2 }, generator(seed));
  at::Tensor smooth = at::avg_pool3d(noise.unsqueeze(0), 3, 1)[0] * std::sqrt(27.);
  at::Tensor first = smooth[0];
  at::Tensor second = 0.8 * first.roll(-1, 2) + 0.6 * smooth[1];
  return at::stack({ first, at::exp(0.5 * second) });
}

double covariance(const at::Tensor& f, int i, int j, std::int64_t lag)
{
  const auto n = f.size(3) - lag;
  const at::Tensor a = f[i] - f[i].mean(), b = f[j] - f[j].mean();
  return (a.narrow(2, 0, n) * b.narrow(2, lag, n)).mean().item<double>();
}

} // namespace

TEST(LatentField, SamplesHaveTheMeasuredStatistics)
{
  const at::Tensor data = example(48, 1);
  const LatentField field = LatentField::fit(data);
  const at::Tensor drawn = field.sample({ 64, 48, 56 }, generator(2), 1);
  ASSERT_EQ(drawn.sizes().vec(), (std::vector<std::int64_t>{ 2, 64, 48, 56 }));
  for (int c = 0; c < 2; ++c)
  {
    EXPECT_NEAR(drawn[c].mean().item<double>(), data[c].mean().item<double>(), 0.03);
    EXPECT_NEAR(drawn[c].std().item<double>() / data[c].std().item<double>(), 1, 0.04);
    for (const double q : { 0.02, 0.5, 0.98 })
    {
      EXPECT_NEAR(at::quantile(drawn[c].flatten(), q).item<double>(),
        at::quantile(data[c].flatten(), q).item<double>(), 0.08);
    }
  }
  for (const std::int64_t lag : { 0, 1, 2, 4 })
  {
    EXPECT_NEAR(covariance(drawn, 0, 0, lag), covariance(data, 0, 0, lag), 0.04) << lag;
    EXPECT_NEAR(covariance(drawn, 0, 1, lag), covariance(data, 0, 1, lag), 0.05) << lag;
    EXPECT_NEAR(covariance(drawn, 1, 0, lag), covariance(data, 1, 0, lag), 0.05) << lag;
  }
  // The direction of the shift is kept: otherwise these two would be equal.
  EXPECT_GT(covariance(data, 1, 0, 1) - covariance(data, 0, 1, 1), 0.2);
}

TEST(LatentField, SeveralFieldsAreSamplesOfOne)
{
  // The same three times is the same once.
  const at::Tensor data = example(16, 1);
  const State once = LatentField::fit(data).state(),
              thrice = LatentField::fit(at::stack({ data, data, data })).state();
  for (const char* name : { "quantiles", "covariance" })
  {
    // Quantiles lie between the values: those of more values are a little nearer to them.
    const double tolerance = *name == 'q' ? 0.05 : 1e-2;
    EXPECT_LT((thrice.at(name) - once.at(name)).abs().mean().item<double>(), tolerance) << name;
  }
  // Fields of one cell, none of which varies: together they do, and their channels are correlated.
  const at::Tensor noise = at::randn({ 400, 2, 1, 1, 1 }, generator(7));
  at::Tensor cells = noise.clone();
  cells.select(1, 1).copy_(3 + 0.8 * noise.select(1, 0) + 0.6 * noise.select(1, 1));
  const LatentField field = LatentField::fit(cells, at::full_like(cells, std::log(0.25)));
  const auto statistics = field.statistics();
  for (int c = 0; c < 2; ++c)
  {
    const at::Tensor z = cells.select(1, c);
    EXPECT_NEAR(statistics[c].mean, z.mean().item<double>(), 0.01);
    EXPECT_NEAR(statistics[c].stddev, std::sqrt(z.var(false).item<double>() + 0.25), 0.02);
  }
  const at::Tensor z = cells.flatten(1) - cells.flatten(1).mean(0);
  const at::Tensor covariance = z.t().matmul(z) / 400;
  const double correlation =
    (covariance[0][1] / (covariance[0][0] * covariance[1][1]).sqrt()).item<double>();
  const double error = (1 - correlation * correlation) / 20; // of a correlation of 400
  EXPECT_NEAR(field.state().at("covariance")[0][1].item<double>(), correlation, 3 * error);
}

TEST(LatentField, ManyEqualValuesKeepTheirCovariance)
{
  // As local means of a rock are: 0 in most cells. And a channel that is the same everywhere.
  const at::Tensor first = example(64, 1)[0];
  const at::Tensor data =
    at::stack({ (first - 0.3).clamp_min(0), at::full_like(first, 0.25), first });
  const LatentField field = LatentField::fit(data);
  const at::Tensor drawn = field.sample({ 64, 64, 64 }, generator(2), 1);
  EXPECT_NEAR(drawn[0].eq(0).to(at::kFloat).mean().item<double>(),
    data[0].eq(0).to(at::kFloat).mean().item<double>(), 0.02);
  EXPECT_LT((drawn[1] - 0.25).abs().max().item<double>(), 1e-6);
  for (const std::int64_t lag : { 0, 1, 2, 4 })
  {
    for (const int other : { 0, 2 })
    {
      EXPECT_NEAR(covariance(drawn, 0, other, lag), covariance(data, 0, other, lag),
        0.05 * covariance(data, 0, other, 0))
        << lag << ' ' << other;
    }
  }
}

TEST(LatentField, EqualValuesThatAreKnownPullLittle)
{
  // A plane of zeros, each of which may stand for any score below -0.1: what is drawn beside it is
  // low, but not as low as beside the least score there is.
  const at::Tensor values = (example(48, 1)[0].unsqueeze(0) - 0.3).clamp_min(0);
  const LatentField field = LatentField::fit(values);
  at::Tensor known = at::zeros({ 1, 24, 24, 24 });
  at::Tensor where = at::zeros({ 24, 24, 24 }, at::kBool);
  where.select(0, 12).fill_(true);
  double drawn = 0, real = 0, places = 0;
  for (std::uint64_t seed = 1; seed <= 8; ++seed)
  {
    drawn += field.sampleGiven(known, where, generator(seed), 1)[0][13].mean().item<double>() / 8;
  }
  for (std::int64_t z = 0; z + 1 < 48; ++z) // the mean beside a zero between zeros
  {
    const at::Tensor zero =
      at::max_pool2d(values[0][z].unsqueeze(0).unsqueeze(0), 5, 1, 2)[0][0].eq(0);
    real += values[0][z + 1].masked_select(zero).sum().item<double>();
    places += zero.sum().item<double>();
  }
  EXPECT_GT(drawn, 0.5 * real / places);
  EXPECT_LT(drawn, real / places + 0.06);
  EXPECT_GT(values.mean().item<double>(), real / places + 0.12); // far from it
}

TEST(LatentField, CompensatesForWhatItsWavesGoThrough)
{
  // Long waves come out larger by half, and noise is added: of a field that is drawn after it the
  // same comes out as goes in.
  const at::Tensor data = example(64, 3)[0].unsqueeze(0);
  const auto longer = [](const at::Tensor& t) { return at::avg_pool3d(t, 5, 1, 2); };
  const auto through = [&](const at::Tensor& t, std::uint64_t seed)
  { return t + 0.5 * longer(t) + 0.2 * longer(at::randn(t.sizes(), generator(seed))); };
  const auto power = [&](const at::Tensor& t) { return longer(t).var().item<double>(); };
  const LatentField before = LatentField::fit(data);
  LatentField field = before;
  std::vector<at::Tensor> pairs;
  for (std::uint64_t seed = 1; seed <= 4; ++seed)
  {
    const at::Tensor in = before.sample({ 24, 24, 24 }, generator(seed), 1);
    pairs.push_back(at::cat({ in, through(in, seed) }));
  }
  field.compensate(pairs);
  double wrong = 0, right = 0;
  for (std::uint64_t seed = 11; seed <= 16; ++seed)
  {
    const auto out = [&](const LatentField& f)
    { return power(through(f.sample({ 24, 24, 24 }, generator(seed), 1), seed)) / power(data); };
    wrong += out(before) / 6;
    right += out(field) / 6;
  }
  EXPECT_GT(wrong, 1.25);
  EXPECT_NEAR(right, 1, 0.15);
}

TEST(LatentField, AGroupHasTheMeanThatIsExpected)
{
  // Of a box in a skewed field: each is about as scattered as one that is drawn alone.
  const LatentField field = LatentField::fit(example(48, 1)[1].unsqueeze(0));
  const std::array<std::int64_t, 3> size{ 16, 16, 16 };
  const auto ofBox = [](const at::Tensor& f)
  { return f.slice(1, 5, 11).slice(2, 4, 12).slice(3, 3, 13).mean().item<double>(); };
  const double expected = field.statistics()[0].mean;
  std::vector<double> alone, grouped;
  double together = 0;
  for (std::uint64_t first = 0; first < 60; first += 3)
  {
    double mean = 0;
    std::vector<double> members;
    for (std::size_t i = 0; i < 6; ++i)
    {
      LatentField::Group group{ {}, i, { { 5, 4, 3 }, { 6, 8, 10 } } };
      for (std::uint64_t g = 0; g < 3; ++g)
      {
        group.generators.push_back(generator(first + g));
      }
      members.push_back(ofBox(field.sample(size, group, 1)));
      mean += members.back() / 6;
      alone.push_back(ofBox(field.sample(size, generator(1000 + 2 * first + i), 1)));
    }
    EXPECT_NEAR(mean, expected, 1e-3);
    together += (members[0] - expected) * (members[1] - expected) / 20; // a pair
    grouped.insert(grouped.end(), members.begin(), members.end());
  }
  const auto scatter = [](const std::vector<double>& v)
  { return at::tensor(v, at::kDouble).std().item<double>(); };
  EXPECT_NEAR(scatter(grouped) / scatter(alone), 1, 0.15);
  EXPECT_LT(together, -0.5 * scatter(alone) * scatter(alone));
}

TEST(LatentField, SeedsAndTemperature)
{
  const LatentField field = LatentField::fit(example(24, 1));
  const std::array<std::int64_t, 3> size{ 16, 16, 16 };
  const at::Tensor a = field.sample(size, generator(1), 1);
  EXPECT_TRUE(at::equal(a, field.sample(size, generator(1), 1)));
  EXPECT_FALSE(at::equal(a, field.sample(size, generator(2), 1)));
  const at::Tensor cold = field.sample(size, generator(1), 0.5);
  EXPECT_LT(cold[0].std().item<double>(), 0.6 * a[0].std().item<double>());
}

TEST(LatentField, ThreadsThatDrawTogetherDrawTheSame)
{
  const LatentField field = LatentField::fit(example(24, 1));
  const auto draw = [&](std::int64_t n) { return field.sample({ n, 12, 10 }, generator(1), 1); };
  const std::array<std::int64_t, 2> sizes{ 9, 14 }; // one spectrum is kept
  const std::array<at::Tensor, 2> alone{ draw(sizes[0]), draw(sizes[1]) };
  std::array<std::vector<at::Tensor>, 2> together;
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < 2; ++i)
    {
      threads.emplace_back([&, i]
      {
        for (int times = 0; times < 10; ++times)
        {
          together[i].push_back(draw(sizes[i]));
        }
      });
    }
  }
  for (std::size_t i = 0; i < 2; ++i)
  {
    for (const at::Tensor& one : together[i])
    {
      EXPECT_TRUE(at::equal(one, alone[i]));
    }
  }
}

TEST(Spectrum, IsThatOfTheCovariance)
{
  // Two channels whose covariance is that of noise filtered alike, at lags up to 3.
  const at::Tensor noise = at::randn({ 2, 4, 4, 4 }, generator(1), at::kDouble);
  const at::Tensor covariance = at::zeros({ 2, 2, 7, 7, 7 }, at::kDouble);
  const auto at = [](const at::Tensor& t, int z, int y, int x)
  { return t[z][y][x].item<double>(); };
  for (int i = 0; i < 2; ++i)
  {
    for (int j = 0; j < 2; ++j)
    {
      const at::Tensor padded = at::constant_pad_nd(noise[j], { 3, 3, 3, 3, 3, 3 });
      for (int z = 0; z < 7; ++z)
      {
        for (int y = 0; y < 7; ++y)
        {
          for (int x = 0; x < 7; ++x)
          {
            const at::Tensor moved =
              padded.slice(0, z, z + 4).slice(1, y, y + 4).slice(2, x, x + 4);
            covariance[i][j][z][y][x].fill_((noise[i] * moved).sum());
          }
        }
      }
    }
  }
  const Spectrum spectrum(covariance.to(at::kFloat), { 9, 8, 12 });
  // Of one cell, [channel 1] at (4, 3, 5): the covariance of all cells with it. On the diagonal a
  // thousandth is added; single precision is left.
  const double most = covariance.abs().max().item<double>();
  const at::Tensor one = at::zeros({ 2, 9, 8, 12 });
  one[1][4][3][5].fill_(1);
  const at::Tensor found = spectrum.times(one);
  for (int c = 0; c < 2; ++c)
  {
    for (int z = -3; z <= 3; ++z)
    {
      for (int y = -3; y <= 3; ++y)
      {
        for (int x = -3; x <= 3; ++x)
        {
          const double extra = c == 1 && z == 0 && y == 0 && x == 0 ? 1e-3 : 0;
          EXPECT_NEAR(at(found[c], z + 4, y + 3, x + 5),
            at(covariance[1][c], z + 3, y + 3, x + 3) + extra, 1e-5 * most)
            << c << " " << z << " " << y << " " << x;
        }
      }
    }
  }
}

TEST(StreamNoise, IsTheGeneratorsOwnOnTheCpu)
{
  const at::Generator one = generator(3), other = generator(3);
  for (int times = 0; times < 2; ++times)
  {
    EXPECT_TRUE(
      at::equal(streamNoise({ 3, 4, 5, 6 }, one, at::kCPU), at::randn({ 3, 4, 5, 6 }, other)));
  }
}

TEST(LatentField, ThinFieldsWork)
{
  const LatentField field = LatentField::fit(example(24, 1).slice(1, 0, 1));
  EXPECT_EQ(field.sample({ 1, 30, 20 }, generator(1), 1).sizes().vec(),
    (std::vector<std::int64_t>{ 2, 1, 30, 20 }));
  EXPECT_TRUE(field.sample({ 1, 30, 20 }, generator(1), 1).isfinite().all().item<bool>());
}

TEST(LatentField, IsMatchedToWhatIsWantedOfWhatItDecodesTo)
{
  // The "decoder" loses long waves, and varies less the larger its input.
  const LatentField wide = LatentField::fit(example(48, 1));
  const auto smooth = [](const at::Tensor& z)
  { return at::avg_pool3d(z[0].unsqueeze(0).unsqueeze(0), 3, 1, 1)[0]; };
  const auto observe = [&](const at::Tensor& z) -> LatentField::Observed
  {
    const at::Tensor y = (z[0].unsqueeze(0) - 0.7 * smooth(z)).sign();
    return { y * std::pow(z[0].std().item<double>(), -0.2) };
  };
  const at::Tensor sample = wide.sample({ 40, 40, 40 }, generator(7), 1);
  const at::Tensor wanted = 0.9 * smooth(sample).sign();
  const auto correlation = [](const at::Tensor& t)
  { return covariance(t, 0, 0, 1) / covariance(t, 0, 0, 0); };
  const auto neighbours = [&](const LatentField& f, const auto& see)
  { return correlation(see(f.sample({ 40, 40, 40 }, generator(9), 1)).means); };
  const double truth = correlation(wanted);
  LatentField field = wide;
  const double before = neighbours(field, observe);
  field.match(wanted, observe, { 32, 32, 32 }, generator(8));
  const double after = neighbours(field, observe);
  EXPECT_LT(std::abs(after - truth), 0.45 * std::abs(before - truth))
    << before << " became " << after << ", wanted " << truth;
  EXPECT_NEAR(covariance(observe(field.sample({ 40, 40, 40 }, generator(9), 1)).means, 0, 0, 0),
    covariance(wanted, 0, 0, 0), 0.05);
  // It goes through a file whole.
  const State state = field.state();
  const LatentField back =
    LatentField::fromState(TensorReader(state), state.at("quantiles").size(0));
  EXPECT_TRUE(at::equal(
    back.sample({ 12, 12, 12 }, generator(3), 1), field.sample({ 12, 12, 12 }, generator(3), 1)));
}

TEST(LatentField, TheAmplitudeFollowsTheVarianceWhicheverWayThatGoes)
{
  const LatentField start = LatentField::fit(example(48, 1));
  const at::Tensor sample = start.sample({ 40, 40, 40 }, generator(7), 1);
  // How the variance of what is decoded goes with the amplitude; what is wanted; what comes of it.
  const auto matched = [&](const auto& of, double wanted)
  {
    LatentField field = start;
    const auto observe = [&](const at::Tensor& z) -> LatentField::Observed
    { return { z[0].unsqueeze(0).sign() * std::sqrt(of(z[0].std().template item<double>())) }; };
    field.match(
      sample[0].unsqueeze(0).sign() * std::sqrt(wanted), observe, { 24, 24, 24 }, generator(8));
    return field.state().at("amplitude").item<double>();
  };
  const auto falls = [](double s) { return std::pow(s, -0.3); };
  const auto rises = [](double s) { return s; };
  EXPECT_NEAR(matched(falls, 0.85), std::pow(0.85, -1 / 0.3), 0.1);
  EXPECT_NEAR(matched(falls, 1.15), std::pow(1.15, -1 / 0.3), 0.1);
  EXPECT_NEAR(matched(rises, 1.5), 1.5, 0.1);
  EXPECT_NEAR(matched(rises, 0.7), 0.7, 0.1);
  // Out of reach: where it is largest, and nowhere else.
  const auto largest = [](double s) { return std::pow(std::max(s, 1 / s), -0.5); };
  EXPECT_NEAR(matched(largest, 1.5), 1, 0.35);
  const auto constant = [](double) { return 1.; };
  EXPECT_NEAR(matched(constant, 2), 1, 0.1);
}
