// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
//
// What TestGenerate.cxx does not see from outside: decoding once, requests that no filter makes.
#include "Generator.h"
#include "RandomModel.h"
#include "TestDevice.h"
#include "Torch/Inference/FieldDecoder.h"

#include <gtest/gtest.h>

using namespace vae;

namespace
{

std::shared_ptr<TorchModel> model()
{
  return test::randomModel(test::rockVolume(16, 1, 6), 3, 1, 8, Likelihood::Bernoulli);
}

/// A random model, a field, and what it decodes to.
struct Decoding
{
  std::shared_ptr<TorchModel> Source = model();
  Dims Size{ 40, 24, 32 };
  Latent Field = Source->sample({ Size, 1 }).latent;

  FieldDecoder decoder(FieldDecoder::Keep keep, double budget = 0) const
  {
    RunOptions run;
    run.device = test::device();
    run.memoryBudget = budget;
    return { this->Source->info(), this->Source->network(), this->Field, this->Size, 1, run, keep };
  }
  std::vector<float> decoded(FieldDecoder& decoder) const
  {
    std::vector<float> values(static_cast<std::size_t>(voxels(this->Size)));
    Outputs outputs;
    outputs.probability = { test::output(values) };
    decoder.forEachTile(
      {}, [&](const Box& box, const at::Tensor& y) { decoder.inference().write(box, y, outputs); });
    return values;
  }
};

std::string refusal(const GenerateRequest& request, std::size_t arrays = 1)
{
  try
  {
    std::vector<float> values(4096);
    Outputs outputs;
    outputs.values.resize(arrays, test::output(values));
    Generator(*model()).generate(request, outputs);
    return "accepted";
  }
  catch (const std::invalid_argument& e)
  {
    return e.what();
  }
}

} // namespace

TEST(FieldDecoder, WhatIsKeptIsWhatIsDecodedAgain)
{
  const Decoding d;
  FieldDecoder twice = d.decoder(FieldDecoder::Keep::Nothing);
  const std::vector<float> values = d.decoded(twice);
  EXPECT_EQ(d.decoded(twice), values);
  EXPECT_FALSE(twice.hasKept());
  FieldDecoder once = d.decoder(FieldDecoder::Keep::WhatFits);
  EXPECT_EQ(d.decoded(once), values);
  EXPECT_TRUE(once.hasKept());
  EXPECT_EQ(d.decoded(once), values);
  EXPECT_EQ(thresholdsFor(once, { 0.3 }, {}), thresholdsFor(twice, { 0.3 }, {}));
}

TEST(FieldDecoder, KeepsNothingThatTheBudgetHasNoRoomFor)
{
  const Decoding d;
  FieldDecoder small = d.decoder(FieldDecoder::Keep::WhatFits, 1e-3); // one kibibyte: single cells
  const std::vector<float> values = d.decoded(small);
  EXPECT_FALSE(small.hasKept());
  EXPECT_EQ(d.decoded(small), values);
}

TEST(FieldDecoder, AStopLeavesNoHalfOfIt)
{
  const Decoding d;
  FieldDecoder decoder = d.decoder(FieldDecoder::Keep::WhatFits);
  EXPECT_THROW(
    decoder.forEachTile({}, [](const Box&, const at::Tensor&) { throw Stopped(); }), Stopped);
  EXPECT_FALSE(decoder.hasKept());
  FieldDecoder other = d.decoder(FieldDecoder::Keep::Nothing);
  EXPECT_EQ(d.decoded(decoder), d.decoded(other));
}

TEST(Generator, GivesWhatSampleAndDecodeGive)
{
  const auto source = model();
  GenerateRequest request;
  request.dims = { 20, 24, 17 };
  request.options.seed = 4;
  const Generator generator(*source);
  EXPECT_EQ(generator.dims(request), request.dims);
  std::vector<std::uint8_t> made(20 * 24 * 17), drawn(made.size());
  Outputs outputs;
  outputs.values = { test::output(made) };
  outputs.thresholds = { 100 }; // does not apply
  RunOptions run;
  run.device = test::device();
  const Generated result = generator.generate(request, outputs, run);
  EXPECT_EQ(result.prior, Prior::Normal) << "the best of a model without statistics";
  EXPECT_EQ(result.known.known, 0);
  const int margin = source->margin();
  outputs.values = { test::output(drawn) };
  outputs.thresholds.clear();
  source->decode(source->sample({ request.dims, margin, request.options }, run).latent,
    request.dims, margin, outputs, run);
  EXPECT_EQ(made, drawn);
  const auto ones = static_cast<double>(std::count(made.begin(), made.end(), 1));
  ASSERT_EQ(result.fractions.size(), 2u);
  EXPECT_DOUBLE_EQ(result.fractions[1], ones / static_cast<double>(made.size()));
  // The log odds of a fraction take four bytes a voxel.
  const double bytes = generator.bytes(request);
  request.fraction.fractionMode = FractionMode::TrainingData;
  EXPECT_EQ(generator.bytes(request) - bytes, 4. * 20 * 24 * 17);
}

TEST(Generator, AModelOfSlicesIgnoresAnAxis)
{
  Volume slice = test::volume(std::vector<float>(16 * 16), { 16, 16, 1 });
  const auto flat = test::randomModel(slice, 2, 1);
  GenerateRequest request;
  request.dims = { 20, 24, 17 };
  EXPECT_EQ(Generator(*flat).dims(request), (Dims{ 20, 24, 1 }));
}

TEST(BadInput, OfAGenerator)
{
  GenerateRequest request;
  request.dims = { 16, 16, 16 };
  EXPECT_EQ(refusal(request), "accepted");
  EXPECT_EQ(refusal(request, 2),
    "There must be an array for the values of each of the model's 1 channel(s)");
  request.dims[1] = 0;
  EXPECT_EQ(refusal(request), "Dimensions is 0; it must be in [1, 100000]");
  request.dims[1] = 16;
  request.options.temperature = -1;
  EXPECT_EQ(refusal(request), "Temperature is -1; it must be in [0, 10]");
  request.options.temperature = 1;
  request.fraction.fractionMode = FractionMode::TrendMap;
  EXPECT_EQ(refusal(request), "Fraction Mode is 'Trend Map', but no Trend Map is set");
  TrendMap& map = request.trend.emplace();
  map.values = { 0.5f, 0.5f };
  EXPECT_EQ(refusal(request), "The Trend Map has 2 values; its grid has 1 x 1 x 1");
  map.values = { 1.5f };
  EXPECT_EQ(refusal(request), "The Trend Map has the value 1.5; a wanted fraction is in [0, 1]");
  map.values = { 0.5f };
  EXPECT_EQ(refusal(request), "accepted");
  request.known.emplace();
  EXPECT_EQ(refusal(request),
    "Known Data is set: Fraction Mode must be Off and Trend Map empty, since what is known "
    "decides");
  request.fraction.fractionMode = FractionMode::Off;
  request.trend.reset();
  EXPECT_EQ(refusal(request), "Known Data has no mask that is not 0 where values are known");
}
