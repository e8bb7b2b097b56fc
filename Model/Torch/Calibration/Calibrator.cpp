// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Calibrator.h"

#include "Judge.h"
#include "TimePlan.h"
#include "Torch/Inference/FieldDecoder.h"
#include "Torch/Inference/Reconstruction.h"
#include "Torch/Inference/TorchModel.h"
#include "Torch/Losses/Variogram.h"
#include "Torch/Priors/LogOddsHistogram.h"

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

///@{
/// Of blocks in the middle: where time is short at first, with anomaly scores, with texture.
constexpr std::int64_t FirstVoxels = 1 << 20, ScoredVoxels = 1 << 22, TexturedVoxels = 1 << 21;
///@}
/// Of the time that is left for all measurements.
constexpr double VerdictShare = 0.25;
/// Of decoding, that measuring it takes.
constexpr double ScoringPasses = 2, TexturePasses = 9;

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

/// What both hold; the same where the second holds the first.
Box common(const Box& a, const Box& b)
{
  Box both = a;
  for (int i = 0; i < 3; ++i)
  {
    both.origin[i] = std::max(a.origin[i], b.origin[i]);
    both.size[i] = std::max<std::int64_t>(
      1, std::min(a.origin[i] + a.size[i], b.origin[i] + b.size[i]) - both.origin[i]);
  }
  return both;
}

std::int64_t cellsOf(const Box& box) { return box.size[0] * box.size[1] * box.size[2]; }

/// Log odds of the first phase, of each channel of the data.
std::vector<at::Tensor> oddsOf(
  const ObservationModel& observation, const at::Tensor& decoded, const ModelInfo& info)
{
  return observation.logOdds(decoded, 0).chunk(static_cast<std::int64_t>(info.channels.size()), 1);
}

} // namespace

Calibrator::Calibrator(const ModelInfo& info, const NetworkPtr& network, Calibration begun,
  const TrainingSet& data, const RunOptions& run)
  : Info(info)
  , Net(network)
  , Found(std::move(begun))
  , Set(data)
  , Data(data.measured())
  , Run(run)
  , Grid(this->Data.dims, this->Data.spacing, info.network)
{
}

ComputeDevice Calibrator::place() const
{
  return chooseDevice(this->Run.device, this->Run.precision, this->Run.threads);
}

void Calibrator::encode(
  const Box& part, const std::vector<const Volume*>& more, const Monitor& monitor)
{
  std::vector<const Volume*> volumes{ &this->Data };
  volumes.insert(volumes.end(), more.begin(), more.end());
  std::vector<Latent> latents;
  {
    Inference inference(this->Info, this->Net, this->Grid, this->Run);
    const auto count = static_cast<double>(volumes.size());
    for (const Volume* volume : volumes)
    {
      const auto done = static_cast<double>(latents.size());
      latents.push_back(
        inference.encodeTiles(*volume, part, monitor.part(done / count, (done + 1) / count)));
    }
  }
  Latent& latent = latents.front();
  const auto on = [&](std::vector<float>& values, const Index3& size)
  { return at::from_blob(values.data(), { latent.channels, size[0], size[1], size[2] }); };
  const auto stacked = [&](std::vector<float> Latent::* member)
  {
    std::vector<at::Tensor> fields;
    for (Latent& l : latents)
    {
      fields.push_back(on(l.*member, part.size));
    }
    return toDevice(
      more.empty() ? fields.front() : at::stack(fields), this->place().device); // no copy of one
  };
  LatentField field =
    LatentField::fit(stacked(&Latent::mean), stacked(&Latent::logVariance)).on(at::kCPU);
  const Index3 cells = this->Grid.cells();
  if (part.size != cells)
  {
    for (std::vector<float>* values : { &latent.mean, &latent.logVariance })
    {
      std::vector<float> all(
        static_cast<std::size_t>(latent.channels * cells[0] * cells[1] * cells[2]));
      slice(on(all, cells), part.origin, part.size).copy_(on(*values, part.size));
      values->swap(all);
    }
  }
  this->Found.field = std::move(field);
  this->Cells = std::move(latent);
  this->Part = part;
}

void Calibrator::field(Closing::Turn& turn)
{
  const Box first = middleOf(this->Grid, FirstVoxels);
  Box part{ {}, this->Grid.cells() };
  const double all = cellsOf(part), few = cellsOf(first), before = turn.left();
  bool begun = false;
  try
  {
    if (turn.limited() && few < 0.5 * all)
    {
      this->encode(first, {}, {});
      begun = true;
      const double fits = 0.8 * turn.left() * few / std::max(before - turn.left(), 1e-9);
      if (fits < all)
      {
        turn.smaller();
        part = middleOf(
          this->Grid, static_cast<std::int64_t>(fits / few * static_cast<double>(FirstVoxels)));
      }
      if (cellsOf(part) <= few)
      {
        return;
      }
    }
    this->encode(part, this->Set.besideMeasured(), turn.monitor());
  }
  catch (const std::exception& e)
  {
    if (!begun)
    {
      this->encode(first, {}, {});
    }
    turn.smaller(e);
  }
}

Box Calibrator::block(std::int64_t most, double passes, Closing::Turn& turn) const
{
  Box inside = this->Part; // away from what is not encoded
  const Index3 cells = this->Grid.cells();
  for (int a = 0; a < 3; ++a)
  {
    const std::int64_t border = inside.size[a] < cells[a]
      ? std::min<std::int64_t>(this->Net->context(), (inside.size[a] - 1) / 3)
      : 0;
    inside.origin[a] += border;
    inside.size[a] -= 2 * border;
  }
  Box wanted = common(middleOf(this->Grid, most), inside);
  const Box voxels = toVoxels(wanted, this->Grid.cell);
  if (turn.limited())
  {
    constexpr double fewest = 32 * 32 * 32;
    const double fits = 0.8 * turn.left() / (passes * std::max(this->Pace, 1e-12));
    if (fits < static_cast<double>(cellsOf(voxels)))
    {
      if (fits < fewest)
      {
        throw OutOfTime();
      }
      wanted = common(middleOf(this->Grid, static_cast<std::int64_t>(fits)), inside);
      turn.smaller();
    }
  }
  return wanted;
}

LatentField::Observed Calibrator::observe(
  const at::Tensor& field, const Monitor& monitor, std::int64_t& looked) const
{
  monitor.report(1);
  const ModelInfo& info = this->Info;
  const Frame& frame = this->Grid;
  const auto meansOf = [&](const at::Tensor& values)
  { return fromNetworkShape(cellMeans(values, frame))[0].contiguous(); };
  Inference inference(info, this->Net, frame, this->Run);
  LatentGrid grid{ field, {} };
  Box inside{ {}, grid.high() };
  for (int a = 3 - frame.dimensions; a < 3; ++a)
  {
    inside.origin[a] = inference.decodeHalo();
    inside.size[a] -= 2 * inside.origin[a];
  }
  looked = cellsOf(toVoxels(inside, frame.cell));
  const at::Tensor decoded = inference.decodeInTiles(grid, inside);
  if (!info.hasPhases())
  {
    return { meansOf(decoded) };
  }
  const std::vector<at::Tensor> odds = oddsOf(inference.observation(), decoded, info);
  std::vector<double> thresholds;
  for (std::size_t c = 0; c < odds.size(); ++c)
  {
    const double others = 1 - info.channels[c].fractions[0];
    const auto below = std::clamp<std::int64_t>(
      std::llround(others * static_cast<double>(odds[c].numel())), 1, odds[c].numel());
    thresholds.push_back(std::get<0>(odds[c].flatten().kthvalue(below)).item<double>());
  }
  // The first channel is seen as the first of its phases, at its own fraction, or what it is not:
  // all the same for their covariance.
  return { meansOf(odds[0].gt(thresholds[0]).to(at::kFloat)), std::move(thresholds) };
}

std::array<std::int64_t, 3> Calibrator::sizeOfLook(double edge) const
{
  std::array<std::int64_t, 3> size{ 1, 1, 1 };
  for (int a = 3 - this->Grid.dimensions; a < 3; ++a)
  {
    size[static_cast<std::size_t>(a)] = std::lround(edge) + 2 * this->Net->decodeHalo();
  }
  return size;
}

void Calibrator::matchField(Closing::Turn& turn)
{
  const Monitor monitor = turn.monitor();
  std::int64_t looked = 0; // voxels
  const auto see = [&](const at::Tensor& field) { return this->observe(field, monitor, looked); };
  const at::Device device = this->place().device;
  LatentField field = this->Found.field->on(device);
  const at::Tensor wanted = toDevice(this->Set.measuredMean(), device);
  // A look scatters no more than what it is compared with, and those of all rounds count.
  constexpr double least = 216, most = 8000; // cells
  const int dimensions = this->Grid.dimensions;
  const double cells = std::clamp(static_cast<double>(wanted.numel()), least, most),
               edge = std::pow(cells, 1. / dimensions);
  std::array<std::int64_t, 3> size = this->sizeOfLook(edge);
  int rounds = LatentField::MatchRounds;
  if (turn.limited())
  {
    constexpr double less = 0.7; // of the edge: a third of the cells
    const std::array<std::int64_t, 3> smaller = this->sizeOfLook(less * edge);
    const double before = turn.left();
    see(field.sample(smaller, at::make_generator<at::CPUGeneratorImpl>(1), 1));
    const double look = std::max(before - turn.left(), 1e-9);
    this->Pace = look / static_cast<double>(looked);
    constexpr double fewest = 3, enough = 0.5 * LatentField::MatchRounds;
    const auto fit = [&](double seconds) // rounds of two looks each, and a last look
    { return (0.9 * turn.left() / seconds - 1) / 2; };
    double rather = fit(look / std::pow(less, dimensions));
    if (rather < enough)
    {
      size = smaller;
      rather = fit(look);
    }
    if (rather < fewest)
    {
      throw OutOfTime();
    }
    if (rather < rounds || size != this->sizeOfLook(edge))
    {
      rounds = static_cast<int>(std::min<double>(rather, rounds));
      turn.smaller();
    }
  }
  field.match(wanted, see, size, at::make_generator<at::CPUGeneratorImpl>(0), rounds);
  this->Found.field = field.on(at::kCPU);
}

void Calibrator::matchLearned(Closing::Turn& turn)
{
  // Where the local mean is that of a part of the volume, it is known what should come of it, and
  // few samples tell the difference. They take time: a long training has more of them.
  constexpr std::int64_t edge = 28, most = 8, stepsASample = 750;
  const ModelInfo& info = this->Info;
  const auto samples = std::clamp<std::int64_t>(info.priorSteps / stepsASample, 1, most);
  const ComputeDevice place = this->place();
  const bool phases = info.hasPhases();
  const at::Tensor local = this->Set.measuredMean();
  Inference inference(info, this->Net, this->Grid, this->Run);
  std::vector<at::Tensor> pairs;
  const double begin = turn.left();
  for (std::int64_t i = 0; i < samples; ++i)
  {
    const Monitor monitor = turn.monitor();
    monitor.report(1);
    if (turn.limited() && i > 0 && turn.left() < (begin - turn.left()) / static_cast<double>(i))
    {
      turn.smaller();
      break;
    }
    Index3 origin{};
    FieldRequest request;
    for (int a = 0; a < 3; ++a)
    {
      const std::int64_t n = local.size(a + 1), size = std::min(n, edge);
      origin[a] =
        static_cast<std::int64_t>(this->Random() % static_cast<std::uint64_t>(n - size + 1));
      request.size[a] = size;
    }
    request.trend = slice(local, origin, request.size).contiguous();
    const LatentGrid field{ this->Found.learned->sample(request,
                              at::make_generator<at::CPUGeneratorImpl>(this->Random()), place,
                              monitor),
      {} };
    const at::Tensor in = toDevice(request.trend, place.device);
    at::Tensor out = inference.decodeInTiles(field, { {}, request.size });
    if (phases)
    {
      const at::Tensor odds = oddsOf(inference.observation(), out, info)[0]; // the local mean's
      LogOddsHistogram count;
      count.add(odds);
      out = (count.threshold(1 - request.trend.mean().item<double>()) - odds).sigmoid();
    }
    pairs.push_back(at::cat({ in, fromNetworkShape(cellMeans(out, this->Grid))[0] }));
  }
  LatentField told = this->Found.learned->ConditioningMean.on(place.device);
  told.compensate(pairs);
  auto matched = std::make_shared<LearnedPrior>(*this->Found.learned);
  matched->ConditioningMean = told.on(at::kCPU);
  this->Found.learned = std::move(matched);
}

void Calibrator::spread(Closing::Turn& turn)
{
  const ComputeDevice place = this->place();
  const c10::InferenceMode inference;
  const LearnedPrior& prior = *this->Found.learned;
  constexpr double cells = 1728; // of a field that nothing is asked of
  FieldRequest request;
  for (int a = 0; a < 3; ++a)
  {
    request.size[a] =
      this->Grid.used(a) ? std::lround(std::pow(cells, 1. / this->Grid.dimensions)) : 1;
  }
  const at::Tensor field = prior.sample(
    request, at::make_generator<at::CPUGeneratorImpl>(this->Random()), place, turn.monitor());
  const at::Tensor variance = field.flatten(1).var(1);
  this->Found.priorSpread =
    (variance / toDevice(prior.Scale, place.device).square()).mean().item<double>();
}

void Calibrator::anomalies(Closing::Turn& turn)
{
  // Enough for the distribution of a score.
  const Box part = this->block(ScoredVoxels, ScoringPasses, turn);
  Inference inference(this->Info, this->Net, this->Grid, this->Run);
  Reconstruction reconstruction(inference, this->Info, this->Data, this->Cells, {}, {}, nullptr);
  AnomalyScale scale;
  forEachTile(part.size, inference.decodeTile(part.size), turn.monitor(), [&](Box box)
  {
    for (int a = 0; a < 3; ++a)
    {
      box.origin[a] += part.origin[a];
    }
    reconstruction.measure(box, scale);
  });
  scale.finish();
  this->Found.anomalies = std::move(scale);
}

void Calibrator::texture(Closing::Turn& turn)
{
  const ModelInfo& info = this->Info;
  const Box part = this->block(TexturedVoxels, TexturePasses, turn);
  Inference inference(info, this->Net, this->Grid, this->Run);
  const Index3 cells = this->Grid.cells();
  const LatentGrid field{ at::from_blob(this->Cells.mean.data(),
                            { this->Cells.channels, cells[0], cells[1], cells[2] }),
    {} };
  const at::Tensor decoded = inference.decodeInTiles(field, part),
                   x = inference.read(this->Data, part);
  std::vector<double> residuals;
  if (!info.hasPhases())
  {
    const auto channels = static_cast<std::int64_t>(info.channels.size());
    const at::Tensor d = (decoded - x).unflatten(1, { channels, -1 });
    for (std::int64_t c = 0; c < channels; ++c)
    {
      residuals.push_back(std::sqrt(d.select(1, c).square().mean().item<double>()));
    }
  }
  this->Found.texture =
    NoiseShape{ vae::fitTexture(decoded, x, this->Grid, inference.observation(), info.hasPhases()),
      0 };
  this->Found.residuals = std::move(residuals);
  this->Tile = part.size;
}

SurfaceMeasure Calibrator::surfaceOfData(const Index3& tile, const Monitor& monitor) const
{
  Inference inference(this->Info, this->Net, this->Grid, this->Run);
  SurfaceMeasure wanted;
  double weight = 0;
  const Box part = middleOf(this->Grid, 1 << 26);
  forEachTile(part.size, { tile }, monitor, [&](Box box)
  {
    for (int a = 0; a < 3; ++a)
    {
      box.origin[a] += part.origin[a];
    }
    const at::Tensor x = inference.read(this->Data, box);
    // Before either is added: a tile that runs out of memory is tried again in halves.
    const double faces = variogram(x, this->Grid, true, 1), euler = eulerDensity(x, this->Grid);
    const auto voxels = static_cast<double>(x.numel());
    wanted.faces += voxels * faces;
    wanted.euler += voxels * euler;
    weight += voxels;
  });
  wanted.faces /= weight;
  wanted.euler /= weight;
  return wanted;
}

void Calibrator::textureOfDrawn(Closing::Turn& turn)
{
  const SurfaceMeasure wanted = this->surfaceOfData(this->Tile, turn.monitor());
  // Two pairs with opposite normal scores of the local mean.
  constexpr int pairs = 2;
  Dims dims{ 1, 1, 1 };
  for (int a = 0; a < 3; ++a)
  {
    dims[this->Grid.axis[a]] = std::min(this->Tile[a] * this->Grid.cell[a], this->Grid.size[a]);
  }
  const TorchModel model(this->Info, this->Net, this->Found);
  SampleRequest request;
  request.dims = dims;
  request.margin = model.margin();
  request.options.prior = Prior::Learned;
  request.options.seed = 1;
  request.options.reduceVariance = true; // few samples stand for all
  std::vector<at::Tensor> decoded;
  for (std::int64_t i = 0; i < 2 * pairs; ++i)
  {
    request.options.realization = i;
    const Monitor monitor = turn.monitor();
    const TorchModel::Drawn drawn = model.draw(request, this->Run, monitor);
    FieldDecoder decoder(this->Info, this->Net, drawn.latent, dims, request.margin, this->Run,
      FieldDecoder::Keep::WhatFits);
    Monitor quiet;
    quiet.stop = monitor.stop;
    const std::vector<double> thresholds = thresholdsFor(decoder, drawn.fractions, quiet);
    decoder.forEachTile(turn.monitor(), [&](const Box&, const at::Tensor& d)
    { decoded.push_back(decoder.inference().observation().withThresholds(d, thresholds)); });
  }
  Inference inference(this->Info, this->Net, this->Grid, this->Run);
  this->Found.texture = vae::fitTexture(
    decoded, wanted, this->Found.texture->width, this->Grid, inference.observation());
}

Calibration Calibrator::fieldOnly(std::int64_t most, const Monitor& monitor)
{
  const Box part = most > 0 ? middleOf(this->Grid, most) : Box{ {}, this->Grid.cells() };
  const RunScope scope(chooseDevice("cpu", Precision::Float32, this->Run.threads), false);
  this->encode(part, this->Set.besideMeasured(), monitor);
  return std::move(this->Found);
}

Calibration Calibrator::all(const Monitor& monitor, std::function<double()> left)
{
  const RunScope scope(chooseDevice("cpu", Precision::Float32, this->Run.threads), false);
  const bool learned = this->Found.learned != nullptr;
  const Judge judge(this->Info, this->Data, this->Set.measuredHeldOut());
  const bool fit = judge.unfit().empty();
  // The others take all that they get.
  double kept = left && fit ? VerdictShare * std::max(0., left()) : 0;
  const auto withoutKept = [&] { return left() - kept; };
  Closing closing(
    left ? withoutKept : std::function<double()>(), monitor, (learned ? 7 : 4) + (fit ? 1 : 0));
  const auto measure = [&](const char* what, double share, void (Calibrator::*work)(Closing::Turn&))
  { closing.measure(what, share, [&](Closing::Turn& turn) { (this->*work)(turn); }); };
  measure("the latent field", 0.35, &Calibrator::field);
  if (this->Info.network.architecture == Architecture::Field && this->Found.field)
  {
    // What VAE Generate draws from, where no prior was learned.
    measure("the match of the random field", learned ? 0.5 : 0.7, &Calibrator::matchField);
    if (learned)
    {
      measure("the match of the learned prior", 0.6, &Calibrator::matchLearned);
      measure("the spread of the learned prior", 0.6, &Calibrator::spread);
    }
  }
  measure("the scale of anomaly scores", 0.6, &Calibrator::anomalies);
  measure("the texture", 1, &Calibrator::texture);
  if (this->Info.hasPhases() && this->Found.texture && this->Found.texture->width > 0 && learned &&
    this->Info.priorSteps >= EnoughPriorSteps)
  {
    measure("the texture of what is drawn", 1, &Calibrator::textureOfDrawn);
  }
  kept = 0;
  if (fit)
  {
    closing.measure("the verdict", 1, [&](Closing::Turn& turn)
    {
      const TorchModel model(this->Info, this->Net, this->Found);
      this->Found.verdict = judge.judge(model, this->Run, turn);
    });
  }
  else
  {
    this->Found.verdict.emplace().without = judge.unfit();
  }
  this->Found.leftOut = closing.told();
  return std::move(this->Found);
}

} // namespace vae
