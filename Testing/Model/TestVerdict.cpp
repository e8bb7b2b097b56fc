// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
//
// The verdict at the end of a training: its score of blocks, and its words.
#include "Model.h"
#include "Rock.h"
#include "Statistics/FreeMeasures.h"
#include "Status.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

using namespace vae;
using namespace vae::statistics;

namespace
{

constexpr std::int64_t Side = 96, Edge = 24;

/// Pores of a rock, in every second block of it.
std::vector<Mask> blocksOf(const rock::Voxels& voxels)
{
  Mask whole;
  whole.dims = { Side, Side, Side };
  for (const std::uint8_t v : voxels)
  {
    whole.data.push_back(v == 0);
  }
  std::vector<Mask> blocks;
  for (std::int64_t i = 0; i < 64; i += 2)
  {
    blocks.push_back(
      boxOf(whole, { i % 4 * Edge, i / 4 % 4 * Edge, i / 16 * Edge }, { Edge, Edge, Edge }));
  }
  return blocks;
}

rock::Voxels rockOf(std::uint64_t seed)
{
  return rock::cementedGrains({ .size = Side, .porosity = 0.3, .radius = 5, .seed = seed });
}

const std::vector<Report>& real()
{
  static const std::vector<Report> reports = reportsOf(blocksOf(rockOf(1)), Work(2));
  return reports;
}

double scoreOf(const rock::Voxels& voxels)
{
  return freeScore(reportsOf(blocksOf(voxels), Work(2)), real());
}

ModelInfo judged(double generated, double rebuilt)
{
  ModelInfo info;
  info.verdict = { .generated = generated, .rebuilt = rebuilt, .prior = Prior::Learned };
  for (int i = 1; i <= 20; ++i) // ten of the network, ten of the prior
  {
    EpochRecord row;
    row.epoch = i;
    row.step = 20 * i;
    row.seconds = 12. * i;
    row.loss = row.validationLoss = 1. / std::min(i, 10);
    row.priorLoss = i <= 10 ? std::nan("") : 1;
    info.history.push_back(row);
  }
  info.bestEpoch = 10;
  info.priorSteps = 200;
  info.options.priorShare = 0.5;
  return info;
}

bool has(const std::string& text, const std::string& part)
{
  return text.find(part) != std::string::npos;
}

} // namespace

TEST(FreeScore, TheSameMediumPasses)
{
  const double another = scoreOf(rockOf(2));
  EXPECT_GT(another, 0.7);
  EXPECT_LE(another, Verdict::Passes);
  // The same blocks on both sides: 1 - 2 / n of every measure.
  EXPECT_NEAR(freeScore(real(), real()), 1 - 2. / 32, 1e-12);
}

TEST(FreeScore, ConstantAndShuffledVolumesAreTold)
{
  rock::Voxels shuffled = rockOf(1); // the porosity of the rock
  std::mt19937_64 random(1);
  for (std::size_t i = shuffled.size() - 1; i > 0; --i)
  {
    std::swap(shuffled[i], shuffled[random() % (i + 1)]);
  }
  EXPECT_GT(scoreOf(shuffled), Verdict::Close);
  for (const int value : { 0, 255 })
  {
    EXPECT_GT(
      scoreOf(rock::Voxels(shuffled.size(), static_cast<std::uint8_t>(value))), Verdict::Close);
  }
  // One block again and again: each is real, but they do not vary.
  const std::vector<Report> one(32, real().front());
  EXPECT_GT(freeScore(one, real()), 1.1);
}

TEST(FreeScore, ThereIsNoneOfNothing)
{
  EXPECT_TRUE(std::isnan(freeScore({}, real())));
  EXPECT_TRUE(std::isnan(freeScore(real(), {})));
}

TEST(Verdict, WordsFollowTheScore)
{
  Verdict v;
  EXPECT_EQ(likenessOf(v), Likeness::Unknown);
  for (const auto& [score, likeness] : { std::pair(0.9, Likeness::Passes),
         { Verdict::Passes, Likeness::Passes }, { Verdict::Passes + 1e-9, Likeness::Close },
         { Verdict::Close, Likeness::Close }, { Verdict::Close + 1e-9, Likeness::Apart } })
  {
    v.generated = score;
    EXPECT_EQ(likenessOf(v), likeness) << score;
  }
  v.control = 3; // the volume's own parts are as far apart
  EXPECT_EQ(likenessOf(v), Likeness::Passes);
  v.generated = 3.1;
  EXPECT_EQ(likenessOf(v), Likeness::Apart);
}

TEST(Verdict, SaysWhatWouldHelp)
{
  EXPECT_EQ(verdictInWords(judged(1.2, 1.1)),
    "What the model draws passes for the training volume (score 1.20; 1 is alike, up to 1.5 is "
    "within the scatter of real blocks).");
  // 0.6 s a step of the prior, 2800 more of them, as much for the network.
  EXPECT_EQ(verdictInWords(judged(2.25, 1.1)),
    "What the model draws is close to the training volume (score 2.25; 1 is alike, up to 1.5 is "
    "within the scatter of real blocks). The prior is the limit: rebuilt blocks score 1.10. The "
    "prior has had 200 steps; train about 55 minutes more.");
  // The loss still falls: twice the network's 120 s.
  const std::string decoder = verdictInWords(judged(7, 3));
  EXPECT_TRUE(has(decoder, "can be told from the training volume at a glance (score 7.00;"));
  EXPECT_TRUE(has(decoder,
    "The decoder is the limit: rebuilt blocks score 3.00. More network time helps: its loss still "
    "falls; train about 4 minutes more."))
    << decoder;
  ModelInfo flat = judged(7, 3);
  for (EpochRecord& row : flat.history)
  {
    row.validationLoss = row.epoch <= 2 ? 1 : 0.5;
  }
  EXPECT_TRUE(has(verdictInWords(flat), "Its loss no longer falls: choose a larger Width"));
  ModelInfo few = judged(7, 3);
  few.bestEpoch = 3;
  EXPECT_TRUE(has(verdictInWords(few),
    "Too little data: the validation loss has not improved since epoch 3 of 10;"));
  ModelInfo field = judged(7, 1);
  field.verdict.prior = Prior::RandomField;
  EXPECT_TRUE(has(verdictInWords(field), "Too little data: the learned prior varies too little"));
  field.priorSteps = 0;
  EXPECT_TRUE(has(verdictInWords(field), "train longer, with a Prior Share above 0."));
  ModelInfo varied = judged(1.2, 1.1);
  varied.verdict.control = 1.9;
  EXPECT_TRUE(has(verdictInWords(varied),
    "Parts of the training volume differ, too: real blocks "
    "score 1.90"));
  for (ModelInfo bare : { judged(7, 1), judged(7, 3), judged(7, std::nan("")) })
  {
    bare.history.clear();
    EXPECT_TRUE(has(verdictInWords(bare), "at a glance"));
  }
}

TEST(Verdict, IsPartOfTheStatus)
{
  const ModelInfo info = judged(2.25, 1.1);
  EXPECT_TRUE(has(howItEnded(info, {}, false), verdictInWords(info)));
}

TEST(Verdict, SaysWhyThereIsNone)
{
  ModelInfo info;
  EXPECT_EQ(verdictInWords(info), "");
  EXPECT_EQ(verdictInWords(info, Prior::Normal), "There is no verdict: this model was not judged.");
  info.verdict.without = "it is too small";
  EXPECT_EQ(verdictInWords(info), "There is no verdict: it is too small.");
  EXPECT_EQ(verdictInWords(info, Prior::Normal), verdictInWords(info));
  const ModelInfo other = judged(1.2, 1.1);
  EXPECT_EQ(verdictInWords(other, Prior::Learned), verdictInWords(other));
  EXPECT_EQ(verdictInWords(other, Prior::Normal),
    "There is no verdict on the prior 'normal'. Of the prior 'learned': " + verdictInWords(other));
}
