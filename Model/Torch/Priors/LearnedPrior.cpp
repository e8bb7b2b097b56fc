// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "LearnedPrior.h"

#include "Torch/Grid/Boxes.h"
#include "Torch/Grid/Noise.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/core/GradMode.h>
#include <c10/core/InferenceMode.h>

#include <cmath>

namespace vae
{
namespace
{

constexpr int Steps = 50;
constexpr double SmoothingCells = 2.5;
constexpr const char* LocalPrefix = "local.";
constexpr const char* ToldPrefix = "told.";

at::Tensor smoothingMatrix(std::int64_t n, bool periodic, const at::Device& device)
{
  const at::Tensor i = at::arange(n, at::TensorOptions(device).dtype(at::kFloat));
  at::Tensor d = (i.unsqueeze(0) - i.unsqueeze(1)).abs();
  if (periodic)
  {
    d = at::minimum(d, static_cast<double>(n) - d);
  }
  const at::Tensor w = at::exp(-0.5 * (d / SmoothingCells).square());
  return w / w.sum(1, true);
}

} // namespace

LearnedPrior::LearnedPrior(int dimensions, int latentChannels, int width)
  : Net(std::make_shared<VelocityUNet>(dimensions, latentChannels, width))
  , Mean(at::zeros({ latentChannels }))
  , Scale(at::ones({ latentChannels }))
  , TrendScale(at::tensor({ 0.f, 1.f }))
  , Dimensions(dimensions)
{
}

at::Tensor LearnedPrior::smooth(const at::Tensor& cells, const std::array<bool, 3>& periodic)
{
  at::Tensor out = cells;
  for (int a = 0; a < 3; ++a)
  {
    if (cells.size(a + 1) > 1)
    {
      out = at::matmul(out.movedim(a + 1, -1),
        smoothingMatrix(cells.size(a + 1), periodic[static_cast<std::size_t>(a)], cells.device())
          .t())
              .movedim(-1, a + 1);
    }
  }
  return out.contiguous();
}

LearnedPrior::Cells LearnedPrior::cellsFor(const FieldRequest& request) const
{
  Cells cells{ request.size, {} };
  for (int a = 3 - this->Dimensions; a < 3; ++a)
  {
    const auto axis = static_cast<std::size_t>(a);
    std::int64_t& n = cells.even[axis];
    cells.wrapped.push_back(request.periodic[axis]);
    if (request.periodic[axis] && n % 2 != 0)
    {
      throw std::invalid_argument("Along a periodic axis the learned prior needs an even number of "
                                  "latent cells, it has " +
        std::to_string(n));
    }
    n += n % 2;
  }
  return cells;
}

at::Tensor LearnedPrior::givenTrend(
  const FieldRequest& request, const Cells& cells, const at::Device& device)
{
  at::Tensor trend = smooth(toDevice(request.trend, device), request.periodic);
  for (int a = 0; a < 3; ++a) // the last cells once more
  {
    const auto n = trend.size(a + 1);
    trend = trend.index_select(a + 1,
      at::arange(
        cells.even[static_cast<std::size_t>(a)], at::TensorOptions(device).dtype(at::kLong))
        .clamp_max(n - 1));
  }
  return trend;
}

at::Tensor LearnedPrior::drawnTrend(const FieldRequest& request, const Cells& cells,
  const at::Generator& generator, const at::Device& device, at::Tensor* local) const
{
  // Wider, so that the smoothing knows no border.
  std::array<std::int64_t, 3> wide = cells.even, margin{};
  for (int a = 3 - this->Dimensions; a < 3; ++a)
  {
    const auto axis = static_cast<std::size_t>(a);
    margin[axis] = request.periodic[axis] ? 0 : std::lround(3 * SmoothingCells);
    wide[axis] += 2 * margin[axis];
  }
  std::optional<LatentField::Group> group = request.local;
  for (std::size_t a = 0; group && a < 3; ++a)
  {
    group->box.origin[a] += margin[a];
  }
  at::Tensor known, where;
  if (request.localKnown.defined())
  {
    const at::TensorOptions there(device);
    known = at::zeros({ 1, wide[0], wide[1], wide[2] }, there);
    where = at::zeros({ wide[0], wide[1], wide[2] }, there.dtype(at::kBool));
    slice(known, margin, request.size).copy_(request.localKnown);
    slice(where, margin, request.size).copy_(request.localWhere);
  }
  const auto draw = [&](const LatentField& field, const auto& noise)
  {
    return known.defined() ? field.sampleGiven(known, where, noise, request.temperature)
                           : field.sample(wide, noise, request.temperature, request.periodic);
  };
  const auto drawn = [&](const LatentField& field, const at::Generator& noise)
  { return group ? draw(field.on(device), *group) : draw(field.on(device), noise); };
  if (local)
  {
    *local = slice(drawn(this->LocalMean, generator.clone()), margin, request.size);
  }
  return slice(
    smooth(drawn(request.corrected ? this->ConditioningMean : this->LocalMean, generator),
      request.periodic),
    margin, cells.even)
    .contiguous();
}

int LearnedPrior::width() const
{
  return static_cast<int>(this->Net->named_parameters()["in.bias"].size(0));
}

std::shared_ptr<LearnedPrior> LearnedPrior::copy(const at::Device& device) const
{
  const c10::NoGradGuard guard;
  const std::vector<at::Tensor> from = this->Net->parameters();
  auto made = std::make_shared<LearnedPrior>(
    this->Dimensions, static_cast<int>(this->Mean.size(0)), this->width());
  const std::vector<at::Tensor> to = made->Net->parameters();
  for (std::size_t i = 0; i < to.size(); ++i)
  {
    at::Tensor(to[i]).copy_(from[i]);
  }
  made->Net->to(device);
  made->Mean = this->Mean;
  made->Scale = this->Scale;
  made->LocalMean = this->LocalMean;
  made->ConditioningMean = this->ConditioningMean;
  made->TrendScale = this->TrendScale;
  return made;
}

at::Tensor LearnedPrior::sample(const FieldRequest& request, at::Generator generator,
  const ComputeDevice& place, const Monitor& monitor, at::Tensor* local) const
{
  RunScope scope(place, false);
  const c10::InferenceMode inference;
  const Cells cells = this->cellsFor(request);
  if (local && request.trend.defined())
  {
    *local = toDevice(request.trend, place.device);
  }
  const at::Tensor wanted = request.trend.defined()
    ? givenTrend(request, cells, place.device)
    : this->drawnTrend(request, cells, generator, place.device, local);
  const at::Tensor trend = (wanted - this->TrendScale[0]) / this->TrendScale[1],
                   mean = this->Mean.to(place.device).view({ -1, 1, 1, 1 }),
                   scale = this->Scale.to(place.device).view({ -1, 1, 1, 1 });

  const auto shaped = [&](const at::Tensor& t)
  { return toNetworkShape(t.unsqueeze(0), this->Dimensions); };
  const std::array<std::int64_t, 4> field{ this->Mean.size(0), cells.even[0], cells.even[1],
    cells.even[2] };
  const auto drawn = [&] { return streamNoise(field, generator, place.device); };
  at::Tensor x = shaped(drawn() * request.temperature);
  // A copy of a module would share its tensors, and take the model's own along.
  const std::shared_ptr<VelocityUNet> net =
    place.onCpu() ? this->Net : this->copy(place.device)->Net;
  at::Tensor known = at::zeros_like(x), where = at::zeros_like(shaped(trend));
  if (request.known.defined())
  {
    const auto grown = [&](const at::Tensor& t) // to the even size
    {
      at::Tensor out = at::zeros({ t.size(0), field[1], field[2], field[3] }, t.options());
      out.slice(1, 0, t.size(1)).slice(2, 0, t.size(2)).slice(3, 0, t.size(3)).copy_(t);
      return shaped(out);
    };
    known = grown((toDevice(request.known, place.device) - mean) / scale);
    where = grown(toDevice(request.where, place.device).to(at::kFloat).unsqueeze(0));
  }
  const auto format =
    x.dim() == 5 ? at::MemoryFormat::ChannelsLast3d : at::MemoryFormat::ChannelsLast;
  const at::Tensor given =
    VelocityUNet::given(shaped(trend), known, where).to(place.compute).contiguous(format);
  const auto velocity = [&](const at::Tensor& at, double t)
  {
    const at::Tensor time = at::full({ 1 }, t, at::TensorOptions(place.device));
    return net->forward(at.to(place.compute).contiguous(format), given, time, cells.wrapped)
      .to(at::kFloat);
  };
  for (int i = 0; i < Steps; ++i)
  {
    const double t = static_cast<double>(i) / Steps, after = static_cast<double>(i + 1) / Steps;
    monitor.report(t);
    scope.adapt();
    // What is known goes straight from its noise to itself.
    const at::Tensor data = at::lerp(x + (1 - t) * velocity(x, t), known, where),
                     noise = (x - t * data) / (1 - t);
    // As much new noise as the reverse of a diffusion has between the two times.
    const double ratio = t * (1 - after) / (after * (1 - t)),
                 fresh = (1 - after) * std::sqrt(1 - ratio * ratio);
    x = after * data + (1 - after) * ratio * noise;
    if (fresh > 0)
    {
      x = x + shaped(drawn() * (fresh * request.temperature));
    }
  }
  return (slice(fromNetworkShape(x)[0], { 0, 0, 0 }, request.size) * scale + mean).contiguous();
}

State LearnedPrior::state() const
{
  State state{ { "mean", this->Mean }, { "scale", this->Scale },
    { "trend_scale", this->TrendScale } };
  for (const auto& p : this->Net->named_parameters())
  {
    state["network." + p.key()] = p.value();
  }
  addPart(state, LocalPrefix, this->LocalMean.state());
  addPart(state, ToldPrefix, this->ConditioningMean.state());
  return state;
}

std::shared_ptr<const LearnedPrior> LearnedPrior::fromState(
  const TensorReader& state, int dimensions, int latentChannels)
{
  constexpr std::int64_t widest = 4096; // channels
  const at::Tensor& first = state.get("network.in.bias");
  const std::int64_t width = first.dim() == 1 ? first.size(0) : 0;
  // Looked at before memory is asked for.
  if (width < 1 || width > widest ||
    4 * VelocityUNet::parametersOf(dimensions, latentChannels, width) > state.bytes())
  {
    throw std::runtime_error("the learned prior's network is larger than its tensors in the file");
  }
  auto prior = std::make_shared<LearnedPrior>(dimensions, latentChannels, static_cast<int>(width));
  const c10::NoGradGuard guard;
  const auto load = [&](const std::string& name, const at::Tensor& to)
  { at::Tensor(to).copy_(state.get(name, to.sizes())); };
  for (const auto& p : prior->Net->named_parameters())
  {
    load("network." + p.key(), p.value());
  }
  load("mean", prior->Mean);
  load("scale", prior->Scale);
  load("trend_scale", prior->TrendScale);
  if (!prior->Scale.ge(0).all().item<bool>() || !(prior->TrendScale[1].item<float>() > 0))
  {
    throw std::runtime_error("the learned prior has a scale that is not above 0");
  }
  prior->LocalMean = LatentField::fromState(state.part(LocalPrefix), 1);
  prior->ConditioningMean = LatentField::fromState(state.part(ToldPrefix), 1);
  return prior;
}

} // namespace vae
