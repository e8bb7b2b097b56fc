// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Torch/Networks/Layers.h"
#include "Torch/Training/AdamW.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/core/GradMode.h>

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <memory>

using namespace vae;

namespace
{

struct Pair : torch::nn::Module
{
  Residual block = this->register_module("block", Residual(3, 16)); // 432 inputs
  Conv last = this->register_module("last", Conv(3, 16, 4, 3));

  at::Tensor loss(const at::Tensor& x)
  {
    return (this->last->forward(this->block->forward(x)).to(at::kFloat) - 1).square().mean();
  }
};

} // namespace

TEST(AdamW, IsThatOfThePaperAtEachLayersRate)
{
  constexpr double rate = 0.01, decay = 0.1, clip = 0.05, beta1 = 0.9, beta2 = 0.95;
  const auto net = std::make_shared<Pair>();
  initialiseLayers(*net, at::make_generator<at::CPUGeneratorImpl>(1));
  const std::vector<at::Tensor> parameters = net->parameters();
  std::vector<at::Tensor> expected, first, second;
  for (const at::Tensor& p : parameters)
  {
    expected.push_back(p.detach().to(at::kDouble, false, /*copy=*/true));
    first.push_back(at::zeros_like(expected.back()));
    second.push_back(at::zeros_like(expected.back()));
  }
  AdamW optimiser(parameters, *net, decay, at::kFloat);
  const at::Tensor x = at::randn({ 1, 16, 5, 5, 5 });
  for (int t = 1; t <= 3; ++t)
  {
    net->loss(x).backward();
    std::vector<at::Tensor> gradients;
    at::Tensor squares = at::zeros({}, at::kDouble);
    for (const at::Tensor& p : parameters)
    {
      gradients.push_back(p.grad().to(at::kDouble));
      squares += gradients.back().square().sum();
    }
    // A CUDA graph reads the rate from the device.
    const StepScalar now = t == 2 ? StepScalar(at::full({}, rate, at::kFloat)) : StepScalar(rate);
    const double norm = optimiser.step(now, clip).item<double>();
    EXPECT_NEAR(norm, squares.sqrt().item<double>(), 1e-5 * norm);
    EXPECT_GT(norm, clip);
    for (std::size_t i = 0; i < parameters.size(); ++i)
    {
      const bool slow = parameters[i].is_same(net->block->First->weight) ||
        parameters[i].is_same(net->block->Second->weight);
      const double own = rate * (slow ? 128. / 432 : 1);
      const at::Tensor g = gradients[i] * (clip / norm);
      first[i] = beta1 * first[i] + (1 - beta1) * g;
      second[i] = beta2 * second[i] + (1 - beta2) * g * g;
      expected[i] = expected[i] * (1 - own * decay) -
        own * first[i] / (1 - std::pow(beta1, t)) /
          ((second[i] / (1 - std::pow(beta2, t))).sqrt() + 1e-8);
      EXPECT_LT((parameters[i] - expected[i]).abs().max().item<double>(), 2e-5) << t << ' ' << i;
    }
  }
  const std::vector<at::Tensor> state = optimiser.state();
  ASSERT_EQ(state.size(), 2 * parameters.size() + 1);
  for (std::size_t i = 0; i < parameters.size(); ++i)
  {
    EXPECT_LT((state[i] - first[i]).abs().max().item<double>(), 1e-6) << i;
    EXPECT_LT((state[parameters.size() + i] - second[i]).abs().max().item<double>(), 1e-6) << i;
  }
  EXPECT_EQ(state.back().item<double>(), 3);
}

TEST(AdamW, PutsOthersAsItsParametersLie)
{
  const auto net = std::make_shared<Pair>(), other = std::make_shared<Pair>();
  AdamW optimiser(net->parameters(), *net, 0, at::kBFloat16);
  const at::Tensor all = optimiser.sideBySide(other->parameters());
  all.copy_(optimiser.parameters());
  const std::vector<at::Tensor> a = net->parameters(), b = other->parameters();
  for (std::size_t i = 0; i < a.size(); ++i)
  {
    EXPECT_TRUE(a[i].equal(b[i])) << i;
  }
}

TEST(AdamW, LeavesEverythingWhereTheNormIsNotFinite)
{
  const auto net = std::make_shared<Pair>();
  AdamW optimiser(net->parameters(), *net, 0.1, at::kBFloat16);
  const at::Tensor before = optimiser.parameters().clone();
  optimiser.begin();
  const at::Tensor x = at::full({ 1, 16, 4, 4, 4 }, std::numeric_limits<float>::infinity());
  net->loss(x.to(at::kBFloat16)).backward();
  EXPECT_FALSE(std::isfinite(optimiser.step(1, 1).item<double>()));
  EXPECT_TRUE(optimiser.parameters().equal(before));
  EXPECT_EQ(optimiser.state().back().item<double>(), 0);
}
