// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Torch/Inference/TorchModel.h"

#include <nlohmann/json.hpp>

#include <format>

namespace test
{

/// A model with its training state as older files have it: without parts, random generators as text
/// in the JSON, sums of the running epoch as a list.
inline std::shared_ptr<const vae::TorchModel> withOlderState(const vae::TorchModel& model)
{
  const vae::TrainingState& state = *model.trainingState();
  const auto json = nlohmann::json::parse(state.json);
  auto older = std::make_shared<vae::TrainingState>();
  const auto generators = [&](nlohmann::json& fields, const std::string& part)
  {
    fields["random"] = vae::textOf(state.tensors.at(part + "random"));
    std::string hex;
    for (const char c : vae::textOf(state.tensors.at(part + "noise")))
    {
      hex += std::format("{:02x}", static_cast<unsigned char>(c));
    }
    fields["noise"] = hex;
  };
  for (const auto& [name, tensor] : state.tensors)
  {
    if (tensor.scalar_type() == at::kFloat)
    {
      older->tensors[name.substr(name.find('.') + 1)] = tensor; // of the network, or of the prior
    }
  }
  nlohmann::json fields = json["network"];
  fields.update(json["clock"]);
  generators(fields, "network.");
  nlohmann::json prior = json["prior"];
  const nlohmann::json sums = prior.empty() ? fields["log"] : prior["log"];
  if (prior.empty())
  {
    prior = nullptr;
  }
  else
  {
    generators(prior, "prior.");
    prior["loss"] = sums["loss"];
    prior.erase("log");
  }
  fields.erase("log");
  fields["measures"] = sums["measures"];
  fields["running"] = { sums["loss"], sums["reconstruction"], sums["kl"], sums["seconds"],
    sums["voxels"] };
  fields["network_ending"] = json["network_ending"];
  fields["prior"] = prior;
  older->json = fields.dump();
  return std::make_shared<const vae::TorchModel>(
    model.info(), model.network(), model.calibration(), older);
}

} // namespace test
