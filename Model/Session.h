// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Background.h"
#include "Lineage.h"
#include "Status.h"

#include <mutex>

namespace vae
{

/// One training, from the first look at the data to the file: decides whether a file makes it
/// unnecessary, steps a Trainer, hands out models on the way, writes checkpoints, stops, resumes.
/// All calls but run() return at once and may come from any thread.
class Session
{
public:
  Session(std::vector<Volume> volumes, const TrainOptions& options, SessionOptions session,
    std::shared_ptr<const Model> initial = nullptr);
  Session(std::shared_ptr<const DataSet> data, const TrainOptions& options, SessionOptions session,
    std::shared_ptr<const Model> initial = nullptr);
  /// Stops; with a model file what was learned is in it.
  ~Session();

  /// Train in the caller's thread, on all cores, to the end. `report` comes after every step and
  /// says whether to continue. \throws what Backend::train throws; nothing else
  void run(const std::function<bool(const Status&)>& report);

  /// CPU threads of a training beside a window: one core is left to it, where there are more.
  static int liveThreads();
  /// Train in a thread of the session's own, on liveThreads() unless the options say otherwise.
  void start();
  void stop();   ///< ask for it: the state becomes Stopping, within about a step Stopped
  void resume(); ///< after Stopped, or Loaded where that training had not ended
  void wait();   ///< until the thread has nothing more to do
  bool busy() const;

  Status status() const;
  /// One an epoch: of the held-out slab, or else of the training.
  std::vector<double> losses() const;
  /// The newest model, null before there is one. Taking it lets the next one be made.
  std::shared_ptr<const Model> model();
  bool hasNews() const; ///< a newer model, or a failure, since model() was called
  /// What went wrong since this was last called, once; then empty.
  std::string takeError();
  void setRefreshInterval(double seconds);
  /// Of data, options and initial model, once they have been looked at; empty before.
  std::string fingerprint() const;

  /// From now on the model file is this one. If there is a model, and it is not there yet, it is
  /// written there; takeError() says what went wrong.
  /// \param overwrite see SessionOptions
  void setModelFile(const std::string& path, bool overwrite);

private:
  void prepare(bool live);
  /// The model in the model file, if there is one and a training need not replace it.
  std::shared_ptr<const Model> found(const SessionOptions& driving, const std::string& fingerprint);
  /// There is a model already; `which` in words.
  void adopt(const std::shared_ptr<const Model>& model, const std::string& which);
  /// To the model file, unless what is there now is not to be replaced. \throws saying why not
  void write(const Model& model, const SessionOptions& driving);
  void train(
    const std::function<bool(const Status&)>& report, const std::stop_token& stop, bool live);
  /// \param broken what a step has thrown; may be empty
  void finish(bool stopped, bool live, const std::function<bool(const Status&)>& report,
    const std::stop_token& stop, const std::string& broken);
  std::shared_ptr<const Model> measured(const ModelRequest& request, bool stopped,
    const std::function<bool(const Status&)>& report, const std::stop_token& stop);
  void publish(std::shared_ptr<const Model> model);
  void refresh(); ///< publish the current model
  void checkpoint();
  void launch(bool resuming);
  void fail(const std::string& reason);
  template <typename F>
  void update(F&& change);

  std::vector<Volume> Volumes; ///< until they have been looked at
  const TrainOptions Options;
  std::shared_ptr<const Model> Initial;
  // The working thread's:
  std::shared_ptr<const DataSet> Data;                                    ///< once they have
  const std::shared_ptr<Stopwatch> Watch = std::make_shared<Stopwatch>(); ///< from Apply on
  std::unique_ptr<Trainer> Training;
  std::string FileWarning; ///< why the last checkpoint or refresh failed

  std::mutex Launching;     ///< one caller at a time
  mutable std::mutex Mutex; ///< of everything below
  SessionOptions Driving;
  Status Now;
  std::shared_ptr<const Model> Newest;
  bool Taken = true;
  std::vector<double> Losses;
  std::string Error, Fingerprint;
  std::string Written;    ///< the file that holds the newest model
  bool Abandoned = false; ///< the model is no longer needed

  Background Worker;
};

} // namespace vae
