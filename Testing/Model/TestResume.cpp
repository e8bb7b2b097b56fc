// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "OlderState.h"
#include "Plan.h"
#include "Torch/Data/TrainingData.h"
#include "Torch/Training/TorchTrainer.h"
#include "Training.h"
#include "Volumes.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cmath>

using namespace vae;

namespace
{

/// Weights of the best and the newest model, as a file would hold them.
std::vector<float> everything(const Trainer& trainer)
{
  std::vector<float> all;
  for (const bool best : { true, false })
  {
    const auto model = trainer.model(test::ofWeights(best));
    for (const at::Tensor& p :
      std::dynamic_pointer_cast<const TorchModel>(model)->network()->parameters())
    {
      const at::Tensor c = p.detach().contiguous();
      all.insert(all.end(), c.const_data_ptr<float>(), c.const_data_ptr<float>() + c.numel());
    }
  }
  return all;
}

void steps(Trainer& trainer, int count)
{
  for (int i = 0; i < count; ++i)
  {
    trainer.step();
  }
}

void expectBitEqualResume(const Volume& v, const TrainOptions& o, int stopAfter,
  const std::shared_ptr<const Model>& initial = nullptr)
{
  const int total = o.epochs * o.stepsPerEpoch;
  TorchTrainer straight({ v }, o, initial);
  steps(straight, total);

  TorchTrainer first({ v }, o, initial);
  steps(first, stopAfter);
  const auto stopped = test::throughAFile(first);
  EXPECT_EQ(stopped->info().ending, Ending::Stopped);
  TorchTrainer second({ v }, o, stopped);
  steps(second, total - stopAfter);

  EXPECT_EQ(everything(straight), everything(second));
  ASSERT_EQ(straight.info().history.size(), second.info().history.size());
  for (std::size_t i = 0; i < straight.info().history.size(); ++i)
  {
    EXPECT_EQ(straight.info().history[i].loss, second.info().history[i].loss) << "epoch " << i + 1;
    EXPECT_EQ(straight.info().history[i].validationLoss, second.info().history[i].validationLoss);
  }
  EXPECT_EQ(straight.info().bestEpoch, second.info().bestEpoch);
  EXPECT_EQ(straight.info().fingerprint, second.info().fingerprint);
  EXPECT_EQ(straight.info().lineage.parent, second.info().lineage.parent);
  EXPECT_EQ(second.info().lineage.kind, Beginning::Resumed);
  EXPECT_EQ(second.info().ending, Ending::Budget);
}

TrainingStart startOf(const Volume& v, const TrainOptions& o,
  const std::shared_ptr<const Model>& initial = nullptr, bool again = false)
{
  TrainOptions complete = o;
  completeOptions(complete);
  return { std::make_shared<const DataSet>(std::vector{ v }), complete, initial, again };
}

} // namespace

TEST(Resume, IsBitEqualToNeverHavingStopped)
{
  expectBitEqualResume(test::rockVolume(32), test::quick(6), 23); // in the middle of an epoch
}

TEST(Resume, IsBitEqualForGreyData)
{
  std::vector<float> values;
  for (int i = 0; i < 32 * 32 * 32; ++i)
  {
    values.push_back(static_cast<float>(std::sin(0.37 * (i % 32)) + 0.01 * (i % 7)));
  }
  expectBitEqualResume(
    test::volume(values, { 32, 32, 32 }), test::quick(4), 20); // between two epochs
}

TEST(Resume, IsBitEqualFromTheStateOfAnOlderVersion)
{
  const Volume v = test::rockVolume(32);
  const TrainOptions o = test::quick(3);
  TorchTrainer straight({ v }, o), first({ v }, o);
  steps(first, 14); // in the middle of an epoch
  steps(straight, 30);
  TorchTrainer second({ v }, o, test::withOlderState(*test::throughAFile(first)));
  steps(second, 16);
  EXPECT_EQ(everything(straight), everything(second));
  EXPECT_EQ(straight.info().history.back().loss, second.info().history.back().loss);
  EXPECT_EQ(straight.info().history[1].loss, second.info().history[1].loss);
}

TEST(Resume, SaysWhatIsWrongWithAState)
{
  const Volume v = test::rockVolume(32);
  const TrainOptions o = test::quick(3);
  TorchTrainer first({ v }, o);
  steps(first, 14);
  const auto stopped = test::throughAFile(first);
  const auto refusal = [&](const auto& change)
  {
    auto state = std::make_shared<TrainingState>(*stopped->trainingState());
    auto json = nlohmann::json::parse(state->json);
    change(json, state->tensors);
    state->json = json.dump();
    try
    {
      TorchTrainer({ v }, o,
        std::make_shared<const TorchModel>(
          stopped->info(), stopped->network(), stopped->calibration(), state));
      return std::string("accepted");
    }
    catch (const std::invalid_argument& e)
    {
      return std::string(e.what());
    }
  };
  const std::string sentence = "Cannot resume from Initial Model: in its training state ";
  EXPECT_EQ(refusal([](auto&, auto&) {}), "accepted");
  EXPECT_EQ(
    refusal([](auto& json, auto&) { json.erase("clock"); }), sentence + "\"clock\" is missing");
  EXPECT_EQ(
    refusal([](auto& json, auto&) { json["network"]["step"] = -1; }), sentence + "step is -1");
  EXPECT_EQ(refusal([](auto&, auto& tensors) { tensors.erase("network.weights.0"); }),
    sentence + "tensor \"network.weights.0\" is missing");
  EXPECT_EQ(refusal([](auto&, auto& tensors) { tensors["network.random"] = at::zeros({ 3 }); }),
    sentence + "tensor \"network.random\" is of type F32, not U8");
  EXPECT_EQ(
    refusal([](auto&, auto& tensors) { tensors["network.random"] = at::zeros({ 3 }, at::kByte); }),
    sentence + "the state of a random generator is none");
}

TEST(Resume, GoesOnBeyondAnotherLimit)
{
  const Volume v = test::rockVolume(32);
  TorchTrainer first({ v }, test::quick(2));
  steps(first, 20);
  TorchTrainer longer({ v }, test::quick(3), test::throughAFile(first));
  EXPECT_EQ(longer.info().history.size(), 2u);
  EXPECT_EQ(longer.step().step, 21);
  // A nearer limit has been reached already.
  TorchTrainer shorter({ v }, test::quick(1), test::throughAFile(first));
  EXPECT_EQ(shorter.info().ending, Ending::Budget);
}

TEST(Resume, AnotherVolumeIsAFineTuning)
{
  TorchTrainer first({ test::rockVolume(32) }, test::quick(3));
  steps(first, 30);
  const auto model = test::throughAFile(first);
  const Volume other = test::rockVolume(32, 5);
  TorchTrainer tuned({ other }, test::quick(3), model), fresh({ other }, test::quick(3));
  EXPECT_NE(tuned.info().fingerprint, fresh.info().fingerprint);
  EXPECT_TRUE(tuned.info().history.empty()); // a training of its own, from the other's weights
  EXPECT_EQ(tuned.model(test::ofWeights(false), {})->encode(other, {}).mean,
    model->encode(other, {}, {}).mean);
  EXPECT_EQ(tuned.step().step, 1);
  // Only with a network of the same shape.
  TrainOptions wider = test::quick(1);
  wider.network.width = 32;
  try
  {
    TorchTrainer refused({ other }, wider, model);
    FAIL();
  }
  catch (const std::invalid_argument& e)
  {
    EXPECT_STREQ(e.what(),
      "Initial Model has Width 16, this training 32; to start from a model they must be equal");
  }
}

TEST(Resume, OfAFineTuningIsBitEqualToNeverHavingStopped)
{
  TorchTrainer first({ test::rockVolume(32) }, test::quick(2));
  steps(first, 10);
  expectBitEqualResume(test::rockVolume(32, 5), test::quick(3), 17, test::throughAFile(first));
}

TEST(Lineage, IsFreshResumedOrFineTunedAndInTheFile)
{
  const Volume v = test::rockVolume(32), other = test::rockVolume(32, 5);
  TrainOptions o = test::quick(2);
  o.priorShare = 0;
  TorchTrainer fresh({ v }, o);
  steps(fresh, 7);
  const auto stopped = test::throughAFile(fresh);
  const Lineage& first = stopped->info().lineage;
  EXPECT_EQ(first.kind, Beginning::Fresh);
  EXPECT_EQ(first.data, DataSet({ v }).hash);
  EXPECT_NE(first.data, DataSet({ other }).hash);
  EXPECT_NE(first.options, "");
  EXPECT_EQ(first.parent, "");
  EXPECT_FALSE(startOf(v, o, stopped).over);
  EXPECT_EQ(startOf(v, o, stopped).fingerprint, stopped->info().fingerprint);

  // An option changed: from its weights, but a training of its own.
  TrainOptions faster = o;
  faster.learningRate = 3e-3;
  TorchTrainer tuned({ v }, faster, stopped);
  EXPECT_EQ(tuned.info().lineage.kind, Beginning::FineTuned);
  EXPECT_EQ(tuned.info().lineage.data, first.data);
  EXPECT_NE(tuned.info().lineage.options, first.options);
  EXPECT_EQ(tuned.info().lineage.parent.find(stopped->info().fingerprint), 0u);
  EXPECT_TRUE(tuned.info().history.empty());
  EXPECT_EQ(tuned.step().step, 1);

  // What has ended on the same data with the same options is the result.
  steps(fresh, 13);
  const auto ended = test::throughAFile(fresh, false);
  ASSERT_EQ(ended->info().ending, Ending::Budget);
  EXPECT_TRUE(startOf(v, o, ended).over);
  EXPECT_EQ(startOf(v, o, ended).fingerprint, ended->info().fingerprint);
  EXPECT_EQ(startOf(v, o, ended, true).lineage.kind, Beginning::FineTuned);
  EXPECT_NE(startOf(v, o, ended, true).fingerprint, ended->info().fingerprint);
  EXPECT_FALSE(startOf(v, faster, ended).over);
  EXPECT_FALSE(startOf(other, o, ended).over);
  // With a longer budget it goes on, if it has what it needs.
  TrainOptions longer = o;
  longer.epochs = 3;
  EXPECT_EQ(startOf(v, longer, ended).lineage.kind, Beginning::FineTuned);
  EXPECT_EQ(startOf(v, longer, test::throughAFile(fresh, true)).lineage.kind, Beginning::Resumed);
}

TEST(Ending, TheBestEpochOnTheHeldOutSlabIsKept)
{
  // Noise cannot be learnt, only learnt by heart: the held-out loss turns upwards.
  std::vector<std::uint8_t> noise(16 * 16 * 32);
  std::mt19937 random(1);
  for (auto& n : noise)
  {
    n = random() & 1;
  }
  TrainOptions o = test::quick(60);
  o.network.width = 32;
  o.network.latentChannels = 16;
  o.objective = "Autoencoder";
  o.symmetry = Symmetry::None;
  o.patchSize = 16;
  o.batchSize = 2;
  o.learningRate = 5e-3;
  TorchTrainer trainer({ test::volume(noise, { 16, 16, 32 }) }, o);
  steps(trainer, 600);
  const auto& history = trainer.info().history;
  const auto best = std::min_element(history.begin(), history.end(),
    [](const auto& a, const auto& b) { return a.validationLoss < b.validationLoss; });
  EXPECT_LT(best->epoch, 60);
  const auto model = trainer.model(test::ofWeights(), {});
  EXPECT_EQ(model->info().bestEpoch, best->epoch);
  EXPECT_EQ(trainer.model(test::ofWeights(false), {})->info().bestEpoch, 60);

  o.patience = 5;
  TorchTrainer patient({ test::volume(noise, { 16, 16, 32 }) }, o);
  StepRecord record;
  while (!(record = patient.step()).finished)
  {
  }
  EXPECT_EQ(patient.info().ending, Ending::Patience);
  EXPECT_EQ(record.epoch, patient.info().bestEpoch + 5);
  EXPECT_LT(record.epoch, 60);
  EXPECT_THROW(patient.step(), std::logic_error);
}

TEST(Ending, DivergenceIsRetriedAndKeepsTheLastGoodWeights)
{
  TrainOptions o = test::quick(50);
  o.learningRate = 1;
  o.gradientClip = 1e9;
  o.objective = "Autoencoder"; // nothing that could calm it
  const Volume v = test::rockVolume(32);
  // Not every start ends so: the first that does.
  std::unique_ptr<TorchTrainer> last;
  bool retried = false;
  for (; o.seed < 5 && (!last || last->info().ending != Ending::Diverged); ++o.seed)
  {
    last = std::make_unique<TorchTrainer>(std::vector<Volume>{ v }, o);
    retried = false;
    StepRecord record;
    do
    {
      record = last->step();
      retried = retried ||
        last->info().warning.find("continues with a Learning Rate of 0.5 that rises to 1 again.") !=
          std::string::npos;
    } while (!record.finished);
  }
  const TorchTrainer& trainer = *last;
  EXPECT_TRUE(retried) << trainer.info().warning;
  EXPECT_EQ(trainer.info().ending, Ending::Diverged);
  EXPECT_NE(
    trainer.info().warning.find("Choose a smaller Learning Rate than 1."), std::string::npos);
  const auto model = trainer.model(test::ofWeights(), {});
  for (const float f : model->encode(v, {}).mean)
  {
    ASSERT_TRUE(std::isfinite(f));
  }
}

TEST(Ending, ALearningRateThatADivergenceHalvedRisesAgain)
{
  TrainOptions o = test::quick(20);
  const Volume v = test::rockVolume(32);
  TorchTrainer first({ v }, o);
  steps(first, 4 * o.stepsPerEpoch);
  const auto stopped = test::throughAFile(first);
  const auto halved = std::make_shared<TrainingState>(*stopped->trainingState());
  const std::string whole = "\"rate_factor\":1.0,", key = whole.substr(0, whole.find('1'));
  const auto at = halved->json.find(whole);
  ASSERT_NE(at, std::string::npos) << halved->json.substr(halved->json.find(key), 20);
  halved->json.replace(at, whole.size(), key + "0.5,");

  TorchTrainer second({ v }, o,
    std::make_shared<const TorchModel>(
      stopped->info(), stopped->network(), stopped->calibration(), halved));
  steps(first, 16 * o.stepsPerEpoch);
  steps(second, 16 * o.stepsPerEpoch);
  const auto factor = [&](std::size_t epoch)
  {
    return second.info().history[epoch - 1].learningRate /
      first.info().history[epoch - 1].learningRate;
  };
  EXPECT_NEAR(factor(5), 0.5, 1e-9);
  EXPECT_NEAR(factor(7), 0.5 * 1.21, 1e-9);
  EXPECT_NEAR(factor(12), 0.5 * std::pow(1.1, 7), 1e-9);
  EXPECT_EQ(factor(13), 1);
  EXPECT_EQ(factor(20), 1);
}

TEST(Ending, ACollapsedPosteriorIsSaidWithItsCure)
{
  TrainOptions o = test::quick(30);
  o.objective = "beta-VAE";
  o.parameters["Beta"] = 300;
  o.klRamp = 0.1;
  TorchTrainer trainer({ test::rockVolume(32) }, o);
  steps(trainer, 300);
  EXPECT_EQ(trainer.info().history.back().activeLatents, 0);
  EXPECT_NE(trainer.info().warning.find("beta-VAE with a smaller Beta than 300, Free Bits above 0, "
                                        "or a longer KL Ramp than 0.1."),
    std::string::npos)
    << trainer.info().warning;
}

TEST(Plan, IsThatOfTheNetwork)
{
  struct Case
  {
    Architecture architecture;
    int dimensions, blocks, stride, blockSize, hidden;
  };
  using enum Architecture;
  for (const Case& c :
    { Case{ Field, 2, 1, 8, 32, 0 }, Case{ Field, 2, 2, 8, 32, 0 }, Case{ Field, 3, 1, 8, 32, 0 },
      Case{ Field, 3, 2, 4, 32, 0 }, Case{ Field, 2, 1, 4, 32, 0 }, Case{ Field, 2, 1, 16, 32, 0 },
      Case{ Field, 2, 2, 32, 32, 0 }, Case{ Vector, 2, 1, 8, 64, 0 },
      Case{ Vector, 3, 2, 8, 28, 0 }, Case{ Dense, 2, 1, 8, 28, 40 },
      Case{ Dense, 3, 1, 8, 6, 0 } })
  {
    TrainOptions o;
    o.network.architecture = c.architecture;
    o.network.dimensions = c.dimensions;
    o.network.blocks = c.blocks;
    o.network.latentStride = c.stride;
    o.network.blockSize = c.blockSize;
    o.network.hiddenUnits = c.hidden;
    o.network.width = 16;
    o.network.channels = 3;
    const NetworkPtr network = makeNetwork(o.network);
    std::int64_t count = 0;
    for (const at::Tensor& p : network->parameters())
    {
      count += p.numel();
    }
    const Plan plan = planOf(o);
    EXPECT_EQ(plan.parameters, count)
      << name(c.architecture) << ' ' << c.dimensions << ' ' << c.blocks << ' ' << c.stride;

    // Which voxels a latent cell in the middle depends on, by its gradient.
    if (c.architecture == Field && c.dimensions == 2)
    {
      for (at::Tensor& p : network->parameters())
      {
        p.detach().normal_();
      }
      const std::int64_t cells = 41, fine = cells * c.stride / 4;
      at::Tensor x = at::rand({ 1, 3 * 16, fine, fine }).requires_grad_();
      network->encode(x).mean.select(2, cells / 2).select(2, cells / 2).sum().backward();
      const at::Tensor rows = (x.grad().abs().amax({ 0, 1, 3 }) > 0).nonzero();
      EXPECT_EQ((rows.max() - rows.min() + 1).item<std::int64_t>() * 4, plan.receptiveField);
      EXPECT_GE(network->encodeHalo() * c.stride * 2 + c.stride, plan.receptiveField);
    }
  }
}
