// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "TorchModel.h"

#include "../ModelFile.h"

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

constexpr const char* Format = "vae-paraview-1";
constexpr const char* PriorPrefix = "prior.random_field.";
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

void report(const Monitor& monitor, double progress)
{
  if (monitor.stop.stop_requested())
  {
    throw Stopped();
  }
  if (monitor.progress)
  {
    monitor.progress(progress);
    if (monitor.stop.stop_requested())
    {
      throw Stopped();
    }
  }
}

/// `box` of cells, wider by `halo` on each side but within [low, high) along each axis.
Box widen(
  const Box& box, const Frame& frame, std::int64_t halo, const Index3& low, const Index3& high)
{
  Box wide;
  for (int a = 0; a < 3; ++a)
  {
    const std::int64_t h = frame.fold[a] == 1 ? 0 : halo;
    const std::int64_t begin = std::max(box.origin[a] - h, low[a]);
    const std::int64_t end = std::min(box.origin[a] + box.size[a] + h, high[a]);
    wide.origin[a] = begin;
    wide.size[a] = end - begin;
  }
  return wide;
}

Box toVoxels(const Box& cells, const Index3& cell)
{
  Box box;
  for (int a = 0; a < 3; ++a)
  {
    box.origin[a] = cells.origin[a] * cell[a];
    box.size[a] = cells.size[a] * cell[a];
  }
  return box;
}

at::Tensor slice(const at::Tensor& t, const Index3& origin, const Index3& size)
{
  at::Tensor part = t;
  for (int a = 0; a < 3; ++a)
  {
    part = part.narrow(part.dim() - 3 + a, origin[a], size[a]);
  }
  return part;
}

} // namespace

Network copyOf(const Network& network, const NetworkOptions& options)
{
  const c10::NoGradGuard guard;
  Network copy(options);
  const auto from = network->named_parameters();
  for (auto& item : copy->named_parameters())
  {
    item.value().copy_(from[item.key()]);
  }
  return copy;
}

Network TorchModel::at(const Place& place) const
{
  if (place.device.is_cpu())
  {
    return this->Net;
  }
  Network copy = copyOf(this->Net, this->Info.network);
  copy->to(place.device);
  return copy;
}

std::vector<Box> TorchModel::tiles(
  const Frame& frame, const Index3& cells, int halo, const Place& place, double budget) const
{
  // About six activations of the fine level live at once, and two float32 copies of the data.
  const NetworkOptions& n = this->Info.network;
  const double folded = static_cast<double>(frame.fold[0] * frame.fold[1] * frame.fold[2]);
  const double bytes = place.compute == at::kBFloat16 ? 2 : 4;
  const double perVoxel = 6 * bytes * std::max(n.width / folded, 1. * n.channels) + 8. * n.channels;
  const Index3 cell = frame.cell();
  Index3 pieces{ 1, 1, 1 };
  const auto extent = [&](int a) { return (cells[a] + pieces[a] - 1) / pieces[a]; };
  // Tiles much smaller than their halo save no memory and cost much time.
  const std::int64_t smallest = std::max(1, halo / 2);
  while (true)
  {
    double size = perVoxel;
    int largest = 0;
    for (int a = 0; a < 3; ++a)
    {
      size *= static_cast<double>(std::min(extent(a) + 2 * halo, cells[a]) * cell[a]);
      largest = extent(a) > extent(largest) ? a : largest;
    }
    if (size <= budget * 1048576 || extent(largest) <= smallest)
    {
      break;
    }
    ++pieces[largest];
  }
  std::vector<Box> boxes;
  const Index3 step{ extent(0), extent(1), extent(2) };
  for (std::int64_t z = 0; z < cells[0]; z += step[0])
  {
    for (std::int64_t y = 0; y < cells[1]; y += step[1])
    {
      for (std::int64_t x = 0; x < cells[2]; x += step[2])
      {
        boxes.push_back({ { z, y, x },
          { std::min(step[0], cells[0] - z), std::min(step[1], cells[1] - y),
            std::min(step[2], cells[2] - x) } });
      }
    }
  }
  return boxes;
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
  const Place place = choosePlace(run.device, run.precision, run.threads);
  const RunScope scope(place, false);
  const c10::InferenceMode inference;
  Network network = this->at(place);
  const Index3 cells = frame.cells(), cell = frame.cell();

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

  const int halo = network->encodeHalo();
  const std::vector<Box> boxes = this->tiles(frame, part.size, halo, place, run.memoryBudget);
  for (std::size_t i = 0; i < boxes.size(); ++i)
  {
    report(monitor, static_cast<double>(i) / static_cast<double>(boxes.size()));
    Box box = boxes[i];
    for (int a = 0; a < 3; ++a)
    {
      box.origin[a] += part.origin[a];
    }
    const Box wide = widen(box, frame, halo, { 0, 0, 0 }, cells);
    const Box read = toVoxels(wide, cell);
    at::Tensor x = emptyFolded(1, frame, read.size, this->Info.network.channels);
    readFolded(volume, frame, this->Info.channels, read, {}, x.mutable_data_ptr<float>());
    const NetworkImpl::Posterior q = network->encode(x.to(place.device, place.compute));
    const Index3 from{ box.origin[0] - wide.origin[0], box.origin[1] - wide.origin[1],
      box.origin[2] - wide.origin[2] };
    const Index3& to = boxes[i].origin;
    slice(mean, to, box.size).copy_(slice(fromNetworkShape(q.mean)[0], from, box.size));
    slice(logVariance, to, box.size)
      .copy_(slice(fromNetworkShape(q.logVariance)[0], from, box.size));
  }
  report(monitor, 1);
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
  const Place place = choosePlace(run.device, run.precision, run.threads);
  const RunScope scope(place, false);
  const c10::InferenceMode inference;
  Network network = this->at(place);
  const Index3 cells = frame.cells(), cell = frame.cell();
  Index3 low, high;
  for (int a = 0; a < 3; ++a)
  {
    const int m = frame.fold[a] == 1 ? 0 : margin;
    low[a] = -m;
    high[a] = cells[a] + m;
  }
  const at::Tensor field = at::from_blob(const_cast<float*>(latent.mean.data()),
    { latent.channels, high[0] - low[0], high[1] - low[1], high[2] - low[2] });

  const int halo = network->decodeHalo();
  const std::vector<Box> boxes = this->tiles(frame, cells, halo, place, run.memoryBudget);
  for (std::size_t i = 0; i < boxes.size(); ++i)
  {
    report(monitor, static_cast<double>(i) / static_cast<double>(boxes.size()));
    const Box& box = boxes[i];
    const Box wide = widen(box, frame, halo, low, high);
    const Index3 from{ wide.origin[0] - low[0], wide.origin[1] - low[1], wide.origin[2] - low[2] };
    const at::Tensor z =
      toNetworkShape(slice(field, from, wide.size).unsqueeze(0), frame.dimensions);
    const auto format =
      z.dim() == 5 ? at::MemoryFormat::ChannelsLast3d : at::MemoryFormat::ChannelsLast;
    const at::Tensor y = network->decode(z.to(place.device, place.compute).contiguous(format))
                           .to(at::kCPU, at::kFloat)
                           .contiguous(format);
    const float* folded = y.const_data_ptr<float>();
    const Box covered = toVoxels(wide, cell), box_ = toVoxels(box, cell);
    const bool phases = this->Info.likelihood == Likelihood::Bernoulli;
    for (int c = 0; c < this->Info.network.channels; ++c)
    {
      const auto index = static_cast<std::size_t>(c);
      const auto write = [&](const std::vector<OutputChannel>& list, Decode what)
      {
        if (index < list.size() && list[index].data)
        {
          writeFolded(folded, covered, box_, frame, this->Info.network.channels, c,
            this->Info.channels[index], what, list[index]);
        }
      };
      write(outputs.values, phases ? Decode::Label : Decode::Value);
      if (phases)
      {
        write(outputs.probability, Decode::Probability);
      }
    }
  }
  report(monitor, 1);
}

Prior TorchModel::bestPrior() const { return this->Field ? Prior::RandomField : Prior::Normal; }

std::vector<LatentStatistics> TorchModel::latentStatistics() const
{
  return this->Field
    ? this->Field->statistics()
    : std::vector<LatentStatistics>(static_cast<std::size_t>(this->Info.latentChannels()));
}

Latent TorchModel::sample(const Dims& dims, int margin, const GenerateOptions& options) const
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
    const double edge =
      std::pow(static_cast<double>(most), 1. / this->Info.network.dimensions) / frame.cell()[2];
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
}

void TorchModel::save(const std::string& path) const
{
  ModelFile file;
  file.metadata["format"] = Format;
  file.metadata["model"] = toJson(this->Info);
  for (const auto& item : this->Net->named_parameters())
  {
    file.tensors[item.key()] = store(item.value());
  }
  if (this->Field)
  {
    for (const auto& [name, tensor] : this->Field->tensors())
    {
      file.tensors[PriorPrefix + name] = store(tensor);
    }
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
    Network network(info.network);
    const c10::NoGradGuard guard;
    for (auto& item : network->named_parameters())
    {
      const auto found = file.tensors.find(item.key());
      if (found == file.tensors.end())
      {
        throw std::runtime_error("tensor \"" + item.key() + "\" is missing");
      }
      if (item.value().sizes() != at::IntArrayRef(found->second.shape))
      {
        throw std::runtime_error("tensor \"" + item.key() + "\" has the wrong shape");
      }
      item.value().copy_(restore(found->second));
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
