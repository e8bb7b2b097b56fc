// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What a model file calls its parts beside the network's own tensors.
namespace vae::parts
{

constexpr const char* FieldPrefix = "prior.random_field.";
constexpr const char* LearnedPrefix = "prior.learned.";
constexpr const char* AnomalyQuantiles = "anomaly.quantiles";
constexpr const char* TrainingPrefix = "training.";
constexpr const char* ScriptEncoder = "torchscript.encoder";
constexpr const char* ScriptDecoder = "torchscript.decoder";

} // namespace vae::parts
