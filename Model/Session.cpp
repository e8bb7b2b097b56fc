// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Session.h"

#include "Backend.h"
#include "Memory.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <utility>

namespace vae
{
namespace
{

using Clock = std::chrono::steady_clock;

// Voxels whose latent field is measured for models handed out on the way, and after a Stop, which
// must be quick; a training that ends by itself measures them all.
constexpr std::int64_t QuickStatistics = 112 * 112 * 112, StopStatistics = 176 * 176 * 176;

double since(Clock::time_point t)
{
  return std::chrono::duration<double>(Clock::now() - t).count();
}

/// LibTorch's messages go on with a stack trace.
std::string sentence(const std::exception& e)
{
  const std::string text = e.what();
  return dynamic_cast<const std::bad_alloc*>(&e) ? "There is not enough memory for this."
                                                 : text.substr(0, text.find('\n'));
}

double lossOf(const EpochRecord& row)
{
  return std::isnan(row.validationLoss) ? row.loss : row.validationLoss;
}

/// What is known of a training that goes on, or is over: where its history ends.
void showHistory(Status& s, const ModelInfo& info)
{
  s.device = info.device;
  s.likelihood = std::string(name(info.likelihood)) + ": " + info.likelihoodReason;
  s.parameters = info.parameters;
  s.latentChannels = info.latentChannels();
  if (!info.history.empty() && s.step.step == 0)
  {
    s.epoch = info.history.back();
    s.step.step = s.epoch.step;
    s.step.epoch = s.epoch.epoch;
    s.step.seconds = s.epoch.seconds;
  }
}

} // namespace

std::string minutes(double seconds)
{
  char text[32];
  const int s = static_cast<int>(seconds + 0.5);
  std::snprintf(text, sizeof text, "%d:%02d", s / 60, s % 60);
  return text;
}

const char* name(State state)
{
  constexpr const char* names[] = { "Idle", "Preparing", "Training", "Stopping", "Stopped",
    "Finished", "Loaded", "Failed" };
  return names[static_cast<int>(state)];
}

Session::Session(std::vector<Volume> volumes, const TrainOptions& options, SessionOptions session,
  std::shared_ptr<const Model> initial)
  : Volumes(std::move(volumes))
  , Options(options)
  , Initial(std::move(initial))
  , Driving(std::move(session))
{
}

Session::~Session()
{
  {
    const std::lock_guard lock(this->Mutex);
    this->Abandoned = true;
  }
  this->Worker.stop();
  this->Worker.wait();
}

template <typename F>
void Session::update(F&& change)
{
  const std::lock_guard lock(this->Mutex);
  change(this->Now);
}

Status Session::status() const
{
  const std::lock_guard lock(this->Mutex);
  return this->Now;
}

std::vector<double> Session::losses() const
{
  const std::lock_guard lock(this->Mutex);
  return this->Losses;
}

std::shared_ptr<const Model> Session::model()
{
  const std::lock_guard lock(this->Mutex);
  this->Taken = true;
  return this->Newest;
}

bool Session::hasNews() const
{
  const std::lock_guard lock(this->Mutex);
  return !this->Taken;
}

std::string Session::takeError()
{
  const std::lock_guard lock(this->Mutex);
  return std::exchange(this->Error, {});
}

void Session::setRefreshInterval(double seconds)
{
  const std::lock_guard lock(this->Mutex);
  this->Driving.refreshInterval = seconds;
}

std::string Session::fingerprint() const
{
  const std::lock_guard lock(this->Mutex);
  return this->Fingerprint;
}

bool Session::busy() const
{
  const State state = this->status().state;
  return state == State::Preparing || state == State::Training || state == State::Stopping;
}

void Session::publish(std::shared_ptr<const Model> model)
{
  const std::lock_guard lock(this->Mutex);
  this->Newest = std::move(model);
  this->Taken = false;
}

std::string Session::fingerprintOf(
  const std::vector<Volume>& volumes, const TrainOptions& asked, const Model* initial)
{
  const TrainOptions options = backend().complete(asked);
  const auto summaries = summarise(volumes);
  const std::string plain = vae::fingerprint(volumes, summaries, options);
  if (!initial)
  {
    return plain;
  }
  const ModelInfo& from = initial->info();
  const bool goesOn =
    from.fingerprint == vae::fingerprint(volumes, summaries, withLimitsOf(options, from.options));
  return goesOn ? plain : fineTuned(plain, from);
}

void Session::prepare(bool live)
{
  this->update([](Status& s)
  {
    s.state = State::Preparing;
    s.message = "Looking at the data.";
  });
  const std::string wanted = fingerprintOf(this->Volumes, this->Options, this->Initial.get());
  Backend& door = backend();

  std::string file;
  bool always = false;
  {
    const std::lock_guard lock(this->Mutex);
    this->Fingerprint = wanted;
    file = this->Driving.modelFile;
    always = this->Driving.alwaysTrain;
  }
  std::error_code ignored;
  if (!file.empty() && !always && std::filesystem::is_regular_file(file, ignored))
  {
    try
    {
      auto found = door.load(file, { this->Options.allowTorchScript });
      const ModelInfo& info = found->info();
      if (info.fingerprint == wanted)
      {
        const bool checkpointed = info.ending == Ending::None;
        if (checkpointed && !live)
        {
          this->Initial = found; // a script that was ended goes on where it was
        }
        else
        {
          this->publish(found);
          this->update([&](Status& s)
          {
            s.state = State::Loaded;
            s.resumable = checkpointed || info.ending == Ending::Stopped;
            s.epoch = {};
            s.step = {};
            showHistory(s, info);
            s.warning = info.warning;
            s.message = "Loaded from " + file +
              ": it was trained on the same data with the same settings, so it was not trained "
              "again." +
              (s.resumable ? " That training had not ended; Resume goes on with it." : "");
          });
          return;
        }
      }
    }
    catch (const std::exception& e)
    {
      // Not a model, or a damaged one: training writes a new one over it.
      this->update([&](Status& s) { s.warning = sentence(e); });
    }
  }
  this->Training = door.train(this->Volumes, this->Options, this->Initial);
}

int Session::liveThreads()
{
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()) - 1);
}

void Session::train(
  const std::function<bool(const Status&)>& report, const std::stop_token& stop, bool live)
{
  if (live)
  {
    this->Training->limitThreads(liveThreads());
  }
  const auto info = [this]() -> const ModelInfo& { return this->Training->info(); };
  this->update([&](Status& s)
  {
    s.state = State::Training;
    s.resumable = false;
    s.message = "Training on " + info().device + ".";
    showHistory(s, info());
  });
  {
    const std::lock_guard lock(this->Mutex);
    this->Losses.clear();
    for (const EpochRecord& row : info().history)
    {
      this->Losses.push_back(lossOf(row));
    }
  }
  auto refreshed = Clock::now(), written = Clock::now();
  bool goesOn = info().ending == Ending::None;
  StepRecord record = this->status().step;
  record.finished = false;
  while (goesOn && !stop.stop_requested())
  {
    try
    {
      record = this->Training->step();
    }
    catch (const OutOfMemory&)
    {
      if (info().history.empty())
      {
        throw;
      }
      break; // as if stopped: what has been learned is worth more than the steps that are left
    }
    const EpochRecord row = info().history.empty() ? EpochRecord() : info().history.back();
    SessionOptions driving;
    bool wanted = false;
    Status now;
    {
      const std::lock_guard lock(this->Mutex);
      this->Now.step = record;
      this->Now.epoch = row;
      if (record.epochEnded)
      {
        this->Losses.push_back(lossOf(row));
      }
      if (record.prior && this->Now.state == State::Training)
      {
        char text[120];
        std::snprintf(text, sizeof text,
          "The autoencoder is done; learning the prior that VAE Generate draws from (loss %.3f).",
          std::isnan(row.priorLoss) ? record.loss : row.priorLoss);
        this->Now.message = text;
      }
      this->Now.warning = info().warning.empty() ? this->FileWarning : info().warning;
      this->Now.secondsLeft = record.progress > 0
        ? record.seconds * (1 - record.progress) / record.progress
        : std::nan("");
      driving = this->Driving;
      wanted = this->Taken;
      now = this->Now;
    }
    goesOn = !record.finished && (!report || report(now));
    if (!goesOn)
    {
      break;
    }
    // A chart wants two rows at least.
    if (live && record.epochEnded && wanted && info().history.size() >= 2 &&
      (!this->Newest || since(refreshed) >= driving.refreshInterval))
    {
      this->refresh();
      refreshed = Clock::now();
    }
    if (record.epochEnded && !driving.modelFile.empty() && driving.checkpointInterval > 0 &&
      since(written) >= driving.checkpointInterval)
    {
      this->checkpoint();
      written = Clock::now();
    }
  }
  this->finish(!record.finished && info().ending == Ending::None, live);
}

void Session::refresh()
{
  try
  {
    this->publish(this->Training->model({ false, QuickStatistics, false, false }));
    this->FileWarning.clear();
  }
  catch (const std::exception& e)
  {
    // So it goes on, and what is looked at is older.
    this->FileWarning = sentence(e);
  }
}

void Session::checkpoint()
{
  try
  {
    std::string file;
    {
      const std::lock_guard lock(this->Mutex);
      file = this->Driving.modelFile;
    }
    this->Training->model({ true, QuickStatistics, true, false })->save(file);
    this->FileWarning.clear();
  }
  catch (const std::exception& e)
  {
    // The training is worth more than its file; the last one is whole.
    this->FileWarning = sentence(e);
  }
}

void Session::finish(bool stopped, bool live)
{
  const ModelInfo& info = this->Training->info();
  std::string file;
  bool keep = false, abandoned = false;
  {
    const std::lock_guard lock(this->Mutex);
    this->Now.state = stopped ? State::Stopping : State::Training;
    file = this->Driving.modelFile;
    keep = this->Driving.saveOptimizer;
    abandoned = this->Abandoned;
  }
  if (abandoned && file.empty())
  {
    this->update([](Status& s) { s.state = State::Stopped; });
    return;
  }
  const bool quick = stopped && live;
  const auto model = this->Training->model(
    { true, quick ? (abandoned ? QuickStatistics : StopStatistics) : 0, stopped || keep, stopped });
  this->publish(model);
  std::string problem;
  try
  {
    if (!file.empty())
    {
      model->save(file);
    }
  }
  catch (const std::exception& e)
  {
    problem = sentence(e);
  }
  const StepRecord record = this->status().step;
  std::string how = "Trained on " + info.device + " in " + minutes(record.seconds) + " (" +
    std::to_string(record.step) + " steps" +
    (info.priorSteps > 0 ? ", " + std::to_string(info.priorSteps) + " of them the prior's" : "");
  const auto ofPrior = std::find_if(info.history.begin(), info.history.end(),
    [](const EpochRecord& row) { return !std::isnan(row.priorLoss); });
  const auto networkEpochs = ofPrior - info.history.begin();
  if (const int best = model->info().bestEpoch; best > 0 && best < networkEpochs)
  {
    how += ", weights of epoch " + std::to_string(best) + ", the best on the held-out slab";
  }
  how += info.ending == Ending::Patience ? "); the validation loss no longer improved."
    : info.ending == Ending::Diverged    ? "); the loss diverged."
    : stopped                            ? "); stopped."
                                         : ").";
  const std::lock_guard lock(this->Mutex);
  this->Now.state = stopped ? State::Stopped : State::Finished;
  this->Now.resumable = stopped;
  this->Now.warning = info.warning;
  this->Now.secondsLeft = 0;
  this->Now.message = how;
  this->Error = problem;
}

void Session::run(const std::function<bool(const Status&)>& report)
{
  this->prepare(false);
  if (this->Training)
  {
    this->train(report, {}, false);
  }
}

void Session::launch(bool resuming)
{
  const std::lock_guard one(this->Launching);
  this->Worker.stop();
  this->Worker.wait(); // or its end would be the state of the next one
  this->update([](Status& s) { s.state = State::Preparing; });
  this->Worker.start([this, resuming](const std::stop_token& stop)
  {
    if (!resuming)
    {
      this->Training.reset(); // of an earlier start
      this->prepare(true);
    }
    else if (!this->Training)
    {
      this->Training = backend().train(this->Volumes, this->Options, this->model());
    }
    if (this->Training)
    {
      this->train({}, stop, true);
    }
  }, [this](const std::string& reason) { this->fail(reason); });
}

void Session::fail(const std::string& reason)
{
  const std::lock_guard lock(this->Mutex);
  this->Now.state = State::Failed;
  this->Now.message = this->Error = reason;
  this->Taken = false;
}

void Session::start() { this->launch(false); }

void Session::resume()
{
  if (this->status().resumable && !this->busy())
  {
    this->launch(true);
  }
}

void Session::stop()
{
  // Together: between the two the worker may end, and another begin.
  this->update([this](Status& s)
  {
    this->Worker.stop();
    s.state = s.state == State::Training ? State::Stopping : s.state;
  });
}

void Session::wait() { this->Worker.wait(); }

void Session::setModelFile(const std::string& path)
{
  bool write = false;
  std::shared_ptr<const Model> newest;
  {
    const std::lock_guard lock(this->Mutex);
    write = path != this->Driving.modelFile && !path.empty();
    this->Driving.modelFile = path;
    newest = this->Newest;
  }
  if (write && !this->busy() && newest)
  {
    newest->save(path);
  }
}

} // namespace vae
