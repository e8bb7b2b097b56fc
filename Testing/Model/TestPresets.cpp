// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "ModelInfo.h"
#include "Presets.h"
#include "Source/OptionTable.h"
#include "TimePlan.h"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

using namespace vae;

namespace
{

/// Options that no preset has.
TrainOptions others()
{
  TrainOptions o;
  o.timeBudget = 77;
  o.priorShare = 0.3;
  o.network.latentChannels = 5;
  o.network.latentStride = 32;
  return o;
}

} // namespace

TEST(Presets, ThoseOfTheDefaultsAreTheDefault)
{
  const TrainOptions usual;
  TrainOptions o = others();
  apply({}, o);
  EXPECT_EQ(toText(o), toText(usual));
  EXPECT_EQ(presetsOf(usual).quality, PresetOptions().quality);
  EXPECT_EQ(presetsOf(usual).purpose, PresetOptions().purpose);
}

TEST(Presets, EachSetsAllowedValuesAndIsToldByThem)
{
  ASSERT_EQ(presets().size(), 2u);
  EXPECT_EQ(presets()[0].entries.size(), EntriesOf<Quality>.size());
  EXPECT_EQ(presets()[1].entries.size(), EntriesOf<Purpose>.size());
  for (const Quality quality : { Quality::Preview, Quality::Good, Quality::Best })
  {
    for (const Purpose purpose :
      { Purpose::NewVolumes, Purpose::DenoiseAndAnomalies, Purpose::Compress })
    {
      TrainOptions o = others();
      apply({ quality, purpose }, o);
      EXPECT_NO_THROW(check(o));
      EXPECT_EQ(presetsOf(o).quality, quality);
      EXPECT_EQ(presetsOf(o).purpose, purpose);
    }
  }
}

TEST(Presets, AreWhatTheirNamesSay)
{
  const auto options = [](Quality quality, Purpose purpose)
  {
    TrainOptions o = others();
    apply({ quality, purpose }, o);
    return o;
  };
  EXPECT_EQ(options(Quality::Preview, Purpose::Custom).timeBudget, 30);
  EXPECT_EQ(options(Quality::Good, Purpose::Custom).timeBudget, 120);
  EXPECT_EQ(options(Quality::Best, Purpose::Custom).timeBudget, 900);
  const TrainOptions usual, denoise = options(Quality::Good, Purpose::DenoiseAndAnomalies),
                            compress = options(Quality::Good, Purpose::Compress);
  EXPECT_EQ(denoise.priorShare, 0);
  EXPECT_EQ(denoise.network.latentChannels, usual.network.latentChannels);
  EXPECT_EQ(denoise.network.latentStride, usual.network.latentStride);
  EXPECT_EQ(compress.priorShare, 0);
  const auto numbersAVoxel = [](const NetworkOptions& n)
  { return n.latentChannels / std::pow(n.stride(), 3); };
  EXPECT_LE(numbersAVoxel(compress.network), numbersAVoxel(usual.network) / 4);
  EXPECT_EQ(timePlanOf(denoise, 1 << 20, 1e12).prior, 0);
}

TEST(Presets, CustomSetsNothingAndWhatIsNoneIsRefused)
{
  TrainOptions o = others();
  apply({ Quality::Custom, Purpose::Custom }, o);
  apply({ static_cast<Quality>(17), static_cast<Purpose>(-1) }, o);
  EXPECT_EQ(toText(o), toText(others()));
  EXPECT_EQ(presetsOf(o).quality, Quality::Custom);
  EXPECT_EQ(presetsOf(o).purpose, Purpose::Custom);
  EXPECT_NO_THROW(check(presetsOf(o)));
  try
  {
    check(PresetOptions{ static_cast<Quality>(17), Purpose::Compress });
    ADD_FAILURE() << "accepted";
  }
  catch (const std::invalid_argument& e)
  {
    EXPECT_STREQ(e.what(), "Quality is 17; it must be in [0, 3]");
  }
}

TEST(Presets, ThePlanNamesThem)
{
  TrainOptions o;
  const auto tells = [&](const char* words)
  { return describe(o, { 96, 96, 96 }, 0).find(words) != std::string::npos; };
  EXPECT_TRUE(tells("Quality Good, Purpose New Volumes."));
  apply({ Quality::Best, Purpose::DenoiseAndAnomalies }, o);
  EXPECT_TRUE(tells("Quality Best, Purpose Denoise and Anomalies."));
  o.timeBudget = 60;
  EXPECT_TRUE(tells("Quality Custom, Purpose Denoise and Anomalies."));
}
