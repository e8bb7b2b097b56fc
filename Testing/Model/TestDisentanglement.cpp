// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Disentanglement.h"
#include "Torch/Training/TorchTrainer.h"

#include <gtest/gtest.h>

#include <random>

using namespace vae;

namespace
{

double gapOf(const test::Sprites& sprites, const std::string& objective, std::int64_t seed)
{
  constexpr std::size_t pixels = test::Sprites::Edge * test::Sprites::Edge;
  std::vector<Volume> volumes(sprites.pixels.size() / pixels);
  for (std::size_t i = 0; i < volumes.size(); ++i)
  {
    volumes[i].dims = { test::Sprites::Edge, test::Sprites::Edge, 1 };
    Channel& c = volumes[i].channels.emplace_back();
    c.data = sprites.pixels.data() + i * pixels;
    c.type = ScalarType::UInt8;
    c.array = "sprite";
  }
  TrainOptions o;
  o.objective = objective;
  o.network.architecture = Architecture::Vector;
  o.network.blockSize = test::Sprites::Edge;
  o.network.latentChannels = 6;
  o.batchSize = 128;
  o.learningRate = 1e-3;
  o.symmetry = Symmetry::None;
  o.validationFraction = 0;
  o.timeBudget = 0;
  o.stepsPerEpoch = 100;
  o.epochs = 30;
  o.seed = seed;
  TorchTrainer trainer(volumes, o);
  while (!trainer.step().finished)
  {
  }
  const auto model = trainer.model({}, {});
  std::vector<std::vector<float>> codes(6);
  std::vector<std::vector<int>> factors(5);
  for (std::size_t i = 0; i < volumes.size(); i += 5)
  {
    const Latent latent = model->encode(volumes[i], {});
    for (std::size_t j = 0; j < 6; ++j)
    {
      codes[j].push_back(latent.mean[j]);
    }
    for (std::size_t k = 0; k < 5; ++k)
    {
      factors[k].push_back(sprites.factors[k][i]);
    }
  }
  const EpochRecord& last = trainer.info().history.back();
  const double gap = test::mutualInformationGap(codes, factors);
  std::printf("%s, seed %d: MIG %.3f, reconstruction %.1f and KL %.1f nats an image\n",
    objective.c_str(), static_cast<int>(seed), gap, last.reconstruction * pixels, last.kl * pixels);
  return gap;
}

} // namespace

TEST(MutualInformationGap, IsOneForTheFactorsNoughtForZerosAndForCopies)
{
  std::mt19937 random(1);
  std::vector<std::vector<int>> factors(2);
  std::vector<std::vector<float>> codes(2);
  for (int i = 0; i < 20000; ++i)
  {
    for (std::size_t k = 0; k < 2; ++k)
    {
      factors[k].push_back(static_cast<int>(random() % 10));
      codes[k].push_back(static_cast<float>(factors[k].back()));
    }
  }
  EXPECT_GT(test::mutualInformationGap(codes, factors), 0.95);
  EXPECT_LT(test::mutualInformationGap({ codes[0], codes[0], codes[1], codes[1] }, factors), 0.05);
  EXPECT_LT(test::mutualInformationGap(
              { std::vector<float>(20000, 0.f), std::vector<float>(20000, 0.f) }, factors),
    1e-9);
  // A rotation by 45 degrees mixes both.
  std::vector<std::vector<float>> mixed(2);
  for (std::size_t i = 0; i < 20000; ++i)
  {
    mixed[0].push_back(codes[0][i] + codes[1][i]);
    mixed[1].push_back(codes[0][i] - codes[1][i]);
  }
  EXPECT_LT(test::mutualInformationGap(mixed, factors), 0.1);
}

TEST(DisentanglementSlow, BetaTCIsAboveVAEOnSprites)
{
  const test::Sprites sprites;
  double plain = 0, decomposed = 0;
  for (const std::int64_t seed : { 0, 1, 2 })
  {
    plain += gapOf(sprites, "VAE", seed) / 3;
    decomposed += gapOf(sprites, "beta-TC-VAE", seed) / 3;
  }
  EXPECT_GT(decomposed, plain + 0.02);
}
