// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "EpochLog.h"

#include "StateJson.h"

namespace vae
{

void EpochLog::add(const StepRecord& step, const std::map<std::string, double>& measures,
  double seconds, double voxels)
{
  this->Loss += step.loss;
  this->Reconstruction += step.reconstruction;
  this->KL += step.kl;
  this->Seconds += seconds;
  this->Voxels += voxels;
  for (const auto& [name, value] : measures)
  {
    this->Measures[name] += value;
  }
}

EpochRecord EpochLog::close(double steps)
{
  EpochRecord row;
  row.loss = this->Loss / steps;
  row.reconstruction = this->Reconstruction / steps;
  row.kl = this->KL / steps;
  row.voxelsPerSecond = this->Voxels / this->Seconds;
  row.measures = this->Measures;
  for (auto& [name, value] : row.measures)
  {
    value /= steps;
  }
  this->clear();
  return row;
}

void EpochLog::store(StateWriter& state) const
{
  state.json["log"] = { { "loss", this->Loss }, { "reconstruction", this->Reconstruction },
    { "kl", this->KL }, { "seconds", this->Seconds }, { "voxels", this->Voxels },
    { "measures", this->Measures } };
}

void EpochLog::restore(const StateReader& state)
{
  const StateReader log = state.part("log");
  this->Loss = log.number("loss");
  this->Reconstruction = log.number("reconstruction");
  this->KL = log.number("kl");
  this->Seconds = log.number("seconds");
  this->Voxels = log.number("voxels");
  this->Measures = log.numbers("measures");
}

} // namespace vae
