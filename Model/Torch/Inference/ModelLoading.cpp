// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
//
// A model from a file that anybody may have written: all is checked before it is used, and sizes
// are compared with the bytes that are there before memory is asked for.
#include "Check.h"
#include "FileNames.h"
#include "Plan.h"
#include "Source/ModelFile.h"
#include "Torch/Data/TrainingData.h"
#include "TorchModel.h"

#include <ATen/Functions.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <format>

namespace vae
{
namespace
{

std::string text(const std::vector<std::int64_t>& shape)
{
  std::string all;
  for (const std::int64_t n : shape)
  {
    all += (all.empty() ? "" : ", ") + std::to_string(n);
  }
  return '[' + all + ']';
}

/// Tensors of a file, by name.
class Tensors
{
public:
  explicit Tensors(ModelFileReader& file) : File(file) {}

  bool has(const std::string& name) const { return this->File.tensors().count(name) > 0; }

  /// Of all whose names begin so, or (no prefix) that belong to the network.
  double bytes(const std::string& prefix) const
  {
    double sum = 0;
    for (const auto& [name, entry] : this->File.tensors())
    {
      sum += name.starts_with(prefix) ? static_cast<double>(entry.size) : 0;
    }
    return sum;
  }

  const std::vector<std::int64_t>& shape(const std::string& name) const
  {
    return this->entry(name, false).shape;
  }

  /// Of this shape, or of any if it is null; `any` value, or only finite ones.
  at::Tensor read(
    const std::string& name, const std::vector<std::int64_t>* wanted = nullptr, bool any = false)
  {
    const TensorEntry& found = this->entry(name, false);
    if (wanted && found.shape != *wanted)
    {
      throw std::runtime_error("tensor \"" + name + "\" has the shape " + text(found.shape) +
        "; it must be " + text(*wanted));
    }
    at::Tensor t = at::empty(found.shape, at::kFloat);
    float* data = t.mutable_data_ptr<float>();
    this->File.read(found, data);
    if (!any && !std::all_of(data, data + t.numel(), [](float v) { return std::isfinite(v); }))
    {
      throw std::runtime_error(
        "tensor \"" + name + "\" has values that are infinite or not a number");
    }
    return t;
  }

  std::string readBytes(const std::string& name)
  {
    const TensorEntry& found = this->entry(name, true);
    std::string content(found.size, '\0');
    this->File.read(found, content.data());
    return content;
  }

  /// All whose names begin with `prefix`, by the rest of their names.
  std::map<std::string, at::Tensor> readAll(const std::string& prefix, bool any = false)
  {
    std::map<std::string, at::Tensor> found;
    for (const auto& [name, entry] : this->File.tensors())
    {
      if (name.starts_with(prefix))
      {
        found[name.substr(prefix.size())] = this->read(name, nullptr, any);
      }
    }
    return found;
  }

private:
  const TensorEntry& entry(const std::string& name, bool bytes) const
  {
    const auto found = this->File.tensors().find(name);
    if (found == this->File.tensors().end())
    {
      throw std::runtime_error("tensor \"" + name + "\" is missing");
    }
    if (found->second.isBytes != bytes)
    {
      throw std::runtime_error(
        "tensor \"" + name + "\" is of type " + (bytes ? "F32, not U8" : "U8, not F32"));
    }
    return found->second;
  }

  ModelFileReader& File;
};

/// As training on them would check them.
void checkOptions(const ModelInfo& info)
{
  TrainOptions options = info.options;
  options.network = info.network;
  options.allowTorchScript = true; // load() asks
  completeOptions(options);
  check(options);
}

std::shared_ptr<const Scripts> scriptsOf(Tensors& tensors, bool allowed)
{
  if (!allowed)
  {
    throw std::runtime_error(
      "its network is TorchScript, which is a program, and Allow TorchScript is off; switch it on "
      "only if you trust who made this file");
  }
  return std::make_shared<Scripts>(
    Scripts{ tensors.readBytes(parts::ScriptEncoder), tensors.readBytes(parts::ScriptDecoder) });
}

NetworkPtr readNetwork(Tensors& tensors, const NetworkOptions& options, bool allowTorchScript)
{
  const bool script = options.architecture == Architecture::TorchScript;
  const double needed = storedBytes(options), there = tensors.bytes("");
  if (needed > there)
  {
    throw std::runtime_error(
      std::format("its network needs {:.0f} bytes of tensors, the file has {:.0f}", needed, there));
  }
  NetworkPtr network =
    makeNetwork(options, script ? scriptsOf(tensors, allowTorchScript) : nullptr);
  const c10::NoGradGuard guard;
  for (const auto& [name, tensor] : network->tensors())
  {
    const std::vector<std::int64_t> shape = tensor.sizes().vec();
    at::Tensor(tensor).copy_(tensors.read(name, &shape, script)); // a script may mask with infinity
  }
  return network;
}

std::optional<LatentField> readField(Tensors& tensors, std::int64_t channels)
{
  const std::string prefix = parts::FieldPrefix;
  if (!tensors.has(prefix + "quantiles") || !tensors.has(prefix + "covariance"))
  {
    return {};
  }
  // What older files do not have.
  const auto optional = [&](const char* name, const std::vector<std::int64_t>& shape)
  { return tensors.has(prefix + name) ? tensors.read(prefix + name, &shape) : at::Tensor(); };
  const at::Tensor amplitude = optional("amplitude", { 1 }),
                   threshold = optional("threshold", { 1 });
  return LatentField::fromTensors(tensors.read(prefix + "quantiles"),
    tensors.read(prefix + "covariance"), optional("posterior_variance", { channels }),
    amplitude.defined() ? amplitude.item<float>() : 1,
    threshold.defined() ? threshold.item<float>() : 0, channels);
}

std::shared_ptr<const LearnedPrior> readLearned(Tensors& tensors, const NetworkOptions& options)
{
  const std::string prefix = parts::LearnedPrefix;
  const double there = tensors.bytes(prefix);
  if (there == 0)
  {
    return nullptr;
  }
  const std::vector<std::int64_t>& width = tensors.shape(prefix + "network.in.bias");
  if (width.size() != 1 || !LearnedPrior::possible(width[0]) ||
    4 * FlowNetwork::parametersOf(options.dimensions, options.latentChannels, width[0]) > there)
  {
    throw std::runtime_error("the learned prior's network is larger than its tensors in the file");
  }
  return LearnedPrior::fromTensors(
    tensors.readAll(prefix), options.dimensions, options.latentChannels);
}

} // namespace

std::shared_ptr<const TorchModel> TorchModel::load(
  const std::string& path, const LoadOptions& options)
{
  ModelFileReader file(path);
  ModelInfo info = modelInfoOf(path, file.metadata());
  try
  {
    checkOptions(info);
    Tensors tensors(file);
    NetworkPtr network = readNetwork(tensors, info.network, options.allowTorchScript);
    auto model = std::make_shared<TorchModel>(std::move(info), std::move(network));
    const NetworkOptions& known = model->Info.network;
    model->Field = readField(tensors, known.latentChannels);
    model->Learned = readLearned(tensors, known);
    if (tensors.has(parts::AnomalyQuantiles))
    {
      model->Anomalies = AnomalyScale::fromTensor(tensors.read(parts::AnomalyQuantiles));
    }
    const auto training = file.metadata().find("training");
    if (training != file.metadata().end())
    {
      auto state = std::make_shared<TrainingState>();
      state->json = training->second;
      state->tensors = tensors.readAll(parts::TrainingPrefix, true); // losses that are not yet
      model->Training = std::move(state);
    }
    return model;
  }
  catch (const std::bad_alloc&) // not the file's fault
  {
    throw;
  }
  catch (const std::exception& e)
  {
    throw std::runtime_error(path + ": is not a usable VAE model: " + e.what());
  }
}

} // namespace vae
