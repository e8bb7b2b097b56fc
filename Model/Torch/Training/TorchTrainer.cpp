// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "TorchTrainer.h"

#include "Plan.h"
#include "Source/Memory.h"
#include "StateJson.h"
#include "Torch/Calibration/Calibrator.h"
#include "Torch/Data/TrainingData.h"
#include "Torch/Runtime/FreeCores.h"
#include "Torch/Runtime/Room.h"

#include <algorithm>

namespace vae
{
namespace
{

constexpr const char* NoMemorySign = "There was not enough memory for step ";
constexpr const char* NoMemoryCure = "choose a smaller Patch Size, Batch Size or Width";

TrainOptions completed(TrainOptions options)
{
  completeOptions(options);
  return options;
}

/// What is resumed stays as large as it is, wherever it goes on, and what starts from another's
/// weights has its network.
std::optional<StepScale> scaleFor(const TrainingStart& start)
{
  const bool open = leavesScaleOpen(start.options);
  if (!start.initial)
  {
    return open ? measuredScale(start.options) : std::nullopt;
  }
  const auto scaleIn = [](const TrainOptions& o, const ModelInfo& info)
  {
    return StepScale{ o.network.width, o.patchSize, o.batchSize, o.stepsPerEpoch, info.priorWidth,
      info.priorCells };
  };
  const ModelInfo& info = start.initial->info();
  const StepScale theirs = scaleIn(info.options, info);
  const auto& all = StepScale::all();
  const bool keeps = start.lineage.kind == Beginning::Resumed ||
    (open && std::ranges::find(all, theirs) != all.end() &&
      hashOf(toText(info.options)) != info.lineage.options); // it was not asked for
  return keeps && theirs != scaleIn(start.options, ModelInfo()) ? std::optional(theirs)
                                                                : std::nullopt;
}

/// The learned prior of the initial model, if it has learned enough and is of the training's width;
/// of a training that is resumed the one that it had. Or null.
std::shared_ptr<const LearnedPrior> priorStartOf(
  const TrainingStart& start, const std::optional<StepScale>& scale)
{
  const auto initial = std::dynamic_pointer_cast<const TorchModel>(start.initial);
  if (!initial)
  {
    return nullptr;
  }
  const ModelInfo& info = initial->info();
  if (start.lineage.kind == Beginning::Resumed)
  {
    return initial->trainingState() ? priorStartIn(*initial->trainingState(), info.network)
                                    : nullptr;
  }
  const auto& learned = initial->calibration().learned;
  const int width = scale ? scale->priorWidth : ModelInfo().priorWidth;
  const bool fits =
    learned && learned->width() == width && info.priorSteps >= fewestPriorSteps(info.priorStarted);
  return fits ? learned : nullptr;
}

ModelInfo described(
  const TrainingStart& start, const std::optional<StepScale>& scale, bool priorStarted)
{
  TrainOptions options = start.options;
  if (scale)
  {
    scale->applyTo(options);
  }
  ModelInfo info = describeTraining(*start.data, options);
  if (scale)
  {
    info.priorWidth = scale->priorWidth;
    info.priorCells = scale->priorCells;
  }
  info.priorStarted = priorStarted;
  info.lineage = start.lineage;
  info.startReason = start.reason;
  info.fingerprint = start.fingerprint;
  return info;
}

/// Where to train. \throws OutOfMemory if the machine has less than the training will take
ComputeDevice deviceFor(const ModelInfo& info)
{
  const TrainOptions& o = info.options;
  const ComputeDevice place = chooseDevice(o.device, o.precision, o.threads);
  if (place.onCpu()) // else LibTorch says so itself, and nothing below it breaks
  {
    const Plan plan = planOf(o, place.compute == at::kBFloat16 ? 2 : 4);
    checkFree("this training (the model " + mebibytes(plan.modelMemory) + ", a batch " +
        mebibytes(plan.batchMemory) + ")",
      plan.modelMemory + plan.batchMemory + RoomForKernels, std::string("; ") + NoMemoryCure);
  }
  return place;
}

double priorShareOf(const TrainingSet& data, const ModelInfo& info)
{
  return PriorTrainer::suits(data, info.network) ? info.options.priorShare : 0;
}

} // namespace

TorchTrainer::TorchTrainer(
  std::vector<Volume> volumes, TrainOptions options, std::shared_ptr<const Model> initial)
  : TorchTrainer(TrainingStart(std::make_shared<const DataSet>(std::move(volumes)),
      completed(std::move(options)), std::move(initial)))
{
}

TorchTrainer::TorchTrainer(const TrainingStart& start)
  : Scale(scaleFor(start))
  , PriorStart(priorStartOf(start, this->Scale))
  , Info(described(start, this->Scale, this->PriorStart != nullptr))
  , Where(deviceFor(this->Info))
  , Patches(start.data->volumes, this->Info, this->Info.options) // says what is wrong with a mask
  , Data(start.data, this->Info)
  , Clock(this->Info, voxels(this->Data.measured().dims), priorShareOf(this->Data, this->Info))
  , Shared{ .data = this->Data,
    .info = this->Info,
    .place = this->Where,
    .clock = this->Clock,
    .threads = this->Choice,
    .priorStart = this->PriorStart }
{
  this->tellPlace();
  const RunScope scope(this->Where, true);
  this->Network = std::make_unique<NetworkPhase>(this->Shared, this->Patches);
  if (const auto initial = std::dynamic_pointer_cast<const TorchModel>(start.initial))
  {
    this->startFrom(*initial);
  }
  this->Network->keepGood();
  this->limitThreads(0);
}

void TorchTrainer::startFrom(const TorchModel& initial)
{
  ModelInfo& info = this->Info;
  checkSameNetwork(info.network, initial.info().network);
  this->Network->startFrom(*initial.network());
  if (info.lineage.kind == Beginning::Resumed)
  {
    if (!initial.trainingState())
    {
      throw std::invalid_argument("Initial Model is already the result of this training");
    }
    info.history = initial.info().history;
    info.bestEpoch = initial.info().bestEpoch;
    this->restore(*initial.trainingState());
    info.ending = this->Clock.progress() >= 1 ? this->Shared.networkEnding : Ending::None;
  }
}

void TorchTrainer::limitThreads(int most)
{
  const TrainOptions& o = this->Info.options;
  if (o.threads == 0)
  {
    this->Where = chooseDevice(o.device, o.precision, most);
    this->tellPlace();
    if (this->Where.onCpu())
    {
      this->Choice.emplace(this->Where.threads, freeCores);
    }
  }
}

void TorchTrainer::tellPlace()
{
  this->Info.device =
    this->Where.reason + (this->Scale ? "; chosen for its speed: " + this->Scale->inWords() : "");
}

TrainingPhase& TorchTrainer::phase()
{
  if (this->Shared.networkEnding == Ending::None)
  {
    return *this->Network;
  }
  if (!this->Prior)
  {
    this->Prior = std::make_unique<PriorPhase>(this->Shared, *this->Network);
  }
  return *this->Prior;
}

StepRecord TorchTrainer::step()
{
  if (this->Info.ending != Ending::None)
  {
    throw std::logic_error("the training has finished");
  }
  const KeptMemory::Use use(this->Memory);
  if (this->Choice)
  {
    this->Where.threads = this->Choice->threads();
  }
  TrainingPhase& current = this->phase();
  try
  {
    reserveOn(this->Where, RoomForKernels); // the rest is of memory that says so where it ends
    StepRecord record = current.step();
    this->tell(record);
    return record;
  }
  catch (const std::exception& e)
  {
    if (!isOutOfMemory(e))
    {
      throw;
    }
    this->ranOutOfMemory(current);
  }
}

void TorchTrainer::ranOutOfMemory(TrainingPhase& current)
{
  const std::int64_t step = this->Network->steps() + (this->Prior ? this->Prior->steps() : 0) + 1;
  current.recover();
  KeptMemory::giveBackAll();
  const std::string what = NoMemorySign + std::to_string(step) + " of the training (" +
    mebibytes(freeMemory()) + " are free without it)";
  if (!this->Info.history.empty())
  {
    this->Info.warning = what + "; it ended with what it had learned until then.";
  }
  throw OutOfMemory(what + "; " + NoMemoryCure + ".");
}

void TorchTrainer::tell(StepRecord& record)
{
  this->Progress = std::max(this->Progress, this->Clock.progress());
  record.progress = this->Progress;
  record.seconds = this->Clock.spent();
  record.finished = this->Info.ending != Ending::None;
  record.networkEnded =
    !record.prior && !record.finished && this->Shared.networkEnding != Ending::None;
  if (record.epochEnded && this->Info.warning.starts_with(NoMemorySign)) // there is enough again
  {
    this->Info.warning.clear();
  }
}

std::shared_ptr<const Model> TorchTrainer::model(
  const ModelRequest& request, const Monitor& monitor) const
{
  if (this->Info.ending != Ending::None || request.stopped)
  {
    // There are no more steps. Where memory is short, what is copied needs theirs.
    const KeptMemory::Use use(this->Memory);
    KeptMemory::giveBack();
  }
  ModelInfo info = this->Info;
  NetworkPtr network;
  const auto prior = this->Prior ? this->Prior->prior() : nullptr;
  // A prior is of the best network's latent fields.
  if ((request.best || prior) && info.bestEpoch > 0)
  {
    auto [best, seen] = this->Network->best();
    network = best;
    info.sigma = seen->scales();
  }
  else
  {
    network = copyOf(this->Network->network(), info.network);
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
  RunOptions run;
  run.device = this->Info.options.device;
  run.precision = this->Info.options.precision;
  run.threads = this->Where.threads;
  Calibration calibration;
  calibration.learned = prior;
  if (request.statisticsVoxels == 0)
  {
    // There are no more steps, or what is measured takes longer than their memory.
    const KeptMemory::Use use(this->Memory);
    KeptMemory::giveBack();
    calibration = Calibrator(info, network, std::move(calibration), this->Data, run)
                    .all(monitor, this->Clock.timeToMeasure());
  }
  else if (request.statisticsVoxels > 0)
  {
    calibration = Calibrator(info, network, std::move(calibration), this->Data, run)
                    .fieldOnly(request.statisticsVoxels, monitor);
  }
  return std::make_shared<const TorchModel>(std::move(info), std::move(network),
    std::move(calibration), request.trainingState ? this->state() : nullptr);
}

} // namespace vae
