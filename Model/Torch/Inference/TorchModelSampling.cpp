// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
//
// Drawing latent fields from a model's priors, freely or around what is known.
#include "FieldDecoder.h"
#include "Torch/Data/TrainingSet.h"
#include "Torch/Grid/Noise.h"
#include "Torch/Priors/Conditioning.h"
#include "TorchModel.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/core/GradMode.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <random>

namespace vae
{
namespace
{

/// Realizations of a learned prior whose local means are drawn together, to reduce variance.
constexpr std::int64_t GroupSize = 10;

/// A volume whose unknown voxels a latent field has filled, in arrays of its own.
struct Filled
{
  Volume volume;
  std::vector<std::vector<std::byte>> arrays;

  Filled(const Volume& known, const LatentSample& filling, const Model& model, int margin,
    const RunOptions& run)
    : volume(known)
    , arrays(known.channels.size())
  {
    const auto count = static_cast<std::size_t>(voxels(known.dims));
    Outputs outputs;
    for (std::size_t c = 0; c < known.channels.size(); ++c)
    {
      const Channel& from = known.channels[c];
      this->arrays[c].resize(count * dispatch(from.type, [](auto t) { return sizeof t; }));
      Channel& to = this->volume.channels[c];
      to.data = this->arrays[c].data();
      to.stride = 1;
      OutputChannel& out = outputs.values.emplace_back();
      out.data = this->arrays[c].data();
      out.type = from.type;
    }
    this->volume.mask = {};
    outputs.thresholds = filling.thresholds;
    model.decode(filling.latent, known.dims, margin, outputs, run);
    overwrite(known, outputs.values);
  }
};

} // namespace

TorchModel::Draw TorchModel::plan(const SampleRequest& wanted) const
{
  const GenerateOptions& options = wanted.options;
  Draw draw;
  draw.prior = options.prior == Prior::Automatic ? this->bestPrior() : options.prior;
  if (draw.prior == Prior::RandomField && !this->Calibrated.field)
  {
    throw std::invalid_argument(
      "Prior is 'random field', but this model holds no statistics of its latent field; train it "
      "to the end, or choose 'normal'");
  }
  if (draw.prior == Prior::Learned && !this->Calibrated.learned)
  {
    throw std::invalid_argument(
      "Prior is 'learned', but this model holds none; train it to the "
      "end, with the network Field, a Prior Share above 0 and a volume of at least 8 latent cells "
      "along each axis, or choose 'random field'");
  }
  const Frame voxels(wanted.dims, this->Info.spacing, this->Info.network);
  const Index3 cells = voxels.cells();
  FieldRequest& request = draw.field;
  request.temperature = options.temperature;
  request.corrected = options.correctLongWaves;
  for (std::size_t a = 0; a < 3; ++a)
  {
    const bool used = voxels.used(static_cast<int>(a));
    const std::int64_t size = voxels.size[a], cell = voxels.cell[a];
    request.periodic[a] = used && options.periodic[voxels.axis[a]];
    if (request.periodic[a] && size % cell != 0)
    {
      throw std::invalid_argument("Dimensions is " + toString(wanted.dims) + "; along " +
        "xyz"[voxels.axis[a]] + ", which is to be periodic, this model needs a multiple of " +
        std::to_string(cell) + " voxels, the size of a latent cell");
    }
    draw.inside.origin[a] = used && !request.periodic[a] ? wanted.margin : 0;
    request.size[a] = cells[a] + 2 * draw.inside.origin[a];
  }
  draw.inside.size = cells;
  return draw;
}

at::Tensor TorchModel::fieldOf(const Draw& draw, const GenerateOptions& options,
  const RunOptions& run, const Monitor& monitor, at::Tensor* local) const
{
  // Each realization is a stream of its own: neighbouring seeds share nothing.
  const auto stream = [&](std::int64_t number, std::uint32_t purpose)
  {
    std::seed_seq mix{ static_cast<std::uint32_t>(options.seed),
      static_cast<std::uint32_t>(options.seed >> 32), static_cast<std::uint32_t>(number), purpose };
    std::array<std::uint32_t, 2> words;
    mix.generate(words.begin(), words.end());
    return at::make_generator<at::CPUGeneratorImpl>(
      static_cast<std::uint64_t>(words[0]) << 32 | words[1]);
  };
  const at::Generator generator = stream(options.realization, 0);
  const FieldRequest& request = draw.field;
  const ComputeDevice place = chooseDevice(run.device, run.precision, run.threads);
  if (draw.prior == Prior::Learned && options.reduceVariance)
  {
    const std::int64_t first = options.realization / GroupSize * GroupSize;
    LatentField::Group group{ {}, static_cast<std::size_t>(options.realization - first),
      draw.inside };
    for (std::int64_t i = first; i < first + GroupSize; i += 2)
    {
      group.generators.push_back(stream(i / 2, 1));
    }
    FieldRequest grouped = request;
    grouped.local = std::move(group);
    return this->Calibrated.learned->sample(grouped, generator, place, monitor, local);
  }
  if (draw.prior == Prior::Learned)
  {
    return this->Calibrated.learned->sample(request, generator, place, monitor, local);
  }
  const bool around = request.known.defined();
  const auto there = [&](const at::Tensor& t) { return toDevice(t, place.device); };
  if (draw.prior == Prior::RandomField)
  {
    const LatentField field = this->Calibrated.field->on(place.device);
    return around ? field.sampleGiven(
                      there(request.known), there(request.where), generator, request.temperature)
                  : field.sample(request.size, generator, request.temperature, request.periodic);
  }
  const at::Tensor free =
    streamNoise({ this->Info.latentChannels(), request.size[0], request.size[1], request.size[2] },
      generator, place.device) *
    request.temperature;
  return around ? at::where(there(request.where), there(request.known), free) : free;
}

LatentSample TorchModel::sample(
  const SampleRequest& request, const RunOptions& run, const Monitor& monitor) const
{
  Drawn drawn = this->draw(request, run, monitor);
  if (!drawn.fractions.empty())
  {
    Monitor quiet;
    quiet.stop = monitor.stop;
    FieldDecoder decoder(this->Info, this->Net, drawn.latent, request.dims, request.margin, run);
    drawn.thresholds = thresholdsFor(decoder, drawn.fractions, quiet);
  }
  return drawn;
}

void TorchModel::sampleAndDecode(const SampleRequest& request, const Outputs& outputs,
  const RunOptions& run, const Monitor& monitor) const
{
  // How long they take beside each other.
  const bool learned = request.options.prior == Prior::Learned ||
    (request.options.prior == Prior::Automatic && this->bestPrior() == Prior::Learned);
  const double drawing = request.known ? 0.95 : learned ? 0.5 : 0.1;
  const Drawn drawn = this->draw(request, run, monitor.part(0, drawing));
  FieldDecoder decoder(this->Info, this->Net, drawn.latent,
    request.known ? request.known->dims : request.dims, request.margin, run,
    drawn.fractions.empty() ? FieldDecoder::Keep::Nothing : FieldDecoder::Keep::WhatFits);
  decoder.willWrite(outputs);
  Outputs wanted = outputs;
  wanted.thresholds = drawn.thresholds;
  Monitor decoding = monitor.part(drawing, 1);
  if (!drawn.fractions.empty())
  {
    wanted.thresholds = thresholdsFor(decoder, drawn.fractions, decoding.part(0, 0.5));
    decoding = decoding.part(0.5, 1);
  }
  this->write(decoder, wanted, run, decoding);
}

TorchModel::Drawn TorchModel::draw(
  const SampleRequest& request, const RunOptions& run, const Monitor& monitor) const
{
  return request.known ? this->drawAround(request, run, monitor)
                       : this->drawFreely(request, run, monitor);
}

TorchModel::Drawn TorchModel::drawFreely(
  const SampleRequest& request, const RunOptions& run, const Monitor& monitor) const
{
  Draw draw = this->plan(request);
  const RunScope scope(chooseDevice("cpu", Precision::Float32, run.threads), false);
  const c10::InferenceMode inference;
  if (draw.prior == Prior::Learned && !request.trend.empty())
  {
    draw.field.trend = this->trendOf(request.trend, draw.field, request.margin);
  }
  at::Tensor local;
  at::Tensor field = this->fieldOf(draw, request.options, run, monitor, &local);
  for (std::int64_t a = 0; a < 3; ++a) // a periodic field's margin is its other end
  {
    if (draw.field.periodic[static_cast<std::size_t>(a)])
    {
      const std::int64_t n = field.size(a + 1);
      field = field.index_select(a + 1,
        at::arange(
          -request.margin, n + request.margin, at::TensorOptions(field.device()).dtype(at::kLong))
          .remainder(n));
    }
  }
  Drawn drawn = this->emptySample(request.dims, request.margin);
  drawn.latent.mean = valuesOf(field);
  if (draw.prior == Prior::RandomField)
  {
    drawn.thresholds = this->Calibrated.field->thresholds();
  }
  else if (draw.prior == Prior::Learned && this->Info.hasPhases() &&
    request.options.correctFraction)
  {
    // A flow that learned for minutes misses the fraction that it was asked for by a little. The
    // local mean is of the first channel; the others have the data's fractions.
    for (const ChannelInfo& c : this->Info.channels)
    {
      drawn.fractions.push_back(c.fractions.front());
    }
    drawn.fractions.front() =
      1 - slice(local, draw.inside.origin, draw.inside.size).mean().item<double>();
  }
  return drawn;
}

TorchModel::Drawn TorchModel::emptySample(const Dims& dims, int margin) const
{
  Drawn drawn;
  drawn.latent.dims = Frame(dims, this->Info.spacing, this->Info.network).cellsWithMargin(margin);
  drawn.latent.channels = this->Info.latentChannels();
  return drawn;
}

TorchModel::Drawn TorchModel::drawAround(
  const SampleRequest& wanted, const RunOptions& run, const Monitor& monitor) const
{
  const Volume& known = *wanted.known;
  checkKnown(known, this->Info);
  const Frame frame(known.dims, known.spacing, this->Info.network);
  const Conditioning given(this->Info, frame, known);
  SampleRequest free = wanted;
  free.dims = known.dims;
  free.options.periodic = {};
  Draw draw = this->plan(free);
  FieldRequest& request = draw.field;
  Drawn drawn = this->emptySample(known.dims, wanted.margin);
  const RunScope scope(chooseDevice("cpu", Precision::Float32, run.threads), false);
  const c10::NoGradGuard guard;
  const Box& inside = draw.inside;
  std::vector<float> widths;
  for (const LatentStatistics& channel : this->latentStatistics())
  {
    widths.push_back(
      static_cast<float>(channel.posteriorStddev > 0 ? channel.posteriorStddev : channel.stddev));
  }
  const ComputeDevice place = chooseDevice(run.device, run.precision, run.threads);
  const NetworkPtr network = frozenOn(this->Net, this->Info.network, place.device);

  if (draw.prior == Prior::RandomField)
  {
    drawn.thresholds = this->Calibrated.field->thresholds();
  }
  else if (draw.prior == Prior::Learned)
  {
    // Drawn around what is known once and for all: taken from what fills a hole it would wander.
    request.localKnown = at::zeros({ 1, request.size[0], request.size[1], request.size[2] });
    request.localWhere =
      at::zeros({ request.size[0], request.size[1], request.size[2] }, at::kBool);
    slice(request.localKnown, inside.origin, inside.size).copy_(localMean(known, this->Info));
    slice(request.localWhere, inside.origin, inside.size).copy_(given.fractions().ge(1.));
  }

  // The first round knows cells that are known wholly; the others also those whose rest has been
  // filled. What is encoded beside a hole depends on what fills it.
  constexpr int rounds = 3;
  int part = 0;
  const auto next = [&]
  {
    const double from = part++ / (2. * rounds + 1), to = part / (2. * rounds + 1);
    return monitor.part(from, to);
  };
  at::Tensor field = this->fieldOf(draw, free.options, run, next()).clone();
  for (int round = 0; round < rounds; ++round)
  {
    drawn.latent.mean = valuesOf(field);
    const Filled filled(known, drawn, *this, wanted.margin, run);
    const Latent encoded = this->encode(filled.volume, run, {});
    request.known = field.clone();
    slice(request.known, inside.origin, inside.size)
      .copy_(at::from_blob(const_cast<float*>(encoded.mean.data()),
        { encoded.channels, inside.size[0], inside.size[1], inside.size[2] }));
    request.where = at::zeros(field[0].sizes(), field.options().dtype(at::kBool));
    slice(request.where, inside.origin, inside.size)
      .copy_(given.fractions().ge(round == 0 ? 1. : 0.05));
    field = this->fieldOf(draw, free.options, run, next()).clone();
    given.refineLatents(
      field, wanted.margin, at::tensor(widths), drawn.thresholds, *network, place, next());
  }
  drawn.latent.mean = valuesOf(field);
  return drawn;
}

at::Tensor TorchModel::trendOf(
  const std::vector<float>& trend, const FieldRequest& request, int margin) const
{
  std::vector<std::int64_t> shape{ 1 };
  std::int64_t count = 1;
  for (std::size_t a = 0; a < 3; ++a)
  {
    shape.push_back(request.size[a] + (request.periodic[a] ? 2 * margin : 0));
    count *= shape.back();
  }
  if (count != static_cast<std::int64_t>(trend.size()))
  {
    throw std::invalid_argument("The trend has " + std::to_string(trend.size()) +
      " values, the latent field " + std::to_string(count) + " cells");
  }
  at::Tensor t = at::from_blob(const_cast<float*>(trend.data()), shape);
  for (std::size_t a = 0; a < 3; ++a)
  {
    if (request.periodic[a])
    {
      t = t.narrow(static_cast<std::int64_t>(a) + 1, margin, request.size[a]);
    }
  }
  const ChannelInfo& c = this->Info.channels.front();
  return this->Info.hasPhases() ? t.clone() : (t - c.offset) / c.scale;
}

} // namespace vae
