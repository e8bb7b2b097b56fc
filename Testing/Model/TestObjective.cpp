// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Torch/Losses/Objective.h"
#include "Torch/Training/Schedule.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

using namespace vae;

namespace
{

/// The loss of a reconstruction with the width's logarithm, over the batch.
at::Tensor gaussian(const at::Tensor& mean, const at::Tensor& x, const at::Tensor& logSigma)
{
  return gaussianLoss(mean, x, logSigma.exp()).sum();
}

at::Tensor scalar(double v) { return at::full({ 1, 1 }, v, at::kDouble); }

/// Autograd's gradient of f at x against central differences in float64.
void expectGradient(const std::function<at::Tensor(const at::Tensor&)>& f, const at::Tensor& at)
{
  at::Tensor x = at.clone().requires_grad_();
  f(x).backward();
  const at::Tensor analytic = x.grad().clone();
  const double h = 1e-6;
  at::Tensor flat = at.clone().flatten();
  for (std::int64_t i = 0; i < flat.numel(); ++i)
  {
    const auto value = [&](double delta)
    {
      at::Tensor moved = flat.clone();
      moved[i] += delta;
      return f(moved.view(at.sizes())).item<double>();
    };
    const double numeric = (value(h) - value(-h)) / (2 * h);
    EXPECT_NEAR(
      analytic.flatten()[i].item<double>(), numeric, 1e-6 * std::max(1., std::abs(numeric)));
  }
}

} // namespace

TEST(Objective, KLDivergenceHasItsClosedFormValues)
{
  const auto kl = [](double mean, double variance)
  { return klDivergence({ scalar(mean), scalar(std::log(variance)) }).item<double>(); };
  EXPECT_NEAR(kl(0, 1), 0, 1e-12);
  EXPECT_NEAR(kl(1, 1), 0.5, 1e-12);
  EXPECT_NEAR(kl(0, 4), 0.806853, 1e-6);
  EXPECT_NEAR(kl(0.5, 0.25), 0.443147, 1e-6);
}

TEST(Objective, GaussianLossAtTheMeanIsHalfLogTwoPi)
{
  const at::Tensor x = at::zeros({ 2, 3, 4, 4, 4 }, at::kDouble);
  const double loss = gaussian(x, x, at::zeros({ 3 }, at::kDouble)).item<double>();
  EXPECT_NEAR(loss / static_cast<double>(x.numel()), 0.918939, 1e-6);
}

TEST(Objective, GaussianLossIsLeastAtTheRootMeanSquare)
{
  const at::Tensor x = at::zeros({ 1, 2, 8 }, at::kDouble);
  const at::Tensor y =
    at::stack({ at::full({ 8 }, 0.5, at::kDouble), at::full({ 8 }, 2., at::kDouble) }).unsqueeze(0);
  const auto loss = [&](double a, double b)
  { return gaussian(y, x, at::tensor({ std::log(a), std::log(b) }, at::kDouble)).item<double>(); };
  EXPECT_LT(loss(0.5, 2), loss(0.51, 2));
  EXPECT_LT(loss(0.5, 2), loss(0.49, 2));
  EXPECT_LT(loss(0.5, 2), loss(0.5, 2.02));
  EXPECT_LT(loss(0.5, 2), loss(2, 0.5)); // each channel has its own
}

TEST(Objective, BernoulliLossIsCrossEntropy)
{
  const double p = 0.3;
  const at::Tensor logit = scalar(std::log(p / (1 - p)));
  EXPECT_NEAR(bernoulliLoss(logit, scalar(1)).item<double>(), -std::log(p), 1e-12);
  EXPECT_NEAR(bernoulliLoss(logit, scalar(0)).item<double>(), -std::log(1 - p), 1e-12);
}

TEST(Objective, GradientsAgreeWithFiniteDifferences)
{
  const at::Tensor at = at::linspace(-1.5, 1.2, 12, at::kDouble).view({ 2, 2, 3 });
  const at::Tensor other = at::linspace(0.1, 0.9, 12, at::kDouble).view({ 2, 2, 3 });
  expectGradient([&](const at::Tensor& m) { return klDivergence({ m, other }); }, at);
  expectGradient([&](const at::Tensor& lv) { return klDivergence({ other, lv }); }, at);
  expectGradient([&](const at::Tensor& l) { return bernoulliLoss(l, other).sum(); }, at);
  const at::Tensor logSigma = at::tensor({ 0.2, -0.4 }, at::kDouble);
  expectGradient([&](const at::Tensor& m) { return gaussian(m, other, logSigma); }, at);
  expectGradient([&](const at::Tensor& s) { return gaussian(at, other, softClip(s)); }, logSigma);
}

TEST(Draws, KeptOnesAreThoseThatWouldBeDrawn)
{
  const auto made = [](std::uint64_t seed)
  { return Draws(at::make_generator<at::CPUGeneratorImpl>(seed)); };
  Draws plain = made(3), kept = made(3);
  kept.keep();
  const at::Tensor like = at::zeros({ 2, 3, 4, 4 }).contiguous(at::MemoryFormat::ChannelsLast);
  const void* place = nullptr;
  for (int step = 0; step < 3; ++step)
  {
    const auto all = [&](Draws& from)
    {
      from.rewind();
      at::Tensor noise = noiseLike(like, from);
      return std::vector<at::Tensor>{ noise,
        someRows({ at::arange(30.).view({ 30, 1 }) }, 5, from).of[0], noiseLike(noise[0], from) };
    };
    const std::vector<at::Tensor> a = all(plain);
    if (step > 0)
    {
      kept.redraw();
    }
    const std::vector<at::Tensor> b = all(kept);
    for (std::size_t i = 0; i < a.size(); ++i)
    {
      EXPECT_TRUE(at::equal(a[i], b[i])) << step << ' ' << i;
      EXPECT_EQ(a[i].strides(), b[i].strides()) << i;
    }
    EXPECT_EQ(step == 0 ? b[0].const_data_ptr() : place, b[0].const_data_ptr());
    place = b[0].const_data_ptr();
  }
}

TEST(StepScalar, IsANumberOrATensor)
{
  const at::Tensor t = at::full({}, 3.f), there = at::full({}, 0.25f);
  EXPECT_EQ((StepScalar(0.25) * 8 * t).item<double>(), 6);
  EXPECT_EQ((StepScalar(there) * 8 * t).item<double>(), 6);
  there.fill_(0.5);
  EXPECT_EQ((StepScalar(there) * 8 * t).item<double>(), 12);
}

TEST(Schedule, KLTermRisesOnceOrInCycles)
{
  TrainOptions o;
  EXPECT_EQ(klScheduleAt(o, 0), 0);
  EXPECT_DOUBLE_EQ(klScheduleAt(o, 0.15), 0.5);
  EXPECT_DOUBLE_EQ(klScheduleAt(o, 0.9), 1);
  o.klRamp = 0;
  EXPECT_DOUBLE_EQ(klScheduleAt(o, 0), 1);
  o.klRamp = 0.5;
  o.klSchedule = KLSchedule::Cyclical;
  EXPECT_DOUBLE_EQ(klScheduleAt(o, 0.0625), 0.5);
  EXPECT_DOUBLE_EQ(klScheduleAt(o, 0.2), 1);
  EXPECT_DOUBLE_EQ(klScheduleAt(o, 0.25), 0); // the second of four cycles
  EXPECT_DOUBLE_EQ(klScheduleAt(o, 0.3125), 0.5);
  EXPECT_DOUBLE_EQ(klScheduleAt(o, 1), 1);
}
