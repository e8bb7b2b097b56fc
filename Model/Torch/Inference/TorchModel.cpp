// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "TorchModel.h"

#include "FieldDecoder.h"
#include "PhaseFraction.h"
#include "Reconstruction.h"
#include "TimePlan.h"

#include <ATen/Functions.h>
#include <c10/core/GradMode.h>

namespace vae
{
std::vector<float> valuesOf(const at::Tensor& t)
{
  const at::Tensor c = t.detach().to(at::kCPU, at::kFloat).contiguous();
  const float* data = c.const_data_ptr<float>();
  return { data, data + c.numel() };
}

TorchModel::TorchModel(ModelInfo info, NetworkPtr network, Calibration calibration,
  std::shared_ptr<const TrainingState> training)
  : Info(std::move(info))
  , Net(std::move(network))
  , Calibrated(std::move(calibration))
  , Training(std::move(training))
{
  this->Calibrated.describe(this->Info);
  this->Calibrated.leftOut.clear(); // the info has it
}

Latent TorchModel::encode(const Volume& volume, const RunOptions& run, const Monitor& monitor) const
{
  checkFits(volume, this->Info);
  const Frame frame(volume.dims, volume.spacing, this->Info.network);
  Latent latent = Inference(this->Info, this->Net, frame, run)
                    .encodeTiles(volume, { { 0, 0, 0 }, frame.cells() }, monitor);
  latent.dims = latentDims(volume.dims, this->Info.network);
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
  decoder.willWrite(outputs);
  this->write(decoder, outputs, run, monitor);
}

void TorchModel::write(FieldDecoder& decoder, const Outputs& outputs, const RunOptions& run,
  const Monitor& monitor) const
{
  const auto writeTiles = [&](const Outputs& wanted, RankedPhase* ranked)
  {
    decoder.forEachTile(monitor, [&](const Box& box, const at::Tensor& decoded)
    { decoder.inference().write(box, decoded, wanted, ranked); });
  };
  if (!outputs.fraction)
  {
    writeTiles(outputs, nullptr);
    return;
  }
  const auto phases = static_cast<int>(this->Info.channels[0].phases.size());
  if (outputs.phase < 0 || outputs.phase >= phases)
  {
    throw std::invalid_argument("A fraction is wanted of phase number " +
      std::to_string(outputs.phase) + "; this model has " + std::to_string(phases));
  }
  const Frame& frame = decoder.inference().frame();
  if (std::optional<RankedPhase> ranked = RankedPhase::on(
        decoder.inference().device(), this->Info, frame, outputs.phase, outputs.values.at(0)))
  {
    writeTiles(outputs, &*ranked);
    ranked->write(*outputs.fraction);
    return;
  }
  Dims dims;
  for (int a = 0; a < 3; ++a)
  {
    dims[frame.axis[a]] = frame.size[a];
  }
  PhaseFraction onHost(this->Info, outputs.phase, dims);
  Outputs wanted = outputs;
  onHost.ask(wanted);
  writeTiles(wanted, nullptr);
  Monitor quiet; // soon done
  quiet.stop = monitor.stop;
  onHost.set(*outputs.fraction, statistics::Work(run.threads, quiet));
}

void TorchModel::reconstruct(const Volume& volume, const ReconstructOptions& options,
  const ReconstructOutputs& outputs, const RunOptions& run, const Monitor& monitor) const
{
  // Encoding takes about as long as decoding, sampling many times that.
  const Latent latent = this->encode(volume, run, monitor.part(0, 0.4));
  Inference inference(
    this->Info, this->Net, { volume.dims, volume.spacing, this->Info.network }, run);
  Reconstruction(inference, this->Info, volume, latent, options, outputs,
    this->Calibrated.anomalies ? &*this->Calibrated.anomalies : nullptr)
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
  const bool good = this->Info.priorSteps >= fewestPriorSteps(this->Info.priorStarted) &&
    this->Info.priorSpread >= spread;
  return this->Calibrated.learned && good ? Prior::Learned
    : this->Calibrated.field              ? Prior::RandomField
                                          : Prior::Normal;
}

std::vector<LatentStatistics> TorchModel::latentStatistics() const
{
  return this->Calibrated.field
    ? this->Calibrated.field->statistics()
    : std::vector<LatentStatistics>(static_cast<std::size_t>(this->Info.latentChannels()));
}

} // namespace vae
