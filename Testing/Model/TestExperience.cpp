// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
//
// Weights that others start from: their file, and how a training begins with them.
#include "RandomModel.h"
#include "Torch/Training/TorchTrainer.h"
#include "Training.h"
#include "Volumes.h"
#include "WholeFile.h"

#include <gtest/gtest.h>

#include <filesystem>

using namespace vae;

namespace
{

class Experiences : public testing::Test
{
protected:
  void SetUp() override
  {
    this->File = (std::filesystem::temp_directory_path() /
      ("vae-experience-" + std::to_string(::getpid()) + ".safetensors"))
                   .string();
  }
  void TearDown() override { std::filesystem::remove(this->File); }

  std::string File;
};

/// Random weights of a network and a prior.
std::shared_ptr<const TorchModel> randomWeights()
{
  const auto random = test::randomModel(test::rockVolume(16), 3, 1, 8, Likelihood::Bernoulli);
  ModelInfo info = random->info();
  info.sigma.clear();
  info.priorSteps = 1;
  auto prior = std::make_shared<LearnedPrior>(3, info.latentChannels(), 8);
  const c10::NoGradGuard guard;
  at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(6);
  for (at::Tensor& p : prior->Net->parameters())
  {
    p.uniform_(-0.1, 0.1, generator);
  }
  prior->ConditioningMean = prior->LocalMean =
    LatentField::fit(at::rand({ 1, 12, 12, 12 }, generator));
  Calibration calibration;
  calibration.learned = prior;
  return std::make_shared<const TorchModel>(info, random->network(), calibration);
}

void expectRounded(const std::vector<at::Tensor>& given, const std::vector<at::Tensor>& read)
{
  ASSERT_EQ(given.size(), read.size());
  for (std::size_t i = 0; i < given.size(); ++i)
  {
    EXPECT_TRUE(given[i].detach().to(at::kHalf).to(at::kFloat).equal(read[i].detach())) << i;
  }
}

} // namespace

TEST_F(Experiences, WeightsComeBackFromHalfPrecisionRoundedToIt)
{
  const auto given = randomWeights();
  given->saveInHalf(this->File);
  const auto read = TorchModel::load(this->File);
  expectRounded(given->network()->parameters(), read->network()->parameters());
  expectRounded(given->calibration().learned->Net->parameters(),
    read->calibration().learned->Net->parameters());
  EXPECT_EQ(toJson(read->info()), toJson(given->info()));
  // Of what is stored the weights are nearly all, and have two bytes each.
  double weights = 0;
  for (const auto& [name, half] : test::readModelFile(this->File).halves)
  {
    weights += 2 * static_cast<double>(half.values.size());
  }
  double counted = 0;
  for (const auto& parameters :
    { given->network()->parameters(), given->calibration().learned->Net->parameters() })
  {
    for (const at::Tensor& p : parameters)
    {
      counted += 2 * static_cast<double>(p.numel());
    }
  }
  EXPECT_EQ(weights, counted);
}
