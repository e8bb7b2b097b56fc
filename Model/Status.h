// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Trainer.h"

namespace vae
{

enum class State
{
  Idle = 0,      ///< no training was requested
  Preparing = 1, ///< looks at the data, opens LibTorch
  Training = 2,
  Stopping = 3, ///< finishes its step, keeps the best model, writes the file
  Stopped = 4,  ///< can be resumed
  Finished = 5, ///< ended by itself, see ModelInfo::ending
  Loaded = 6,   ///< the file fitted; nothing was trained
  Failed = 7
};
const char* name(State state); ///< "Training"

std::string minutes(double seconds); ///< "2:05"

/// The state of a session: plain values, copied under a lock.
struct Status
{
  State state = State::Idle;
  std::string message;     ///< one sentence
  std::string warning;     ///< what is wrong and how to cure it; may be empty
  std::string dataWarning; ///< the data are not one material; see statistics::stationarity()
  StepRecord step;
  EpochRecord epoch;      ///< the last row of the history
  double secondsLeft = 0; ///< NaN if not known
  std::string device;     ///< where, and why there
  std::string likelihood; ///< which, and why
  std::int64_t parameters = 0;
  int latentChannels = 0;
  bool resumable = false;
};

/// The state of a resumed or ended training, from the end of its history.
void showHistory(Status& status, const ModelInfo& info);

/// Of a training under way, the status's message.
std::string messageOf(const StepRecord& record, const EpochRecord& row, const ModelInfo& info);

/// Of one that has ended.
std::string howItEnded(const ModelInfo& info, const StepRecord& record, bool stopped);

/// Of the time budget, which ends with the file; of Epochs, which end with the last step.
double secondsLeft(const StepRecord& record, const TrainOptions& options);

} // namespace vae
