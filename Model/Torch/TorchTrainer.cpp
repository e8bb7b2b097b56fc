// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "TorchTrainer.h"

#include "Objective.h"
#include "TorchModel.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/core/GradMode.h>
#include <torch/version.h>

#include <algorithm>
#include <chrono>
#include <cmath>

namespace vae
{
namespace
{

template <typename T>
void require(const char* label, T value, T low, T high)
{
  if (!(value >= low && value <= high))
  {
    const auto text = [](T v)
    {
      std::string s = std::to_string(v);
      if (s.find('.') != std::string::npos)
      {
        s.erase(s.find_last_not_of('0') + 1);
        s += s.back() == '.' ? "0" : "";
      }
      return s;
    };
    throw std::invalid_argument(std::string(label) + " is " + text(value) + "; it must be in [" +
      text(low) + ", " + text(high) + "]");
  }
}

void checkOptions(const TrainOptions& o)
{
  require("Latent Channels", o.network.latentChannels, 1, 64);
  require("Width", o.network.width, 8, 512);
  require("Blocks", o.network.blocks, 1, 8);
  require("KL Weight", o.klWeight, 0., 1000.);
  require("KL Ramp", o.klRamp, 0., 1.);
  require("Time Budget", o.timeBudget, 0., 1e7);
  require("Epochs", o.epochs, 0, 10000000);
  require("Steps Per Epoch", o.stepsPerEpoch, 1, 100000);
  require("Patch Size", o.patchSize, o.network.stride(), 512);
  require("Batch Size", o.batchSize, 1, 1024);
  require("Learning Rate", o.learningRate, 1e-7, 1.);
  require("Validation Fraction", o.validationFraction, 0., 0.5);
  if (o.epochs == 0 && o.timeBudget == 0)
  {
    throw std::invalid_argument(
      "Time Budget and Epochs are both 0 (no limit); one of them must be set");
  }
}

std::string describe(const Channel& c)
{
  return "'" + c.array + "'" +
    (c.components > 1 ? " component " + std::to_string(c.component) : std::string());
}

} // namespace

TorchTrainer::TorchTrainer(Volume volume, const TrainOptions& options)
  : Data(std::move(volume))
  , Where(choosePlace(options.device, options.precision, options.threads))
  , Random(static_cast<std::uint64_t>(options.seed))
  , Noise(at::make_generator<at::CPUGeneratorImpl>(static_cast<std::uint64_t>(options.seed)))
{
  checkOptions(options);
  ModelInfo& info = this->Info;
  info.options = options;
  info.network = options.network;
  info.network.channels = static_cast<int>(this->Data.channels.size());
  if (this->Data.channels.empty())
  {
    throw std::invalid_argument("The input has no array to train on");
  }

  int used = 0;
  const std::int64_t cell = info.network.stride();
  for (const std::int64_t n : this->Data.dims)
  {
    used += n > 1;
  }
  info.network.dimensions = used == 2 ? 2 : 3;
  for (const std::int64_t n : this->Data.dims)
  {
    if (n < cell && !(n == 1 && used == 2))
    {
      throw std::invalid_argument("The input is " + toString(this->Data.dims) +
        " voxels; training needs at least " + std::to_string(cell) +
        " along each axis (or exactly 1 along one of them, for a 2-D image)");
    }
  }

  bool twoPhase = true;
  std::vector<ChannelSummary> summaries;
  for (const Channel& c : this->Data.channels)
  {
    const ChannelSummary s = summaries.emplace_back(summarise(c, voxels(this->Data.dims)));
    if (s.notFinite > 0)
    {
      throw std::invalid_argument("Array " + describe(c) + " has " + std::to_string(s.notFinite) +
        " values that are NaN or infinite; training needs finite "
        "values everywhere");
    }
    if (s.distinct < 2)
    {
      throw std::invalid_argument("Array " + describe(c) + " is constant (" +
        std::to_string(s.minimum) + " everywhere); there is nothing to learn");
    }
    twoPhase = twoPhase && s.distinct == 2;
    ChannelInfo channel;
    channel.array = c.array;
    channel.component = c.component;
    channel.components = c.components;
    channel.type = c.type;
    channel.offset = s.mean;
    channel.scale = s.stddev;
    channel.minimum = s.minimum;
    channel.maximum = s.maximum;
    channel.mean = s.mean;
    info.channels.push_back(channel);
  }
  if (options.likelihood == Likelihood::Bernoulli && !twoPhase)
  {
    throw std::invalid_argument("Likelihood is Bernoulli, but the data has more than two values; "
                                "choose Gaussian or Automatic");
  }
  info.likelihood = options.likelihood != Likelihood::Automatic ? options.likelihood
    : twoPhase                                                  ? Likelihood::Bernoulli
                                                                : Likelihood::Gaussian;
  if (info.likelihood == Likelihood::Bernoulli)
  {
    for (ChannelInfo& c : info.channels)
    {
      c.offset = c.minimum;
      c.scale = c.maximum - c.minimum;
    }
  }
  info.spacing = this->Data.spacing;
  info.trainingDims = this->Data.dims;
  info.cellData = this->Data.cellData;
  info.fingerprint = fingerprint(this->Data, options, summaries);
  info.device = this->Where.reason;
  info.producer = std::string("VAE plugin for ParaView, LibTorch ") + TORCH_VERSION;

  this->Grid = Frame(this->Data.dims, this->Data.spacing, info.network);
  this->Sampled = this->Grid.size;
  const int last = this->Grid.dimensions == 2 ? 1 : 0; // the slowest axis
  const std::int64_t n = this->Grid.size[last];
  if (options.validationFraction > 0 && n >= 3 * cell)
  {
    const auto wanted =
      static_cast<std::int64_t>(std::lround(options.validationFraction * static_cast<double>(n)));
    this->Sampled[last] = n - std::clamp(wanted, cell, n / 2);
  }
  const Index3 step = this->Grid.cell();
  for (int a = 0; a < 3; ++a)
  {
    this->Patch[a] =
      std::min<std::int64_t>(options.patchSize, this->Sampled[a]) / step[a] * step[a];
    this->Patch[a] = this->Grid.fold[a] == 1 ? 1 : this->Patch[a];
  }
  // Up to one batch of the slab, spread evenly over it.
  if (this->Sampled[last] < n)
  {
    Box box{ { 0, 0, 0 }, this->Patch };
    box.origin[last] = this->Sampled[last];
    box.size[last] = std::min(this->Patch[last], (n - box.origin[last]) / cell * cell);
    const int a = last == 0 ? 1 : 2;
    const int b = 2;
    const std::int64_t na = this->Grid.size[a] / this->Patch[a];
    const std::int64_t nb = a == b ? 1 : this->Grid.size[b] / this->Patch[b];
    const std::int64_t count = std::min<std::int64_t>(options.batchSize, na * nb);
    for (std::int64_t i = 0; i < count; ++i)
    {
      const std::int64_t k = i * na * nb / count;
      box.origin[a] = k / nb * this->Patch[a];
      if (a != b)
      {
        box.origin[b] = k % nb * this->Patch[b];
      }
      this->HeldOut.push_back(box);
    }
  }

  const RunScope scope(this->Where, true);
  this->Net = Network(info.network);
  this->Net->initialise(this->Noise);
  this->Net->to(this->Where.device);
  for (const at::Tensor& p : this->Net->parameters())
  {
    info.parameters += p.numel();
  }
  this->Optimiser = std::make_unique<AdamW>(this->Net->parameters(), options.weightDecay);
  if (info.likelihood == Likelihood::Gaussian)
  {
    this->SquaredError.assign(this->Data.channels.size(), 1.);
    info.sigma.assign(this->Data.channels.size(), 1.);
  }
}

double TorchTrainer::progress(double seconds) const
{
  const TrainOptions& o = this->Info.options;
  const double time = o.timeBudget > 0 ? seconds / o.timeBudget : 0;
  const double steps = o.epochs > 0
    ? static_cast<double>(this->Step) / (static_cast<double>(o.epochs) * o.stepsPerEpoch)
    : 0;
  return std::min(1., std::max(time, steps));
}

at::Tensor TorchTrainer::drawBatch()
{
  const TrainOptions& o = this->Info.options;
  at::Tensor x = emptyFolded(o.batchSize, this->Grid, this->Patch, this->Info.network.channels);
  float* out = x.mutable_data_ptr<float>();
  const std::int64_t each = x.numel() / o.batchSize;
  for (int i = 0; i < o.batchSize; ++i)
  {
    const Orientation orientation =
      randomOrientation(this->Grid, this->Patch, o.symmetry, this->Random);
    Box box{ {}, this->Patch };
    for (int a = 0; a < 3; ++a)
    {
      const auto room = static_cast<std::uint64_t>(this->Sampled[a] - this->Patch[a] + 1);
      box.origin[a] = static_cast<std::int64_t>(this->Random() % room);
    }
    readFolded(this->Data, this->Grid, this->Info.channels, box, orientation, out + i * each);
  }
  return x;
}

at::Tensor TorchTrainer::reconstructionLoss(const at::Tensor& decoded, const at::Tensor& x)
{
  if (this->Info.likelihood == Likelihood::Bernoulli)
  {
    return bernoulliLoss(decoded, x);
  }
  // The best sigma for a batch is its root mean squared error (Rybkin et al. 2021, Eq. 8);
  // there the loss does not change with sigma, so no gradient flows through it.
  const auto channels = static_cast<std::int64_t>(this->SquaredError.size());
  const at::Tensor squares = meanSquaredError(decoded, x, channels);
  const at::Tensor onHost = squares.detach().to(at::kCPU, at::kDouble);
  for (std::size_t c = 0; c < this->SquaredError.size(); ++c)
  {
    const double value = onHost[static_cast<std::int64_t>(c)].item<double>();
    this->SquaredError[c] = this->Step == 0 ? value : 0.95 * this->SquaredError[c] + 0.05 * value;
    this->Info.sigma[c] = std::sqrt(this->SquaredError[c]);
  }
  return gaussianLoss(
    squares, x.numel() / channels, softClip(0.5 * at::log(squares.detach() + 1e-12)));
}

StepRecord TorchTrainer::step()
{
  const TrainOptions& o = this->Info.options;
  const double before = this->progress(this->Seconds);
  if (before >= 1)
  {
    throw std::logic_error("the training has finished");
  }
  const auto begin = std::chrono::steady_clock::now();
  const RunScope scope(this->Where, true);
  const double klWeight = klWeightAt(o, before);
  const double rate = learningRateAt(o, this->Step + 1, before);

  const at::Tensor x = this->drawBatch().to(this->Where.device);
  const auto count = static_cast<double>(x.numel() / this->Info.network.channels);
  const NetworkImpl::Posterior q = this->Net->encode(x.to(this->Where.compute));
  const at::Tensor noise =
    at::randn(q.mean.sizes(), this->Noise).contiguous(q.mean.suggest_memory_format());
  const at::Tensor z =
    q.mean + noise.to(this->Where.device) * (0.5 * q.logVariance).exp(); // Z = mu + sigma * eps
  const at::Tensor decoded = this->Net->decode(z.to(this->Where.compute)).to(at::kFloat);
  const at::Tensor reconstruction = this->reconstructionLoss(decoded, x) / count;
  const at::Tensor kl = klDivergence(q.mean, q.logVariance) / count;
  const at::Tensor loss = reconstruction + klWeight * kl;
  loss.backward();
  this->Optimiser->step(rate, o.gradientClip);

  StepRecord record;
  record.step = ++this->Step;
  record.epoch = static_cast<int>((this->Step - 1) / o.stepsPerEpoch) + 1;
  record.loss = loss.item<double>();
  record.reconstruction = reconstruction.item<double>();
  record.kl = kl.item<double>();
  if (!std::isfinite(record.loss))
  {
    throw std::runtime_error("The training diverged at step " + std::to_string(this->Step) +
      ": the loss is not a number; choose a smaller Learning Rate than " +
      std::to_string(o.learningRate));
  }
  this->Running.loss += record.loss;
  this->Running.reconstruction += record.reconstruction;
  this->Running.kl += record.kl;

  const auto elapsed = [&]
  { return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count(); };
  double spent = elapsed();
  record.voxelsPerSecond = count / spent;
  this->Running.seconds += spent;
  record.epochEnded =
    this->Step % o.stepsPerEpoch == 0 || this->progress(this->Seconds + spent) >= 1;
  if (record.epochEnded)
  {
    EpochRecord row = this->Running;
    const auto steps = static_cast<double>((this->Step - 1) % o.stepsPerEpoch + 1);
    row.epoch = record.epoch;
    row.step = this->Step;
    row.loss /= steps;
    row.reconstruction /= steps;
    row.kl /= steps;
    row.voxelsPerSecond = steps * count / this->Running.seconds;
    row.klWeight = klWeight;
    row.learningRate = rate;
    for (std::size_t c = 0; c < this->Info.sigma.size(); ++c)
    {
      row.sigma += this->Info.sigma[c] / static_cast<double>(this->Info.sigma.size());
    }
    const at::Tensor means = q.mean.detach().transpose(0, 1).flatten(1);
    row.activeLatents = (means.var(1) > 0.01).sum().item<int>();
    this->validate(row);
    spent = elapsed();
    row.seconds = this->Seconds + spent;
    this->Info.history.push_back(row);
    this->Running = {};
  }
  this->Seconds += spent;
  record.seconds = this->Seconds;
  record.progress = this->progress(this->Seconds);
  record.finished = record.progress >= 1;
  return record;
}

void TorchTrainer::validate(EpochRecord& row)
{
  row.validationLoss = row.validationQuality = std::nan("");
  if (this->HeldOut.empty())
  {
    return;
  }
  const c10::NoGradGuard guard;
  const Box& first = this->HeldOut[0];
  at::Tensor x = emptyFolded(static_cast<std::int64_t>(this->HeldOut.size()), this->Grid,
    first.size, this->Info.network.channels);
  const std::int64_t each = x.numel() / x.size(0);
  for (std::size_t i = 0; i < this->HeldOut.size(); ++i)
  {
    readFolded(this->Data, this->Grid, this->Info.channels, this->HeldOut[i], {},
      x.mutable_data_ptr<float>() + static_cast<std::int64_t>(i) * each);
  }
  x = x.to(this->Where.device);
  const auto count = static_cast<double>(x.numel() / this->Info.network.channels);
  const NetworkImpl::Posterior q = this->Net->encode(x.to(this->Where.compute));
  const at::Tensor y = this->Net->decode(q.mean.to(this->Where.compute)).to(at::kFloat);
  double reconstruction = 0;
  if (this->Info.likelihood == Likelihood::Bernoulli)
  {
    reconstruction = bernoulliLoss(y, x).item<double>();
    row.validationQuality = ((y > 0) == (x > 0.5)).to(at::kFloat).mean().item<double>();
  }
  else
  {
    const auto channels = static_cast<std::int64_t>(this->Info.sigma.size());
    const at::Tensor sigma = at::tensor(this->Info.sigma, at::kDouble).to(y.device(), at::kFloat);
    const at::Tensor squares = meanSquaredError(y, x, channels);
    reconstruction = gaussianLoss(squares, x.numel() / channels, sigma.log()).item<double>();
    const at::Tensor onHost = squares.cpu();
    double quality = 0;
    for (std::int64_t c = 0; c < channels; ++c)
    {
      const ChannelInfo& info = this->Info.channels[static_cast<std::size_t>(c)];
      const double range = (info.maximum - info.minimum) / info.scale;
      quality += 10 * std::log10(range * range / onHost[c].item<double>());
    }
    row.validationQuality = quality / static_cast<double>(channels);
  }
  const double kl = klDivergence(q.mean, q.logVariance).item<double>();
  row.validationLoss = (reconstruction + kl) / count;
}

std::shared_ptr<const Model> TorchTrainer::model(const Monitor& monitor) const
{
  auto model = std::make_shared<TorchModel>(this->Info, copyOf(this->Net, this->Info.network));
  RunOptions run;
  run.device = this->Info.options.device;
  run.precision = this->Info.options.precision;
  run.threads = this->Info.options.threads;
  model->fitPrior(this->Data, run, monitor);
  return model;
}

} // namespace vae
