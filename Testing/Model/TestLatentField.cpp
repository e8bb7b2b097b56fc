// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Torch/LatentField.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <gtest/gtest.h>

#include <cmath>

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

TEST(LatentField, ThinFieldsWork)
{
  const LatentField field = LatentField::fit(example(24, 1).slice(1, 0, 1));
  EXPECT_EQ(field.sample({ 1, 30, 20 }, generator(1), 1).sizes().vec(),
    (std::vector<std::int64_t>{ 2, 1, 30, 20 }));
  EXPECT_TRUE(field.sample({ 1, 30, 20 }, generator(1), 1).isfinite().all().item<bool>());
}

TEST(LatentField, IsMatchedToWhatIsWantedOfWhatItDecodesTo)
{
  // The "decoder" loses long waves and is rougher the smaller its input.
  const LatentField wide = LatentField::fit(example(48, 1));
  const auto smooth = [](const at::Tensor& z)
  { return at::avg_pool3d(z[0].unsqueeze(0).unsqueeze(0), 3, 1, 1)[0]; };
  const auto observe = [&](const at::Tensor& z) -> LatentField::Observed
  {
    const at::Tensor y = (z[0].unsqueeze(0) - 0.7 * smooth(z)).sign();
    return { y, 1 / (0.1 + z[0].std().item<double>()) };
  };
  const at::Tensor sample = wide.sample({ 40, 40, 40 }, generator(7), 1);
  const LatentField::Observed wanted{ smooth(sample).sign(), 0.7 };
  const auto neighbours = [](const LatentField& f, const auto& see)
  { return covariance(see(f.sample({ 40, 40, 40 }, generator(9), 1)).means, 0, 0, 1); };
  const double truth = covariance(wanted.means, 0, 0, 1);
  LatentField field = wide;
  const double before = neighbours(field, observe);
  field.match(wanted, observe, { 32, 32, 32 }, generator(8));
  const double after = neighbours(field, observe);
  EXPECT_LT(std::abs(after - truth), 0.45 * std::abs(before - truth))
    << before << " became " << after << ", wanted " << truth;
  EXPECT_NEAR(observe(field.sample({ 40, 40, 40 }, generator(9), 1)).roughness, 0.7, 0.07);
  // It goes through a file whole.
  const auto t = field.tensors();
  const LatentField back = LatentField::fromTensors(t.at("quantiles"), t.at("covariance"),
    t.at("posterior_variance"), t.at("amplitude").item<double>());
  EXPECT_TRUE(at::equal(
    back.sample({ 12, 12, 12 }, generator(3), 1), field.sample({ 12, 12, 12 }, generator(3), 1)));
}
