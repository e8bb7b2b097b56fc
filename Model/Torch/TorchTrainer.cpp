// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "TorchTrainer.h"

#include "../Json.h"
#include "Inference.h"
#include "Objective.h"
#include "TrainingData.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <sstream>

namespace vae
{
namespace
{

void copy(const std::vector<at::Tensor>& from, const std::vector<at::Tensor>& to)
{
  const c10::NoGradGuard guard;
  for (std::size_t i = 0; i < from.size(); ++i)
  {
    to[i].copy_(from[i]);
  }
}

std::string toHex(const at::Tensor& bytes)
{
  std::string text;
  const auto* data = bytes.const_data_ptr<std::uint8_t>();
  char two[3];
  for (std::int64_t i = 0; i < bytes.numel(); ++i)
  {
    std::snprintf(two, sizeof two, "%02x", data[i]);
    text += two;
  }
  return text;
}

at::Tensor fromHex(const std::string& text)
{
  at::Tensor bytes = at::empty({ static_cast<std::int64_t>(text.size() / 2) }, at::kByte);
  auto* data = bytes.mutable_data_ptr<std::uint8_t>();
  for (std::size_t i = 0; i + 1 < text.size(); i += 2)
  {
    data[i / 2] = static_cast<std::uint8_t>(std::stoi(text.substr(i, 2), nullptr, 16));
  }
  return bytes;
}

std::string number(double v)
{
  char text[32];
  std::snprintf(text, sizeof text, "%.4g", v);
  return text;
}

void checkSameNetwork(const NetworkOptions& wanted, const NetworkOptions& given)
{
  const auto compare = [](const char* label, int a, int b)
  {
    if (a != b)
    {
      throw std::invalid_argument("Initial Model has " + std::string(label) + ' ' +
        std::to_string(b) + ", this training " + std::to_string(a) +
        "; to go on from a model they must be equal");
    }
  };
  compare("Dimensions", wanted.dimensions, given.dimensions);
  compare("Channels", wanted.channels, given.channels);
  compare("Width", wanted.width, given.width);
  compare("Blocks", wanted.blocks, given.blocks);
  compare("Latent Channels", wanted.latentChannels, given.latentChannels);
}

} // namespace

void TorchTrainer::Snapshot::take(
  const std::vector<at::Tensor>& from, const std::vector<double>& errors)
{
  if (this->tensors.empty())
  {
    for (const at::Tensor& t : from)
    {
      this->tensors.push_back(at::empty_like(t.detach()));
    }
  }
  copy(from, this->tensors);
  this->squaredError = errors;
}

TorchTrainer::TorchTrainer(std::vector<Volume> volumes, const TrainOptions& options,
  std::shared_ptr<const TorchModel> initial)
  : Data(std::move(volumes))
  , Info(describeTraining(this->Data, options))
  , Where(choosePlace(options.device, options.precision, options.threads))
  , Random(static_cast<std::uint64_t>(options.seed))
  , Noise(at::make_generator<at::CPUGeneratorImpl>(static_cast<std::uint64_t>(options.seed)))
{
  ModelInfo& info = this->Info;
  info.device = this->Where.reason;
  const RunScope scope(this->Where, true);
  this->Patches.emplace(this->Data, info.channels, info.network, options);
  if (const std::vector<Patch> heldOut = this->Patches->heldOut(); !heldOut.empty())
  {
    this->HeldOut = this->Patches->read(heldOut).to(this->Where.device);
  }
  this->Net = Network(info.network);
  this->Net->initialise(this->Noise);
  this->Net->to(this->Where.device);
  for (const at::Tensor& p : this->Net->parameters())
  {
    info.parameters += p.numel();
  }
  this->Optimiser = std::make_unique<AdamW>(this->Net->parameters(), options.weightDecay);
  this->SquaredError.assign(info.sigma.size(), 1.);
  if (initial)
  {
    const ModelInfo& from = initial->info();
    checkSameNetwork(info.network, from.network);
    copy(initial->network()->parameters(), this->Net->parameters());
    const std::string same =
      fingerprint(this->Data, summarise(this->Data), withLimitsOf(options, from.options));
    if (initial->trainingState() && same == from.fingerprint)
    {
      info.history = from.history;
      info.bestEpoch = from.bestEpoch;
      this->restore(*initial->trainingState());
      info.ending = this->progress(this->Seconds) >= 1 ? Ending::Budget : Ending::None;
    }
    else
    {
      info.fingerprint = fineTuned(info.fingerprint, from);
    }
  }
  this->Good.take(this->everything(), this->SquaredError);
}

std::vector<at::Tensor> TorchTrainer::everything() const
{
  std::vector<at::Tensor> all = this->Net->parameters();
  const std::vector<at::Tensor> state = this->Optimiser->state();
  all.insert(all.end(), state.begin(), state.end());
  return all;
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

void TorchTrainer::setThreads(int threads)
{
  const TrainOptions& o = this->Info.options;
  this->Where = choosePlace(o.device, o.precision, threads);
  this->Info.device = this->Where.reason;
}

StepRecord TorchTrainer::step()
{
  const TrainOptions& o = this->Info.options;
  const double before = this->progress(this->Seconds);
  if (before >= 1 || this->Info.ending != Ending::None)
  {
    throw std::logic_error("the training has finished");
  }
  const auto begin = std::chrono::steady_clock::now();
  const RunScope scope(this->Where, true);
  const double klWeight = klWeightAt(o, before);
  const double rate = this->RateFactor * learningRateAt(o, this->Step + 1, before);

  std::vector<Patch> patches;
  for (int i = 0; i < o.batchSize; ++i)
  {
    patches.push_back(this->Patches->draw(this->Random));
  }
  const at::Tensor x = this->Patches->read(patches).to(this->Where.device);
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
  const double norm = this->Optimiser->step(rate, o.gradientClip);

  StepRecord record;
  record.step = ++this->Step;
  record.epoch = static_cast<int>((this->Step - 1) / o.stepsPerEpoch) + 1;
  record.loss = loss.item<double>();
  record.reconstruction = reconstruction.item<double>();
  record.kl = kl.item<double>();
  this->Running.loss += record.loss;
  this->Running.reconstruction += record.reconstruction;
  this->Running.kl += record.kl;

  const auto elapsed = [&]
  { return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count(); };
  double spent = elapsed();
  record.voxelsPerSecond = count / spent;
  this->Running.seconds += spent;
  this->Running.voxelsPerSecond += count;
  // Far above anything seen so far, in nats a voxel: on its way to infinity.
  const double limit = this->Info.history.empty()
    ? std::numeric_limits<double>::infinity()
    : this->LowestLoss + 10 * std::max(1., std::abs(this->FirstLoss));
  if (!std::isfinite(record.loss) || !std::isfinite(norm) || record.loss > limit)
  {
    this->Seconds += spent;
    this->retreat(record);
    record.seconds = this->Seconds;
    record.progress = this->progress(this->Seconds);
    return record;
  }
  if (this->Step % o.stepsPerEpoch == 0 || this->progress(this->Seconds + spent) >= 1)
  {
    this->endEpoch(record, q.mean.detach().transpose(0, 1).flatten(1), klWeight, rate);
    spent = elapsed();
    this->Info.history.back().seconds = this->Seconds + spent;
  }
  this->Seconds += spent;
  record.seconds = this->Seconds;
  record.progress = this->progress(this->Seconds);
  if (record.progress >= 1 && this->Info.ending == Ending::None)
  {
    this->Info.ending = Ending::Budget;
  }
  record.finished = this->Info.ending != Ending::None;
  return record;
}

void TorchTrainer::endEpoch(
  StepRecord& record, const at::Tensor& means, double klWeight, double rate)
{
  const TrainOptions& o = this->Info.options;
  const auto steps = static_cast<double>((this->Step - 1) % o.stepsPerEpoch + 1);
  EpochRecord row = this->Running;
  this->Running = {};
  row.epoch = record.epoch;
  row.step = this->Step;
  row.loss /= steps;
  row.reconstruction /= steps;
  row.kl /= steps;
  row.voxelsPerSecond /= row.seconds;
  row.klWeight = klWeight;
  row.learningRate = rate;
  for (const double sigma : this->Info.sigma)
  {
    row.sigma += sigma / static_cast<double>(this->Info.sigma.size());
  }
  row.activeLatents = (means.var(1) > 0.01).sum().item<int>();
  this->validate(row);
  const bool first = this->Info.history.empty();
  this->FirstLoss = first ? row.loss : this->FirstLoss;
  this->LowestLoss = first ? row.loss : std::min(this->LowestLoss, row.loss);
  this->Info.history.push_back(row);
  record.epochEnded = true;

  this->Good.take(this->everything(), this->SquaredError);
  if (this->HeldOut.defined() && (this->Info.bestEpoch == 0 || row.validationLoss < this->BestLoss))
  {
    this->BestLoss = row.validationLoss;
    this->Info.bestEpoch = row.epoch;
    this->Best.take(this->Net->parameters(), this->SquaredError);
  }
  if (o.patience > 0 && row.epoch - this->Info.bestEpoch >= o.patience)
  {
    this->Info.ending = Ending::Patience;
  }
  this->watchForCollapse(row);
}

void TorchTrainer::watchForCollapse(const EpochRecord& row)
{
  const TrainOptions& o = this->Info.options;
  constexpr const char* sign = "The posterior has collapsed";
  const bool collapsed = row.activeLatents == 0 && row.klWeight >= o.klWeight && o.klWeight > 0;
  if (collapsed)
  {
    this->Info.warning = std::string(sign) + ": none of " +
      std::to_string(o.network.latentChannels) +
      " latent channels is active and the KL divergence "
      "is " +
      number(row.kl) + " nats a voxel. Choose a smaller KL Weight than " + number(o.klWeight) +
      " or a longer KL Ramp than " + number(o.klRamp) + ".";
  }
  else if (this->Info.warning.rfind(sign, 0) == 0)
  {
    this->Info.warning.clear();
  }
}

void TorchTrainer::retreat(StepRecord& record)
{
  const TrainOptions& o = this->Info.options;
  copy(this->Good.tensors, this->everything());
  this->SquaredError = this->Good.squaredError;
  for (std::size_t c = 0; c < this->SquaredError.size(); ++c)
  {
    this->Info.sigma[c] = std::sqrt(this->SquaredError[c]);
  }
  const std::string what = "The loss diverged at step " + std::to_string(this->Step) + " (" +
    number(record.loss) + "); the weights of epoch " +
    std::to_string(this->Info.history.empty() ? 0 : this->Info.history.back().epoch) +
    " were put back";
  const bool again = this->RateFactor < 1;
  this->RateFactor *= 0.5;
  this->Info.warning = what +
    (again ? " and the training ended. Choose a smaller Learning Rate than "
           : ", and it goes on with half the Learning Rate of ") +
    number(o.learningRate) + ".";
  this->Info.ending = again ? Ending::Diverged : Ending::None;
  record.finished = again;
  // The steps of the epoch so far do not count; those that are left fill it.
  this->Step = (this->Step - 1) / o.stepsPerEpoch * o.stepsPerEpoch;
  this->Running = {};
}

void TorchTrainer::validate(EpochRecord& row)
{
  row.validationLoss = row.validationQuality = std::nan("");
  if (!this->HeldOut.defined())
  {
    return;
  }
  const c10::NoGradGuard guard;
  const at::Tensor& x = this->HeldOut;
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
  row.validationLoss = (reconstruction + this->Info.options.klWeight * kl) / count;
}

std::shared_ptr<const Model> TorchTrainer::model(
  const ModelRequest& request, const Monitor& monitor) const
{
  ModelInfo info = this->Info;
  Network network = copyOf(this->Net, info.network);
  if (request.best && info.bestEpoch > 0)
  {
    copy(this->Best.tensors, network->parameters());
    for (std::size_t c = 0; c < info.sigma.size(); ++c)
    {
      info.sigma[c] = std::sqrt(this->Best.squaredError[c]);
    }
  }
  else
  {
    info.bestEpoch = info.history.empty() ? 0 : info.history.back().epoch;
  }
  if (request.stopped && info.ending == Ending::None)
  {
    info.ending = Ending::Stopped;
  }
  auto model = std::make_shared<TorchModel>(std::move(info), std::move(network));
  RunOptions run;
  run.device = this->Info.options.device;
  run.precision = this->Info.options.precision;
  run.threads = this->Where.threads;
  model->fitPrior(this->Data[0], request.statisticsVoxels, run, monitor);
  if (request.trainingState)
  {
    model->setTrainingState(this->state());
  }
  return model;
}

std::shared_ptr<const TrainingState> TorchTrainer::state() const
{
  auto state = std::make_shared<TrainingState>();
  const auto names = this->Net->named_parameters();
  const auto store = [&](const std::string& kind, const std::vector<at::Tensor>& tensors)
  {
    for (std::size_t i = 0; i < tensors.size(); ++i)
    {
      const std::string key = kind + '.' + names[i % names.size()].key() +
        (i < names.size() ? "" : '.' + std::to_string(i / names.size()));
      state->tensors[key] = tensors[i].detach().to(at::kCPU).clone();
    }
  };
  store("weights", this->Net->parameters());
  store("best", this->Best.tensors);
  store("optimizer", this->Optimiser->state());
  const auto numbers = [](const std::vector<double>& values)
  { return Json::Array(values.begin(), values.end()); };
  std::ostringstream random;
  random << this->Random;
  state->json =
    Json(Json::Object{
           { "step", static_cast<long>(this->Step) },
           { "seconds", this->Seconds },
           { "running",
             Json::Array{ this->Running.loss, this->Running.reconstruction, this->Running.kl,
               this->Running.seconds, this->Running.voxelsPerSecond } },
           { "squared_error", numbers(this->SquaredError) },
           { "best_loss", this->BestLoss },
           { "best_squared_error", numbers(this->Best.squaredError) },
           { "first_loss", this->FirstLoss },
           { "lowest_loss", this->LowestLoss },
           { "rate_factor", this->RateFactor },
           { "random", random.str() },
           { "noise", toHex(this->Noise.get_state()) },
         })
      .dump();
  return state;
}

void TorchTrainer::restore(const TrainingState& state)
{
  const auto names = this->Net->named_parameters();
  const auto load = [&](const std::string& kind, const std::vector<at::Tensor>& tensors)
  {
    const c10::NoGradGuard guard;
    for (std::size_t i = 0; i < tensors.size(); ++i)
    {
      const std::string key = kind + '.' + names[i % names.size()].key() +
        (i < names.size() ? "" : '.' + std::to_string(i / names.size()));
      const auto found = state.tensors.find(key);
      if (found == state.tensors.end() || found->second.sizes() != tensors[i].sizes())
      {
        throw std::invalid_argument(
          "Initial Model cannot be gone on from: its training state lacks "
          "tensor \"" +
          key + "\"");
      }
      tensors[i].copy_(found->second);
    }
  };
  const Json json = Json::parse(state.json);
  const auto numbers = [&](const char* key)
  {
    std::vector<double> values;
    for (const Json& v : json.at(key).array())
    {
      values.push_back(v.number());
    }
    return values;
  };
  load("weights", this->Net->parameters());
  load("optimizer", this->Optimiser->state());
  this->Step = json.at("step").integer();
  this->Seconds = json.at("seconds").number();
  const std::vector<double> running = numbers("running");
  this->SquaredError = numbers("squared_error");
  if (running.size() != 5 || this->SquaredError.size() != this->Info.sigma.size())
  {
    throw std::invalid_argument(
      "Initial Model cannot be gone on from: a list in its training state has the wrong length");
  }
  this->Running.loss = running[0];
  this->Running.reconstruction = running[1];
  this->Running.kl = running[2];
  this->Running.seconds = running[3];
  this->Running.voxelsPerSecond = running[4];
  this->BestLoss = json.at("best_loss").number();
  this->FirstLoss = json.at("first_loss").number();
  this->LowestLoss = json.at("lowest_loss").number();
  this->RateFactor = json.at("rate_factor").number();
  for (std::size_t c = 0; c < this->SquaredError.size(); ++c)
  {
    this->Info.sigma[c] = std::sqrt(this->SquaredError[c]);
  }
  if (state.tensors.count("best." + names[0].key()))
  {
    this->Best.take(this->Net->parameters(), numbers("best_squared_error"));
    load("best", this->Best.tensors);
  }
  else
  {
    this->Info.bestEpoch = 0;
  }
  std::istringstream(json.at("random").string()) >> this->Random;
  this->Noise.set_state(fromHex(json.at("noise").string()));
}

} // namespace vae
