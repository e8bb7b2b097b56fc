// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
//
// What a GPU needs, as far as the CPU can show it.
#include "Torch/Inference/Texture.h"
#include "Torch/Inference/Tiles.h"
#include "Torch/Networks/Network.h"
#include "Torch/Priors/LogOddsHistogram.h"
#include "Torch/Runtime/Device.h"
#include "Torch/Training/Speed.h"
#include "Torch/Training/TorchTrainer.h"
#include "Training.h"
#include "Volumes.h"

#include <ATen/Context.h>
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/core/InferenceMode.h>

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <new>
#include <stdexcept>

using namespace vae;

TEST(LogOddsHistogram, CountsMoreVoxelsThanFloat32Can)
{
  // One element that is seen many times: no memory.
  const auto many = [](float odds, std::int64_t n) { return at::full({ 1 }, odds).expand({ n }); };
  const RunScope scope(chooseDevice("cpu", Precision::Float32, 1), false); // one thread counts
  constexpr std::int64_t part = 1 << 23;
  LogOddsHistogram count;
  count.add(many(-2, 5 * part)); // a count in float32 ends at two parts
  count.add(many(2, part));
  for (const double fraction : { 0.1, 0.3, 0.6 })
  {
    const double t = count.threshold(fraction);
    const auto sigmoid = [](double x) { return 1 / (1 + std::exp(-x)); };
    // Bins are 0.01 wide, and the slope is at most 1/4.
    EXPECT_NEAR((5 * sigmoid(-2 - t) + sigmoid(2 - t)) / 6, fraction, 0.005);
  }
}

TEST(Speed, IsThatOfWarmSteps)
{
  double time = 0;
  int steps = 0;
  const auto step = [&]
  {
    const double took = steps++ == 0 ? 5 : steps == 2 ? 0.3 : 0.01; // as on a GPU
    time += took;
    return 1 / took;
  };
  const auto now = [&] { return time; };
  EXPECT_DOUBLE_EQ(steadySpeed(step, 0.5, now, {}), 100);
  EXPECT_NEAR(steps, 2 + 50, 1);
  std::stop_source stop;
  stop.request_stop();
  steps = 10;
  steadySpeed(step, 0.5, now, stop.get_token());
  EXPECT_EQ(steps, 11);
}
