// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
//
// Terms of the distribution of all latent vectors: total correlation, mean discrepancy, covariance.
#include "Torch/Losses/Discrepancy.h"
#include "Torch/Losses/Objective.h"
#include "Torch/Losses/TotalCorrelation.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <gtest/gtest.h>

#include <cmath>
#include <utility>

using namespace vae;

namespace
{

at::Tensor normal(at::IntArrayRef sizes, std::uint64_t seed)
{
  return at::randn(
    sizes, at::make_generator<at::CPUGeneratorImpl>(seed), at::TensorOptions(at::kDouble));
}

double value(const at::Tensor& t) { return t.item<double>(); }

} // namespace

TEST(TotalCorrelation, IsThatOfCorrelatedGaussians)
{
  // Posteriors of variance s around means of covariance C - s I: together N(0, C).
  for (const auto& [rho, expected] : { std::pair{ 0.8, 0.510826 }, { 0.5, 0.143841 } })
  {
    const std::int64_t m = 3000;
    const double s = 0.1;
    const at::Tensor u = normal({ m, 2 }, 3);
    const double a = std::sqrt(1 - s), b = rho / a, c = std::sqrt(1 - s - b * b);
    const at::Tensor mean =
      at::stack({ a * u.select(1, 0), b * u.select(1, 0) + c * u.select(1, 1) }, 1);
    const at::Tensor logVariance = at::full({ m, 2 }, std::log(s), at::kDouble);
    const at::Tensor z = mean + std::sqrt(s) * normal({ m, 2 }, 4);
    const Decomposition d = decomposeKL(z, mean, logVariance, 0);
    EXPECT_NEAR(value(d.totalCorrelation), expected, 0.03);
    // I(x; z) of this channel: half the log of |C| / s^2.
    EXPECT_NEAR(value(d.mutualInformation), 0.5 * std::log((1 - rho * rho) / (s * s)), 0.05);
    EXPECT_NEAR(value(d.dimensionKL), 0, 0.03); // each dimension alone is N(0, 1)
  }
}

TEST(TotalCorrelation, PartsSumToTheDivergence)
{
  const at::Tensor mean = normal({ 40, 3 }, 5), logVariance = 0.5 * normal({ 40, 3 }, 6) - 1;
  const at::Tensor z = mean + normal({ 40, 3 }, 7) * (0.5 * logVariance).exp();
  const double direct =
    value((logNormal(z, mean, logVariance) - logNormal(z, at::zeros_like(z), at::zeros_like(z)))
        .sum(1)
        .mean());
  for (const double n : { 0., 40., 1e6 })
  {
    const Decomposition d = decomposeKL(z, mean, logVariance, n);
    EXPECT_NEAR(value(d.mutualInformation + d.totalCorrelation + d.dimensionKL), direct, 1e-9);
  }
}

TEST(TotalCorrelation, StratifiedWeightsAreUnbiased)
{
  // Over all batches of 3 of 6 posteriors that hold the first, the estimates of q(z) average to it.
  const at::Tensor density = at::tensor({ 0.7, 0.1, 0.4, 0.05, 0.9, 0.2 }, at::kDouble);
  const at::Tensor weights = stratifiedWeights(3, 6).exp();
  double sum = 0, count = 0;
  for (std::int64_t i = 1; i < 6; ++i)
  {
    for (std::int64_t j = i + 1; j < 6; ++j, ++count)
    {
      const at::Tensor batch =
        density.index_select(0, at::tensor({ std::int64_t{ 0 }, i, j }, at::kLong));
      sum += value((weights[0] * batch).sum());
    }
  }
  EXPECT_NEAR(sum / count, value(density.mean()), 1e-12);
  EXPECT_NEAR(value(stratifiedWeights(5, 5).exp().sum()), 5, 1e-12); // the whole data: 1/5 each
}

TEST(Discrepancy, HasTheValuesOfGaussians)
{
  const std::int64_t n = 3000, d = 10;
  const at::Tensor prior = normal({ n, d }, 1);
  const auto rbf = [&](const at::Tensor& t)
  { return value(meanDiscrepancy(t, prior, Kernel::RBF)); };
  EXPECT_NEAR(rbf(0.5 * normal({ n, d }, 2)), 0.075546, 0.004);
  EXPECT_NEAR(rbf(normal({ n, d }, 3) + 0.5), 0.079511, 0.004);
  EXPECT_NEAR(rbf(at::zeros({ n, d }, at::kDouble)), 0.160035, 0.004);
  EXPECT_NEAR(rbf(normal({ n, d }, 4)), 0, 0.001);
  // Inverse multiquadratic of single points: the kernel itself, s C / (s C + r^2), C = 2.
  const at::Tensor a = at::tensor({ 0., 0. }, at::kDouble).view({ 2, 1 });
  const at::Tensor b = at::tensor({ 3., 3. }, at::kDouble).view({ 2, 1 });
  double expected = 0;
  for (const double s : { 0.1, 0.2, 0.5, 1., 2., 5., 10. })
  {
    expected += 2 - 2 * (s * 2 / (s * 2 + 9));
  }
  EXPECT_NEAR(value(meanDiscrepancy(a, b, Kernel::IMQ)), expected, 1e-12);
}

namespace
{

/// Standard normal latents [patches, latent, cells], whose cells of one patch have the correlation
/// .8.
at::Tensor patches(std::int64_t count, std::int64_t latent, std::int64_t cells, std::uint64_t seed)
{
  return std::sqrt(0.8) * normal({ count, latent, 1 }, 2 * seed) +
    std::sqrt(0.2) * normal({ count, latent, cells }, 2 * seed + 1);
}

at::Generator anyNoise() { return at::make_generator<at::CPUGeneratorImpl>(std::uint64_t{ 1 }); }

/// Mean and standard error over many batches of two patches.
template <typename F>
std::pair<double, double> overBatches(F&& f)
{
  constexpr int batches = 1000;
  double sum = 0, squares = 0;
  for (std::uint64_t i = 0; i < batches; ++i)
  {
    const double v = f(i);
    sum += v;
    squares += v * v;
  }
  const double mean = sum / batches;
  return { mean, std::sqrt((squares / batches - mean * mean) / batches) };
}

} // namespace

TEST(LatentsOfPatches, HaveTheDiscrepancyOfTheirDistribution)
{
  // Which is that of the prior: 0. All pairs would say more, since cells of a patch are alike.
  const auto discrepancy = [](bool apart)
  {
    return overBatches([&](std::uint64_t i)
    {
      const SomeRows rows = someRows({ patches(2, 3, 20, i) }, 512, anyNoise());
      return value(meanDiscrepancy(
        rows.of[0], normal({ 40, 3 }, 5000 + i), Kernel::RBF, apart ? rows.patch : at::Tensor()));
    });
  };
  const auto [mean, error] = discrepancy(true);
  EXPECT_NEAR(mean, 0, 4 * error);
  EXPECT_GT(discrepancy(false).first, 0.05);
}

TEST(LatentsOfPatches, HaveTheCovarianceOfTheirDistribution)
{
  const auto [mean, error] =
    overBatches([](std::uint64_t i) { return value(covarianceOf(patches(2, 2, 20, i))[0][0]); });
  EXPECT_NEAR(mean, 1, 4 * error);
  EXPECT_LT(error, 0.05);
  const auto [product, errorOfProduct] =
    overBatches([](std::uint64_t i) { return value(covarianceOf(patches(2, 2, 20, i))[0][1]); });
  EXPECT_NEAR(product, 0, 4 * errorOfProduct);
  // By its definition, over pairs of different patches.
  const at::Tensor latent = patches(3, 2, 4, 1), rows = rowsOf(latent);
  at::Tensor sum = at::zeros({ 2, 2 }, at::TensorOptions(at::kDouble));
  double pairs = 0;
  for (std::int64_t i = 0; i < 12; ++i)
  {
    for (std::int64_t j = 0; j < 12; ++j)
    {
      if (i / 4 != j / 4)
      {
        const at::Tensor d = rows[i] - rows[j];
        sum += 0.5 * d.unsqueeze(1) * d.unsqueeze(0);
        ++pairs;
      }
    }
  }
  EXPECT_LT(value((covarianceOf(latent) - sum / pairs).abs().max()), 1e-12);
}

TEST(LatentsOfPatches, HaveStratifiedWeightsWithoutBias)
{
  // Over all batches of 2 of 3 patches, two cells each, that hold the first patch, the estimates of
  // q(z) average to it.
  const at::Tensor density = at::tensor({ 0.7, 0.1, 0.4, 0.05, 0.9, 0.2 }, at::kDouble);
  const at::Tensor patch = at::tensor({ 0, 0, 1, 1 }, at::kLong);
  const at::Tensor weights = stratifiedWeights(patch, 6).exp();
  double sum = 0;
  for (const std::int64_t other : { 2, 4 })
  {
    const at::Tensor batch = at::cat({ density.narrow(0, 0, 2), density.narrow(0, other, 2) });
    sum += value((weights[0] * batch).sum()) / 2;
  }
  EXPECT_NEAR(sum, value(density.mean()), 1e-12);
  EXPECT_NEAR(value(stratifiedWeights(patch, 4).exp().sum()), 4, 1e-12); // the whole data
  // One cell a patch: as they were.
  const at::Tensor alone = stratifiedWeights(at::arange(5, at::TensorOptions(at::kLong)), 9);
  EXPECT_LT(value((alone - stratifiedWeights(std::int64_t{ 5 }, 9)).abs().max()), 1e-12);
}

TEST(LatentsOfPatches, RowsKnowTheirPatch)
{
  const at::Tensor latent = normal({ 3, 2, 4, 5 }, 1);
  const SomeRows all = someRows({ latent }, 512, anyNoise()),
                 some = someRows({ latent, 2 * latent }, 30, anyNoise());
  EXPECT_TRUE(at::equal(all.patch, at::tensor({ 0, 1, 2 }, at::kLong).repeat_interleave(20)));
  ASSERT_EQ(some.patch.size(0), 30);
  EXPECT_TRUE(at::equal(some.of[1], 2 * some.of[0]));
  for (std::int64_t i = 0; i < 30; ++i)
  {
    const at::Tensor its = rowsOf(latent[some.patch[i].item<std::int64_t>()].unsqueeze(0));
    EXPECT_TRUE((its == some.of[0][i]).all(1).any().item<bool>());
  }
  EXPECT_FALSE(someRows({ latent.narrow(0, 0, 1) }, 512, anyNoise()).patch.defined());
  EXPECT_FALSE(someRows({ latent.flatten(2).narrow(2, 0, 1) }, 512, anyNoise()).patch.defined());
}
