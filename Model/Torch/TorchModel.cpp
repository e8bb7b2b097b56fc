// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "TorchModel.h"

#include "../ModelFile.h"
#include "Reconstruction.h"

#include <ATen/Functions.h>
#include <c10/core/GradMode.h>

namespace vae
{
namespace
{

constexpr const char* Format = "vae-paraview-5";
constexpr const char* PriorPrefix = "prior.random_field.";
constexpr const char* LearnedPrefix = "prior.learned.";
constexpr const char* AnomalyQuantiles = "anomaly.quantiles";
constexpr const char* TrainingPrefix = "training.";

NamedTensor store(const at::Tensor& t) { return { t.sizes().vec(), valuesOf(t) }; }

at::Tensor restore(const NamedTensor& t)
{
  return at::from_blob(const_cast<float*>(t.values.data()), t.shape, at::kFloat).clone();
}

/// All tensors whose names begin with `prefix`, by the rest of their names.
std::map<std::string, at::Tensor> restoreAll(const ModelFile& file, const std::string& prefix)
{
  std::map<std::string, at::Tensor> found;
  for (const auto& [name, tensor] : file.tensors)
  {
    if (name.compare(0, prefix.size(), prefix) == 0)
    {
      found[name.substr(prefix.size())] = restore(tensor);
    }
  }
  return found;
}

} // namespace

std::vector<float> valuesOf(const at::Tensor& t)
{
  const at::Tensor c = t.detach().to(at::kCPU, at::kFloat).contiguous();
  const float* data = c.const_data_ptr<float>();
  return { data, data + c.numel() };
}

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
  const Frame frame(dims, this->Info.spacing, this->Info.network);
  const Dims wanted = frame.cellsWithMargin(margin);
  if (latent.dims != wanted || latent.channels != this->Info.latentChannels())
  {
    throw std::invalid_argument("The latent image is " + toString(latent.dims) + " with " +
      std::to_string(latent.channels) + " channels; " + toString(dims) +
      " voxels of this model need " + toString(wanted) + " with " +
      std::to_string(this->Info.latentChannels()));
  }
  this->decodeEach(latent, dims, margin, run, monitor,
    [&](Inference& inference, const Box& box, const at::Tensor& decoded)
  { inference.write(box, decoded, outputs, latent.threshold); });
}

void TorchModel::decodeEach(const Latent& latent, const Dims& dims, int margin,
  const RunOptions& run, const Monitor& monitor,
  const std::function<void(Inference&, const Box&, const at::Tensor&)>& use) const
{
  const Frame frame(dims, this->Info.spacing, this->Info.network);
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
    [&](const Box& box) { use(inference, box, inference.decode(field, box)); });
  inference.flush();
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

int TorchModel::margin(const std::array<bool, 3>& periodic) const
{
  const bool any = std::find(periodic.begin(), periodic.end(), true) != periodic.end();
  return any ? this->Net->decodeHalo() : this->Net->context();
}

std::string TorchModel::memoryPlan(const Dims& dims, const RunOptions& run) const
{
  return Inference(this->Info, this->Net, { dims, this->Info.spacing, this->Info.network }, run)
    .plan();
}

Prior TorchModel::bestPrior() const
{
  // Shorter than this its samples are worse than the random field's. And of a volume that is one
  // thing, not a material, it has learned that thing by heart: asked for another part of a larger
  // world it draws the mean of all (a CT head: 0.1; rocks, sand, an electrode: 0.6 to 0.7).
  constexpr std::int64_t steps = 200;
  constexpr double spread = 0.35;
  const bool good = this->Info.priorSteps >= steps && this->Info.priorSpread >= spread;
  return this->Learned && good ? Prior::Learned : this->Field ? Prior::RandomField : Prior::Normal;
}

std::vector<LatentStatistics> TorchModel::latentStatistics() const
{
  return this->Field
    ? this->Field->statistics()
    : std::vector<LatentStatistics>(static_cast<std::size_t>(this->Info.latentChannels()));
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
  if (this->Learned)
  {
    for (const auto& [name, tensor] : this->Learned->tensors())
    {
      file.tensors[LearnedPrefix + name] = store(tensor);
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
      const auto variance = file.tensors.find(std::string(PriorPrefix) + "posterior_variance"),
                 amplitude = file.tensors.find(std::string(PriorPrefix) + "amplitude"),
                 threshold = file.tensors.find(std::string(PriorPrefix) + "threshold");
      model->Field =
        LatentField::fromTensors(restore(quantiles->second), restore(covariance->second),
          variance != file.tensors.end() ? restore(variance->second) : at::Tensor(),
          amplitude != file.tensors.end() ? amplitude->second.values.at(0) : 1,
          threshold != file.tensors.end() ? threshold->second.values.at(0) : 0);
    }
    const std::map<std::string, at::Tensor> learned = restoreAll(file, LearnedPrefix);
    if (!learned.empty())
    {
      model->Learned = LearnedPrior::fromTensors(
        learned, model->Info.network.dimensions, model->Info.latentChannels());
    }
    if (const auto found = file.tensors.find(AnomalyQuantiles); found != file.tensors.end())
    {
      model->Anomalies = AnomalyScale::fromTensor(restore(found->second));
    }
    if (const auto training = file.metadata.find("training"); training != file.metadata.end())
    {
      auto state = std::make_shared<TrainingState>();
      state->json = training->second;
      state->tensors = restoreAll(file, TrainingPrefix);
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
