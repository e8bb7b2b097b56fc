// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
//
// Verdicts on models of which it is known how well they draw.
#include "Rock.h"
#include "Torch/Calibration/Judge.h"
#include "Torch/Data/TrainingData.h"
#include "Torch/Data/TrainingSet.h"
#include "Training.h"
#include "Volumes.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <random>

using namespace vae;

namespace
{

constexpr int Side = 96;

/// A value at a place of a realization.
using Drawing = std::function<double(const Dims& at, std::int64_t realization)>;

/// Draws what it is told, and rebuilds what it is given.
class Pretended : public Model
{
public:
  Pretended(ModelInfo info, Drawing drawing) : About(std::move(info)), Draw(std::move(drawing)) {}

  const ModelInfo& info() const override { return this->About; }
  void save(const std::string&, const std::function<void()>&) const override {}
  Latent encode(const Volume&, const RunOptions&, const Monitor&) const override { return {}; }
  void decode(const Latent&, const Dims&, int, const Outputs&, const RunOptions&,
    const Monitor&) const override
  {
  }
  void reconstruct(const Volume& volume, const ReconstructOptions&,
    const ReconstructOutputs& outputs, const RunOptions&, const Monitor& monitor) const override
  {
    monitor.report(0.5);
    Volume all = volume;
    const std::vector<std::uint8_t> known(static_cast<std::size_t>(voxels(volume.dims)), 1);
    all.mask.data = known.data();
    all.mask.type = ScalarType::UInt8;
    overwrite(all, outputs.values);
  }
  LatentSample sample(const SampleRequest&, const RunOptions&, const Monitor&) const override
  {
    return {};
  }
  void sampleAndDecode(const SampleRequest& request, const Outputs& outputs, const RunOptions&,
    const Monitor& monitor) const override
  {
    monitor.report(0.5);
    ++this->Drawn;
    dispatch(outputs.values[0].type, [&](auto t)
    {
      auto* to = static_cast<decltype(t)*>(outputs.values[0].data);
      const Dims& d = request.dims;
      for (std::int64_t i = 0; i < voxels(d); ++i)
      {
        const Dims at{ i % d[0], i / d[0] % d[1], i / d[0] / d[1] };
        to[i] = toScalar<decltype(t)>(this->Draw(at, request.options.realization));
      }
    });
  }
  std::vector<LatentStatistics> latentStatistics() const override { return {}; }
  int decodeHalo() const override { return 2; }
  int margin(const std::array<bool, 3>&) const override { return 2; }
  std::string memoryPlan(const Dims&, const RunOptions&) const override { return {}; }
  bool hasTrainingState() const override { return false; }
  bool hasAnomalyScale() const override { return false; }
  Prior bestPrior() const override { return Prior::RandomField; }

  mutable int Drawn = 0;

private:
  ModelInfo About;
  Drawing Draw;
};

rock::Voxels rockOf(std::uint64_t seed)
{
  return rock::cementedGrains({ .size = Side, .porosity = 0.3, .radius = 5, .seed = seed });
}

/// Of a volume of one channel.
ModelInfo infoOf(const Volume& v, std::vector<double> phases, std::vector<double> fractions)
{
  ModelInfo info;
  info.network.dimensions = v.dims[2] > 1 ? 3 : 2;
  info.trainingDims = v.dims;
  ChannelInfo c;
  c.array = "v";
  c.type = v.channels[0].type;
  c.phases = std::move(phases);
  c.fractions = std::move(fractions);
  c.maximum = 255;
  c.mean = 127;
  info.channels = { c };
  info.likelihood = c.phases.empty() ? Likelihood::Gaussian : Likelihood::Bernoulli;
  return info;
}

/// From another corner of the rock, which is periodic, for each realization.
Drawing copiesOf(rock::Voxels voxels)
{
  return [voxels = std::move(voxels)](const Dims& at, std::int64_t n) -> double
  {
    const std::int64_t half = Side / 2, x = (at[0] + half * (n % 2)) % Side,
                       y = (at[1] + half * (n / 2 % 2)) % Side, z = (at[2] + half * (n / 4)) % Side;
    return voxels[static_cast<std::size_t>((z * Side + y) * Side + x)];
  };
}

struct Judged
{
  Verdict verdict;
  std::string told;
};

Judged judge(const Judge& bench, const Model& model, const Monitor& monitor = {},
  std::function<double()> left = {})
{
  Judged result;
  Closing closing(std::move(left), monitor, 1);
  RunOptions run;
  run.threads = 2;
  closing.measure(
    "the verdict", 1, [&](Closing::Turn& turn) { result.verdict = bench.judge(model, run, turn); });
  result.told = closing.told();
  return result;
}

/// A rock, and a judge of models of it.
struct Court
{
  Volume data = test::volume(rockOf(1), { Side, Side, Side });
  ModelInfo info = infoOf(data, { 0, 255 }, { 0.3, 0.7 });
  Judge bench{ info, data, 24 };
};

} // namespace

TEST(Judge, CopiesOfTheRockPass)
{
  const Court court;
  const Pretended model(court.info, copiesOf(rockOf(2)));
  const Verdict v = judge(court.bench, model).verdict;
  EXPECT_EQ(likenessOf(v), Likeness::Passes) << v.generated;
  EXPECT_LE(v.control, Verdict::Passes);
  EXPECT_LE(v.rebuilt, 1); // they are the blocks themselves
  EXPECT_TRUE(v.heldOut);
  EXPECT_EQ(v.block, (Dims{ 24, 24, 24 }));
  EXPECT_EQ(v.realBlocks, 16);
  EXPECT_EQ(v.blocks, 32);
  EXPECT_EQ(v.prior, Prior::RandomField);
  // The same again.
  const Verdict again = judge(court.bench, model).verdict;
  EXPECT_EQ(again.generated, v.generated);
  EXPECT_EQ(again.rebuilt, v.rebuilt);
  EXPECT_EQ(again.control, v.control);
}

TEST(Judge, WhatIsNoRockIsToldAtAGlance)
{
  const Court court;
  std::mt19937_64 random(1);
  const Pretended noise(
    court.info, [&](const Dims&, std::int64_t) { return random() % 10 < 3 ? 0 : 255; }),
    nothing(court.info, [](const Dims&, std::int64_t) { return 255; }),
    layers(court.info, [](const Dims& at, std::int64_t) { return at[0] % 10 < 3 ? 0 : 255; });
  for (const Pretended* model : { &noise, &nothing, &layers })
  {
    const Verdict v = judge(court.bench, *model).verdict;
    EXPECT_EQ(likenessOf(v), Likeness::Apart) << v.generated;
  }
}

TEST(Judge, OfSeveralPhasesGreyValuesAndImages)
{
  const rock::Voxels one = rockOf(1), two = rockOf(2);
  // The rock, and a third phase: grains of the left and of the right half.
  const auto third = [](double v, std::int64_t x) { return v == 0 ? 0. : x % 16 < 8 ? 1. : 2.; };
  std::vector<std::uint8_t> labels;
  std::vector<float> grey;
  for (std::size_t i = 0; i < one.size(); ++i)
  {
    labels.push_back(static_cast<std::uint8_t>(third(one[i], static_cast<std::int64_t>(i % Side))));
    grey.push_back(one[i]);
  }
  const std::vector<std::uint8_t> slice(one.begin(), one.begin() + Side * Side);
  const Volume phases = test::volume(labels, { Side, Side, Side }),
               values = test::volume(grey, { Side, Side, Side }),
               image = test::volume(slice, { Side, Side, 1 });
  ModelInfo ofPhases = infoOf(phases, { 0, 1, 2 }, { 0.3, 0.35, 0.35 });
  ofPhases.likelihood = Likelihood::Categorical;
  const Drawing rock = copiesOf(two);
  struct Case
  {
    const char* name;
    const Volume& data;
    ModelInfo info;
    Drawing draw;
  };
  for (const Case& c :
    { Case{ "phases", phases, ofPhases,
        [&](const Dims& at, std::int64_t n) { return third(rock(at, n), at[0]); } },
      Case{ "grey values", values, infoOf(values, {}, {}), rock },
      Case{ "an image", image, infoOf(image, { 0, 255 }, { 0.3, 0.7 }),
        [&](const Dims& at, std::int64_t n) { return rock({ at[0], at[1], 6 * (n % 8) }, 0); } } })
  {
    const Judge bench(c.info, c.data, 0);
    ASSERT_EQ(bench.unfit(), "") << c.name;
    const Verdict v = judge(bench, Pretended(c.info, c.draw)).verdict,
                  bad = judge(bench,
                    Pretended(c.info, [](const Dims&, std::int64_t)
    { return 0; })).verdict;
    EXPECT_EQ(likenessOf(v), Likeness::Passes) << c.name << ": " << v.generated;
    EXPECT_EQ(likenessOf(bad), Likeness::Apart) << c.name << ": " << bad.generated;
    EXPECT_FALSE(v.heldOut);
    EXPECT_TRUE(std::isnan(v.control));
  }
}

TEST(Judge, SaysWhyItCannot)
{
  Court court;
  const Volume small = test::rockVolume(32);
  EXPECT_EQ(Judge(infoOf(small, { 0, 255 }, { 0.3, 0.7 }), small, 8).unfit(),
    "the training volume has room for 8 blocks of 16 voxels along each axis, and 16 are needed");
  court.info.network.architecture = Architecture::Dense;
  EXPECT_EQ(
    Judge(court.info, court.data, 0).unfit(), "only volumes of the network Field are judged");
}

TEST(TrainingSet, KnowsWhatOfAMaskedVolumeIsHeldOut)
{
  TrainOptions o = test::quick(1);
  o.patchSize = 8;
  completeOptions(o);
  const auto heldOut = [&](std::size_t from, std::size_t to)
  {
    constexpr std::size_t side = 64, layer = side * side;
    std::vector<std::uint8_t> inside(side * layer, 0);
    std::fill(inside.begin() + static_cast<std::ptrdiff_t>(from * layer),
      inside.begin() + static_cast<std::ptrdiff_t>(to * layer), 1);
    Volume v = test::rockVolume(side);
    v.mask = test::volume(inside, v.dims).channels[0];
    const auto data = std::make_shared<const DataSet>(std::vector<Volume>{ v });
    return TrainingSet(data, describeTraining(*data, o)).measuredHeldOut();
  };
  EXPECT_EQ(heldOut(0, 64), 8); // a cell, since a tenth is less
  EXPECT_EQ(heldOut(16, 64), 8);
  EXPECT_EQ(heldOut(0, 56), 0);
  EXPECT_EQ(heldOut(0, 48), 0);
}

TEST(Judge, GivesUpByItself)
{
  const Court court;
  const Pretended model(court.info, copiesOf(rockOf(2)));
  double time = 0;
  const Judged late = judge(court.bench, model, {}, [&] { return 10 - (time += 1); });
  EXPECT_FALSE(late.verdict.judged());
  EXPECT_EQ(late.told, "The verdict was not measured: the time budget was too short.");
  // Time for one volume, which each takes most of.
  time = 0;
  const Pretended slow(court.info, [&, draw = copiesOf(rockOf(2))](const Dims& at, std::int64_t n)
  {
    time += at == Dims{ 0, 0, 0 } ? 70 : 0;
    return draw(at, n);
  });
  const Judged few = judge(court.bench, slow, {}, [&] { return 100 - time; });
  EXPECT_EQ(slow.Drawn, 1);
  EXPECT_EQ(few.verdict.blocks, 8);
  EXPECT_TRUE(few.verdict.judged());
  EXPECT_EQ(few.told, "The verdict was measured less exactly: the time budget was too short.");
  std::stop_source source;
  source.request_stop();
  Monitor stopped;
  stopped.stop = source.get_token();
  EXPECT_EQ(judge(court.bench, model, stopped).told,
    "The verdict was not measured: the training was stopped.");
  const Pretended hungry(
    court.info, [](const Dims&, std::int64_t) -> double { throw std::bad_alloc(); });
  EXPECT_EQ(
    judge(court.bench, hungry).told, "The verdict was not measured: there was not enough memory.");
}
