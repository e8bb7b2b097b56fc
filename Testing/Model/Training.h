// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "TestDevice.h"
#include "Torch/Inference/TorchModel.h"
#include "Trainer.h"

#include <filesystem>
#include <memory>
#include <string>

#include <unistd.h>

// Trainings of seconds, and what comes of them.
namespace test
{

inline vae::TrainOptions quick(int epochs)
{
  vae::TrainOptions o;
  o.timeBudget = 0;
  o.epochs = epochs;
  o.stepsPerEpoch = 10;
  o.network.width = 16;
  o.network.latentChannels = 4;
  o.patchSize = 16;
  o.batchSize = 4;
  o.threads = 1;
  o.device = device();
  o.precision = precision();
  return o;
}

/// The same in float32.
inline vae::TrainOptions quickInFloat32(int epochs)
{
  vae::TrainOptions o = quick(epochs);
  o.precision = vae::Precision::Float32;
  return o;
}

/// Weights, and the plain statistics of the latent field: for tests that ask for no more. What the
/// end of a training measures beside them takes ten times as long as a quick training.
inline vae::ModelRequest ofWeights(bool best = true) { return { best, 1 << 20, false, false }; }

/// The trainer's best model, saved and loaded. \param state with what a training needs to go on,
/// and without what its end measures
inline std::shared_ptr<const vae::TorchModel> throughAFile(
  const vae::Trainer& trainer, bool state = true)
{
  const std::string path = (std::filesystem::temp_directory_path() /
    ("vae-training-" + std::to_string(::getpid()) + ".safetensors"))
                             .string();
  vae::ModelRequest request;
  if (state)
  {
    request = ofWeights();
    request.trainingState = request.stopped = true;
  }
  trainer.model(request)->save(path);
  auto model = vae::TorchModel::load(path);
  std::filesystem::remove(path);
  return model;
}

} // namespace test
