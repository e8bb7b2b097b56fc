// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "TorchModel.h"

#include "FieldDecoder.h"
#include "FileNames.h"
#include "Reconstruction.h"
#include "Source/Memory.h"
#include "Source/ModelFile.h"
#include "TimePlan.h"

#include <ATen/Functions.h>
#include <c10/core/GradMode.h>

namespace vae
{
namespace
{

NamedTensor store(const at::Tensor& t) { return { t.sizes().vec(), valuesOf(t) }; }

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
  checkFree("the latent field", 2. * sizeof(float) * static_cast<double>(count), "");
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
  FieldDecoder decoder(this->Info, this->Net, latent, dims, margin, run);
  decoder.forEachTile(monitor, [&](const Box& box, const at::Tensor& decoded)
  { decoder.inference().write(box, decoded, outputs); });
}

void TorchModel::reconstruct(const Volume& volume, const ReconstructOptions& options,
  const ReconstructOutputs& outputs, const RunOptions& run, const Monitor& monitor) const
{
  // Encoding takes about as long as decoding, sampling many times that.
  const Latent latent = this->encode(volume, run, monitor.part(0, 0.4));
  Inference inference(
    this->Info, this->Net, { volume.dims, volume.spacing, this->Info.network }, run);
  Reconstruction(inference, this->Info, volume, latent, options, outputs,
    this->Anomalies ? &*this->Anomalies : nullptr)
    .run(monitor.part(0.4, 1));
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
  constexpr double spread = 0.35;
  const bool good = this->Info.priorSteps >= FewestPriorSteps && this->Info.priorSpread >= spread;
  return this->Learned && good ? Prior::Learned : this->Field ? Prior::RandomField : Prior::Normal;
}

std::vector<LatentStatistics> TorchModel::latentStatistics() const
{
  return this->Field
    ? this->Field->statistics()
    : std::vector<LatentStatistics>(static_cast<std::size_t>(this->Info.latentChannels()));
}

void TorchModel::save(const std::string& path, const std::function<void()>& mayReplace) const
{
  ModelFile file;
  file.metadata["format"] = ModelFormat;
  file.metadata["model"] = toJson(this->Info);
  for (const auto& [name, tensor] : this->Net->tensors())
  {
    file.tensors[name] = store(tensor);
  }
  if (const auto scripts = this->Net->scripts())
  {
    file.bytes[parts::ScriptEncoder] = scripts->encoder;
    file.bytes[parts::ScriptDecoder] = scripts->decoder;
  }
  if (this->Field)
  {
    for (const auto& [name, tensor] : this->Field->tensors())
    {
      file.tensors[parts::FieldPrefix + name] = store(tensor);
    }
  }
  if (this->Learned)
  {
    for (const auto& [name, tensor] : this->Learned->tensors())
    {
      file.tensors[parts::LearnedPrefix + name] = store(tensor);
    }
  }
  if (this->Anomalies)
  {
    file.tensors[parts::AnomalyQuantiles] = store(this->Anomalies->quantiles());
  }
  if (this->Training)
  {
    file.metadata["training"] = this->Training->json;
    for (const auto& [name, tensor] : this->Training->tensors)
    {
      file.tensors[parts::TrainingPrefix + name] = store(tensor);
    }
  }
  writeModelFile(path, file, mayReplace);
}

} // namespace vae
