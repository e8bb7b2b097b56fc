// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "../Trainer.h"
#include "AdamW.h"
#include "Blocks.h"
#include "Device.h"
#include "Network.h"

#include <ATen/core/Generator.h>

#include <random>

namespace vae
{

class TorchTrainer : public Trainer
{
public:
  TorchTrainer(Volume volume, const TrainOptions& options);

  StepRecord step() override;
  const ModelInfo& info() const override { return this->Info; }
  std::shared_ptr<const Model> model(const Monitor& monitor) const override;

private:
  at::Tensor drawBatch();
  at::Tensor reconstructionLoss(const at::Tensor& decoded, const at::Tensor& x);
  void validate(EpochRecord& record);
  double progress(double seconds) const; ///< 0..1, after so many seconds

  Volume Data;
  ModelInfo Info;
  Place Where;
  Frame Grid;
  Index3 Patch{};           ///< voxels
  Index3 Sampled{};         ///< extent that patches come from
  std::vector<Box> HeldOut; ///< patches of the validation slab
  Network Net{ nullptr };
  std::unique_ptr<AdamW> Optimiser;
  std::mt19937_64 Random;
  at::Generator Noise;

  std::int64_t Step = 0;
  double Seconds = 0;
  EpochRecord Running;              ///< sums over the epoch so far
  std::vector<double> SquaredError; ///< Gaussian: smoothed, a data channel, normalised units
};

} // namespace vae
