// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "RandomModel.h"
#include "Torch/LatentField.h"
#include "Torch/TorchTrainer.h"
#include "Volumes.h"

#include <gtest/gtest.h>

#include <cmath>

using namespace vae;

namespace
{

at::Generator generator(std::uint64_t seed)
{
  return at::make_generator<at::CPUGeneratorImpl>(seed);
}

/// A small model of a rock whose grains have that radius.
std::shared_ptr<const Model> trained(double radius)
{
  TrainOptions o;
  o.timeBudget = 0;
  o.epochs = 20;
  o.objective = "beta-VAE";
  o.parameters["Beta"] = 0.1;
  o.patchSize = 32;
  o.priorShare = 0;
  o.threads = 2;
  o.device = "cpu";
  TorchTrainer trainer({ test::rockVolume(96, 1, radius) }, o);
  while (!trainer.step().finished)
  {
  }
  return trainer.model({}, {});
}

} // namespace

TEST(LatentField, ConditionalSamplesHonourWhatIsKnownAndKeepTheirStatistics)
{
  const at::Tensor noise = at::randn({ 1, 42, 42, 42 }, generator(1));
  const at::Tensor data = at::avg_pool3d(noise.unsqueeze(0), 3, 1)[0] * std::sqrt(27.);
  const LatentField field = LatentField::fit(data);
  // A field of its own law is known in one half.
  const at::Tensor truth = field.sample({ 24, 24, 24 }, generator(2), 1);
  const at::Tensor where = at::zeros({ 24, 24, 24 }, at::kBool);
  where.narrow(2, 0, 12).fill_(true);
  const at::Tensor a = field.sampleGiven(truth, where, generator(3), 1),
                   b = field.sampleGiven(truth, where, generator(4), 1);
  EXPECT_TRUE(at::equal(a.narrow(3, 0, 12), truth.narrow(3, 0, 12)));
  const auto rms = [](const at::Tensor& d) { return d.square().mean().sqrt().item<double>(); };
  // Far from it realizations differ like two fields, beside it they nearly agree: the correlation
  // of neighbours is 2/3, so the first cell's own variance is at most 1 - 4/9, and with more
  // neighbours less.
  EXPECT_NEAR(rms(a.narrow(3, 18, 6) - b.narrow(3, 18, 6)) / std::sqrt(2.), 1, 0.12);
  EXPECT_LT(rms(a.select(3, 12) - b.select(3, 12)) / std::sqrt(2.), std::sqrt(1 - 4. / 9));
  EXPECT_NEAR(a.narrow(3, 12, 12).std().item<double>(), 1, 0.1);
}

TEST(Conditioning, AHoleIsFilledDifferentlyEachTimeAndTheRestIsMet)
{
  constexpr double radius = 14; // a hole is hardly larger than a grain
  const auto model = trained(radius);
  const Volume rock = test::rockVolume(64, 1, radius);
  std::vector<std::uint8_t> mask(64 * 64 * 64, 1);
  const auto hole = [](std::size_t i)
  {
    const auto inside = [](std::size_t v) { return v >= 16 && v < 48; };
    return inside(i % 64) && inside(i / 64 % 64) && inside(i / 4096);
  };
  for (std::size_t i = 0; i < mask.size(); ++i)
  {
    mask[i] = !hole(i);
  }
  // What is masked must not matter.
  const auto* truth = static_cast<const std::uint8_t*>(rock.channels[0].data);
  std::vector<std::uint8_t> spoilt(truth, truth + mask.size());
  for (std::size_t i = 0; i < mask.size(); ++i)
  {
    spoilt[i] = hole(i) ? 0 : spoilt[i];
  }
  std::vector<std::vector<std::uint8_t>> filled;
  double met = 0;
  for (const std::uint8_t* data : { truth, static_cast<const std::uint8_t*>(spoilt.data()) })
  {
    for (const std::int64_t seed : { 0, 1, 2, 3 })
    {
      if (seed > 0 && data != truth)
      {
        continue;
      }
      Volume known = rock;
      known.channels[0].data = data;
      known.mask.data = mask.data();
      known.mask.type = ScalarType::UInt8;
      GenerateOptions o;
      o.seed = seed;
      o.prior = Prior::RandomField;
      const int margin = model->decodeHalo();
      std::vector<std::uint8_t> out(mask.size());
      Outputs outputs;
      outputs.values = { test::output(out) };
      model->decode(model->sampleGiven(known, margin, o), known.dims, margin, outputs, {});
      const Overwritten found = overwrite(known, outputs.values);
      met = static_cast<double>(found.equal) / static_cast<double>(found.known);
      for (std::size_t i = 0; i < mask.size(); ++i)
      {
        ASSERT_TRUE(!mask[i] || out[i] == truth[i]);
      }
      filled.push_back(out);
    }
  }
  EXPECT_EQ(filled.front(), filled.back());
  double different = 0, voxels = 0; // of seed 0 and each other one: what two alone do is chance
  double pore = 0;
  for (std::size_t seed = 1; seed < 4; ++seed)
  {
    for (std::size_t i = 0; i < mask.size(); ++i)
    {
      different += hole(i) && filled[0][i] != filled[seed][i];
      voxels += hole(i);
      pore += hole(i) && filled[seed][i] == 0;
    }
  }
  std::printf(
    "fills differ in %.3f of the hole, %.3f of it is pore\n", different / voxels, pore / voxels);
  EXPECT_GT(different / voxels, 0.05);
  EXPECT_NEAR(pore / voxels, model->info().channels[0].fractions[0], 0.12);
  EXPECT_GT(met, 0.8); // a free sample has about 0.7
}

TEST(Conditioning, ABoreholeIsMetByMovingLatents)
{
  constexpr double radius = 14;
  const auto model = trained(radius);
  const Volume rock = test::rockVolume(64, 1, radius);
  std::vector<std::uint8_t> mask(64 * 64 * 64, 0);
  for (std::size_t i = 0; i < mask.size(); ++i)
  {
    const std::size_t x = i % 64, y = i / 64 % 64;
    mask[i] = x >= 30 && x < 34 && y >= 30 && y < 34; // thinner than a latent cell
  }
  Volume known = rock;
  known.mask.data = mask.data();
  known.mask.type = ScalarType::UInt8;
  GenerateOptions o;
  o.prior = Prior::RandomField;
  const int margin = model->decodeHalo();
  const auto met = [&](const Latent& latent)
  {
    std::vector<std::uint8_t> out(mask.size());
    Outputs outputs;
    outputs.values = { test::output(out) };
    model->decode(latent, known.dims, margin, outputs, {}, {});
    const Overwritten found = overwrite(known, outputs.values);
    return static_cast<double>(found.equal) / static_cast<double>(found.known);
  };
  const double free = met(model->sample(known.dims, margin, o));
  const double given = met(model->sampleGiven(known, margin, o));
  std::printf("borehole met: %.3f free, %.3f given\n", free, given);
  EXPECT_GT(given, free + 0.12); // a small model: it cannot give every detail
}

TEST(Conditioning, NothingKnownIsASentence)
{
  Volume rock = test::rockVolume(64, 1, 14);
  const std::vector<std::uint8_t> mask(64 * 64 * 64, 0);
  rock.mask.data = mask.data();
  rock.mask.type = ScalarType::UInt8;
  try
  {
    GenerateOptions o;
    o.prior = Prior::Normal;
    test::randomModel(rock, 3, 1, 8, Likelihood::Bernoulli)->sampleGiven(rock, 1, o);
    FAIL() << "an empty mask was accepted";
  }
  catch (const std::invalid_argument& e)
  {
    EXPECT_NE(std::string(e.what()).find("Nothing is known"), std::string::npos);
  }
}
