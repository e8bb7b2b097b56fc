// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Source/JsonText.h"
#include "Torch/Inference/TorchModel.h"

// How the parts of a training write and read what they need to go on exactly (TrainingState).
namespace vae
{

/// What one part writes: fields, and tensors by name.
class StateWriter
{
public:
  Json json = Json::object();
  State tensors;

  /// As name.0, name.1, ...: copies, on the CPU.
  void store(const std::string& name, const std::vector<at::Tensor>& values);
  void store(const std::string& name, const at::Generator& generator);
  void store(const std::string& name, const std::mt19937_64& generator);
  /// A part of it, under its name.
  void add(const std::string& name, StateWriter part);
};

/// What one part reads. Everything that is missing, or out of its range, is
/// \throws std::invalid_argument with one sentence
class StateReader
{
public:
  StateReader(const Json& json, const TensorReader& tensors) : Fields(json), Tensors(tensors) {}

  bool has(const char* name) const { return this->Fields.contains(name); }
  StateReader part(const char* name) const;
  double number(const char* name) const;      ///< finite or not a number
  std::int64_t count(const char* name) const; ///< 0 to 2^53
  double seconds(const char* name) const;     ///< 0 to 1e12; a little below 0 counts as 0
  std::string text(const char* name) const;
  std::map<std::string, double> numbers(const char* name) const; ///< all of an object

  bool hasTensors(const std::string& name) const { return this->Tensors.has(name + ".0"); }
  /// Into tensors of the same shapes, as StateWriter stored them.
  void load(const std::string& name, const std::vector<at::Tensor>& to) const;
  void load(const std::string& name, at::Generator& generator) const;
  void load(const std::string& name, std::mt19937_64& generator) const;

  /// \throws std::invalid_argument "Cannot resume from Initial Model: in its training state ..."
  static void require(bool good, const std::string& what);

private:
  const Json& Fields;
  TensorReader Tensors;
};

/// Fields and tensors of a state as this version writes them. Older ones have no parts, random
/// generators as text in the JSON, and the sums of the running epoch as a list.
std::pair<Json, State> newestState(const TrainingState& state);

/// The learned prior that a training's own begins with, as the state has it; null: it has none.
/// \throws std::invalid_argument with one sentence
std::shared_ptr<const LearnedPrior> priorStartIn(
  const TrainingState& state, const NetworkOptions& network);

} // namespace vae
