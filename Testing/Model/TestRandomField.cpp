// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "TestDevice.h"
#include "Torch/Data/TrainingSet.h"
#include "Torch/Training/TorchTrainer.h"
#include "Volumes.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <gtest/gtest.h>

using namespace vae;

namespace
{

double varianceOfCells(const Volume& volume, const ModelInfo& info)
{
  return localMean(volume, info).var().item<double>();
}

} // namespace

TEST(RandomField, GreyValuesDrawnFromItVaryAsTheDataDo)
{
  // Smooth noise, whose structure is of the size of a latent cell.
  constexpr int size = 32, reach = 5;
  at::Tensor noise =
    at::randn({ 1, 1, size + 2 * (reach - 1), size + 2 * (reach - 1), size + 2 * (reach - 1) },
      at::make_generator<at::CPUGeneratorImpl>(1));
  for (int i = 0; i < 2; ++i)
  {
    noise = at::avg_pool3d(noise, reach, 1);
  }
  noise = noise / noise.std();
  const float* values = noise.const_data_ptr<float>();
  const Volume data =
    test::volume(std::vector<float>(values, values + noise.numel()), { size, size, size });
  TrainOptions o;
  o.timeBudget = 0;
  o.stepsPerEpoch = 30;
  o.epochs = 5;
  o.network.latentStride = 4;
  o.patchSize = 24;
  o.priorShare = 0;
  o.threads = 1;
  o.device = test::device();
  TorchTrainer trainer({ data }, o);
  while (!trainer.step().finished)
  {
  }
  const auto model = trainer.model({}, {});
  constexpr int count = 4;
  double cells = 0;
  for (std::int64_t seed = 0; seed < count; ++seed)
  {
    GenerateOptions options;
    options.prior = Prior::RandomField;
    options.seed = seed;
    std::vector<float> drawn(size * size * size);
    Outputs outputs;
    outputs.values = { test::output(drawn) };
    model->sampleAndDecode({ data.dims, model->margin(), options }, outputs);
    cells += varianceOfCells(test::volume(drawn, data.dims), model->info()) / count;
  }
  const double wanted = varianceOfCells(data, model->info());
  std::printf("variance of cells: %.3f drawn, %.3f in the data\n", cells, wanted);
  EXPECT_NEAR(cells / wanted, 1, 0.3);
}
