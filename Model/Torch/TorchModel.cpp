// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "TorchModel.h"

#include "../ModelFile.h"
#include "Inference.h"
#include "Reconstruction.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/core/GradMode.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <cmath>

namespace vae
{
namespace
{

constexpr const char* Format = "vae-paraview-2";
constexpr const char* PriorPrefix = "prior.random_field.";
constexpr const char* AnomalyQuantiles = "anomaly.quantiles";
constexpr const char* TrainingPrefix = "training.";

NamedTensor store(const at::Tensor& t)
{
  const at::Tensor c = t.detach().to(at::kCPU, at::kFloat).contiguous();
  const float* data = c.const_data_ptr<float>();
  return { c.sizes().vec(), std::vector<float>(data, data + c.numel()) };
}

at::Tensor restore(const NamedTensor& t)
{
  return at::from_blob(const_cast<float*>(t.values.data()), t.shape, at::kFloat).clone();
}

} // namespace

Latent TorchModel::encode(const Volume& volume, const RunOptions& run, const Monitor& monitor) const
{
  checkFits(volume, this->Info);
  const Frame frame(volume.dims, volume.spacing, this->Info.network);
  Latent latent = this->encodePart(volume, frame, { { 0, 0, 0 }, frame.cells() }, run, monitor);
  latent.dims = latentDims(volume.dims, this->Info.network);
  return latent;
}

Latent TorchModel::encodePart(const Volume& volume, const Frame& frame, const Box& part,
  const RunOptions& run, const Monitor& monitor) const
{
  Inference inference(this->Info, this->Net, frame, run);
  Latent latent;
  latent.channels = this->Info.latentChannels();
  const std::vector<std::int64_t> shape{ latent.channels, part.size[0], part.size[1],
    part.size[2] };
  const auto count =
    static_cast<std::size_t>(latent.channels * part.size[0] * part.size[1] * part.size[2]);
  latent.mean.resize(count);
  latent.logVariance.resize(count);
  const at::Tensor mean = at::from_blob(latent.mean.data(), shape);
  const at::Tensor logVariance = at::from_blob(latent.logVariance.data(), shape);
  forEachTile(part.size, inference.encodeTile(part.size), monitor, [&](const Box& tile)
  {
    Box box = tile;
    for (int a = 0; a < 3; ++a)
    {
      box.origin[a] += part.origin[a];
    }
    const Posterior q = inference.encode(volume, box);
    slice(mean, tile.origin, tile.size).copy_(q.mean[0]);
    slice(logVariance, tile.origin, tile.size).copy_(q.logVariance[0]);
  });
  return latent;
}

void TorchModel::decode(const Latent& latent, const Dims& dims, int margin, const Outputs& outputs,
  const RunOptions& run, const Monitor& monitor) const
{
  Dims wanted = latentDims(dims, this->Info.network);
  const Frame frame(dims, this->Info.spacing, this->Info.network);
  for (std::int64_t& n : wanted)
  {
    n += n == 1 && this->Info.network.dimensions == 2 ? 0 : 2 * margin;
  }
  if (latent.dims != wanted || latent.channels != this->Info.latentChannels())
  {
    throw std::invalid_argument("The latent image is " + toString(latent.dims) + " with " +
      std::to_string(latent.channels) + " channels; " + toString(dims) +
      " voxels of this model need " + toString(wanted) + " with " +
      std::to_string(this->Info.latentChannels()));
  }
  Inference inference(this->Info, this->Net, frame, run);
  const Index3 cells = frame.cells();
  LatentGrid field;
  std::vector<std::int64_t> shape{ latent.channels };
  for (int a = 0; a < 3; ++a)
  {
    field.low[a] = frame.used(a) ? -margin : 0;
    shape.push_back(cells[a] - 2 * field.low[a]);
  }
  field.values = at::from_blob(const_cast<float*>(latent.mean.data()), shape);
  forEachTile(cells, inference.decodeTile(cells), monitor,
    [&](const Box& box) { inference.write(box, inference.decode(field, box), outputs); });
}

void TorchModel::reconstruct(const Volume& volume, const ReconstructOptions& options,
  const ReconstructOutputs& outputs, const RunOptions& run, const Monitor& monitor) const
{
  // Encoding takes about as long as decoding, sampling many times that.
  Monitor encoding = monitor, decoding = monitor;
  if (monitor.progress)
  {
    encoding.progress = [&](double fraction) { monitor.progress(0.4 * fraction); };
    decoding.progress = [&](double fraction) { monitor.progress(0.4 + 0.6 * fraction); };
  }
  const Latent latent = this->encode(volume, run, encoding);
  Inference inference(
    this->Info, this->Net, { volume.dims, volume.spacing, this->Info.network }, run);
  Reconstruction(inference, this->Info, volume, latent, options, outputs,
    this->Anomalies ? &*this->Anomalies : nullptr)
    .run(decoding);
}

std::string TorchModel::memoryPlan(const Dims& dims, const RunOptions& run) const
{
  return Inference(this->Info, this->Net, { dims, this->Info.spacing, this->Info.network }, run)
    .plan();
}

Prior TorchModel::bestPrior() const { return this->Field ? Prior::RandomField : Prior::Normal; }

std::vector<LatentStatistics> TorchModel::latentStatistics() const
{
  return this->Field
    ? this->Field->statistics()
    : std::vector<LatentStatistics>(static_cast<std::size_t>(this->Info.latentChannels()));
}

Latent TorchModel::sample(const Dims& dims, int margin, const GenerateOptions& options,
  const std::vector<float>& /*trend*/) const
{
  const Prior prior = options.prior == Prior::Automatic ? this->bestPrior() : options.prior;
  if (prior == Prior::RandomField && !this->Field)
  {
    throw std::invalid_argument(
      "Prior is 'random field', but this model holds no statistics of its latent field; train it "
      "to the end, or choose 'normal'");
  }
  const RunScope scope(choosePlace("cpu", Precision::Float32, 0), false);
  const c10::InferenceMode inference;
  Latent latent;
  latent.dims = latentDims(dims, this->Info.network);
  latent.channels = this->Info.latentChannels();
  for (std::int64_t& n : latent.dims)
  {
    n += n == 1 && this->Info.network.dimensions == 2 ? 0 : 2 * margin;
  }
  const Frame frame(latent.dims, this->Info.spacing, this->Info.network);
  // Each realization is a stream of its own: neighbouring seeds share nothing.
  std::seed_seq mix{ static_cast<std::uint32_t>(options.seed),
    static_cast<std::uint32_t>(options.seed >> 32),
    static_cast<std::uint32_t>(options.realization) };
  std::array<std::uint32_t, 2> words;
  mix.generate(words.begin(), words.end());
  const at::Generator generator =
    at::make_generator<at::CPUGeneratorImpl>(static_cast<std::uint64_t>(words[0]) << 32 | words[1]);
  const at::Tensor field = prior == Prior::RandomField
    ? this->Field->sample(frame.size, generator, options.temperature)
    : at::randn({ latent.channels, frame.size[0], frame.size[1], frame.size[2] }, generator) *
      options.temperature;
  const float* data = field.const_data_ptr<float>();
  latent.mean.assign(data, data + field.numel());
  return latent;
}

void TorchModel::fitPrior(
  const Volume& volume, std::int64_t most, const RunOptions& run, const Monitor& monitor)
{
  const Frame frame(volume.dims, volume.spacing, this->Info.network);
  Box part{ { 0, 0, 0 }, frame.cells() };
  if (most > 0)
  {
    const double edge = std::pow(static_cast<double>(most), 1. / this->Info.network.dimensions) /
      static_cast<double>(frame.cell[2]);
    for (int a = 0; a < 3; ++a)
    {
      const auto n = std::clamp<std::int64_t>(std::lround(edge), 1, part.size[a]);
      part.origin[a] = (part.size[a] - n) / 2;
      part.size[a] = n;
    }
  }
  const Latent latent = this->encodePart(volume, frame, part, run, monitor);
  const RunScope scope(choosePlace("cpu", Precision::Float32, run.threads), false);
  const auto field = [&](const std::vector<float>& values)
  {
    return at::from_blob(const_cast<float*>(values.data()),
      { latent.channels, part.size[0], part.size[1], part.size[2] });
  };
  this->Field = LatentField::fit(field(latent.mean), field(latent.logVariance));
  if (most == 0)
  {
    this->fitAnomalies(volume, frame, latent, run, monitor);
  }
}

void TorchModel::fitAnomalies(const Volume& volume, const Frame& frame, const Latent& latent,
  const RunOptions& run, const Monitor& monitor)
{
  // A block in the middle is enough for the distribution of a score.
  constexpr double most = 1 << 22;
  const Index3 cells = frame.cells();
  const double edge = std::pow(most, 1. / frame.dimensions) / static_cast<double>(frame.cell[2]);
  Box part{ { 0, 0, 0 }, cells };
  for (int a = 0; a < 3; ++a)
  {
    part.size[a] = std::clamp<std::int64_t>(std::lround(edge), 1, cells[a]);
    part.origin[a] = (cells[a] - part.size[a]) / 2;
  }
  Inference inference(this->Info, this->Net, frame, run);
  Reconstruction reconstruction(inference, this->Info, volume, latent, {}, {}, nullptr);
  AnomalyScale scale;
  forEachTile(part.size, inference.decodeTile(part.size), monitor, [&](Box box)
  {
    for (int a = 0; a < 3; ++a)
    {
      box.origin[a] += part.origin[a];
    }
    reconstruction.measure(box, scale);
  });
  scale.finish();
  this->Anomalies = std::move(scale);
}

void TorchModel::save(const std::string& path) const
{
  ModelFile file;
  file.metadata["format"] = Format;
  file.metadata["model"] = toJson(this->Info);
  for (const auto& [name, tensor] : this->Net->tensors())
  {
    file.tensors[name] = store(tensor);
  }
  if (this->Field)
  {
    for (const auto& [name, tensor] : this->Field->tensors())
    {
      file.tensors[PriorPrefix + name] = store(tensor);
    }
  }
  if (this->Anomalies)
  {
    file.tensors[AnomalyQuantiles] = store(this->Anomalies->quantiles());
  }
  if (this->Training)
  {
    file.metadata["training"] = this->Training->json;
    for (const auto& [name, tensor] : this->Training->tensors)
    {
      file.tensors[TrainingPrefix + name] = store(tensor);
    }
  }
  writeModelFile(path, file);
}

std::shared_ptr<const TorchModel> TorchModel::load(const std::string& path)
{
  const ModelFile file = readModelFile(path);
  const auto format = file.metadata.find("format");
  if (format == file.metadata.end() || format->second != Format || !file.metadata.count("model"))
  {
    throw std::runtime_error(path + ": is a safetensors file, but not a VAE model (format " +
      (format == file.metadata.end() ? "missing" : "\"" + format->second + "\"") + ", expected \"" +
      Format + "\")");
  }
  try
  {
    ModelInfo info = modelInfoFromJson(file.metadata.at("model"));
    NetworkPtr network = makeNetwork(info.network);
    const c10::NoGradGuard guard;
    for (const auto& [name, tensor] : network->tensors())
    {
      const auto found = file.tensors.find(name);
      if (found == file.tensors.end())
      {
        throw std::runtime_error("tensor \"" + name + "\" is missing");
      }
      if (tensor.sizes() != at::IntArrayRef(found->second.shape))
      {
        throw std::runtime_error("tensor \"" + name + "\" has the wrong shape");
      }
      at::Tensor(tensor).copy_(restore(found->second));
    }
    auto model = std::make_shared<TorchModel>(std::move(info), std::move(network));
    const auto quantiles = file.tensors.find(std::string(PriorPrefix) + "quantiles");
    const auto covariance = file.tensors.find(std::string(PriorPrefix) + "covariance");
    if (quantiles != file.tensors.end() && covariance != file.tensors.end())
    {
      const auto variance = file.tensors.find(std::string(PriorPrefix) + "posterior_variance");
      model->Field =
        LatentField::fromTensors(restore(quantiles->second), restore(covariance->second),
          variance != file.tensors.end() ? restore(variance->second) : at::Tensor());
    }
    if (const auto found = file.tensors.find(AnomalyQuantiles); found != file.tensors.end())
    {
      model->Anomalies = AnomalyScale::fromTensor(restore(found->second));
    }
    if (const auto training = file.metadata.find("training"); training != file.metadata.end())
    {
      auto state = std::make_shared<TrainingState>();
      state->json = training->second;
      const std::string prefix = TrainingPrefix;
      for (const auto& [name, tensor] : file.tensors)
      {
        if (name.compare(0, prefix.size(), prefix) == 0)
        {
          state->tensors[name.substr(prefix.size())] = restore(tensor);
        }
      }
      model->Training = std::move(state);
    }
    return model;
  }
  catch (const std::exception& e)
  {
    throw std::runtime_error(path + ": is not a usable VAE model: " + e.what());
  }
}

} // namespace vae
