// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "HostileFile.h"
#include "Torch/Training/TorchTrainer.h"
#include "Training.h"
#include "Volumes.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Functions.h>

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include <unistd.h>

namespace test
{

/// Good models of all kinds, small enough to be used ten thousand times.
class HostileModels : public testing::Test
{
protected:
  struct Good
  {
    std::string path;
    vae::Volume trained;
  };

  void SetUp() override
  {
    this->Folder =
      std::filesystem::temp_directory_path() / ("vae-hostile-" + std::to_string(::getpid()));
    std::filesystem::create_directories(this->Folder);
    this->Path = (this->Folder / "model.safetensors").string();
  }
  void TearDown() override { std::filesystem::remove_all(this->Folder); }

  template <typename T>
  static vae::Volume pattern(const vae::Dims& dims, int values)
  {
    std::vector<T> v(static_cast<std::size_t>(vae::voxels(dims)));
    for (std::size_t i = 0; i < v.size(); ++i)
    {
      v[i] = static_cast<T>(i * 7 % 101 % static_cast<std::size_t>(values));
    }
    return test::volume(std::move(v), dims);
  }

  /// Of a small network that is trained for two steps.
  static vae::TrainOptions small(vae::Architecture architecture)
  {
    vae::TrainOptions o = quickInFloat32(1);
    o.threads = 1;
    o.stepsPerEpoch = 2;
    o.batchSize = 1;
    o.network.architecture = architecture;
    o.network.width = 8;
    o.network.latentChannels = 2;
    o.network.latentStride = 4;
    o.network.blockSize = 8;
    o.network.hiddenUnits = 8;
    o.priorShare = 0;
    return o;
  }

  Good train(
    const std::string& name, vae::Architecture architecture, const vae::Volume& volume, int prior)
  {
    const vae::TrainOptions o = small(architecture);
    vae::TorchTrainer trainer({ volume }, o, nullptr);
    while (trainer.info().ending == vae::Ending::None)
    {
      trainer.step();
    }
    const Good good{ (this->Folder / name).string(), volume };
    const auto model =
      std::dynamic_pointer_cast<const vae::TorchModel>(trainer.model({ true, 0, true, false }, {}));
    vae::Calibration calibration = model->calibration();
    if (prior > 0)
    {
      const at::Generator random = at::make_generator<at::CPUGeneratorImpl>(5);
      auto learned = std::make_shared<vae::LearnedPrior>(prior, 2, 8);
      learned->Net->initialise(random);
      const at::Tensor local = at::rand({ 1, prior == 3 ? 8 : 1, 8, 8 }, random);
      learned->ConditioningMean = learned->LocalMean = vae::LatentField::fit(local);
      calibration.learned = learned;
    }
    vae::TorchModel(model->info(), model->network(), calibration, model->trainingState())
      .save(good.path);
    return good;
  }

  std::vector<Good> goodModels()
  {
    return {
      this->train("field", vae::Architecture::Field, pattern<std::uint8_t>({ 16, 16, 16 }, 2), 3),
      this->train("grey", vae::Architecture::Field, pattern<float>({ 16, 24, 1 }, 101), 2),
      this->train("phases", vae::Architecture::Vector, pattern<std::uint8_t>({ 16, 24, 1 }, 3), 0),
      this->train("dense", vae::Architecture::Dense, pattern<std::int16_t>({ 16, 16, 1 }, 101), 0)
    };
  }

  void write(const std::string& bytes) const
  {
    std::ofstream(this->Path, std::ios::binary) << bytes;
  }
  std::string refusal(const vae::LoadOptions& options = {}) const
  {
    try
    {
      vae::TorchModel::load(this->Path, options);
    }
    catch (const std::runtime_error& e)
    {
      return e.what();
    }
    return {};
  }

  std::filesystem::path Folder;
  std::string Path;
};

} // namespace test
