// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Calibration.h"

namespace vae
{
namespace
{

constexpr const char* FieldPrefix = "prior.random_field.";
constexpr const char* LearnedPrefix = "prior.learned.";
constexpr const char* AnomalyPrefix = "anomaly.";

} // namespace

void Calibration::describe(ModelInfo& info) const
{
  info.priorSpread = this->priorSpread.value_or(info.priorSpread);
  if (this->texture)
  {
    info.textureWidth = this->texture->width;
    info.textureWhite = this->texture->white;
  }
  for (std::size_t c = 0; c < this->residuals.size(); ++c)
  {
    info.channels[c].residual = this->residuals[c];
  }
  info.verdict = this->verdict.value_or(info.verdict);
  if (!this->leftOut.empty())
  {
    info.leftOut += (info.leftOut.empty() ? "" : " ") + this->leftOut;
  }
}

State Calibration::state() const
{
  State state;
  if (this->field)
  {
    addPart(state, FieldPrefix, this->field->state());
  }
  if (this->learned)
  {
    addPart(state, LearnedPrefix, this->learned->state());
  }
  if (this->anomalies)
  {
    addPart(state, AnomalyPrefix, this->anomalies->state());
  }
  return state;
}

Calibration Calibration::fromState(const TensorReader& state, const NetworkOptions& network)
{
  Calibration calibration;
  const TensorReader field = state.part(FieldPrefix), learned = state.part(LearnedPrefix),
                     anomalies = state.part(AnomalyPrefix);
  if (field.has("quantiles") && field.has("covariance"))
  {
    calibration.field = LatentField::fromState(field, network.latentChannels);
  }
  if (learned.bytes() > 0)
  {
    calibration.learned =
      LearnedPrior::fromState(learned, network.dimensions, network.latentChannels);
  }
  if (anomalies.has("quantiles"))
  {
    calibration.anomalies = AnomalyScale::fromState(anomalies);
  }
  return calibration;
}

} // namespace vae
