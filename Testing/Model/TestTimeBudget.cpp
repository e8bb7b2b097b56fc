// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
//
// What a time budget is divided into, and what the end of a training measures in it. Clocks are
// pretended: they go on by so much each time that they are asked.
#include "TimePlan.h"
#include "Torch/Calibration/Calibrator.h"
#include "Torch/Calibration/Closing.h"
#include "Torch/Training/TorchTrainer.h"
#include "Training.h"
#include "Volumes.h"

#include <gtest/gtest.h>

#include <cmath>
#include <new>

using namespace vae;

namespace
{

/// A watch that runs by `tick` seconds each time it is asked, and where `time` is set.
std::shared_ptr<const Stopwatch> ticking(
  double tick, const std::shared_ptr<double>& time = std::make_shared<double>(0))
{
  auto watch = std::make_shared<Stopwatch>([time, tick] { return *time += tick; });
  watch->start();
  return watch;
}

/// Of 9 x 9 latent cells: all is measured within a second.
Volume slice()
{
  std::vector<std::uint8_t> rock = rock::cementedGrains({ 72, 0.3, 8, 1 });
  rock.resize(72 * 72);
  return test::volume(rock, { 72, 72, 1 });
}

TrainOptions budget(double seconds)
{
  TrainOptions o = test::quickInFloat32(0);
  o.timeBudget = seconds;
  o.priorShare = 0.5;
  o.network.width = 8;
  o.threads = 1;
  return o;
}

std::unique_ptr<TorchTrainer> train(const TrainOptions& options, double tick)
{
  auto trainer = std::make_unique<TorchTrainer>(std::vector<Volume>{ slice() }, options);
  trainer->setWatch(ticking(tick));
  while (!trainer->step().finished)
  {
  }
  return trainer;
}

std::shared_ptr<const TorchModel> measured(const Trainer& trainer, const Monitor& monitor = {})
{
  return std::dynamic_pointer_cast<const TorchModel>(trainer.model({}, monitor));
}

const char* const Names[] = { "The latent field", "The match of the random field",
  "The match of the learned prior", "The spread of the learned prior",
  "The scale of anomaly scores", "The texture", "The verdict" };

/// A network and a prior of a few steps, without a time budget.
const Trainer& trained()
{
  static const auto trainer = []
  {
    TrainOptions o = budget(0);
    o.epochs = 2;
    o.stepsPerEpoch = 4;
    return train(o, 0);
  }();
  return *trainer;
}

} // namespace

TEST(TimePlan, TheBudgetIsAllThatIsTaken)
{
  TrainOptions o;
  o.startFrom = StartFrom::RandomWeights;
  o.timeBudget = 120;
  const TimePlan fast = timePlanOf(o, 96 * 96 * 96, 1e12),
                 slow = timePlanOf(o, 400 * 400 * 400, 1e11);
  for (const TimePlan& p : { fast, slow })
  {
    EXPECT_NEAR(p.network + p.prior + p.closing, 120, 1e-9);
    EXPECT_GT(p.closing, 0);
    EXPECT_LE(p.closing, 0.15 * 120 + 1e-9);
  }
  EXPECT_FALSE(fast.priorLeftOut);
  EXPECT_GE(fast.priorSteps, FewestPriorSteps);
  EXPECT_NEAR(fast.prior / (fast.prior + fast.network), o.priorShare, 1e-9);
  EXPECT_TRUE(slow.priorLeftOut);
  EXPECT_EQ(slow.priorSteps, 0);
  EXPECT_EQ(slow.prior, 0);
  EXPECT_LT(slow.closing, timePlanOf(o, 400 * 400 * 400, 1e12).closing + 120);
}

TEST(TimePlan, EpochsAreAllMadeAndAllIsMeasured)
{
  TrainOptions o;
  o.timeBudget = 0;
  o.epochs = 10;
  const TimePlan p = timePlanOf(o, 400 * 400 * 400, 1e10);
  EXPECT_EQ(p.networkSteps, 200);
  EXPECT_FALSE(p.priorLeftOut);
  EXPECT_EQ(p.closing, costsOf(o, 400 * 400 * 400, 1e10, p.priorSteps).closing);
}

TEST(TimePlan, InWords)
{
  TrainOptions o;
  EXPECT_EQ(describe(o, { 400, 400, 400 }, 0).find("for the autoencoder"), std::string::npos);
  const std::string fast = describe(o, { 400, 400, 400 }, 1e12);
  EXPECT_NE(fast.find(" s for the autoencoder ("), std::string::npos) << fast;
  EXPECT_NE(fast.find(" s for the prior ("), std::string::npos) << fast;
  EXPECT_NE(fast.find(" s for the measurements at the end."), std::string::npos) << fast;
  const std::string
    none = "No prior is learned: it would have fewer than ",
    ifNot =
      "Where experience does not fit, no prior is learned: from random weights it needs 200 steps.";
  EXPECT_EQ(fast.find(ifNot), std::string::npos) << fast;
  const auto slow = [&](StartFrom from, double speed)
  {
    TrainOptions other = o;
    other.startFrom = from;
    return describe(other, { 400, 400, 400 }, speed);
  };
  EXPECT_NE(slow(StartFrom::Automatic, 1e11).find(" s for the prior ("), std::string::npos);
  EXPECT_NE(slow(StartFrom::Automatic, 1e11).find(ifNot), std::string::npos);
  EXPECT_NE(slow(StartFrom::RandomWeights, 1e11).find(none + "200 steps."), std::string::npos);
  EXPECT_EQ(slow(StartFrom::RandomWeights, 1e11).find(" s for the prior ("), std::string::npos);
  EXPECT_NE(slow(StartFrom::Automatic, 1e10).find(none + "60 steps."), std::string::npos);
  const std::string small = describe(o, { 48, 48, 48 }, 1e12); // there is nothing to learn it from
  EXPECT_EQ(small.find("rior"), std::string::npos) << small;
}

TEST(TimeBudget, WhatIsTooShortForAPriorIsTheNetworks)
{
  // A second for each question: a step of the prior takes more than half a second.
  const auto trainer = train(budget(100), 1);
  EXPECT_EQ(trainer->info().priorSteps, 0);
  EXPECT_NE(
    trainer->info().leftOut.find("No prior was learned: the time budget has room for about"),
    std::string::npos)
    << trainer->info().leftOut;
  EXPECT_EQ(trainer->info().ending, Ending::Budget);
  const auto& history = trainer->info().history;
  EXPECT_TRUE(std::isnan(history.back().priorLoss));
  EXPECT_GT(history.back().seconds, 80); // the prior's time, too
  EXPECT_LT(history.back().seconds, 100);
}

TEST(TimeBudget, NetworkAndPriorShareIt)
{
  // Steps take a thousandth of a second, and five go by between them.
  const auto time = std::make_shared<double>(0);
  TorchTrainer trainer({ slice() }, budget(100));
  trainer.setWatch(ticking(1e-3, time));
  StepRecord record;
  double begin = 0;
  int ends = 0;
  do
  {
    record = trainer.step();
    begin = record.prior && begin == 0 ? record.seconds : begin;
    ends += record.networkEnded ? 1 : 0;
    *time += 5;
  } while (!record.finished);
  EXPECT_EQ(ends, 1);
  // Up to 15 s are for what is measured; a step begins at most 5 s late.
  EXPECT_GT(begin, 0.5 * 85);
  EXPECT_LT(begin, 0.5 * 100 + 10);
  EXPECT_GT(record.seconds, 85);
  EXPECT_LT(record.seconds, 100 + 5);
  EXPECT_GT(trainer.info().priorSteps, 5);
  EXPECT_TRUE(trainer.info().leftOut.empty()) << trainer.info().leftOut;
}

TEST(TimeBudget, WhatComesAfterItIsKeptFree)
{
  const TrainOptions o = budget(100);
  TorchTrainer trainer({ slice() }, o);
  trainer.setWatch(ticking(1));
  trainer.keepFree(30);
  while (!trainer.step().finished)
  {
  }
  EXPECT_LT(trainer.info().history.back().seconds, 70);
}

TEST(TimeBudget, AStoppedTrainingGoesOnWithTheTimeThatIsLeft)
{
  const auto time = std::make_shared<double>(0);
  TorchTrainer first({ slice() }, budget(100));
  first.setWatch(ticking(1e-3, time));
  StepRecord record;
  do
  {
    record = first.step();
    *time += 5;
  } while (!record.prior);
  const double spent = *time;
  TorchTrainer second({ slice() }, budget(100), test::throughAFile(first));
  second.setWatch(ticking(1e-3));
  const StepRecord next = second.step();
  EXPECT_TRUE(next.prior);
  EXPECT_EQ(next.step, record.step + 1);
  EXPECT_GT(next.seconds, spent - 5);
  EXPECT_LT(next.seconds, spent + 5);
  // Where there is more time the network goes on, and its prior begins anew after it.
  TorchTrainer longer({ slice() }, budget(300), test::throughAFile(first));
  EXPECT_FALSE(longer.step().prior);
}

TEST(Closing, MeasuresAllWhereNothingFails)
{
  const auto model = measured(trained());
  EXPECT_EQ(model->info().leftOut, "");
  EXPECT_TRUE(model->hasAnomalyScale());
  EXPECT_EQ(model->bestPrior(), Prior::RandomField);
  EXPECT_EQ(model->info().ending, Ending::Budget);
  EXPECT_TRUE(model->info().verdict.judged());
  EXPECT_EQ(model->info().verdict.prior, Prior::RandomField);
}

TEST(Closing, WhatHasNoMemoryIsGivenUpByItself)
{
  const auto whole = measured(trained());
  for (int i = 0; i < 9; ++i) // at once, and two in the middle
  {
    const int failing = i < 7 ? i : i - 7, ask = i < 7 ? 1 : 2;
    Monitor monitor;
    int asked = 0;
    monitor.progress = [&](double fraction)
    {
      if (std::lround(fraction * 8) == failing && ++asked == ask)
      {
        throw std::bad_alloc();
      }
    };
    const auto model = measured(trained(), monitor);
    EXPECT_GE(asked, ask) << Names[failing];
    EXPECT_EQ(model->info().leftOut,
      std::string(Names[failing]) +
        (failing == 0 ? " was measured less exactly" : " was not measured") +
        ": there was not enough memory.");
    EXPECT_EQ(model->hasAnomalyScale(), failing != 4);
    EXPECT_EQ(model->info().textureWidth, failing == 5 ? 0 : whole->info().textureWidth);
    EXPECT_EQ(model->info().priorSpread == 1, failing == 3);
    EXPECT_EQ(model->info().verdict.judged(), failing != 6);
    EXPECT_EQ(model->bestPrior(), Prior::RandomField); // there is a latent field
    EXPECT_EQ(model->encode(slice(), {}, {}).mean, whole->encode(slice(), {}, {}).mean);
  }
}

TEST(Closing, AStopKeepsWhatThereIs)
{
  std::stop_source source;
  Monitor monitor;
  monitor.stop = source.get_token();
  monitor.progress = [&](double fraction)
  {
    if (std::lround(fraction * 8) == 2)
    {
      source.request_stop();
    }
  };
  const auto model = measured(trained(), monitor);
  EXPECT_EQ(model->info().leftOut,
    "The match of the learned prior, the spread of the learned prior, the scale of anomaly scores, "
    "the texture and the verdict were not measured: the training was stopped.");
  EXPECT_EQ(model->bestPrior(), Prior::RandomField);
  EXPECT_EQ(model->info().ending, Ending::Budget);
}

TEST(Closing, WhatHasNoTimeIsLeftOut)
{
  const auto of = [](double seconds, double tick)
  {
    const auto plain =
      std::dynamic_pointer_cast<const TorchModel>(trained().model({ true, ModelRequest::Nothing }));
    const TrainingSet data(
      std::make_shared<const DataSet>(std::vector<Volume>{ slice() }), plain->info());
    double left = seconds;
    const TorchModel model(plain->info(), plain->network(),
      Calibrator(plain->info(), plain->network(), {}, data, {})
        .all({}, [&] { return left -= tick; }));
    EXPECT_EQ(model.bestPrior(), Prior::RandomField); // the latent field in any case
    EXPECT_LT(left, seconds);
    EXPECT_GT(left, -40 * tick); // each notices soon
    return model.info().leftOut;
  };
  EXPECT_EQ(of(1e6, 1e-3), "");
  EXPECT_EQ(of(0, 1),
    "The match of the random field, the scale of anomaly scores, the texture and the verdict were "
    "not measured: the time budget was too short. The latent field was measured less exactly: the "
    "time budget was too short.");
  // The first that is measured in full has the time, the last has not.
  const std::string some = of(40, 1);
  EXPECT_NE(some.find("the time budget was too short."), std::string::npos) << some;
}

TEST(Closing, WithoutATimeBudgetNothingDependsOnTime)
{
  const auto a = measured(trained()), b = measured(trained());
  EXPECT_EQ(toJson(a->info()), toJson(b->info()));
  GenerateOptions o;
  o.prior = Prior::RandomField;
  EXPECT_EQ(
    a->sample({ { 64, 64, 1 }, 1, o }).latent.mean, b->sample({ { 64, 64, 1 }, 1, o }).latent.mean);
}
