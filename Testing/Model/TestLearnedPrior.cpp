// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "OlderState.h"
#include "Torch/Inference/TorchModel.h"
#include "Torch/Priors/LearnedPrior.h"
#include "Torch/Training/PriorTrainer.h"
#include "Torch/Training/TorchTrainer.h"
#include "Training.h"
#include "Volumes.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <numeric>

using namespace vae;

namespace
{

at::Generator generator(std::uint64_t seed)
{
  return at::make_generator<at::CPUGeneratorImpl>(seed);
}

ComputeDevice onDevice() { return chooseDevice(test::device(), Precision::Float32, 2); }

/// A prior with random weights, the residual branches included.
std::shared_ptr<LearnedPrior> randomPrior(int dimensions)
{
  const c10::NoGradGuard guard;
  auto prior = std::make_shared<LearnedPrior>(dimensions, 3, 8);
  for (at::Tensor& p : prior->Net->parameters())
  {
    p.uniform_(-0.1, 0.1, generator(3));
  }
  prior->Mean = at::tensor({ 1.f, 2.f, 3.f });
  prior->Scale = at::tensor({ 1.f, 0.5f, 2.f });
  prior->ConditioningMean = prior->LocalMean =
    LatentField::fit(at::rand({ 1, 12, 12, 12 }, generator(4)));
  return prior;
}

TrainOptions small()
{
  TrainOptions o = test::quick(2);
  o.stepsPerEpoch = 4;
  o.priorShare = 0.5;
  o.network.width = 8;
  o.network.latentChannels = 3;
  o.patchSize = 32;
  o.batchSize = 2;
  return o;
}

/// The same with latent cells of 4 voxels: a rock of an eighth of the voxels has as many.
TrainOptions brief()
{
  TrainOptions o = small();
  o.network.latentStride = 4;
  o.patchSize = 16;
  return o;
}

Volume smallRock(int size = 36) { return test::rockVolume(size, 1, 7); }

/// A slice of a rock, for what does not ask for more: its prior is the quicker.
Volume slice()
{
  std::vector<std::uint8_t> voxels = rock::cementedGrains({ 96, 0.2, 7, 1 });
  voxels.resize(96 * 96);
  return test::volume(voxels, { 96, 96, 1 });
}

GenerateOptions learned()
{
  GenerateOptions o;
  o.prior = Prior::Learned;
  return o;
}

} // namespace

TEST(VelocityUNet, APeriodicFieldHasNoPlace)
{
  const c10::NoGradGuard guard;
  const auto prior = randomPrior(3);
  const at::Tensor x = at::randn({ 1, 3, 8, 6, 10 }, generator(1));
  const at::Tensor given = at::randn({ 1, 5, 8, 6, 10 }, generator(2));
  const at::Tensor time = at::full({ 1 }, 0.3);
  const Wrapped all{ true, true, true };
  const at::Tensor y = prior->Net->forward(x, given, time, all);
  // Two cells further: the coarse level has cells of two.
  const auto rolled = [](const at::Tensor& t) { return t.roll({ 2, -2, 4 }, { 2, 3, 4 }); };
  EXPECT_LT((prior->Net->forward(rolled(x), rolled(given), time, all) - rolled(y))
              .abs()
              .max()
              .item<double>(),
    1e-5);
  // With borders it has.
  EXPECT_GT((prior->Net->forward(rolled(x), rolled(given), time, {}) - rolled(y))
              .abs()
              .max()
              .item<double>(),
    1e-3);
}

TEST(PriorTrainer, ATrendFollowsItsPatch)
{
  // A field that is linear in place, at the cells, and the same in the voxels of a volume.
  const Dims dims{ 80, 72, 64 };
  const auto at = [](double x, double y, double z) { return x + 3 * y - 2 * z; };
  std::vector<float> values;
  for (std::int64_t i = 0; i < voxels(dims); ++i)
  {
    values.push_back(static_cast<float>(at(static_cast<double>(i % 80),
      static_cast<double>(i / 80 % 72), static_cast<double>(i / 5760))));
  }
  const Volume v = test::volume(values, dims);
  TrainOptions o = small();
  const Frame frame(dims, v.spacing, o.network);
  const std::vector<ChannelInfo> channels{ ChannelInfo() };
  const at::Tensor field = cellMeans(v, frame, channels, [](const at::Tensor& x) { return x; });
  ModelInfo info;
  info.network = o.network;
  info.channels = channels;
  info.augmentation = { true, false, { 0, 0, 0 } };
  const PatchSampler patches({ v }, info, o);
  std::mt19937_64 random(1);
  for (int i = 0; i < 20; ++i)
  {
    const Patch patch = patches.draw(random);
    const at::Tensor expected = cellMeans(patches.read({ patch }), frame)[0];
    const at::Tensor found = atPatch(field, patch, frame);
    ASSERT_EQ(found.sizes(), expected.sizes());
    // Within half a cell of the volume's border it is constant.
    EXPECT_LT((found - expected).abs().max().item<double>(), 0.5 * 8 * 6 + 1e-3);
    const auto inner = [](const at::Tensor& t)
    { return t.slice(1, 1, -1).slice(2, 1, -1).slice(3, 1, -1); };
    EXPECT_LT((inner(found) - inner(expected)).abs().max().item<double>(), 1e-3);
  }
}

TEST(LearnedPrior, SmoothingKeepsMeansAndKnowsBorders)
{
  const at::Tensor ones = at::ones({ 1, 9, 10, 11 });
  EXPECT_LT((LearnedPrior::smooth(ones) - 1).abs().max().item<double>(), 1e-6);
  const at::Tensor field = at::rand({ 1, 12, 12, 12 }, generator(1));
  const at::Tensor round = LearnedPrior::smooth(field, { true, true, true });
  EXPECT_NEAR(round.mean().item<double>(), field.mean().item<double>(), 1e-6);
  EXPECT_LT((LearnedPrior::smooth(field.roll({ 5 }, { 3 }), { true, true, true }) -
              round.roll({ 5 }, { 3 }))
              .abs()
              .max()
              .item<double>(),
    1e-6);
  // A Gaussian of 2.5 cells: white noise keeps 1 / (2 sqrt(pi) 2.5) of its variance along an axis.
  const at::Tensor wide = at::randn({ 1, 40, 40, 40 }, generator(2));
  EXPECT_NEAR(LearnedPrior::smooth(wide, { true, true, true }).var().item<double>(),
    std::pow(1 / (2 * std::sqrt(std::numbers::pi) * 2.5), 3), 3e-4);
}

TEST(LearnedPrior, SamplesAreFixedBySeedAndGoThroughTensors)
{
  for (const int dimensions : { 2, 3 })
  {
    const auto prior = randomPrior(dimensions);
    if (dimensions == 2)
    {
      prior->ConditioningMean = prior->LocalMean =
        LatentField::fit(at::rand({ 1, 1, 12, 12 }, generator(4)));
    }
    FieldRequest request;
    request.size = { dimensions == 2 ? 1 : 5, 7, 6 }; // odd sizes too
    const at::Tensor a = prior->sample(request, generator(1), onDevice(), {});
    ASSERT_EQ(a.sizes().vec(), (std::vector<std::int64_t>{ 3, request.size[0], 7, 6 }));
    EXPECT_TRUE(a.isfinite().all().item<bool>());
    EXPECT_TRUE(at::equal(a, prior->sample(request, generator(1), onDevice(), {})));
    EXPECT_FALSE(at::equal(a, prior->sample(request, generator(2), onDevice(), {})));
    State state = prior->state();
    const auto back = LearnedPrior::fromState(TensorReader(state), dimensions, 3);
    EXPECT_TRUE(at::equal(a, back->sample(request, generator(1), onDevice(), {})));
    // Other latents for another local mean.
    request.trend = at::full({ 1, request.size[0], 7, 6 }, 0.9);
    EXPECT_FALSE(at::equal(a, prior->sample(request, generator(1), onDevice(), {})));
    EXPECT_EQ(back->state().size(), state.size()) << "nothing is stored that is not read";
    const auto width = state.at("network.in.bias").size(0);
    state.erase("network.down.weight");
    EXPECT_THROW(LearnedPrior::fromState(TensorReader(state), dimensions, 3), std::runtime_error);
    double count = 0;
    for (const at::Tensor& p : prior->Net->parameters())
    {
      count += static_cast<double>(p.numel());
    }
    EXPECT_EQ(VelocityUNet::parametersOf(dimensions, 3, width), count);
  }
}

TEST(LearnedPrior, TellsTheNetworkAnotherLocalMeanThanTheVolumesOwn)
{
  const auto prior = randomPrior(3);
  FieldRequest request;
  request.size = { 6, 8, 6 };
  at::Tensor local, same;
  const at::Tensor a = prior->sample(request, generator(1), onDevice(), {}, &local);
  prior->ConditioningMean = LatentField::fit(at::rand({ 1, 12, 12, 12 }, generator(5)).pow(3));
  const at::Tensor b = prior->sample(request, generator(1), onDevice(), {}, &same);
  EXPECT_TRUE(at::equal(local, same));
  EXPECT_FALSE(at::equal(a, b));
  request.corrected = false; // told the volume's own
  EXPECT_TRUE(at::equal(a, prior->sample(request, generator(1), onDevice(), {})));
  request.corrected = true;
  const State state = prior->state();
  EXPECT_TRUE(at::equal(b,
    LearnedPrior::fromState(TensorReader(state), 3, 3)
      ->sample(request, generator(1), onDevice(), {})));
}

TEST(LearnedPrior, StopsBetweenSteps)
{
  std::stop_source source;
  Monitor monitor;
  monitor.stop = source.get_token();
  double last = 0;
  monitor.progress = [&](double p)
  {
    last = p;
    if (p > 0.3)
    {
      source.request_stop();
    }
  };
  FieldRequest request;
  request.size = { 4, 4, 4 };
  EXPECT_THROW(randomPrior(3)->sample(request, generator(1), onDevice(), monitor), Stopped);
  EXPECT_LT(last, 0.5);
}

// Unless it is asked for: then they come in mirrored pairs, and the mean of ten is that of many.
TEST(LearnedPrior, RealizationsAreIndependent)
{
  ModelInfo info;
  info.network.latentChannels = 3;
  info.network.latentStride = 4;
  info.likelihood = Likelihood::Bernoulli;
  ChannelInfo channel;
  channel.array = "rock";
  channel.phases = { 0, 1 };
  channel.fractions = { 0.5, 0.5 };
  info.channels = { channel };
  Calibration calibration;
  calibration.learned = randomPrior(3);
  const TorchModel model(info, nullptr, calibration);
  SampleRequest request;
  request.dims = { 16, 16, 16 };
  request.options.prior = Prior::Learned;
  RunOptions run;
  run.device = test::device();
  run.threads = 1;
  constexpr int tens = 6;
  const auto fractions = [&](bool together)
  {
    request.options.reduceVariance = together;
    std::vector<double> values;
    for (int i = 0; i < 10 * tens; ++i)
    {
      request.options.realization = i;
      values.push_back(model.draw(request, run, {}).fractions.at(0));
    }
    return values;
  };
  /// Correlation of the first of each pair with the second, and the variance of means of ten, in
  /// units of what it is for independent values.
  const auto judge = [](const std::vector<double>& v)
  {
    double mean = 0, squares = 0, products = 0, ofTens = 0;
    for (const double x : v)
    {
      mean += x / static_cast<double>(v.size());
    }
    for (std::size_t i = 0; i < v.size(); ++i)
    {
      squares += (v[i] - mean) * (v[i] - mean);
      products += i % 2 ? (v[i] - mean) * (v[i - 1] - mean) : 0;
    }
    for (std::size_t i = 0; i < v.size(); i += 10)
    {
      double ten = 0;
      for (std::size_t k = i; k < i + 10; ++k)
      {
        ten += (v[k] - mean) / 10;
      }
      ofTens += ten * ten / tens;
    }
    return std::pair(2 * products / squares, ofTens * 10 * static_cast<double>(v.size()) / squares);
  };
  const auto [alone, scatter] = judge(fractions(false));
  EXPECT_LT(std::abs(alone), 3 / std::sqrt(5. * tens)); // three standard errors
  EXPECT_GT(scatter, 0.1);
  const auto [together, less] = judge(fractions(true));
  EXPECT_LT(together, -0.9);
  EXPECT_LT(less, 1e-4);
}

TEST(LearnedPrior, APeriodicSampleGoesOnBeyondItsEnd)
{
  const auto prior = randomPrior(3);
  FieldRequest request;
  request.size = { 8, 6, 8 };
  request.periodic = { true, true, true };
  EXPECT_TRUE(prior->sample(request, generator(1), onDevice(), {}).isfinite().all().item<bool>());
  request.size = { 8, 7, 8 };
  try
  {
    prior->sample(request, generator(1), onDevice(), {});
    FAIL() << "an odd number of periodic cells was accepted";
  }
  catch (const std::invalid_argument& e)
  {
    EXPECT_NE(std::string(e.what()).find("it has 7"), std::string::npos) << e.what();
  }
}

TEST(LatentField, PeriodicSamplesMeetTheirOtherEnd)
{
  // Smoothed noise: neighbours are alike, across the seam as inside.
  const at::Tensor noise = at::randn({ 1, 34, 34, 34 }, generator(1));
  const at::Tensor data = at::avg_pool3d(noise.unsqueeze(0), 3, 1)[0];
  const LatentField field = LatentField::fit(data);
  const at::Tensor drawn = field.sample({ 30, 24, 26 }, generator(2), 1, { true, true, false });
  const auto gap = [&](int axis, bool seam)
  {
    const at::Tensor next = drawn.roll({ -1 }, { axis }), d = (next - drawn).abs();
    const std::int64_t n = drawn.size(axis);
    return (seam ? d.narrow(axis, n - 1, 1) : d.narrow(axis, 0, n - 1)).mean().item<double>();
  };
  EXPECT_NEAR(gap(1, true) / gap(1, false), 1, 0.12);
  EXPECT_NEAR(gap(2, true) / gap(2, false), 1, 0.12);
  EXPECT_GT(gap(3, true) / gap(3, false), 1.5); // not periodic
}

TEST(PriorTraining, IsTheDefaultWhereItHasLearnedMoreThanTheMean)
{
  const auto best = [](std::int64_t steps, double spread)
  {
    ModelInfo info;
    info.priorSteps = steps;
    info.priorSpread = spread;
    Calibration calibration;
    calibration.learned = std::make_shared<LearnedPrior>(3, 2, 16);
    return TorchModel(info, nullptr, calibration).bestPrior();
  };
  EXPECT_EQ(best(300, 0.7), Prior::Learned);
  EXPECT_EQ(best(300, 0.1), Prior::Normal); // there is no random field
  EXPECT_EQ(best(100, 0.7), Prior::Normal);
}

TEST(PriorTraining, ComesAfterTheNetworkAndIsInTheFile)
{
  const Volume v = smallRock();
  TorchTrainer trainer({ v }, brief());
  StepRecord record;
  int network = 0, prior = 0;
  double last = 0;
  do
  {
    record = trainer.step();
    (record.prior ? prior : network) += 1;
    EXPECT_GE(record.progress, last);
    last = record.progress;
  } while (!record.finished);
  EXPECT_EQ(network, 8);
  EXPECT_EQ(prior, 8);
  const auto& history = trainer.info().history;
  ASSERT_EQ(history.size(), 4u);
  EXPECT_TRUE(std::isnan(history[1].priorLoss));
  EXPECT_GT(history[2].priorLoss, 0.9); // noise has unit variance, data up to that
  EXPECT_LT(history[2].priorLoss, 2.2);
  EXPECT_EQ(history[3].validationLoss, history[1].validationLoss);
  const auto model = test::throughAFile(trainer, false);
  EXPECT_EQ(model->info().priorSteps, 8);
  EXPECT_EQ(model->bestPrior(), Prior::RandomField); // eight steps are not enough
  EXPECT_GT(model->info().priorSpread, 0);
  EXPECT_LT(model->info().priorSpread, 0.95); // measured
  const Latent a = model->sample({ { 20, 24, 28 }, 1, learned() }).latent;
  EXPECT_EQ(a.dims, (Dims{ 7, 8, 9 }));
  const auto straight = trainer.model({}, {});
  EXPECT_EQ(a.mean, straight->sample({ { 20, 24, 28 }, 1, learned() }).latent.mean);

  GenerateOptions periodic = learned();
  periodic.periodic = { true, false, false };
  const Latent p = model->sample({ { 24, 20, 20 }, 1, periodic }).latent;
  ASSERT_EQ(p.dims, (Dims{ 8, 7, 7 }));
  for (std::size_t row = 0; row < p.mean.size(); row += 8) // the margin is the other end
  {
    EXPECT_EQ(p.mean[row], p.mean[row + 6]);
    EXPECT_EQ(p.mean[row + 1], p.mean[row + 7]);
  }
  EXPECT_THROW(model->sample({ { 22, 20, 20 }, 1, periodic }), std::invalid_argument);
}

TEST(PriorTraining, SamplesHaveTheDatasFractions)
{
  // Also of a flow that has learned nothing yet.
  const Volume v = slice();
  TorchTrainer trainer({ v }, brief());
  while (!trainer.step().finished)
  {
  }
  const auto model = test::throughAFile(trainer, false);
  const Dims dims{ 96, 96, 1 };
  std::vector<float> probability(static_cast<std::size_t>(voxels(dims)));
  Outputs outputs;
  OutputChannel& to = outputs.probability.emplace_back();
  to.data = probability.data();
  to.type = ScalarType::Float32;
  GenerateOptions options = learned();
  options.reduceVariance = true;
  double sum = 0, uncorrected = 0;
  constexpr int realizations = 10; // a group
  for (; options.realization < realizations; ++options.realization)
  {
    const auto mean = [&](const Latent& latent, const std::vector<double>& thresholds)
    {
      outputs.thresholds = thresholds;
      model->decode(latent, dims, model->decodeHalo(), outputs, {}, {});
      return std::accumulate(probability.begin(), probability.end(), 0.) /
        static_cast<double>(probability.size());
    };
    const LatentSample drawn = model->sample({ dims, model->decodeHalo(), options });
    sum += mean(drawn.latent, drawn.thresholds);
    uncorrected += mean(drawn.latent, {});
    GenerateOptions off = options;
    off.correctFraction = false;
    const LatentSample uncut = model->sample({ dims, model->decodeHalo(), off });
    EXPECT_EQ(uncut.latent.mean, drawn.latent.mean);
    EXPECT_TRUE(uncut.thresholds.empty());
  }
  const double wanted = model->info().channels[0].fractions.back();
  EXPECT_NEAR(sum / realizations, wanted, 0.002);
  EXPECT_GT(std::abs(uncorrected / realizations - wanted), 0.03); // so there was something to do
}

TEST(PriorTraining, EachArrayHasItsOwnFraction)
{
  // Two arrays of two phases, in slices of rocks: half pores, and nearly a fifth.
  const Dims dims{ 96, 96, 1 };
  const auto cut = [&](double porosity, std::uint64_t seed)
  {
    std::vector<std::uint8_t> voxels = rock::cementedGrains({ 96, porosity, 7, seed });
    voxels.resize(96 * 96);
    return test::volume(voxels, dims);
  };
  Volume v = cut(0.5, 1);
  v.channels.push_back(cut(0.2, 2).channels[0]);
  v.channels[1].array = "w";
  TorchTrainer trainer({ v }, brief());
  while (!trainer.step().finished)
  {
  }
  const auto model = test::throughAFile(trainer, false); // thresholds go through the file
  const std::vector<ChannelInfo>& channels = model->info().channels;
  ASSERT_GT(std::abs(channels[0].fractions[0] - channels[1].fractions[0]), 0.2);
  for (const Prior prior : { Prior::RandomField, Prior::Learned })
  {
    GenerateOptions options;
    options.prior = prior;
    options.reduceVariance = true;
    std::array<std::vector<std::uint8_t>, 2> labels;
    std::array<std::vector<float>, 2> probability; // of the larger label
    Outputs outputs;
    for (std::size_t c = 0; c < 2; ++c)
    {
      labels[c].resize(static_cast<std::size_t>(voxels(dims)));
      probability[c].resize(labels[c].size());
      outputs.values.push_back(test::output(labels[c]));
      outputs.probability.push_back(test::output(probability[c]));
    }
    constexpr int realizations = 10; // a group, which has the data's local mean
    std::array<double, 2> found{};
    for (; options.realization < realizations; ++options.realization)
    {
      model->sampleAndDecode({ dims, model->margin(), options }, outputs);
      for (std::size_t c = 0; c < 2; ++c)
      {
        // The random field counts the likelier label, the learned prior draws.
        const auto n = static_cast<double>(labels[c].size());
        found[c] +=
          (prior == Prior::RandomField
              ? static_cast<double>(std::ranges::count(labels[c], 0)) / n
              : 1 - std::accumulate(probability[c].begin(), probability[c].end(), 0.) / n) /
          realizations;
      }
    }
    // Few looks have told the random field's thresholds; each learned field has its own.
    const double tolerance = prior == Prior::RandomField ? 0.1 : 0.005;
    for (std::size_t c = 0; c < 2; ++c)
    {
      EXPECT_NEAR(found[c], channels[c].fractions[0], tolerance) << name(prior) << ' ' << c;
    }
  }
}

TEST(PriorTraining, ResumesBitEqual)
{
  const Volume v = slice();
  const TrainOptions o = brief();
  TorchTrainer straight({ v }, o), first({ v }, o);
  while (!straight.step().finished)
  {
  }
  for (int i = 0; i < 10; ++i) // two steps into the prior
  {
    first.step();
  }
  const auto stopped = test::throughAFile(first, true);
  for (const auto& initial : { stopped, test::withOlderState(*stopped) })
  {
    TorchTrainer second({ v }, o, initial);
    while (!second.step().finished)
    {
    }
    EXPECT_EQ(
      straight.model(test::ofWeights(), {})->sample({ { 32, 32, 1 }, 0, learned() }).latent.mean,
      second.model(test::ofWeights(), {})->sample({ { 32, 32, 1 }, 0, learned() }).latent.mean);
    ASSERT_EQ(straight.info().history.size(), second.info().history.size());
    EXPECT_EQ(straight.info().history.back().priorLoss, second.info().history.back().priorLoss);
  }
}

TEST(PriorTraining, GoesBackToTheNetworkWhenTheLimitGrows)
{
  const Volume v = slice();
  TrainOptions o = brief();
  TorchTrainer first({ v }, o);
  for (int i = 0; i < 10; ++i)
  {
    first.step();
  }
  o.epochs = 3;
  TorchTrainer second({ v }, o, test::throughAFile(first, true));
  const StepRecord record = second.step();
  EXPECT_FALSE(record.prior);
  EXPECT_EQ(record.step, 9);
}

TEST(PriorTraining, SmallVolumesAndOtherNetworksHaveNone)
{
  const Volume v = smallRock(24);
  TorchTrainer trainer({ v }, brief());
  int steps = 1;
  while (!trainer.step().finished)
  {
    ++steps;
  }
  EXPECT_EQ(steps, 8);
  try
  {
    trainer.model(test::ofWeights(), {})->sample({ { 16, 16, 16 }, 0, learned() });
    FAIL() << "a prior that is not there was sampled";
  }
  catch (const std::invalid_argument& e)
  {
    EXPECT_NE(std::string(e.what()).find("this model holds none"), std::string::npos) << e.what();
  }
}

TEST(PriorTrainer, PartsAreKnownInSomeCrops)
{
  std::mt19937_64 random(1);
  const KnownParts parts = knownParts({ 1200, 12, 10, 8 }, random);
  const at::Tensor known = parts.mask;
  EXPECT_EQ(known.sum(at::kDouble).item<double>(), static_cast<double>(parts.cells));
  ASSERT_EQ(known.sizes().vec(), (std::vector<std::int64_t>{ 1200, 1, 12, 10, 8 }));
  EXPECT_TRUE(known.eq(0).logical_or(known.eq(1)).all().item<bool>());
  const at::Tensor part = known.flatten(1).mean(1);
  EXPECT_NEAR(part.eq(0).to(at::kFloat).mean().item<double>(), 7. / 8 + 1. / 16 / 27, 0.04);
  EXPECT_GT(part.gt(0.5).sum().item<std::int64_t>(), 30);                         // holes
  EXPECT_GT(part.gt(0).logical_and(part.lt(0.3)).sum().item<std::int64_t>(), 30); // boreholes
}

TEST(LearnedPrior, WhatIsKnownStaysAndTheRestSeesIt)
{
  const auto prior = randomPrior(3);
  FieldRequest request;
  request.size = { 6, 5, 8 };
  const at::Tensor free = prior->sample(request, generator(1), onDevice(), {});
  request.known = at::full({ 3, 6, 5, 8 }, 7.);
  request.where = at::zeros({ 6, 5, 8 }, at::kBool);
  request.where.narrow(2, 0, 3).fill_(true);
  const at::Tensor given = prior->sample(request, generator(1), onDevice(), {});
  EXPECT_LT((given.narrow(3, 0, 3) - 7).abs().max().item<double>(), 1e-5);
  EXPECT_FALSE(at::equal(given.narrow(3, 3, 5), free.narrow(3, 3, 5)));
  // What is not known must not matter.
  request.known.narrow(3, 3, 5).fill_(-50);
  EXPECT_TRUE(at::equal(given, prior->sample(request, generator(1), onDevice(), {})));
}
