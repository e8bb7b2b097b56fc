// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "RandomModel.h"
#include "Torch/Priors/LatentField.h"
#include "Torch/Training/TorchTrainer.h"
#include "Training.h"
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

constexpr double Radius = 7; // of grains

constexpr int Edge = 64;
constexpr std::size_t Count = Edge * Edge;

/// A slice of a rock: what is drawn around what is known takes a hundred times as long in a cube.
Volume slice(std::uint64_t seed)
{
  rock::Voxels voxels = rock::cementedGrains({ Edge, 0.2, Radius, seed });
  voxels.resize(Count);
  return test::volume(voxels, { Edge, Edge, 1 });
}

/// A small model of such rocks.
std::shared_ptr<const Model> trained()
{
  TrainOptions o = test::quick(160); // after 80 the fills of one seed have twice the pore of another's
  o.stepsPerEpoch = 20;
  o.objective = "beta-VAE";
  o.parameters["Beta"] = 0.1;
  o.network.latentStride = 4;
  o.network.latentChannels = 8;
  o.patchSize = 48;
  o.priorShare = 0;
  std::vector<Volume> rocks;
  for (std::uint64_t seed = 1; seed <= 8; ++seed)
  {
    rocks.push_back(slice(seed));
  }
  TorchTrainer trainer(rocks, o);
  while (!trainer.step().finished)
  {
  }
  return trainer.model({}, {});
}

/// A rock of which only a part is known.
struct Known
{
  Volume volume;
  std::vector<std::uint8_t> mask;
  const std::uint8_t* truth = nullptr;

  /// \param known of x and y
  template <typename F>
  Known(std::uint64_t seed, F&& known)
    : volume(slice(seed))
    , truth(static_cast<const std::uint8_t*>(this->volume.channels[0].data))
  {
    for (std::size_t i = 0; i < Count; ++i)
    {
      this->mask.push_back(known(i % Edge, i / Edge));
    }
    this->volume.mask.data = this->mask.data();
    this->volume.mask.type = ScalarType::UInt8;
  }
};

GenerateOptions randomField(std::int64_t seed)
{
  GenerateOptions o;
  o.seed = seed;
  o.prior = Prior::RandomField;
  return o;
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
  const auto model = trained();
  const auto outside = [](std::size_t x, std::size_t y)
  {
    const auto inside = [](std::size_t v) { return v >= 16 && v < 48; };
    return !(inside(x) && inside(y));
  };
  double met = 0, different = 0, pairs = 0;
  double fill = 0, truth = 0; // fractions of pore
  const auto filled = [&](const Known& known, const std::uint8_t* data, std::int64_t seed)
  {
    Volume given = known.volume;
    given.channels[0].data = data;
    const int margin = model->decodeHalo();
    std::vector<std::uint8_t> out(Count);
    Outputs outputs;
    outputs.values = { test::output(out) };
    model->sampleAndDecode({ {}, margin, randomField(seed), {}, &given }, outputs);
    const Overwritten found = overwrite(given, outputs.values);
    met += static_cast<double>(found.equal) / static_cast<double>(found.known);
    for (std::size_t i = 0; i < Count; ++i)
    {
      EXPECT_TRUE(!known.mask[i] || out[i] == known.truth[i]);
    }
    return out;
  };
  const auto pore = [&](const Known& known, const std::uint8_t* data)
  {
    double sum = 0, voxels = 0;
    for (std::size_t i = 0; i < Count; ++i)
    {
      sum += !known.mask[i] && data[i] == 0;
      voxels += !known.mask[i];
    }
    return sum / voxels;
  };
  constexpr std::uint64_t rocks = 8;
  for (std::uint64_t rock = 0; rock < rocks; ++rock)
  {
    const Known known(100 + rock, outside);
    const auto one = filled(known, known.truth, 0), two = filled(known, known.truth, 1);
    for (std::size_t i = 0; i < Count; ++i)
    {
      different += one[i] != two[i];
      pairs += !known.mask[i];
    }
    fill += (pore(known, one.data()) + pore(known, two.data())) / (2 * rocks);
    truth += pore(known, known.truth) / rocks;
    if (rock == 0) // what is masked must not matter
    {
      std::vector<std::uint8_t> spoilt(known.truth, known.truth + Count);
      for (std::size_t i = 0; i < Count; ++i)
      {
        spoilt[i] = known.mask[i] ? spoilt[i] : 0;
      }
      EXPECT_EQ(filled(known, spoilt.data(), 0), one);
    }
  }
  met /= 2 * rocks + 1;
  std::printf(
    "fills differ in %.3f of a hole, %.3f of them is pore and %.3f of the truth; met %.3f\n",
    different / pairs, fill, truth, met);
  EXPECT_GT(different / pairs, 0.05);
  EXPECT_NEAR(fill, model->info().channels[0].fractions[0], 0.12);
  EXPECT_GT(met, 0.8); // a free sample has about 0.7
}

TEST(Conditioning, ABoreholeIsMetByMovingLatents)
{
  const auto model = trained();
  const auto borehole = [](std::size_t x, std::size_t)
  { return x == 31 || x == 32; }; // thinner than a latent cell
  double free = 0, given = 0;
  constexpr std::uint64_t rocks = 4;
  for (std::uint64_t rock = 0; rock < rocks; ++rock)
  {
    const Known known(100 + rock, borehole);
    const int margin = model->decodeHalo();
    const auto met = [&](const LatentSample& drawn)
    {
      std::vector<std::uint8_t> out(Count);
      Outputs outputs;
      outputs.values = { test::output(out) };
      outputs.thresholds = drawn.thresholds;
      model->decode(drawn.latent, known.volume.dims, margin, outputs);
      const Overwritten found = overwrite(known.volume, outputs.values);
      return static_cast<double>(found.equal) / static_cast<double>(found.known) / rocks;
    };
    constexpr std::int64_t fields = 10; // one of them may have no pore there, as most rocks
    for (std::int64_t seed = 0; seed < fields; ++seed)
    {
      free += met(model->sample({ known.volume.dims, margin, randomField(seed) })) / fields;
    }
    given += met(model->sample({ {}, margin, randomField(0), {}, &known.volume }));
  }
  std::printf("borehole met: %.3f free, %.3f given\n", free, given);
  EXPECT_GT(given, free + 0.12); // a small model: it cannot give every detail
}

TEST(Conditioning, WhatTheModelCannotGiveIsASentence)
{
  const Volume rock = test::rockVolume(16, 1, 6);
  const auto model = test::randomModel(rock, 3, 1, 8, Likelihood::Bernoulli); // phases 0 and 1
  const std::size_t count = 16 * 16 * 16;
  std::vector<std::uint8_t> mask(count, 0);
  std::vector<float> values(count, 1);
  const auto refusal = [&]
  {
    Volume known = test::volume(values, rock.dims);
    known.mask.data = mask.data();
    known.mask.type = ScalarType::UInt8;
    try
    {
      GenerateOptions o;
      o.prior = Prior::Normal;
      model->sample({ {}, 1, o, {}, &known });
      return std::string("accepted");
    }
    catch (const std::invalid_argument& e)
    {
      return std::string(e.what());
    }
  };
  EXPECT_EQ(refusal(), "Nothing is known: Known Mask is 0 in all of 16 x 16 x 16 voxels");
  values[7] = 9; // where nothing is known
  std::fill(mask.begin() + 1024, mask.begin() + 2048, std::uint8_t(1));
  EXPECT_EQ(refusal(), "accepted");
  values[1030] = 9;
  EXPECT_EQ(refusal(),
    "Known Data has the value 9 where Known Mask is not 0; the phases of this model are 0, 1");
  values[1030] = std::nanf("");
  EXPECT_EQ(
    refusal(), "Known Data has 1 values that are NaN or infinite where Known Mask is not 0");
}
