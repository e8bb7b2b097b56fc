// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "LatentMath.h"
#include "Torch/Priors/LatentField.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <random>

using namespace vae;

namespace
{

/// Two channels: N(5, 2^2) and N(0, 1).
Latent noise(const Dims& dims, unsigned seed)
{
  Latent latent;
  latent.dims = dims;
  latent.channels = 2;
  std::mt19937 random(seed);
  std::normal_distribution<float> first(5, 2), second(0, 1);
  for (std::int64_t i = 0; i < 2 * voxels(dims); ++i)
  {
    latent.mean.push_back(i < voxels(dims) ? first(random) : second(random));
  }
  return latent;
}

const std::vector<LatentStatistics> statistics{ { 5, 2, 0, {} }, { 0, 1, 0, {} } };

double meanOf(const Latent& z, int channel)
{
  const auto begin = z.mean.begin() + channel * voxels(z.dims);
  return std::accumulate(begin, begin + voxels(z.dims), 0.) / static_cast<double>(voxels(z.dims));
}

double stddevOf(const Latent& z, int channel)
{
  const double m = meanOf(z, channel);
  const auto begin = z.mean.begin() + channel * voxels(z.dims);
  const double squares = std::accumulate(begin, begin + voxels(z.dims), 0.,
    [m](double sum, float v) { return sum + (v - m) * (v - m); });
  return std::sqrt(squares / static_cast<double>(voxels(z.dims)));
}

} // namespace

TEST(LatentMath, EndsOfALineAndOfAnArcAreItsFields)
{
  const Latent a = noise({ 5, 4, 3 }, 1), b = noise({ 5, 4, 3 }, 2);
  for (std::size_t i = 0; i < a.mean.size(); ++i)
  {
    EXPECT_EQ(lerp(a, b, 0).mean[i], a.mean[i]);
    EXPECT_EQ(lerp(a, b, 1).mean[i], b.mean[i]);
    EXPECT_NEAR(slerp(a, b, 0, statistics).mean[i], a.mean[i], 1e-5);
    EXPECT_NEAR(slerp(a, b, 1, statistics).mean[i], b.mean[i], 1e-5);
    EXPECT_NEAR(slerp(a, a, 0.3, statistics).mean[i], a.mean[i], 1e-5); // theta = 0
  }
}

TEST(LatentMath, AnArcKeepsTheStandardDeviationThatALineLoses)
{
  const Latent a = noise({ 40, 40, 40 }, 1), b = noise({ 40, 40, 40 }, 2);
  const Latent line = lerp(a, b, 0.5), arc = slerp(a, b, 0.5, statistics);
  EXPECT_NEAR(stddevOf(line, 0), 2 / std::sqrt(2.), 0.02);
  EXPECT_NEAR(stddevOf(line, 1), 1 / std::sqrt(2.), 0.01);
  EXPECT_NEAR(stddevOf(arc, 0), 2, 0.02);
  EXPECT_NEAR(stddevOf(arc, 1), 1, 0.01);
  EXPECT_NEAR(meanOf(arc, 0), 5, 0.05); // about the origin it would be 5 * sqrt(2)
}

TEST(LatentMath, AnArcInThePlane)
{
  // One cell: deviations (1, 0) and (0, 2), a right angle. At t = 1/3: cos 30 and sin 30.
  Latent a, b;
  a.dims = b.dims = { 1, 1, 1 };
  a.channels = b.channels = 2;
  a.mean = { 6, 0 };
  b.mean = { 5, 2 };
  const Latent z = slerp(a, b, 1. / 3, statistics);
  EXPECT_NEAR(z.mean[0], 5 + std::sqrt(3.) / 2, 1e-6);
  EXPECT_NEAR(z.mean[1], 2 * 0.5, 1e-6);
  b.dims = { 2, 1, 1 };
  b.mean = { 5, 2, 1, 1 };
  EXPECT_THROW(slerp(a, b, 0.5, statistics), std::invalid_argument);
}

TEST(LatentMath, OffsetsAreStandardDeviations)
{
  const Latent flat = meanField({ 3, 2, 1 }, statistics);
  ASSERT_EQ(flat.mean.size(), 12u);
  const Latent z = shifted(flat, { -1.5 }, statistics);
  for (std::size_t i = 0; i < 6; ++i)
  {
    EXPECT_FLOAT_EQ(z.mean[i], 5 - 1.5 * 2);
    EXPECT_EQ(z.mean[i + 6], 0);
  }
  EXPECT_THROW(shifted(flat, { 0, 0, 0 }, statistics), std::invalid_argument);
  std::vector<LatentStatistics> more = statistics; // of another model
  more.resize(64);
  EXPECT_THROW(shifted(flat, { 0, 0, 1 }, more), std::invalid_argument);
  EXPECT_THROW(slerp(flat, flat, 0.5, more), std::invalid_argument);
}

TEST(LatentMath, StatisticsOfAMeasuredField)
{
  const at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(3);
  at::Tensor mean = at::randn({ 2, 40, 40, 40 }, generator);
  mean[0].mul_(2).add_(5);
  mean[1].mul_(0.3).exp_(); // skewed
  at::Tensor logVariance = at::empty_like(mean);
  logVariance[0].fill_(std::log(0.25));
  logVariance[1].fill_(std::log(1.));
  const auto field = LatentField::fit(mean, logVariance);
  const State state = field.state();
  EXPECT_EQ(state.size(), 3u) << "an amplitude and a threshold are matched, not measured";
  for (const LatentField& f : { field, LatentField::fromState(TensorReader(state), 2) })
  {
    const auto s = f.statistics();
    ASSERT_EQ(s.size(), 2u);
    for (std::size_t c = 0; c < 2; ++c)
    {
      const at::Tensor z = mean[static_cast<std::int64_t>(c)];
      const double posterior = c == 0 ? 0.25 : 1;
      EXPECT_NEAR(s[c].mean, z.mean().item<double>(), 0.003);
      EXPECT_NEAR(s[c].stddev, std::sqrt(z.var().item<double>() + posterior), 0.02);
      EXPECT_NEAR(s[c].posteriorStddev, std::sqrt(posterior), 1e-6);
    }
    EXPECT_NEAR(s[1].quantiles[s[1].quantiles.size() / 2], 1, 0.01);
  }
  // A file without the variances, and with wrong ones.
  State without = state;
  without.erase("posterior_variance");
  EXPECT_EQ(LatentField::fromState(TensorReader(without), 2).statistics()[0].posteriorStddev, 0);
  without["posterior_variance"] = at::zeros({ 3 });
  EXPECT_THROW(LatentField::fromState(TensorReader(without), 2), std::runtime_error);
  const auto refused = [&](const at::Tensor& quantiles, const at::Tensor& covariance,
                         double amplitude = 1, std::int64_t channels = 2)
  {
    const State other{ { "quantiles", quantiles }, { "covariance", covariance },
      { "amplitude", at::full({ 1 }, amplitude) } };
    EXPECT_THROW(LatentField::fromState(TensorReader(other), channels), std::runtime_error);
  };
  const at::Tensor q = state.at("quantiles"), c = state.at("covariance");
  refused(q, c, 1, 3);
  refused(q, c, 0);
  refused(q, c, std::nan(""));
  refused(q.flip(1), c);
  refused(q / 0, c);
  refused(q, c * 1e30);
  refused(q, c.slice(2, 1)); // an even number of lags
  refused(q, at::zeros({ 2, 2, 1001, 1, 1 }));
}
