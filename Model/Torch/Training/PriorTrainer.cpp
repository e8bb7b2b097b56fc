// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "PriorTrainer.h"

#include "Schedule.h"
#include "Snapshot.h"
#include "StateJson.h"
#include "Torch/Grid/Noise.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>

namespace vae
{
namespace
{

constexpr double Clip = 1, WeightDecay = 0.01;
constexpr double LargestDecay = 0.999;           // of the moving average of the weights
constexpr std::int64_t MostCrops = 64;           // in a step
constexpr std::int64_t Edges[] = { 12, 16, 20 }; // of crops, cells
constexpr std::int64_t PatchCells = 28, Border = 2, MostPatches = 48;
constexpr std::int64_t FewestCells = 4;                        // along each axis
constexpr std::uint64_t KnownOneIn = 8;                        // crops of which a part is known
constexpr std::uint64_t OtherThanNetwork = 0x9e3779b97f4a7c15; // random numbers

} // namespace

at::Tensor atPatch(const at::Tensor& field, const Patch& patch, const Frame& frame)
{
  at::Tensor out = field[0];
  for (int s = 0; s < 3; ++s)
  {
    const std::int64_t cells = field.size(s + 1), wanted = patch.box.size[s] / frame.cell[s];
    const at::Tensor first = at::arange(wanted, at::kFloat) +
      static_cast<double>(patch.box.origin[s]) / static_cast<double>(frame.cell[s]);
    const at::Tensor distance =
      first.clamp(0, cells - 1).unsqueeze(1) - at::arange(cells, at::kFloat).unsqueeze(0);
    const at::Tensor weight = (1 - distance.abs()).clamp_min(0);
    out = at::matmul(out.movedim(s, -1), weight.t()).movedim(-1, s);
  }
  const auto& [from, flip] = patch.orientation;
  out = out.permute({ from[0], from[1], from[2] });
  for (std::int64_t a = 0; a < 3; ++a)
  {
    out = flip[static_cast<std::size_t>(a)] ? out.flip({ a }) : out;
  }
  return out.unsqueeze(0).contiguous();
}

KnownParts knownParts(
  const std::array<std::int64_t, 4>& size, std::mt19937_64& random, const at::Device& device)
{
  const auto below = [&](std::int64_t n)
  { return static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(n)); };
  const std::int64_t cells = size[1] * size[2] * size[3], row = size[1] + size[2] + size[3] + 1;
  // Of each crop the layers along each axis that its box is in, and what is outside of it: a device
  // makes the crop of those. Inside it is known + sign.
  const at::Tensor layers = at::zeros({ size[0], row });
  KnownParts parts;
  for (std::int64_t b = 0; b < size[0]; ++b)
  {
    if (random() % KnownOneIn != 0)
    {
      continue;
    }
    float* const crop = layers.mutable_data_ptr<float>() + b * row;
    std::array<std::int64_t, 3> first{}, count{ size[1], size[2], size[3] };
    for (std::size_t a = 0; a < 3; ++a)
    {
      if (below(3) != 0) // else all along this axis
      {
        const std::int64_t n = count[a], one = below(n), other = below(n);
        first[a] = std::min(one, other);
        count[a] = std::abs(one - other) + 1;
      }
    }
    const bool outside = below(2) == 0;
    const std::int64_t inside = count[0] * count[1] * count[2];
    parts.cells += outside ? cells - inside : inside;
    std::fill_n(crop + first[0], count[0], outside ? -1.F : 1.F);
    std::fill_n(crop + size[1] + first[1], count[1], 1.F);
    std::fill_n(crop + size[1] + size[2] + first[2], count[2], 1.F);
    crop[row - 1] = outside ? 1 : 0;
  }
  const at::Tensor there = toDevice(layers, device);
  const auto part = [&](std::int64_t begin, std::int64_t z, std::int64_t y, std::int64_t x)
  { return there.narrow(1, begin, z * y * x).view({ size[0], 1, z, y, x }); };
  parts.mask = at::addcmul(part(row - 1, 1, 1, 1),
    part(0, size[1], 1, 1) * part(size[1], 1, size[2], 1), part(size[1] + size[2], 1, 1, size[3]));
  return parts;
}

bool PriorTrainer::suits(const TrainingSet& data, const NetworkOptions& network)
{
  const auto isLarge = [](const Frame& frame, const Index3& cells)
  {
    for (int a = 0; a < 3; ++a)
    {
      if (frame.used(a) && cells[a] < 2 * FewestCells)
      {
        return false;
      }
    }
    return true;
  };
  // The smallest grid limits patches; of masks one with room is enough.
  bool all = network.architecture == Architecture::Field, any = false;
  for (std::size_t i = 0; i < data.volumes().size(); ++i)
  {
    const Volume& v = data.volumes()[i];
    const Frame frame(v.dims, v.spacing, network);
    all = all && isLarge(frame, frame.cells());
    any = any || (all && isLarge(frame, data.box(i).size));
  }
  return all && any;
}

void PriorTrainer::tryStep(const ModelInfo& info, const ComputeDevice& place)
{
  const RunScope scope(place, true);
  const int dimensions = info.network.dimensions;
  constexpr std::int64_t edge = Edges[1];
  const std::int64_t depth = dimensions == 3 ? edge : 1;
  const std::int64_t batch = std::max<std::int64_t>(
    1, std::lround(info.priorCells / static_cast<double>(depth * edge * edge)));
  const auto zeros = [&](std::int64_t channels)
  {
    return toNetworkShape(at::zeros({ batch, channels, depth, edge, edge }), dimensions)
      .to(place.device, place.compute);
  };
  const auto network =
    std::make_shared<VelocityUNet>(dimensions, info.latentChannels(), info.priorWidth);
  network->to(place.device);
  AdamW optimiser(network->parameters(), *network, WeightDecay, place.compute);
  optimiser.begin();
  network
    ->forward(zeros(info.latentChannels()), zeros(info.latentChannels() + 2),
      at::zeros({ batch }, at::TensorOptions(place.device)), {})
    .to(at::kFloat)
    .sum()
    .backward();
  optimiser.step(0, Clip);
}

std::mt19937_64 PriorTrainer::randomOf(const ModelInfo& info)
{
  return std::mt19937_64(static_cast<std::uint64_t>(info.options.seed) + OtherThanNetwork);
}

PriorTrainer::PriorTrainer(PriorData data, const ModelInfo& info, const ComputeDevice& place,
  const std::mt19937_64& random, const LearnedPrior* start)
  : Dimensions(info.network.dimensions)
  , Started(start != nullptr)
  , Fields(std::move(data.fields))
  , Trends(std::move(data.trends))
  , Learning(std::make_shared<VelocityUNet>(
      info.network.dimensions, info.latentChannels(), info.priorWidth))
  , Average(info.network.dimensions, info.latentChannels(), info.priorWidth)
  , Random(random)
  , Noise(at::make_generator<at::CPUGeneratorImpl>(
      static_cast<std::uint64_t>(info.options.seed) + OtherThanNetwork))
  , CellsAStep(info.priorCells)
  , VoxelsACell(std::pow(info.network.stride(), info.network.dimensions))
{
  for (int a = 0; a < 3; ++a)
  {
    this->Smallest[static_cast<std::size_t>(a)] = this->Fields.front().size(a + 1);
  }
  this->Average.Mean = data.mean;
  this->Average.Scale = data.scale;
  this->Average.TrendScale = data.trendScale;
  this->Average.ConditioningMean = this->Average.LocalMean = data.localMean;
  this->Learning->initialise(this->Noise);
  if (start)
  {
    copyValues(start->Net->parameters(), this->Learning->parameters());
  }
  this->Learning->to(place.device);
  this->Average.Net->to(place.device);
  this->Optimiser = std::make_unique<AdamW>(
    this->Learning->parameters(), *this->Learning, WeightDecay, place.compute);
  this->AverageWeights = this->Optimiser->sideBySide(this->Average.Net->parameters());
  this->AverageWeights.copy_(this->Optimiser->parameters());
}

void PriorTrainer::replace(std::size_t i, const PriorData& by)
{
  this->Fields[i] = by.fields.front();
  this->Trends[i] = by.trends.front();
}

PriorData priorDataOf(const TrainingSet& data, const ModelInfo& info, Network& network,
  const ObservationModel& seen, const ComputeDevice& place, std::mt19937_64& random,
  const std::function<bool(std::int64_t)>& more)
{
  const RunScope scope(place, false);
  const c10::NoGradGuard guard;
  const std::vector<Volume>& volumes = data.volumes();
  TrainOptions options = info.options;
  options.classBalance = 0;
  ModelInfo turned = info;
  if (const std::vector<std::size_t> vectors = vectorsOf(info.channels);
    !vectors.empty() && vectors.front() == 0)
  {
    turned.augmentation = {}; // the local mean of one component is no other's
  }
  std::optional<PatchSampler> patches;
  for (std::int64_t cells = PatchCells; !patches; cells = std::max(cells / 2, FewestCells))
  {
    options.patchSize = static_cast<int>(cells) * info.network.stride();
    try
    {
      patches.emplace(volumes, turned, options);
    }
    catch (const std::invalid_argument&) // a mask with less room
    {
      if (cells == FewestCells)
      {
        throw;
      }
    }
  }
  const Index3 size = patches->size();
  double each = 1;
  for (const std::int64_t n : size)
  {
    each *= std::max(1., static_cast<double>(n) / info.network.stride());
  }
  // About as often as there are symmetries that differ for the network.
  const auto wanted = static_cast<std::int64_t>(std::ceil(12 * patches->vectors() / each));
  const std::int64_t count = std::clamp<std::int64_t>(wanted, 8, MostPatches);
  const Frame frame(volumes.front().dims, volumes.front().spacing, info.network);
  std::vector<at::Tensor> smoothed; // the local mean of each volume
  for (std::size_t i = 0; i < volumes.size(); ++i)
  {
    const at::Tensor& local = data.localMean(i);
    if (const at::Tensor& part = data.inside(i); part.defined())
    {
      const at::Tensor whole = part.ge(1.).to(at::kFloat);
      smoothed.push_back(
        LearnedPrior::smooth(local * whole) / LearnedPrior::smooth(whole).clamp_min(1e-6));
    }
    else
    {
      smoothed.push_back(LearnedPrior::smooth(local));
    }
  }
  PriorData found;
  {
    const at::Tensor local = data.measuredMean(), trend = LearnedPrior::smooth(local);
    found.localMean = LatentField::fit(toDevice(local, place.device)).on(at::kCPU);
    found.trendScale = at::stack({ trend.mean(), trend.std().clamp_min(1e-6) });
  }
  at::Tensor sum = at::zeros({ info.latentChannels() }, at::TensorOptions(place.device)),
             squares = at::zeros_like(sum);
  double vectors = 0;
  for (std::int64_t i = 0; i < count && (i == 0 || !more || more(i)); ++i)
  {
    const Patch patch = patches->draw(random);
    const at::Tensor x = patches->read({ patch });
    const Posterior q = network.encode(seen.input(x.to(place.device)).to(place.compute));
    const auto stored = [](const at::Tensor& t) { return fromNetworkShape(t)[0]; };
    at::Tensor mean = stored(network.quantise(q.mean)), variance = stored(q.logVariance).exp();
    at::Tensor trend = toDevice(atPatch(smoothed[patch.volume], patch, frame), place.device);
    for (std::int64_t a = 1; a < 4; ++a) // where the patch's border is seen
    {
      if (mean.size(a) >= PatchCells)
      {
        const auto trim = [&](at::Tensor& t) { t = t.narrow(a, Border, t.size(a) - 2 * Border); };
        trim(mean);
        trim(variance);
        trim(trend);
      }
    }
    sum += mean.flatten(1).sum(1);
    squares += (mean.square() + variance).flatten(1).sum(1);
    vectors += static_cast<double>(mean.numel() / mean.size(0));
    found.fields.push_back(mean);
    found.trends.push_back(trend);
  }
  // Unit variance of the aggregated posterior: channels that are not used stay near zero.
  const at::Tensor mean = sum / vectors;
  const at::Tensor scale = (squares / vectors - mean.square()).clamp_min(1e-12).sqrt();
  found.mean = mean.to(at::kCPU);
  found.scale = scale.to(at::kCPU);
  for (std::size_t i = 0; i < found.fields.size(); ++i)
  {
    at::Tensor &field = found.fields[i], &local = found.trends[i];
    field = ((field - mean.view({ -1, 1, 1, 1 })) / scale.view({ -1, 1, 1, 1 })).contiguous();
    local = (local - found.trendScale[0]) / found.trendScale[1];
  }
  return found;
}

double PriorTrainer::step(double progress, const ComputeDevice& place)
{
  const RunScope scope(place, true);
  const auto below = [&](std::int64_t n)
  { return static_cast<std::int64_t>(this->Random() % static_cast<std::uint64_t>(n)); };
  const std::int64_t edge = Edges[static_cast<std::size_t>(this->Count) % std::size(Edges)];
  std::array<std::int64_t, 3> size{};
  double cells = 1;
  for (std::size_t a = 0; a < 3; ++a)
  {
    const std::int64_t n = this->Smallest[a];
    size[a] = n == 1 ? 1 : std::min(edge, n / 2 * 2);
    cells *= static_cast<double>(size[a]);
  }
  const std::int64_t batch =
    std::clamp<std::int64_t>(std::lround(this->CellsAStep / cells), 1, MostCrops);
  std::vector<at::Tensor> fields, trends;
  for (std::int64_t b = 0; b < batch; ++b)
  {
    const auto i = static_cast<std::size_t>(below(static_cast<std::int64_t>(this->Fields.size())));
    at::Tensor field = this->Fields[i], trend = this->Trends[i];
    for (std::int64_t a = 0; a < 3; ++a)
    {
      const std::int64_t n = size[static_cast<std::size_t>(a)],
                         from = below(field.size(a + 1) - n + 1);
      field = field.narrow(a + 1, from, n);
      trend = trend.narrow(a + 1, from, n);
    }
    fields.push_back(field);
    trends.push_back(trend);
  }
  const at::Tensor data = at::stack(fields);
  const at::Tensor noise =
    streamNoise({ batch * data.size(1), size[0], size[1], size[2] }, this->Noise, place.device)
      .view(data.sizes());
  const at::Tensor time = // Esser et al. 2024
    toDevice(at::sigmoid(at::randn({ batch }, this->Noise)), place.device);
  const at::Tensor at = at::lerp(noise, data, time.view({ -1, 1, 1, 1, 1 }));
  const auto shaped = [&](const at::Tensor& t) { return toNetworkShape(t, this->Dimensions); };
  const auto cast = [&](const at::Tensor& t) { return shaped(t).to(place.compute); };
  const KnownParts known =
    knownParts({ batch, size[0], size[1], size[2] }, this->Random, place.device);
  this->Optimiser->begin();
  const at::Tensor velocity = this->Learning->forward(
    cast(at), VelocityUNet::given(cast(at::stack(trends)), cast(data), cast(known.mask)), time, {});
  const at::Tensor unknown = 1 - shaped(known.mask);
  const double counted =
    std::max(1., cells * static_cast<double>(batch) - static_cast<double>(known.cells));
  const at::Tensor loss =
    ((velocity.to(at::kFloat) - shaped(data - noise)).square() * unknown).sum() /
    (counted * static_cast<double>(data.size(1)));
  loss.backward();
  this->Optimiser->step(priorRateAt(this->Started, this->Count + 1, progress), Clip);
  ++this->Count;
  this->LastVoxels = cells * static_cast<double>(batch) * this->VoxelsACell;
  const auto n = static_cast<double>(this->Count);
  const c10::NoGradGuard guard;
  this->AverageWeights.lerp_(
    this->Optimiser->parameters(), 1 - std::min(LargestDecay, n / (n + 10)));
  return loss.item<double>();
}

std::shared_ptr<const LearnedPrior> PriorTrainer::prior() const
{
  return this->Average.copy(at::kCPU);
}

std::vector<at::Tensor> PriorTrainer::tensors() const
{
  std::vector<at::Tensor> all = this->Learning->parameters();
  for (const auto& more : { this->Average.Net->parameters(), this->Optimiser->state() })
  {
    all.insert(all.end(), more.begin(), more.end());
  }
  return all;
}

void PriorTrainer::store(StateWriter& state) const
{
  state.store("random", this->Random);
  state.store("noise", this->Noise);
}

void PriorTrainer::restore(std::int64_t steps, const StateReader& state)
{
  this->Count = steps;
  state.load("random", this->Random);
  state.load("noise", this->Noise);
}

} // namespace vae
