// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "TorchModel.h"

#include "../ModelFile.h"
#include "Conditioning.h"
#include "Inference.h"
#include "Reconstruction.h"
#include "Texture.h"
#include "Variogram.h"

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

constexpr const char* Format = "vae-paraview-5";
constexpr const char* PriorPrefix = "prior.random_field.";
constexpr const char* LearnedPrefix = "prior.learned.";
constexpr const char* AnomalyQuantiles = "anomaly.quantiles";
constexpr const char* TrainingPrefix = "training.";

std::vector<float> valuesOf(const at::Tensor& t)
{
  const at::Tensor c = t.detach().to(at::kCPU, at::kFloat).contiguous();
  const float* data = c.const_data_ptr<float>();
  return { data, data + c.numel() };
}

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

/// A volume whose unknown voxels a latent field has filled, in arrays of its own.
struct Filled
{
  Volume volume;
  std::vector<std::vector<std::byte>> arrays;

  Filled(const Volume& known, const Latent& latent, const Model& model, int margin,
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
    model.decode(latent, known.dims, margin, outputs, run);
    overwrite(known, outputs.values);
  }
};

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
  const Frame frame(dims, this->Info.spacing, this->Info.network);
  const Dims wanted = frame.cellsWithMargin(margin);
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
  forEachTile(cells, inference.decodeTile(cells), monitor, [&](const Box& box)
  { inference.write(box, inference.decode(field, box), outputs, latent.threshold); });
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

Prior TorchModel::bestPrior() const
{
  // Shorter than this its samples are worse than the random field's.
  constexpr std::int64_t enough = 200;
  return this->Learned && this->Info.priorSteps >= enough ? Prior::Learned
    : this->Field                                         ? Prior::RandomField
                                                          : Prior::Normal;
}

std::vector<LatentStatistics> TorchModel::latentStatistics() const
{
  return this->Field
    ? this->Field->statistics()
    : std::vector<LatentStatistics>(static_cast<std::size_t>(this->Info.latentChannels()));
}

TorchModel::Draw TorchModel::plan(
  const Dims& dims, int margin, const GenerateOptions& options) const
{
  Draw draw;
  draw.prior = options.prior == Prior::Automatic ? this->bestPrior() : options.prior;
  if (draw.prior == Prior::RandomField && !this->Field)
  {
    throw std::invalid_argument(
      "Prior is 'random field', but this model holds no statistics of its latent field; train it "
      "to the end, or choose 'normal'");
  }
  if (draw.prior == Prior::Learned && !this->Learned)
  {
    throw std::invalid_argument(
      "Prior is 'learned', but this model holds none; train it to the "
      "end, with the network Field, a Prior Share above 0 and a volume of at least 8 latent cells "
      "along each axis, or choose 'random field'");
  }
  const Frame voxels(dims, this->Info.spacing, this->Info.network);
  const Index3 cells = voxels.cells();
  draw.latent.dims = voxels.cellsWithMargin(margin);
  draw.latent.channels = this->Info.latentChannels();
  FieldRequest& request = draw.request;
  request.temperature = options.temperature;
  for (std::size_t a = 0; a < 3; ++a)
  {
    const bool used = voxels.used(static_cast<int>(a));
    const std::int64_t size = voxels.size[a], cell = voxels.cell[a];
    request.periodic[a] = used && options.periodic[voxels.axis[a]];
    if (request.periodic[a] && size % cell != 0)
    {
      throw std::invalid_argument("Dimensions is " + toString(dims) + "; along " +
        "xyz"[voxels.axis[a]] + ", which is to be periodic, this model needs a multiple of " +
        std::to_string(cell) + " voxels, the size of a latent cell");
    }
    request.size[a] = cells[a] + (used && !request.periodic[a] ? 2 * margin : 0);
  }
  return draw;
}

at::Tensor TorchModel::draw(const Draw& draw, const GenerateOptions& options, const RunOptions& run,
  const Monitor& monitor) const
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
  const FieldRequest& request = draw.request;
  if (draw.prior == Prior::Learned)
  {
    FieldRequest paired = request;
    paired.localNoise = stream(options.realization / 2, 1);
    paired.mirrored = options.realization % 2 != 0;
    return this->Learned->sample(
      paired, generator, choosePlace(run.device, run.precision, run.threads), monitor);
  }
  if (draw.prior == Prior::RandomField)
  {
    return request.known.defined()
      ? this->Field->sampleGiven(request.known, request.where, generator, request.temperature)
      : this->Field->sample(request.size, generator, request.temperature, request.periodic);
  }
  const at::Tensor free =
    at::randn(
      { draw.latent.channels, request.size[0], request.size[1], request.size[2] }, generator) *
    request.temperature;
  return request.known.defined() ? at::where(request.where, request.known, free) : free;
}

Latent TorchModel::sample(const Dims& dims, int margin, const GenerateOptions& options,
  const std::vector<float>& trend, const RunOptions& run, const Monitor& monitor) const
{
  Draw draw = this->plan(dims, margin, options);
  const RunScope scope(choosePlace("cpu", Precision::Float32, run.threads), false);
  const c10::InferenceMode inference;
  if (draw.prior == Prior::Learned && !trend.empty())
  {
    draw.request.trend = this->trendOf(trend, draw.request, margin);
  }
  at::Tensor field = this->draw(draw, options, run, monitor);
  for (std::int64_t a = 0; a < 3; ++a) // a periodic field's margin is its other end
  {
    if (draw.request.periodic[static_cast<std::size_t>(a)])
    {
      const std::int64_t n = field.size(a + 1);
      field = field.index_select(a + 1, at::arange(-margin, n + margin, at::kLong).remainder(n));
    }
  }
  draw.latent.mean = valuesOf(field);
  draw.latent.threshold = draw.prior == Prior::RandomField ? this->Field->threshold() : 0;
  return draw.latent;
}

Latent TorchModel::sampleGiven(const Volume& known, int margin, const GenerateOptions& options,
  const RunOptions& run, const Monitor& monitor) const
{
  checkFits(known, this->Info);
  const Frame frame(known.dims, known.spacing, this->Info.network);
  const Conditioning given(this->Info, frame, known);
  if (given.fractions().sum().item<double>() == 0)
  {
    throw std::invalid_argument(
      "Nothing is known: the mask is 0 in each of " + toString(known.dims) + " voxels");
  }
  GenerateOptions free = options;
  free.periodic = {};
  Draw draw = this->plan(known.dims, margin, free);
  FieldRequest& request = draw.request;
  const RunScope scope(choosePlace("cpu", Precision::Float32, run.threads), false);
  const c10::NoGradGuard guard;
  Box inside{ {}, frame.cells() };
  for (int a = 0; a < 3; ++a)
  {
    inside.origin[a] = frame.used(a) ? margin : 0;
  }
  std::vector<float> widths;
  for (const LatentStatistics& channel : this->latentStatistics())
  {
    widths.push_back(
      static_cast<float>(channel.posteriorStddev > 0 ? channel.posteriorStddev : channel.stddev));
  }
  const NetworkPtr network = copyOf(*this->Net, this->Info.network); // gradients are kept in it
  const Place place = choosePlace(run.device, run.precision, run.threads);
  network->to(place.device);

  // The first round knows cells that are known wholly; the others also those whose rest has been
  // filled. What is encoded beside a hole depends on what fills it.
  constexpr int rounds = 3;
  int part = 0;
  const auto next = [&]
  {
    Monitor m = monitor;
    const double from = part++ / (2. * rounds + 1), to = part / (2. * rounds + 1);
    m.progress = [&monitor, from, to](double p)
    {
      if (monitor.progress)
      {
        monitor.progress(from + p * (to - from));
      }
    };
    return m;
  };
  at::Tensor field = this->draw(draw, free, run, next()).clone();
  for (int round = 0; round < rounds; ++round)
  {
    draw.latent.mean = valuesOf(field);
    const Filled filled(known, draw.latent, *this, margin, run);
    const Latent encoded = this->encode(filled.volume, run, {});
    request.known = field.clone();
    slice(request.known, inside.origin, inside.size)
      .copy_(at::from_blob(const_cast<float*>(encoded.mean.data()),
        { encoded.channels, inside.size[0], inside.size[1], inside.size[2] }));
    if (draw.prior == Prior::Learned) // the local mean is not free either
    {
      request.trend = LearnedPrior::localMean(filled.volume, this->Info);
      for (std::int64_t a = 0; a < 3; ++a) // the border's cells once more beyond it
      {
        const std::int64_t n = request.trend.size(a + 1), around = inside.origin[a];
        request.trend = request.trend.index_select(
          a + 1, at::arange(-around, n + around, at::kLong).clamp(0, n - 1));
      }
    }
    request.where = at::zeros(field[0].sizes(), at::kBool);
    slice(request.where, inside.origin, inside.size)
      .copy_(given.fractions().ge(round == 0 ? 1. : 0.05));
    field = this->draw(draw, free, run, next()).clone();
    given.polish(field, margin, at::tensor(widths), *network, place, next());
  }
  draw.latent.mean = valuesOf(field);
  return draw.latent;
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
    this->matchField(volume, frame, run, monitor);
    this->fitAnomalies(volume, frame, latent, run, monitor);
    this->fitTexture(volume, frame, latent, run);
  }
}

void TorchModel::matchField(
  const Volume& volume, const Frame& frame, const RunOptions& run, const Monitor& monitor)
{
  if (this->Info.network.architecture != Architecture::Field)
  {
    return;
  }
  // Phases are seen as the first of them, at its own fraction, or what it is not: all the same for
  // their covariance and roughness.
  const bool phases = this->Info.hasPhases();
  LatentField::Observed wanted{ LearnedPrior::localMean(volume, this->Info), 0, 0 };
  if (phases)
  {
    const Box middle = toVoxels(middleOf(frame, 1 << 23), frame.cell);
    wanted.roughness =
      variogram(readFolded(volume, frame, this->Info.channels, middle).gt(0.5).to(at::kFloat),
        frame, true, 1);
  }
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
    const Index3 most = inference.decodeTile(inside.size);
    for (int a = 0; a < 3; ++a)
    {
      inside.size[a] = std::min(inside.size[a], most[a]);
    }
    const at::Tensor decoded = inference.decode(grid, inside);
    if (!phases)
    {
      return { fromNetworkShape(cellMeans(decoded, frame))[0].clone(), 0, 0 };
    }
    const at::Tensor odds = makeObservation(this->Info, at::kCPU)->logOdds(decoded, 0);
    const double others = 1 - this->Info.channels[0].fractions[0];
    const auto below = std::clamp<std::int64_t>(
      std::llround(others * static_cast<double>(odds.numel())), 1, odds.numel());
    const at::Tensor threshold = std::get<0>(odds.flatten().kthvalue(below));
    const at::Tensor found = odds.gt(threshold).to(at::kFloat);
    return { fromNetworkShape(cellMeans(found, frame))[0].clone(), variogram(found, frame, true, 1),
      threshold.item<double>() };
  };
  constexpr double most = 8000; // cells
  std::array<std::int64_t, 3> size{ 1, 1, 1 };
  for (int a = 3 - frame.dimensions; a < 3; ++a)
  {
    size[static_cast<std::size_t>(a)] =
      std::lround(std::pow(most, 1. / frame.dimensions)) + 2 * this->Net->decodeHalo();
  }
  const RunScope scope(choosePlace("cpu", Precision::Float32, run.threads), false);
  this->Field->match(wanted, observe, size, at::make_generator<at::CPUGeneratorImpl>(0));
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

void TorchModel::fitTexture(
  const Volume& volume, const Frame& frame, const Latent& latent, const RunOptions& run)
{
  Inference inference(this->Info, this->Net, frame, run);
  const Index3 cells = frame.cells(), most = inference.decodeTile(cells);
  Box part = middleOf(frame, 1 << 21);
  for (int a = 0; a < 3; ++a)
  {
    part.size[a] = std::min(part.size[a], most[a]);
  }
  const LatentGrid field{ at::from_blob(const_cast<float*>(latent.mean.data()),
                            { latent.channels, cells[0], cells[1], cells[2] }),
    {} };
  const at::Tensor decoded = inference.decode(field, part), x = inference.read(volume, part);
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
  this->Info.textureWidth = vae::fitTexture(
    decoded, x, frame, *makeObservation(this->Info, at::kCPU), this->Info.hasPhases());
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
