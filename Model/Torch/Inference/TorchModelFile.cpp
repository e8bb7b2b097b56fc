// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
//
// A model to a file, and from one that anybody may have written: all is checked before it is used,
// and sizes are compared with the bytes that are there before memory is asked for.
#include "Check.h"
#include "Source/ModelFile.h"
#include "Torch/Data/TrainingData.h"
#include "TorchModel.h"

#include <ATen/Functions.h>

#include <cstring>

namespace vae
{
namespace
{

constexpr const char* TrainingPrefix = "training.";

void add(ModelFile& file, const State& state)
{
  for (const auto& [name, tensor] : state)
  {
    if (tensor.scalar_type() == at::kByte)
    {
      file.bytes[name] = textOf(tensor);
    }
    else
    {
      file.tensors[name] = { tensor.sizes().vec(), valuesOf(tensor) };
    }
  }
}

/// Weights in half precision.
void addInHalf(ModelFile& file, const std::string& name, const at::Tensor& weights)
{
  const at::Tensor c = weights.detach().to(at::kCPU, at::kHalf).contiguous();
  HalfTensor& half = file.halves[name];
  half.shape = c.sizes().vec();
  half.values.resize(static_cast<std::size_t>(c.numel()));
  std::memcpy(half.values.data(), c.const_data_ptr(), c.nbytes());
}

/// Of a file: only what is asked for is read.
class FileSource : public TensorSource
{
public:
  explicit FileSource(ModelFileReader& file) : File(file) {}
  const std::map<std::string, TensorEntry>& entries() const override
  {
    return this->File.tensors();
  }
  at::Tensor read(const std::string& name) const override
  {
    const TensorEntry& entry = this->File.tensors().at(name);
    at::Tensor t = at::empty(entry.shape,
      entry.isBytes    ? at::kByte
        : entry.isHalf ? at::kHalf
                       : at::kFloat);
    this->File.read(entry, t.mutable_data_ptr());
    return entry.isHalf ? t.to(at::kFloat) : t;
  }

private:
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

} // namespace

void TorchModel::save(const std::string& path, const std::function<void()>& mayReplace) const
{
  ModelFile file;
  file.metadata["format"] = ModelFormat;
  file.metadata["model"] = toJson(this->Info);
  State state = this->Net->state();
  addPart(state, "", this->Calibrated.state());
  if (this->Training)
  {
    file.metadata["training"] = this->Training->json;
    addPart(state, TrainingPrefix, this->Training->tensors);
  }
  add(file, state);
  writeModelFile(path, file, mayReplace);
}

void TorchModel::saveInHalf(const std::string& path) const
{
  ModelFile file;
  file.metadata["format"] = ModelFormat;
  file.metadata["model"] = toJson(this->Info);
  for (const auto& [name, tensor] : this->Net->tensors())
  {
    addInHalf(file, name, tensor);
  }
  Calibration prior;
  prior.learned = this->Calibrated.learned;
  State rest;
  for (const auto& [name, tensor] : prior.state())
  {
    if (name.find(".network.") != std::string::npos)
    {
      addInHalf(file, name, tensor);
    }
    else
    {
      rest[name] = tensor;
    }
  }
  add(file, rest);
  writeModelFile(path, file);
}

std::shared_ptr<const TorchModel> TorchModel::load(
  const std::string& path, const LoadOptions& options)
{
  ModelFileReader file(path);
  ModelInfo info = modelInfoOf(path, file.metadata());
  try
  {
    checkOptions(info);
    const TensorReader reader(std::make_shared<const FileSource>(file));
    NetworkPtr network = networkFromState(info.network, reader, options.allowTorchScript);
    Calibration calibration = Calibration::fromState(reader, info.network);
    std::shared_ptr<TrainingState> training;
    if (const auto json = file.metadata().find("training"); json != file.metadata().end())
    {
      training = std::make_shared<TrainingState>(
        TrainingState{ json->second, reader.part(TrainingPrefix).tensors() });
    }
    return std::make_shared<const TorchModel>(
      std::move(info), std::move(network), std::move(calibration), std::move(training));
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
