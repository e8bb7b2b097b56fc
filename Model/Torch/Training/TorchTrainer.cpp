// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "TorchTrainer.h"

#include "Schedule.h"
#include "Torch/Data/ResidentVolumes.h"
#include "Torch/Data/TrainingData.h"
#include "Torch/Losses/LatentUse.h"
#include "Torch/Losses/Variogram.h"
#include "Torch/Runtime/FreeCores.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace vae
{
namespace
{

/// After a divergence the learning rate is halved. Single losses far off come with large steps and
/// leave nothing behind, so it rises again, by so much an epoch.
constexpr double RateRecovery = 1.1, LeastRateFactor = 1. / 32;
constexpr const char* DivergenceSign = "The loss diverged";

void copy(const std::vector<at::Tensor>& from, const std::vector<at::Tensor>& to)
{
  const c10::NoGradGuard guard;
  for (std::size_t i = 0; i < from.size(); ++i)
  {
    to[i].copy_(from[i]);
  }
}

std::string number(double v)
{
  char text[32];
  std::snprintf(text, sizeof text, "%.4g", v);
  return text;
}

/// All that is learned: the network's tensors and the observation's.
std::vector<at::Tensor> weightsOf(const Network& network, const Observation& seen)
{
  std::vector<at::Tensor> all;
  for (const auto& [name, tensor] : network.tensors())
  {
    all.push_back(tensor);
  }
  const auto& scale = seen.tensors();
  all.insert(all.end(), scale.begin(), scale.end());
  return all;
}

void checkSameNetwork(const NetworkOptions& wanted, const NetworkOptions& given)
{
  const auto compare = [](const char* label, int a, int b)
  {
    if (a != b)
    {
      throw std::invalid_argument("Initial Model has " + std::string(label) + ' ' +
        std::to_string(b) + ", this training " + std::to_string(a) +
        "; to start from a model they must be equal");
    }
  };
  const auto kind = [](const NetworkOptions& o) { return static_cast<int>(o.architecture); };
  compare("Network", kind(wanted), kind(given));
  compare("Dimensions", wanted.dimensions, given.dimensions);
  compare("Channels", wanted.channels, given.channels);
  compare("Width", wanted.width, given.width);
  compare("Blocks", wanted.blocks, given.blocks);
  compare("Latent Channels", wanted.latentChannels, given.latentChannels);
  compare("Latent Stride", wanted.latentStride, given.latentStride);
  compare("Block Size", wanted.blockSize, given.blockSize);
  compare("Hidden Units", wanted.hiddenUnits, given.hiddenUnits);
  compare("Codes", wanted.codes, given.codes);
}

} // namespace

void TorchTrainer::Snapshot::take(const std::vector<at::Tensor>& from)
{
  if (this->tensors.empty())
  {
    std::vector<at::Tensor> all; // or none, where there is no memory for them
    for (const at::Tensor& t : from)
    {
      all.push_back(at::empty_like(t.detach()));
    }
    this->tensors = std::move(all);
  }
  copy(from, this->tensors);
}

namespace
{

TrainOptions completed(TrainOptions options)
{
  completeOptions(options);
  return options;
}

} // namespace

TorchTrainer::TorchTrainer(
  std::vector<Volume> volumes, TrainOptions options, std::shared_ptr<const Model> initial)
  : TorchTrainer(TrainingStart(std::make_shared<const DataSet>(std::move(volumes)),
      completed(std::move(options)), std::move(initial)))
{
}

TorchTrainer::TorchTrainer(const TrainingStart& start)
  : Data(start.data->volumes)
  , Info(describeTraining(*start.data, start.options))
  , Where(choosePlace(start.options.device, start.options.precision, start.options.threads))
  , Random(static_cast<std::uint64_t>(start.options.seed))
  , Noise(at::make_generator<at::CPUGeneratorImpl>(static_cast<std::uint64_t>(start.options.seed)))
{
  const TrainOptions& options = start.options;
  ModelInfo& info = this->Info;
  info.lineage = start.lineage;
  info.fingerprint = start.fingerprint;
  info.device = this->Where.reason;
  this->checkMemory();
  const RunScope scope(this->Where, true);
  this->Patches.emplace(this->Data, info, info.options);
  this->Measured.emplace(this->Data, info.network);
  auto watch = std::make_shared<Stopwatch>();
  watch->start();
  this->Watch = std::move(watch);
  this->Closing = info.options.timeBudget > 0 ? closingTime(info.options, {}) : 0;
  this->PriorShare = PriorTrainer::suits(this->Data, info.network) ? info.options.priorShare : 0;
  this->Vectors = this->Patches->vectors();
  if (const std::vector<Patch> heldOut = this->Patches->heldOut(); !heldOut.empty())
  {
    this->HeldOut = this->Patches->read(heldOut).to(this->Where.device);
  }
  if (const at::Device& device = this->Where.device; !device.is_cpu() &&
    ResidentVolumes::bytes(this->Data, info.channels.size()) < 0.5 * freeMemoryOf(device))
  {
    this->Patches->keepOn(device);
  }
  this->Net = makeNetwork(info.network);
  this->Net->initialise(this->Noise);
  this->Net->to(this->Where.device);
  this->Goal = makeObjective(info.options);
  this->Seen = makeObservation(info, this->Where.device);
  std::vector<at::Tensor> learnt = this->Net->parameters();
  for (const at::Tensor& p : learnt)
  {
    info.parameters += p.numel();
  }
  const auto& scale = this->Seen->tensors();
  learnt.insert(learnt.end(), scale.begin(),
    scale.begin() + static_cast<std::ptrdiff_t>(this->Seen->parameters()));
  this->Optimiser =
    std::make_unique<AdamW>(learnt, *this->Net, options.weightDecay, this->Where.compute);
  if (const auto initial = std::dynamic_pointer_cast<const TorchModel>(start.initial))
  {
    this->goOnFrom(*initial);
  }
  this->keepGood();
  this->limitThreads(0);
}

void TorchTrainer::goOnFrom(const TorchModel& initial)
{
  ModelInfo& info = this->Info;
  const ModelInfo& from = initial.info();
  checkSameNetwork(info.network, from.network);
  const auto given = initial.network()->tensors(), mine = this->Net->tensors();
  for (std::size_t i = 0; i < mine.size(); ++i)
  {
    copy({ given[i].second }, { mine[i].second });
  }
  if (info.lineage.kind == Beginning::Resumed)
  {
    if (!initial.trainingState())
    {
      throw std::invalid_argument("Initial Model is already the result of this training");
    }
    info.history = from.history;
    info.bestEpoch = from.bestEpoch;
    this->restore(*initial.trainingState());
    info.ending = this->progress() >= 1 ? this->NetworkEnding : Ending::None;
  }
}

std::vector<at::Tensor> TorchTrainer::weights() const { return weightsOf(*this->Net, *this->Seen); }

std::vector<at::Tensor> TorchTrainer::everything() const
{
  std::vector<at::Tensor> all = this->weights();
  const std::vector<at::Tensor> state = this->Optimiser->state();
  all.insert(all.end(), state.begin(), state.end());
  return all;
}

void TorchTrainer::limitThreads(int most)
{
  const TrainOptions& o = this->Info.options;
  if (o.threads == 0)
  {
    this->Where = choosePlace(o.device, o.precision, most);
    this->Info.device = this->Where.reason;
    if (this->Where.device.is_cpu())
    {
      this->Choice.emplace(this->Where.threads, freeCores);
    }
  }
}

StepRecord TorchTrainer::networkStep()
{
  const TrainOptions& o = this->Info.options;
  const double before = this->networkProgress();
  const double started = this->spent();
  const auto begin = std::chrono::steady_clock::now();
  const RunScope scope(this->Where, true);
  const double rate = this->RateFactor * learningRateAt(o, this->Step + 1, before);

  std::vector<Patch> patches;
  for (int i = 0; i < o.batch(); ++i)
  {
    patches.push_back(this->Patches->draw(this->Random));
  }
  Batch batch;
  const at::Tensor read = this->Patches->read(patches);
  batch.x = read.device() == this->Where.device ? read : sent(read, this->Where.device);
  this->Optimiser->begin();
  const Posterior q = this->Net->encode(this->Seen->input(batch.x).to(this->Where.compute));
  const auto patchCount = static_cast<double>(o.batch());
  batch.cells = static_cast<double>(q.mean.numel() / (q.mean.size(0) * q.mean.size(1)));
  batch.q = q;
  at::Tensor x = batch.x;
  if (const int samples = this->Goal->samples(); samples > 1)
  {
    const auto repeat = [&](const at::Tensor& t) { return t.repeat_interleave(samples, 0); };
    batch.q = { repeat(q.mean), repeat(q.logVariance) };
    x = repeat(x);
  }
  batch.z = this->Goal->draw(batch.q, *this->Net, this->Noise);
  batch.decoded = this->Net->decode(batch.z.to(this->Where.compute)).to(at::kFloat);
  batch.likelihood = this->Seen->loss(batch.decoded, x, true);
  const Situation situation{ klScheduleAt(o, before), o.freeBits, this->Vectors, this->Noise };
  const Terms terms = this->Goal->terms(batch, *this->Seen, *this->Net, situation);
  // Learning rates and the clip are those of a loss a voxel.
  const auto count =
    static_cast<double>(batch.x.numel()) / static_cast<double>(this->Info.channels.size());
  const double aVoxel = patchCount / count;
  const at::Tensor loss = terms.loss * aVoxel;
  loss.backward();
  const at::Tensor norm = this->Optimiser->step(rate, o.gradientClip);

  // Asked for together: a GPU is waited for once a step.
  std::vector<at::Tensor> scalars{ norm, loss, terms.reconstruction,
    terms.kl.defined() ? terms.kl : at::zeros_like(loss) };
  for (const auto& [name, value] : terms.measures)
  {
    scalars.push_back(value);
  }
  for (at::Tensor& scalar : scalars)
  {
    scalar = scalar.detach().to(this->Where.device, at::kDouble).flatten();
  }
  const at::Tensor numbers = at::cat(scalars).to(at::kCPU);
  const double* number = numbers.const_data_ptr<double>();
  const double length = *number++;

  StepRecord record;
  record.step = ++this->Step;
  record.epoch = static_cast<int>((this->Step - 1) / o.stepsPerEpoch) + 1;
  record.loss = *number++;
  record.reconstruction = *number++ * aVoxel;
  record.kl = *number++ * aVoxel;
  this->Running.loss += record.loss;
  this->Running.reconstruction += record.reconstruction;
  this->Running.kl += record.kl;
  for (const auto& [name, value] : terms.measures)
  {
    this->Running.measures[name] += *number++;
  }

  const double took = std::max(this->spent() - started, 1e-9);
  record.voxelsPerSecond = count / took;
  this->stepTook(begin, count);
  constexpr std::size_t recent = 31;
  this->Speeds.push_back(record.voxelsPerSecond);
  if (this->Speeds.size() > recent)
  {
    this->Speeds.pop_front();
  }
  this->Running.seconds += took;
  this->Running.voxelsPerSecond += count;
  // Far above anything seen so far, in nats a voxel: on its way to infinity.
  const double limit = this->Info.history.empty()
    ? std::numeric_limits<double>::infinity()
    : this->LowestLoss + 10 * std::max(1., std::abs(this->FirstLoss));
  if (!std::isfinite(record.loss) || !std::isfinite(length) || record.loss > limit)
  {
    this->retreat(record);
    this->tell(record);
    return record;
  }
  this->divideTime();
  const bool over = this->networkProgress() >= 1;
  if (this->Step % o.stepsPerEpoch == 0 || over)
  {
    this->Running.klWeight = situation.schedule * this->Goal->klWeight();
    this->Running.learningRate = rate;
    this->endEpoch(record, q);
    this->Info.history.back().seconds = this->spent();
  }
  if (over && this->NetworkEnding == Ending::None)
  {
    this->end(Ending::Budget);
  }
  this->tell(record);
  record.networkEnded = this->NetworkEnding != Ending::None && !record.finished;
  return record;
}

void TorchTrainer::stepTook(std::chrono::steady_clock::time_point begin, double voxels)
{
  if (this->Choice)
  {
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
    this->Choice->took(seconds.count(), voxels);
    this->Where.threads = this->Choice->chosen();
  }
}

void TorchTrainer::endEpoch(StepRecord& record, const Posterior& last)
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
  for (auto& [name, value] : row.measures)
  {
    value /= steps;
  }
  row.voxelsPerSecond /= row.seconds;
  row.priorLoss = std::nan("");
  this->Info.sigma = this->Seen->scales();
  for (const double sigma : this->Info.sigma)
  {
    row.sigma += sigma / static_cast<double>(this->Info.sigma.size());
  }
  measureLatents(last, this->Goal->stochastic(), row);
  this->validate(row);
  const bool first = this->Info.history.empty();
  this->FirstLoss = first ? row.loss : this->FirstLoss;
  this->LowestLoss = first ? row.loss : std::min(this->LowestLoss, row.loss);
  this->Info.history.push_back(row);
  record.epochEnded = true;

  this->keepGood();
  this->RateFactor = std::min(1., RateRecovery * this->RateFactor);
  if (this->RateFactor == 1 && this->Info.warning.rfind(DivergenceSign, 0) == 0)
  {
    this->Info.warning.clear();
  }
  const double judged = o.bestBy == BestBy::Statistics ? row.statisticsError : row.validationLoss;
  if (this->HeldOut.defined() && (this->Info.bestEpoch == 0 || judged < this->BestLoss))
  {
    this->Best.take(this->weights());
    this->BestLoss = judged;
    this->Info.bestEpoch = row.epoch;
  }
  if (o.patience > 0 && row.epoch - this->Info.bestEpoch >= o.patience)
  {
    this->end(Ending::Patience);
  }
  this->watchForCollapse(row);
}

void TorchTrainer::watchForCollapse(const EpochRecord& row)
{
  const TrainOptions& o = this->Info.options;
  constexpr const char* sign = "The posterior has collapsed";
  const bool collapsed =
    row.activeLatents == 0 && this->Goal->klWeight() > 0 && row.klWeight >= this->Goal->klWeight();
  if (collapsed)
  {
    this->Info.warning = std::string(sign) + ": none of " +
      std::to_string(o.network.latentChannels) +
      " latent channels is active and the KL divergence is " + number(row.kl) +
      " nats a voxel. Choose the Objective Fisher-VAE, or beta-VAE with a smaller Beta than " +
      number(this->Goal->klWeight()) + ", Free Bits above " + number(o.freeBits) +
      ", or a longer KL Ramp than " + number(o.klRamp) + ".";
  }
  else if (this->Info.warning.rfind(sign, 0) == 0)
  {
    this->Info.warning.clear();
  }
}

void TorchTrainer::keepGood()
{
  this->Good.take(this->everything());
  this->GoodStep = this->Step;
}

void TorchTrainer::putBack()
{
  copy(this->Good.tensors, this->everything());
  this->Info.sigma = this->Seen->scales();
  // The steps of the epoch so far do not count; those that are left fill it.
  this->Step = this->GoodStep / this->Info.options.stepsPerEpoch * this->Info.options.stepsPerEpoch;
  this->Running = {};
}

void TorchTrainer::retreat(StepRecord& record)
{
  const TrainOptions& o = this->Info.options;
  const std::string what = std::string(DivergenceSign) + " at step " + std::to_string(this->Step) +
    " (" + number(record.loss) + "); the weights of epoch " +
    std::to_string(this->Info.history.empty() ? 0 : this->Info.history.back().epoch) +
    " were restored";
  this->RateFactor *= 0.5;
  const bool over = this->RateFactor < LeastRateFactor;
  this->Info.warning = what +
    (over ? " and the training ended. Choose a smaller Learning Rate than " + number(o.learningRate)
          : ", and the training continues with a Learning Rate of " +
          number(this->RateFactor * o.learningRate) + " that rises to " + number(o.learningRate) +
          " again") +
    ".";
  this->Info.ending = over ? Ending::Diverged : Ending::None;
  record.finished = over;
  this->putBack();
}

void TorchTrainer::validate(EpochRecord& row)
{
  row.validationLoss = row.validationQuality = row.statisticsError = std::nan("");
  if (!this->HeldOut.defined())
  {
    return;
  }
  const c10::NoGradGuard guard;
  const at::Tensor& x = this->HeldOut;
  const auto count =
    static_cast<double>(x.numel()) / static_cast<double>(this->Info.channels.size());
  const Posterior q = this->Net->encode(this->Seen->input(x).to(this->Where.compute));
  const at::Tensor z = this->Net->quantise(q.mean);
  const at::Tensor y = this->Net->decode(z.to(this->Where.compute)).to(at::kFloat);
  const double reconstruction = this->Seen->loss(y, x, false).sum().item<double>();
  row.validationQuality = this->Seen->quality(y, x);
  if (this->Info.options.bestBy == BestBy::Statistics)
  {
    const Volume& v = this->Data.front();
    row.statisticsError = variogramError(
      this->Seen->value(y), x, { v.dims, v.spacing, this->Info.network }, this->Info.hasPhases());
  }
  const double weight = this->Goal->klWeight();
  const double kl = weight > 0 ? klOfElements(q).sum().item<double>() : 0;
  row.validationLoss = (reconstruction + weight * kl) / count;
}

std::pair<NetworkPtr, std::unique_ptr<Observation>> TorchTrainer::bestNetwork() const
{
  const ModelInfo& info = this->Info;
  std::pair<NetworkPtr, std::unique_ptr<Observation>> best{ copyOf(*this->Net, info.network),
    makeObservation(info, this->Where.device) };
  if (info.bestEpoch > 0)
  {
    copy(this->Best.tensors, weightsOf(*best.first, *best.second));
  }
  return best;
}

std::shared_ptr<const Model> TorchTrainer::model(
  const ModelRequest& request, const Monitor& monitor) const
{
  ModelInfo info = this->Info;
  NetworkPtr network;
  // A prior is of the best network's latent fields.
  if ((request.best || this->Prior) && info.bestEpoch > 0)
  {
    auto [best, seen] = this->bestNetwork();
    network = best;
    info.sigma = seen->scales();
  }
  else
  {
    network = copyOf(*this->Net, info.network);
    info.bestEpoch = info.history.empty() ? 0 : info.history.back().epoch;
  }
  if (request.statisticsVoxels != 0)
  {
    info.ending = Ending::None;
  }
  if (request.stopped && info.ending == Ending::None)
  {
    info.ending = Ending::Stopped;
  }
  auto model = std::make_shared<TorchModel>(std::move(info), std::move(network));
  if (request.statisticsVoxels ==
    0) // there are no more steps, or it takes longer than their memory
  {
    const KeptMemory::Use use(this->Memory);
    KeptMemory::giveBack();
  }
  RunOptions run;
  run.device = this->Info.options.device;
  run.precision = this->Info.options.precision;
  run.threads = this->Where.threads;
  if (this->Prior)
  {
    model->setLearnedPrior(this->Prior->prior());
  }
  if (request.statisticsVoxels == 0)
  {
    if (this->Info.ending != Ending::None) // steps need no memory any more
    {
      const KeptMemory::Use use(this->Memory);
      KeptMemory::giveBack();
    }
    model->measureAll(this->Measured->volume(), run, monitor, this->timeToMeasure());
  }
  else if (request.statisticsVoxels > 0)
  {
    model->fitField(this->Measured->volume(), request.statisticsVoxels, run, monitor);
  }
  if (request.trainingState)
  {
    model->setTrainingState(this->state());
  }
  return model;
}

} // namespace vae
