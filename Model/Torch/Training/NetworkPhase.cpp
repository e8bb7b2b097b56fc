// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "NetworkPhase.h"

#include "PriorTrainer.h"
#include "Schedule.h"
#include "StateJson.h"
#include "Torch/Data/ResidentVolumes.h"
#include "Torch/Losses/LatentDiagnostics.h"
#include "Torch/Losses/Variogram.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <format>

namespace vae
{
namespace
{

constexpr const char* DivergenceSign = "The loss diverged";
constexpr const char* CollapseSign = "The posterior has collapsed";
constexpr std::uint64_t ValidationSeed = 1;

/// Numbers of one element each, side by side: a GPU is waited for once for all of them.
at::Tensor together(std::vector<at::Tensor> scalars, const at::Device& device)
{
  for (at::Tensor& scalar : scalars)
  {
    scalar = scalar.detach().to(device).flatten();
  }
  return at::cat(scalars);
}

} // namespace

NetworkPhase::NetworkPhase(TrainingContext& shared, PatchSampler& patches)
  : TrainingPhase(shared)
  , Patches(patches)
  , Random(static_cast<std::uint64_t>(shared.info.options.seed))
  , Noise(at::make_generator<at::CPUGeneratorImpl>(
      static_cast<std::uint64_t>(shared.info.options.seed)))
{
  ModelInfo& info = shared.info;
  const at::Device& device = shared.place.device;
  this->Vectors = this->Patches.vectors();
  if (const std::vector<Patch> heldOut = this->Patches.heldOut(); !heldOut.empty())
  {
    this->HeldOut = this->Patches.read(heldOut).to(device);
  }
  if (!device.is_cpu() &&
    ResidentVolumes::bytes(shared.data.volumes(), info.channels.size()) <
      0.5 * freeMemoryOf(device).value_or(0))
  {
    this->Patches.keepOn(device);
  }
  this->Net = makeNetwork(info.network);
  this->Net->initialise(this->Noise.generator);
  this->Net->to(device);
  this->Goal = makeObjective(info.options);
  this->Observation = makeObservationModel(info, device);
  std::vector<at::Tensor> learnt = this->Net->parameters();
  for (const at::Tensor& p : learnt)
  {
    info.parameters += p.numel();
  }
  const auto& scale = this->Observation->tensors();
  learnt.insert(learnt.end(), scale.begin(),
    scale.begin() + static_cast<std::ptrdiff_t>(this->Observation->parameters()));
  this->Optimiser =
    std::make_unique<AdamW>(learnt, *this->Net, info.options.weightDecay, shared.place.compute);
  if (StepGraph::wanted())
  {
    this->Graph = std::make_unique<StepGraph>(device,
      this->Goal->codes() > 0                                    ? "the CPU looks after the codes"
        : info.network.architecture == Architecture::TorchScript ? "the network is a program"
                                                                 : "");
  }
}

void NetworkPhase::startFrom(const Network& other)
{
  const auto given = other.tensors(), mine = this->Net->tensors();
  for (std::size_t i = 0; i < mine.size(); ++i)
  {
    copyValues({ given[i].second }, { mine[i].second });
  }
}

std::vector<at::Tensor> NetworkPhase::everything() const
{
  std::vector<at::Tensor> all = this->weights();
  const std::vector<at::Tensor> state = this->Optimiser->state();
  all.insert(all.end(), state.begin(), state.end());
  return all;
}

StepRecord NetworkPhase::step()
{
  TrainingContext& all = this->Shared;
  const TrainOptions& o = all.info.options;
  TrainingClock& clock = all.clock;
  const double progress = clock.networkProgress(), started = clock.spent();
  const auto begin = std::chrono::steady_clock::now();
  const RunScope scope(all.place, true);
  StepRecord record;
  const Made made = this->optimise(progress, record);
  record.step = ++this->Steps;
  record.epoch = static_cast<int>((this->Steps - 1) / o.stepsPerEpoch) + 1;

  const double took = std::max(clock.spent() - started, 1e-9);
  record.voxelsPerSecond = made.voxels / took;
  all.stepped(begin, made.voxels);
  clock.networkStepped(this->Steps, record.voxelsPerSecond);
  this->Log.add(record, made.measures, took, made.voxels);
  if (this->Guard.diverged(record.loss, made.gradientNorm))
  {
    this->retreat(record);
    return record;
  }
  if (clock.mustDivide())
  {
    this->considerPrior();
  }
  const bool over = clock.networkProgress() >= 1;
  if (this->Steps % o.stepsPerEpoch == 0 || over)
  {
    this->endEpoch(record, made);
  }
  if (over && all.networkEnding == Ending::None)
  {
    this->end(Ending::Budget);
  }
  return record;
}

at::Tensor NetworkPhase::drawPatches()
{
  const ComputeDevice& place = this->Shared.place;
  std::vector<Patch> patches;
  for (int i = 0; i < this->Shared.info.options.batch(); ++i)
  {
    patches.push_back(this->Patches.draw(this->Random));
  }
  const at::Tensor read = this->Patches.read(patches);
  return read.device() == place.device ? read : toDevice(read, place.device);
}

Batch NetworkPhase::forward(
  const at::Tensor& x, const Posterior& q, const Draws& noise, bool training)
{
  Batch batch;
  batch.x = x;
  batch.q = q;
  batch.cells = static_cast<double>(q.mean.numel() / (q.mean.size(0) * q.mean.size(1)));
  at::Tensor truth = x;
  if (const int samples = this->Goal->samples(); samples > 1)
  {
    const auto repeat = [&](const at::Tensor& t) { return t.repeat_interleave(samples, 0); };
    batch.q = { repeat(q.mean), repeat(q.logVariance) };
    truth = repeat(x);
  }
  const bool fixed = !training && this->Goal->codes() > 0; // a draw would move the codebook
  batch.z = fixed ? this->Net->quantise(q.mean) : this->Goal->draw(batch.q, *this->Net, noise);
  batch.decoded = this->Net->decode(batch.z.to(this->Shared.place.compute)).to(at::kFloat);
  batch.likelihood = this->Observation->loss(batch.decoded, truth, training);
  return batch;
}

NetworkPhase::Made NetworkPhase::optimise(double progress, StepRecord& record)
{
  ModelInfo& info = this->Shared.info;
  const TrainOptions& o = info.options;
  Made made;
  const bool experienced = !info.lineage.experience.empty();
  made.learningRate =
    this->Guard.rateFactor() * learningRateAt(o, this->Steps + 1, progress, experienced);
  made.klSchedule = klScheduleAt(o, progress, experienced);
  const at::Tensor x = this->drawPatches();
  made.voxels = static_cast<double>(x.numel()) / static_cast<double>(info.channels.size());
  if (this->Graph)
  {
    this->learnByGraph(x, made);
  }
  else
  {
    this->learn({ x, made.learningRate, made.klSchedule });
  }
  const at::Tensor numbers = this->Last.numbers.to(at::kCPU, at::kDouble);
  const double* number = numbers.const_data_ptr<double>();
  const double aVoxel = static_cast<double>(o.batch()) / made.voxels;
  made.gradientNorm = *number++;
  record.loss = *number++;
  record.reconstruction = *number++ * aVoxel;
  record.kl = *number++ * aVoxel;
  for (const std::string& name : this->Last.measures)
  {
    made.measures[name] = *number++;
  }
  return made;
}

void NetworkPhase::learnByGraph(const at::Tensor& x, const Made& made)
{
  if (!this->Kept.defined())
  {
    const at::TensorOptions scalar = x.options().dtype(at::kFloat);
    this->Kept = at::empty_like(x);
    this->KeptRate = at::empty({}, scalar);
    this->KeptSchedule = at::empty({}, scalar);
    this->Noise.keep();
  }
  this->Kept.copy_(x);
  this->KeptRate.fill_(made.learningRate);
  this->KeptSchedule.fill_(made.klSchedule);
  this->Noise.redraw();
  const Inputs in{ this->Kept, StepScalar(this->KeptRate), StepScalar(this->KeptSchedule) };
  this->Graph->run([&] { this->learn(in); });
  if (const std::string news = this->Graph->news(); !news.empty())
  {
    this->Shared.info.device += ", " + news;
  }
}

void NetworkPhase::learn(const Inputs& in)
{
  const TrainOptions& o = this->Shared.info.options;
  const ComputeDevice& place = this->Shared.place;
  this->Noise.rewind();
  this->Optimiser->begin();
  const Posterior q = this->Net->encode(this->Observation->input(in.x).to(place.compute));
  const Batch batch = this->forward(in.x, q, this->Noise, true);
  const LossContext lossContext{
    .schedule = in.schedule, .freeBits = o.freeBits, .vectors = this->Vectors, .noise = this->Noise
  };
  const Terms terms = this->Goal->terms(batch, *this->Observation, *this->Net, lossContext);
  // Learning rates and the clip are those of a loss a voxel.
  const double voxels =
    static_cast<double>(in.x.numel()) / static_cast<double>(this->Shared.info.channels.size());
  const at::Tensor loss = terms.loss * (static_cast<double>(o.batch()) / voxels);
  loss.backward();
  const at::Tensor norm = this->Optimiser->step(in.learningRate, o.gradientClip);

  this->Last.q = { q.mean.detach(), q.logVariance.detach() };
  this->Last.measures.clear();
  std::vector<at::Tensor> scalars{ norm, loss, terms.reconstruction,
    terms.kl.defined() ? terms.kl : at::zeros_like(loss) };
  for (const auto& [name, value] : terms.measures)
  {
    this->Last.measures.push_back(name);
    scalars.push_back(value);
  }
  this->Last.numbers = together(std::move(scalars), place.device);
}

void NetworkPhase::endEpoch(StepRecord& record, const Made& last)
{
  ModelInfo& info = this->Shared.info;
  const TrainOptions& o = info.options;
  EpochRecord row = this->Log.close(static_cast<double>((this->Steps - 1) % o.stepsPerEpoch + 1));
  row.epoch = record.epoch;
  row.step = this->Steps;
  row.klWeight = last.klSchedule * this->Goal->klWeight();
  row.learningRate = last.learningRate;
  row.priorLoss = std::nan("");
  info.sigma = this->Observation->scales();
  for (const double sigma : info.sigma)
  {
    row.sigma += sigma / static_cast<double>(info.sigma.size());
  }
  measureLatents(this->Last.q, this->Goal->stochastic(), row);
  this->validate(row);
  info.history.push_back(row);
  record.epochEnded = true;

  this->Guard.epochEnded(row.loss, this->everything(), this->Steps);
  if (this->Guard.rateFactor() == 1 && info.warning.starts_with(DivergenceSign))
  {
    info.warning.clear();
  }
  this->keepBest(row);
  if (o.patience > 0 && row.epoch - info.bestEpoch >= o.patience)
  {
    this->end(Ending::Patience);
  }
  this->watchForCollapse(row);
  info.history.back().seconds = this->Shared.clock.spent();
}

void NetworkPhase::validate(EpochRecord& row)
{
  row.validationLoss = row.validationQuality = row.statisticsError = std::nan("");
  if (!this->HeldOut.defined())
  {
    return;
  }
  const ModelInfo& info = this->Shared.info;
  const at::ScalarType compute = this->Shared.place.compute;
  const c10::NoGradGuard guard;
  const at::Tensor& x = this->HeldOut;
  const auto count = static_cast<double>(x.numel()) / static_cast<double>(info.channels.size());
  const Posterior q = this->Net->encode(this->Observation->input(x).to(compute));
  // As in training, with the schedule at its end, and the same random numbers after every epoch.
  const at::Generator noise = at::make_generator<at::CPUGeneratorImpl>(ValidationSeed);
  const Batch batch = this->forward(x, q, noise, false);
  const LossContext lossContext{
    .freeBits = info.options.freeBits, .vectors = this->Vectors, .noise = noise
  };
  const at::Tensor loss =
    this->Goal->terms(batch, *this->Observation, *this->Net, lossContext).loss;
  row.validationLoss = loss.item<double>() * static_cast<double>(x.size(0)) / count;
  // As VAE Reconstruct shows it.
  const at::Tensor y = this->Goal->stochastic()
    ? this->Net->decode(this->Net->quantise(q.mean).to(compute)).to(at::kFloat)
    : batch.decoded;
  row.validationQuality = this->Observation->quality(y, x);
  if (info.options.bestBy == BestBy::Statistics)
  {
    const Volume& v = this->Shared.data.volumes().front();
    row.statisticsError = variogramError(
      this->Observation->value(y), x, { v.dims, v.spacing, info.network }, info.hasPhases());
  }
}

void NetworkPhase::keepBest(const EpochRecord& row)
{
  ModelInfo& info = this->Shared.info;
  const double judged =
    info.options.bestBy == BestBy::Statistics ? row.statisticsError : row.validationLoss;
  if (this->HeldOut.defined() && (info.bestEpoch == 0 || judged < this->BestLoss))
  {
    this->Best.take(this->weights());
    this->BestLoss = judged;
    info.bestEpoch = row.epoch;
  }
}

std::pair<NetworkPtr, std::unique_ptr<ObservationModel>> NetworkPhase::best() const
{
  const ModelInfo& info = this->Shared.info;
  std::pair<NetworkPtr, std::unique_ptr<ObservationModel>> best{ copyOf(*this->Net, info.network),
    makeObservationModel(info, this->Shared.place.device) };
  if (info.bestEpoch > 0)
  {
    this->Best.putBack(weightsOf(*best.first, *best.second));
  }
  return best;
}

void NetworkPhase::watchForCollapse(const EpochRecord& row)
{
  ModelInfo& info = this->Shared.info;
  const TrainOptions& o = info.options;
  const double weight = this->Goal->klWeight();
  if (row.activeLatents == 0 && weight > 0 && row.klWeight >= weight)
  {
    info.warning = std::format(
      "{}: none of {} latent channels is active and the KL divergence is {:.4g} nats a voxel. "
      "Choose "
      "the Objective Fisher-VAE, or beta-VAE with a smaller Beta than {:.4g}, Free Bits above "
      "{:.4g}, or a longer KL Ramp than {:.4g}.",
      CollapseSign, o.network.latentChannels, row.kl, weight, o.freeBits, o.klRamp);
  }
  else if (info.warning.starts_with(CollapseSign))
  {
    info.warning.clear();
  }
}

void NetworkPhase::retreat(StepRecord& record)
{
  ModelInfo& info = this->Shared.info;
  const double rate = info.options.learningRate;
  const bool over = this->Guard.retreat();
  info.warning = std::format("{} at step {} ({:.4g}); the weights of epoch {} were put back{}.",
    DivergenceSign, this->Steps, record.loss, info.history.empty() ? 0 : info.history.back().epoch,
    over
      ? std::format(" and the training ended. Choose a smaller Learning Rate than {:.4g}", rate)
      : std::format(
          ", and the training continues with a Learning Rate of {:.4g} that rises to {:.4g} again",
          this->Guard.rateFactor() * rate, rate));
  info.ending = over ? Ending::Diverged : Ending::None;
  this->putBack();
}

void NetworkPhase::keepGood() { this->Guard.keep(this->everything(), this->Steps); }

void NetworkPhase::putBack()
{
  const std::int64_t step = this->Guard.putBack(this->everything());
  this->Shared.info.sigma = this->Observation->scales();
  // The steps of the epoch so far do not count; those that are left fill it.
  const int epoch = this->Shared.info.options.stepsPerEpoch;
  this->Steps = step / epoch * epoch;
  this->Shared.clock.setNetworkSteps(this->Steps);
  this->Log.clear();
}

void NetworkPhase::considerPrior()
{
  TrainingContext& all = this->Shared;
  const std::string why = all.clock.divide([&] { PriorTrainer::tryStep(all.info, all.place); });
  if (!why.empty())
  {
    all.leavePriorOut(why);
  }
}

void NetworkPhase::end(Ending how)
{
  TrainingContext& all = this->Shared;
  if (all.networkEnding != Ending::None)
  {
    return;
  }
  all.networkEnding = how;
  this->Graph.reset(); // and its memory
  all.clock.endNetwork();
  if (all.clock.priorShare() > 0)
  {
    this->considerPrior(); // it may have ended long before its time
  }
  if (all.clock.priorShare() == 0)
  {
    all.info.ending = how;
  }
}

void NetworkPhase::store(StateWriter& state) const
{
  state.store("weights", this->weights());
  state.store("best", this->Best.tensors());
  state.store("optimizer", this->Optimiser->state());
  state.store("random", this->Random);
  state.store("noise", this->Noise.generator);
  state.json["step"] = this->Steps;
  state.json["best_loss"] = this->BestLoss;
  this->Guard.store(state);
  this->Log.store(state);
}

void NetworkPhase::restore(const StateReader& state)
{
  ModelInfo& info = this->Shared.info;
  state.load("weights", this->weights());
  state.load("optimizer", this->Optimiser->state());
  info.sigma = this->Observation->scales();
  if (state.hasTensors("best"))
  {
    this->Best.take(this->weights());
    state.load("best", this->Best.tensors());
  }
  else
  {
    info.bestEpoch = 0;
  }
  state.load("random", this->Random);
  state.load("noise", this->Noise.generator);
  this->Steps = state.count("step");
  this->Shared.clock.setNetworkSteps(this->Steps);
  this->BestLoss = state.number("best_loss");
  this->Guard.restore(state);
  this->Log.restore(state);
}

} // namespace vae
