// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
//
// Weights that others start from: their file, and how a training begins with them.
#include "RandomModel.h"
#include "Torch/Data/TrainingData.h"
#include "Torch/Training/Experience.h"
#include "Torch/Training/PriorTrainer.h"
#include "Torch/Training/Schedule.h"
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

TrainOptions small()
{
  TrainOptions o = test::quickInFloat32(2);
  o.network.width = 16;
  o.network.latentChannels = 3;
  completeOptions(o);
  return o;
}

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

TEST_F(Experiences, ATrainingBeginsWithTheWeightsOfTheFile)
{
  randomWeights()->saveInHalf(this->File);
  const auto file = TorchModel::load(this->File);
  const auto data = std::make_shared<const DataSet>(std::vector{ test::rockVolume(32) });
  const Experience found = experienceFor(*data, small(), this->File);
  ASSERT_TRUE(found.model);
  const TrainingStart start(data, small(), nullptr, false, found);
  TorchTrainer trainer(start);
  const auto model =
    std::dynamic_pointer_cast<const TorchModel>(trainer.model(test::ofWeights(false), {}));
  expectRounded(file->network()->parameters(), model->network()->parameters());

  const Lineage& lineage = model->info().lineage;
  EXPECT_EQ(lineage.kind, Beginning::Experienced);
  EXPECT_EQ(lineage.experience, found.hash);
  EXPECT_EQ(lineage.parent, "");
  EXPECT_EQ(model->info().startReason, "It began with the weights of experience.");
  // Another training than one from random weights, and than one from other experience.
  EXPECT_NE(start.fingerprint, TrainingStart(data, small()).fingerprint);
  EXPECT_NE(start.fingerprint,
    TrainingStart(data, small(), nullptr, false, { found.model, "other", "" }).fingerprint);
  EXPECT_EQ(
    modelInfoFromJson(toJson(model->info())).lineage.experience, model->info().lineage.experience);
  // An Initial Model comes first.
  EXPECT_EQ(TrainingStart(data, small(), file, false, found).lineage.kind, Beginning::FineTuned);
}

TEST_F(Experiences, AFileIsReadOnceAndAgainWhenItIsAnother)
{
  const DataSet data({ test::rockVolume(32) });
  randomWeights()->saveInHalf(this->File);
  const Experience once = experienceFor(data, small(), this->File);
  EXPECT_EQ(experienceFor(data, small(), this->File).model, once.model);
  TorchModel::load(this->File)->save(this->File); // not in half precision
  const Experience other = experienceFor(data, small(), this->File);
  EXPECT_NE(other.model, once.model);
  EXPECT_NE(other.hash, once.hash);
}

TEST_F(Experiences, WhatDoesNotFitIsLeftAsideAndToldWhereItWasAskedFor)
{
  const DataSet rock({ test::rockVolume(32) });
  const auto refusal = [&](const DataSet& data, TrainOptions o)
  {
    o.startFrom = StartFrom::Automatic;
    const Experience quiet = experienceFor(data, o, this->File);
    EXPECT_FALSE(quiet.model);
    EXPECT_EQ(quiet.refusal, "");
    o.startFrom = StartFrom::Experience;
    const Experience asked = experienceFor(data, o, this->File);
    EXPECT_FALSE(asked.model);
    EXPECT_EQ(TrainingStart(std::make_shared<const DataSet>(data), o, nullptr, false, asked).reason,
      asked.refusal);
    return asked.refusal;
  };
  EXPECT_EQ(refusal(rock, small()),
    "It began with random weights: no experience is installed (" + this->File + ").");

  randomWeights()->saveInHalf(this->File);
  EXPECT_TRUE(experienceFor(rock, small(), this->File).model);
  TrainOptions wide = small();
  wide.network.width = 24;
  EXPECT_EQ(refusal(rock, wide),
    "It began with random weights: experience does not fit; it has Width 16, this training 24.");
  std::vector<std::uint8_t> three(32 * 32 * 32);
  for (std::size_t i = 0; i < three.size(); ++i)
  {
    three[i] = static_cast<std::uint8_t>(i % 3);
  }
  EXPECT_EQ(refusal(DataSet({ test::volume(three, { 32, 32, 32 }) }), small()),
    "It began with random weights: experience does not fit; it is of two phases, and this training "
    "has the likelihood categorical.");

  std::filesystem::resize_file(this->File, 1000);
  EXPECT_NE(refusal(rock, small()).find("was cut short"), std::string::npos);

  randomWeights()->saveInHalf(this->File);
  TrainOptions random = small();
  random.startFrom = StartFrom::RandomWeights;
  EXPECT_FALSE(experienceFor(rock, random, this->File).model);
}

TEST_F(Experiences, ThePriorBeginsWithThatOfTheFileAlsoWhereTheTrainingIsResumed)
{
  // One that has learned enough, of the width that trainings have.
  const auto random = randomWeights();
  ModelInfo info = random->info();
  info.priorSteps = 1000;
  auto wide = std::make_shared<LearnedPrior>(3, info.latentChannels(), ModelInfo().priorWidth);
  {
    const c10::NoGradGuard guard;
    at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(7);
    for (at::Tensor& p : wide->Net->parameters())
    {
      p.uniform_(-0.02, 0.02, generator);
    }
  }
  wide->ConditioningMean = wide->LocalMean = random->calibration().learned->LocalMean;
  Calibration calibration;
  calibration.learned = wide;
  TorchModel(info, random->network(), calibration).saveInHalf(this->File);

  const Volume rock = test::rockVolume(64);
  TrainOptions o = small();
  o.epochs = 1;
  o.stepsPerEpoch = 2;
  o.priorShare = 0.5;
  const auto data = std::make_shared<const DataSet>(std::vector{ rock });
  const Experience found = experienceFor(*data, o, this->File);
  const TrainingStart start(data, o, nullptr, false, found);
  const auto run = [](Trainer& trainer, int steps)
  {
    StepRecord last;
    for (int i = 0; i < steps; ++i)
    {
      last = trainer.step();
    }
    return last;
  };
  TorchTrainer straight(start), first(start);
  EXPECT_TRUE(straight.info().priorStarted);
  const StepRecord whole = run(straight, 4);
  run(first, 1); // its prior has not begun

  std::filesystem::remove(this->File); // a resumed training does not need it
  TorchTrainer second(TrainingStart(data, o, test::throughAFile(first)));
  EXPECT_EQ(second.info().lineage.kind, Beginning::Resumed);
  EXPECT_EQ(second.info().lineage.experience, found.hash);
  EXPECT_EQ(second.info().fingerprint, start.fingerprint);
  EXPECT_TRUE(second.info().priorStarted);
  const StepRecord resumed = run(second, 3);
  EXPECT_TRUE(whole.prior && resumed.prior);
  EXPECT_EQ(whole.loss, resumed.loss);
  // The same from random weights has another loss.
  TorchTrainer fresh(TrainingStart(data, o));
  EXPECT_FALSE(fresh.info().priorStarted);
  EXPECT_NE(run(fresh, 4).loss, whole.loss);

  // The prior is that of the file before its first step.
  PriorData fields;
  fields.fields = { at::zeros({ 3, 8, 8, 8 }) };
  fields.trends = { at::zeros({ 1, 8, 8, 8 }) };
  fields.mean = at::zeros({ 3 });
  fields.scale = at::ones({ 3 });
  fields.trendScale = at::tensor({ 0.F, 1.F });
  fields.localMean = wide->LocalMean;
  const auto file = std::dynamic_pointer_cast<const TorchModel>(found.model)->calibration().learned;
  const PriorTrainer prior(fields, straight.info(), chooseDevice("cpu", Precision::Float32, 1),
    PriorTrainer::randomOf(straight.info()), file.get());
  const auto given = file->Net->parameters(), mine = prior.prior()->Net->parameters();
  for (std::size_t i = 0; i < given.size(); ++i)
  {
    EXPECT_TRUE(given[i].equal(mine[i])) << i;
  }
}

TEST(Schedule, OfExperienceHasSmallStepsAndAllOfTheKLTerm)
{
  TrainOptions o;
  EXPECT_EQ(klScheduleAt(o, 0, true), 1);
  EXPECT_EQ(klScheduleAt(o, 0, false), 0);
  o.klSchedule = KLSchedule::Cyclical; // was chosen
  EXPECT_EQ(klScheduleAt(o, 0, true), 0);
  for (const double progress : { 0., 0.3, 1. })
  {
    EXPECT_DOUBLE_EQ(
      learningRateAt(o, 1000, progress, true), 0.5 * learningRateAt(o, 1000, progress));
    EXPECT_LT(priorRateAt(true, 1000, progress), priorRateAt(false, 1000, progress));
  }
  EXPECT_LT(learningRateAt(o, 1, 0, true), 0.1 * learningRateAt(o, 1000, 0, true)); // a warm-up
}
