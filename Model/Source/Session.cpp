// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Session.h"

#include "Backend.h"
#include "Memory.h"
#include "Statistics/Stationarity.h"

#include <algorithm>
#include <chrono>
#include <cmath>
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

/// The model is worth more than its file.
std::string notWritten(const std::exception& why)
{
  return "The model is trained, but it was not written. " + sentence(why);
}

double lossOf(const EpochRecord& row)
{
  return std::isnan(row.validationLoss) ? row.loss : row.validationLoss;
}

} // namespace

Session::Session(std::vector<Volume> volumes, const TrainOptions& options, SessionOptions session,
  std::shared_ptr<const Model> initial)
  : Volumes(std::move(volumes))
  , Options(options)
  , Initial(std::move(initial))
  , Driving(std::move(session))
{
}

Session::Session(std::shared_ptr<const DataSet> data, const TrainOptions& options,
  SessionOptions session, std::shared_ptr<const Model> initial)
  : Session(std::vector<Volume>(), options, std::move(session), std::move(initial))
{
  this->Data = std::move(data);
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
  this->Written.clear();
  this->Taken = false;
}

std::shared_ptr<const Model> Session::found(
  const SessionOptions& driving, const std::string& fingerprint)
{
  std::shared_ptr<const Model> model;
  const auto load = [&](const std::string& file)
  {
    model = backend().load(file, { this->Options.allowTorchScript });
    return model->info();
  };
  try
  {
    checkReplaceable(driving.modelFile, *this->Data, load);
  }
  catch (const std::invalid_argument&)
  {
    if (!driving.overwrite)
    {
      throw;
    }
  }
  const bool fits = model && model->info().fingerprint == fingerprint;
  return fits && !driving.alwaysTrain ? model : nullptr;
}

void Session::adopt(const std::shared_ptr<const Model>& model, const std::string& which)
{
  this->Watch->stop();
  this->publish(model);
  this->update([&](Status& s)
  {
    const ModelInfo& info = model->info();
    s.state = State::Loaded;
    s.resumable = info.ending == Ending::None || info.ending == Ending::Stopped;
    s.epoch = {};
    s.step = {};
    showHistory(s, info);
    s.warning = info.warning;
    s.message = which +
      " was trained on the same data with the same settings, so it was not trained again." +
      (s.resumable ? " That training had not ended; Resume continues it." : "");
    s.message += info.verdict.judged() ? " " + verdictInWords(info) : "";
  });
}

void Session::write(const Model& model, const SessionOptions& driving)
{
  const std::string& file = driving.modelFile;
  model.save(file, [&]
  {
    if (!driving.overwrite)
    {
      checkReplaceable(file, *this->Data);
    }
  });
  const std::lock_guard lock(this->Mutex);
  this->Written = file;
}

void Session::prepare(bool live)
{
  this->Watch->start();
  this->update([](Status& s)
  {
    s.state = State::Preparing;
    s.message = "Reading the data.";
  });
  Backend& door = backend();

  door.complete(this->Options); // says what is wrong with them before the data are read
  if (!this->Data)
  {
    this->Data = std::make_shared<const DataSet>(std::move(this->Volumes));
  }
  SessionOptions driving;
  {
    const std::lock_guard lock(this->Mutex);
    driving = this->Driving;
  }
  TrainingStart start = door.startOf(this->Data, this->Options, this->Initial, driving.alwaysTrain);
  {
    const std::lock_guard lock(this->Mutex);
    this->Fingerprint = start.fingerprint;
  }
  const std::string& file = driving.modelFile;
  const auto model = file.empty() ? nullptr : this->found(driving, start.fingerprint);
  if (model && (live || model->info().ending != Ending::None))
  {
    this->adopt(model, "Loaded from " + file + ": it");
    const std::lock_guard lock(this->Mutex);
    this->Written = file;
    return;
  }
  if (model)
  {
    start = door.startOf(this->Data, this->Options, model, false); // an ended script goes on there
  }
  if (start.over)
  {
    this->adopt(start.initial, "Initial Model");
    this->setModelFile(file, driving.overwrite);
    return;
  }
  this->Training = door.train(start);
  const std::string varies = statistics::stationarityWarning(
    this->Data->volumes, this->Data->summaries, statistics::Work(this->Options.threads));
  this->update([&](Status& s) { s.dataWarning = varies; });
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
  this->Watch->start();
  this->Training->setWatch(this->Watch);
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
  // Models on the way take a tenth of the time at most.
  constexpr double rest = 9;
  auto refreshed = Clock::now(), written = Clock::now();
  double refreshing = 0; // seconds that the last one took
  bool goesOn = info().ending == Ending::None;
  StepRecord record = this->status().step;
  record.finished = false;
  std::string problem;
  while (goesOn && !stop.stop_requested())
  {
    try
    {
      record = this->Training->step();
    }
    catch (const std::exception& e)
    {
      if (info().history.empty())
      {
        throw;
      }
      // As if stopped: what has been learned is worth more than the steps that are left. About too
      // little memory the trainer warns by itself.
      problem = dynamic_cast<const OutOfMemory*>(&e) ? "" : sentence(e);
      break;
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
      if (this->Now.state == State::Training)
      {
        this->Now.message = messageOf(record, row, info());
      }
      this->Now.warning = info().warning.empty() ? this->FileWarning : info().warning;
      this->Now.secondsLeft = secondsLeft(record, this->Options);
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
      (!this->Newest || since(refreshed) >= std::max(driving.refreshInterval, rest * refreshing)))
    {
      const auto begin = Clock::now();
      this->refresh();
      refreshed = Clock::now();
      refreshing = since(begin);
    }
    if (!driving.modelFile.empty() && driving.checkpointInterval > 0 &&
      (record.networkEnded || (record.epochEnded && since(written) >= driving.checkpointInterval)))
    {
      this->checkpoint();
      written = Clock::now();
    }
  }
  this->finish(!record.finished && info().ending == Ending::None, live, report, stop, problem);
}

void Session::refresh()
{
  try
  {
    this->publish(this->Training->model({ .best = false, .statisticsVoxels = QuickStatistics }));
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
  const auto begin = Clock::now();
  try
  {
    SessionOptions driving;
    {
      const std::lock_guard lock(this->Mutex);
      driving = this->Driving;
    }
    this->write(
      *this->Training->model({ .statisticsVoxels = QuickStatistics, .trainingState = true }),
      driving);
    this->FileWarning.clear();
  }
  catch (const std::exception& e)
  {
    // The training is worth more than its file; the last one is whole.
    this->FileWarning = sentence(e);
  }
  this->Training->keepFree(since(begin)); // as long as the last one will take
}

std::shared_ptr<const Model> Session::measured(const ModelRequest& request, bool stopped,
  const std::function<bool(const Status&)>& report, const std::stop_token& stop)
{
  std::stop_source end; // of the measurements, by the caller
  std::exception_ptr thrown;
  const std::stop_callback other(stop, [&end] { end.request_stop(); });
  Monitor monitor;
  if (!stopped)
  {
    monitor.stop = end.get_token();
    const double begin = this->Watch->seconds(), before = this->status().step.seconds;
    monitor.progress = [&, begin, before](double)
    {
      Status now;
      this->update([&](Status& s)
      {
        s.step.seconds = before + this->Watch->seconds() - begin;
        s.secondsLeft = secondsLeft(s.step, this->Options);
        now = s;
      });
      try
      {
        if (report && !report(now))
        {
          end.request_stop();
        }
      }
      catch (...) // not a measurement's, which would be given up
      {
        thrown = std::current_exception();
        end.request_stop();
      }
    };
  }
  const auto model = this->Training->model(request, monitor);
  if (thrown)
  {
    std::rethrow_exception(thrown);
  }
  return model;
}

void Session::finish(bool stopped, bool live, const std::function<bool(const Status&)>& report,
  const std::stop_token& stop, const std::string& broken)
{
  const ModelInfo& info = this->Training->info();
  SessionOptions driving;
  bool abandoned = false;
  {
    const std::lock_guard lock(this->Mutex);
    this->Now.state = stopped ? State::Stopping : State::Training;
    this->Now.step.finished = !stopped;
    this->Now.step.epochEnded = false;
    this->Now.message = "Measuring what VAE Generate and VAE Reconstruct need.";
    driving = this->Driving;
    abandoned = this->Abandoned;
  }
  const bool named = !driving.modelFile.empty();
  if (abandoned && !named)
  {
    this->update([](Status& s) { s.state = State::Stopped; });
    return;
  }
  const bool keepState = stopped || driving.saveOptimizer;
  // What was learned is safe before anything is measured.
  std::shared_ptr<const Model> model = this->Training->model(
    { .statisticsVoxels = ModelRequest::Nothing, .trainingState = keepState, .stopped = stopped });
  std::string problem = broken;
  if (!stopped && named)
  {
    this->checkpoint();
  }
  const bool quick = stopped && live;
  try
  {
    model = this->measured(
      { .statisticsVoxels = quick ? (abandoned ? QuickStatistics : StopStatistics) : 0,
        .trainingState = keepState,
        .stopped = stopped },
      stopped, report, stop);
  }
  catch (const std::exception& e)
  {
    problem += (problem.empty() ? "" : "; ") + sentence(e);
  }
  this->publish(model);
  {
    const std::lock_guard lock(this->Mutex);
    driving = this->Driving; // it may have another name by now
  }
  try
  {
    if (!driving.modelFile.empty())
    {
      this->write(*model, driving);
    }
  }
  catch (const std::exception& e)
  {
    problem = notWritten(e) + (problem.empty() ? "" : " " + problem);
  }
  this->Watch->stop();
  const std::string how = howItEnded(model->info(), this->status().step, stopped);
  const std::string warning = info.warning;
  if (!broken.empty())
  {
    this->Training.reset(); // in the middle of a step: Resume continues from the model
  }
  const std::lock_guard lock(this->Mutex);
  this->Now.state = stopped ? State::Stopped : State::Finished;
  this->Now.resumable = stopped;
  this->Now.warning = warning;
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
      this->Training =
        backend().train(backend().startOf(this->Data, this->Options, this->model(), false));
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

void Session::setModelFile(const std::string& path, bool overwrite)
{
  SessionOptions driving;
  std::shared_ptr<const Model> unwritten;
  {
    const std::lock_guard lock(this->Mutex);
    this->Driving.modelFile = path;
    this->Driving.overwrite = overwrite;
    driving = this->Driving;
    unwritten = path.empty() || path == this->Written ? nullptr : this->Newest;
  }
  if (unwritten && !this->busy())
  {
    try
    {
      this->write(*unwritten, driving);
    }
    catch (const std::exception& e)
    {
      const std::lock_guard lock(this->Mutex);
      this->Error = notWritten(e);
    }
  }
}

} // namespace vae
