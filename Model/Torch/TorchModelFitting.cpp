// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
//
// What the end of a training measures: the priors, anomaly scores, texture.
#include "Inference.h"
#include "OddsCount.h"
#include "Reconstruction.h"
#include "Texture.h"
#include "TorchModel.h"
#include "Variogram.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <algorithm>
#include <cmath>
#include <random>

namespace vae
{
namespace
{

constexpr std::int64_t VoxelsOfTexture = 1 << 21; ///< of a block that it is fitted to

/// A block of cells in the middle of a volume, of about so many voxels.
Box middleOf(const Frame& frame, std::int64_t most)
{
  const double edge =
    std::pow(static_cast<double>(most), 1. / frame.dimensions) / static_cast<double>(frame.cell[2]);
  Box part{ {}, frame.cells() };
  for (int a = 0; a < 3; ++a)
  {
    const auto n = std::clamp<std::int64_t>(std::lround(edge), 1, part.size[a]);
    part.origin[a] = (part.size[a] - n) / 2;
    part.size[a] = n;
  }
  return part;
}

} // namespace

void TorchModel::fitPrior(
  const Volume& volume, std::int64_t most, const RunOptions& run, const Monitor& monitor)
{
  const Frame frame(volume.dims, volume.spacing, this->Info.network);
  const Box part = most > 0 ? middleOf(frame, most) : Box{ {}, frame.cells() };
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
    if (this->Info.network.architecture == Architecture::Field)
    {
      const at::Tensor local = LearnedPrior::localMean(volume, this->Info);
      this->matchField(local, frame, run, monitor);
      this->matchLearned(local, frame, run, monitor);
    }
    this->fitAnomalies(volume, frame, latent, run, monitor);
    this->fitTexture(volume, frame, latent, run, monitor);
  }
}

void TorchModel::matchField(
  const at::Tensor& local, const Frame& frame, const RunOptions& run, const Monitor& monitor)
{
  // Phases are seen as the first of them, at its own fraction, or what it is not: all the same for
  // their covariance.
  const bool phases = this->Info.hasPhases();
  const auto meansOf = [&](const at::Tensor& values)
  { return fromNetworkShape(cellMeans(values, frame))[0].to(at::kCPU).contiguous(); };
  const auto observe = [&](const at::Tensor& field) -> LatentField::Observed
  {
    report(monitor, 1);
    Inference inference(this->Info, this->Net, frame, run);
    LatentGrid grid{ field, {} };
    Box inside{ {}, grid.high() };
    for (int a = 3 - frame.dimensions; a < 3; ++a)
    {
      inside.origin[a] = inference.decodeHalo();
      inside.size[a] -= 2 * inside.origin[a];
    }
    const at::Tensor decoded = inference.decodeInTiles(grid, inside);
    if (!phases)
    {
      return { meansOf(decoded), 0 };
    }
    const at::Tensor odds = inference.seen().logOdds(decoded, 0);
    const double others = 1 - this->Info.channels[0].fractions[0];
    const auto below = std::clamp<std::int64_t>(
      std::llround(others * static_cast<double>(odds.numel())), 1, odds.numel());
    const at::Tensor threshold = std::get<0>(odds.flatten().kthvalue(below));
    const at::Tensor found = odds.gt(threshold).to(at::kFloat);
    return { meansOf(found), threshold.item<double>() };
  };
  constexpr double most = 8000; // cells
  std::array<std::int64_t, 3> size{ 1, 1, 1 };
  for (int a = 3 - frame.dimensions; a < 3; ++a)
  {
    size[static_cast<std::size_t>(a)] =
      std::lround(std::pow(most, 1. / frame.dimensions)) + 2 * this->Net->decodeHalo();
  }
  const RunScope scope(choosePlace("cpu", Precision::Float32, run.threads), false);
  this->Field->match(local, observe, size, at::make_generator<at::CPUGeneratorImpl>(0));
}

void TorchModel::matchLearned(
  const at::Tensor& local, const Frame& frame, const RunOptions& run, const Monitor& monitor)
{
  if (!this->Learned)
  {
    return;
  }
  // Where the local mean is that of a part of the volume, it is known what should come of it, and
  // few samples tell the difference. They take time: a long training has more of them.
  constexpr std::int64_t edge = 28, most = 8, stepsASample = 750;
  const auto samples = std::clamp<std::int64_t>(this->Info.priorSteps / stepsASample, 1, most);
  const Place place = choosePlace(run.device, run.precision, run.threads);
  const bool phases = this->Info.hasPhases();
  Inference inference(this->Info, this->Net, frame, run);
  std::mt19937_64 random(0);
  std::vector<at::Tensor> pairs;
  for (std::int64_t i = 0; i < samples; ++i)
  {
    report(monitor, 1);
    Index3 origin{};
    FieldRequest request;
    for (int a = 0; a < 3; ++a)
    {
      const std::int64_t n = local.size(a + 1), size = std::min(n, edge);
      origin[a] = static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(n - size + 1));
      request.size[a] = size;
    }
    request.trend = slice(local, origin, request.size).contiguous();
    const LatentGrid field{ this->Learned->sample(request,
                              at::make_generator<at::CPUGeneratorImpl>(random()), place, monitor),
      {} };
    const at::Tensor& in = request.trend;
    at::Tensor out = inference.decodeInTiles(field, { {}, request.size });
    if (phases)
    {
      const at::Tensor odds = inference.seen().logOdds(out, 0);
      OddsCount count;
      count.add(odds);
      out = (count.threshold(1 - in.mean().item<double>()) - odds).sigmoid();
    }
    pairs.push_back(at::cat({ in, fromNetworkShape(cellMeans(out, frame))[0].to(at::kCPU) }));
  }
  auto matched = std::make_shared<LearnedPrior>(*this->Learned);
  matched->Told.compensate(pairs);
  this->Learned = std::move(matched);

  constexpr double cells = 1728; // of a field that nothing is asked of
  FieldRequest request;
  for (int a = 0; a < 3; ++a)
  {
    request.size[a] = frame.used(a) ? std::lround(std::pow(cells, 1. / frame.dimensions)) : 1;
  }
  const at::Tensor field = this->Learned->sample(
    request, at::make_generator<at::CPUGeneratorImpl>(random()), place, monitor);
  this->Info.priorSpread =
    (field.flatten(1).var(1) / this->Learned->Scale.square()).mean().item<double>();
}

void TorchModel::fitAnomalies(const Volume& volume, const Frame& frame, const Latent& latent,
  const RunOptions& run, const Monitor& monitor)
{
  const Box part = middleOf(frame, 1 << 22); // enough for the distribution of a score
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

void TorchModel::fitTexture(const Volume& volume, const Frame& frame, const Latent& latent,
  const RunOptions& run, const Monitor& monitor)
{
  Inference inference(this->Info, this->Net, frame, run);
  const Index3 cells = frame.cells();
  const Box part = middleOf(frame, VoxelsOfTexture);
  const LatentGrid field{ at::from_blob(const_cast<float*>(latent.mean.data()),
                            { latent.channels, cells[0], cells[1], cells[2] }),
    {} };
  const at::Tensor decoded = inference.decodeInTiles(field, part), x = inference.read(volume, part);
  if (!this->Info.hasPhases())
  {
    const auto channels = static_cast<std::int64_t>(this->Info.channels.size());
    const at::Tensor d = (decoded - x).unflatten(1, { channels, -1 });
    for (std::int64_t c = 0; c < channels; ++c)
    {
      this->Info.channels[static_cast<std::size_t>(c)].residual =
        std::sqrt(d.select(1, c).square().mean().item<double>());
    }
  }
  this->Info.textureWidth =
    vae::fitTexture(decoded, x, frame, inference.seen(), this->Info.hasPhases());
  this->Info.textureWhite = 0;
  // What is rebuilt has other Euler numbers than what is drawn, so where there is a flow that has
  // learned something, what it draws is made to have the data's.
  constexpr std::int64_t learned = 3000; // steps
  if (this->Info.hasPhases() && this->Info.textureWidth > 0 && this->Learned &&
    this->Info.priorSteps >= learned)
  {
    this->fitTextureOfDrawn(volume, frame, part.size, run, monitor);
  }
}

void TorchModel::fitTextureOfDrawn(const Volume& volume, const Frame& frame, const Index3& size,
  const RunOptions& run, const Monitor& monitor)
{
  Inference inference(this->Info, this->Net, frame, run);
  SurfaceMeasure wanted;
  double weight = 0;
  const Box part = middleOf(frame, 1 << 26);
  forEachTile(part.size, size, monitor, [&](Box box)
  {
    for (int a = 0; a < 3; ++a)
    {
      box.origin[a] += part.origin[a];
    }
    const at::Tensor x = inference.read(volume, box);
    // Before either is added: a tile that runs out of memory is tried again in halves.
    const double faces = variogram(x, frame, true, 1), euler = eulerDensity(x, frame);
    const auto voxels = static_cast<double>(x.numel());
    wanted.faces += voxels * faces;
    wanted.euler += voxels * euler;
    weight += voxels;
  });
  wanted.faces /= weight;
  wanted.euler /= weight;

  // Two pairs with opposite normal scores of the local mean.
  constexpr int pairs = 2;
  Dims dims{ 1, 1, 1 };
  for (int a = 0; a < 3; ++a)
  {
    dims[frame.axis[a]] = std::min(size[a] * frame.cell[a], frame.size[a]);
  }
  GenerateOptions options;
  options.prior = Prior::Learned;
  options.seed = 1;
  Monitor quiet;
  quiet.stop = monitor.stop;
  std::vector<at::Tensor> decoded;
  for (options.realization = 0; options.realization < 2 * pairs; ++options.realization)
  {
    report(monitor, 1);
    const int margin = this->margin();
    const Latent latent = this->sample(dims, margin, options, {}, run, quiet);
    this->decodeEach(latent, dims, margin, run, quiet,
      [&](Inference& runner, const Box&, const at::Tensor& d)
    { decoded.push_back(runner.seen().withThreshold(d, latent.threshold)); });
  }
  const NoiseShape shape =
    vae::fitTexture(decoded, wanted, this->Info.textureWidth, frame, inference.seen());
  this->Info.textureWidth = shape.width;
  this->Info.textureWhite = shape.white;
}

} // namespace vae
