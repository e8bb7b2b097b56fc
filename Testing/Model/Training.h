// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Torch/TorchModel.h"
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
  o.device = "cpu";
  return o;
}

/// The same in float32, on two threads.
inline vae::TrainOptions quickInFloat32(int epochs)
{
  vae::TrainOptions o = quick(epochs);
  o.precision = vae::Precision::Float32;
  o.threads = 2;
  return o;
}

/// The trainer's best model, saved and loaded. \param state with what a training needs to go on
inline std::shared_ptr<const vae::TorchModel> throughAFile(
  const vae::Trainer& trainer, bool state = true)
{
  const std::string path = (std::filesystem::temp_directory_path() /
    ("vae-training-" + std::to_string(::getpid()) + ".safetensors"))
                             .string();
  trainer.model({ true, 0, state, state })->save(path);
  auto model = vae::TorchModel::load(path);
  std::filesystem::remove(path);
  return model;
}

} // namespace test
