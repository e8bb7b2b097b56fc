// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
//
// What the panel of VAE Train shows: where a training stands, and what one would do.
#include "vtkVAETrainInternals.h"

#include "Backend.h"
#include "Plan.h"
#include "TimePlan.h"

#include <algorithm>
#include <cmath>
#include <format>

// clang-format off
#define vtkVAEStatusMacro(Name, Type, value)                                                       \
  Type vtkVAETrain::Get##Name()                                                                    \
  {                                                                                                \
    const vae::Status s = this->Internal->Status();                                                \
    return static_cast<Type>(value);                                                               \
  }
vtkVAEStatusMacro(Status, std::string, s.message)
vtkVAEStatusMacro(Warning, std::string,
  s.warning + (s.warning.empty() || s.dataWarning.empty() ? "" : " ") + s.dataWarning)
vtkVAEStatusMacro(State, std::string, vae::name(s.state))
vtkVAEStatusMacro(CurrentEpoch, int, s.step.epoch)
vtkVAEStatusMacro(CurrentStep, int, s.step.step)
vtkVAEStatusMacro(TrainingProgress, double, s.step.progress)
vtkVAEStatusMacro(TrainingLoss, double, s.epoch.loss)
vtkVAEStatusMacro(ReconstructionLoss, double, s.epoch.reconstruction)
vtkVAEStatusMacro(KLDivergence, double, s.epoch.kl)
vtkVAEStatusMacro(ValidationLoss, double, s.epoch.validationLoss)
vtkVAEStatusMacro(VoxelsPerSecond, double, s.epoch.voxelsPerSecond)
vtkVAEStatusMacro(TimeLeft, double, s.secondsLeft)
vtkVAEStatusMacro(ActiveLatents, int, s.epoch.activeLatents)
vtkVAEStatusMacro(DeviceInUse, std::string, s.device)
vtkVAEStatusMacro(LikelihoodInUse, std::string, s.likelihood)
vtkVAEStatusMacro(Resumable, bool, s.resumable)
  // clang-format on

  //----------------------------------------------------------------------------
  std::string vtkVAETrain::GetLossHistory()
{
  const std::vector<double> all =
    this->Internal->Session ? this->Internal->Session->losses() : std::vector<double>();
  constexpr std::size_t most = 120;
  const std::size_t count = std::min(all.size(), most);
  std::string text;
  for (std::size_t i = 0; i < count; ++i)
  {
    text += std::format("{:.5g} ", all[(i + 1) * all.size() / count - 1]);
  }
  return text;
}

//----------------------------------------------------------------------------
void vtkVAETrain::MeasureDevice()
{
  Internals& in = *this->Internal;
  if (in.DeviceSpeed != 0 || (in.Session && in.Session->busy()))
  {
    return;
  }
  in.Measurement.start([&in, options = in.Options](const std::stop_token& stop)
  {
    const int threads = options.threads > 0 ? options.threads : vae::Session::liveThreads();
    in.DeviceSpeed =
      vae::backend().measureSpeed(options.device, options.precision, threads, { {}, stop });
  }, [&in](const std::string&) { in.DeviceSpeed = std::nan(""); }); // training will say why
}

double vtkVAETrain::GetDeviceSpeed() { return this->Internal->DeviceSpeed; }

//----------------------------------------------------------------------------
int vtkVAETrain::GetParameters()
{
  const std::int64_t count = vae::planOf(this->Internal->Planned(this)).parameters;
  return static_cast<int>(std::min<std::int64_t>(count, VTK_INT_MAX));
}

int vtkVAETrain::GetReceptiveField()
{
  return vae::planOf(this->Internal->Planned(this)).receptiveField;
}

double vtkVAETrain::GetExpectedMemory()
{
  const vae::Plan plan = vae::planOf(this->Internal->Planned(this));
  return (plan.modelMemory + plan.batchMemory) / 1048576;
}

std::string vtkVAETrain::GetPlan()
{
  return vae::describe(
    this->Internal->Planned(this), this->Internal->Dims(this), this->Internal->DeviceSpeed);
}

std::string vtkVAETrain::DescribePlan(int network, int latentChannels, int latentStride, int width,
  int blocks, int blockSize, int hiddenUnits, int patchSize, int batchSize, double timeBudget,
  double priorShare)
{
  vae::TrainOptions options = this->Internal->Planned(this);
  options.network.architecture = static_cast<vae::Architecture>(network);
  options.network.latentChannels = latentChannels;
  options.network.latentStride = latentStride;
  options.network.blockSize = blockSize;
  options.network.hiddenUnits = hiddenUnits;
  options.network.width = width;
  options.network.blocks = blocks;
  options.patchSize = patchSize;
  options.batchSize = batchSize;
  options.timeBudget = timeBudget;
  options.priorShare = priorShare;
  return vae::describe(options, this->Internal->Dims(this), this->Internal->DeviceSpeed);
}
