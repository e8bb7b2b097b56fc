// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "vtkVAETrainInternals.h"

#include "vtkCommand.h"
#include "vtkDataArray.h"
#include "vtkDataArraySelection.h"
#include "vtkDataSetAttributes.h"
#include "vtkImageData.h"
#include "vtkInformation.h"
#include "vtkInformationVector.h"
#include "vtkLogger.h"
#include "vtkMultiProcessController.h"
#include "vtkNew.h"
#include "vtkObjectFactory.h"
#include "vtkStreamingDemandDrivenPipeline.h"
#include "vtkVAEBridge.h"
#include "vtkVAEForecast.h"
#include "vtkVAEModel.h"

#include <vtksys/SystemTools.hxx>

#include "Backend.h"
#include "Check.h"
#include "Plan.h"
#include "TimePlan.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <format>
#include <utility>

vtkStandardNewMacro(vtkVAETrain);

namespace
{
// Of the LiveSource hint in Plugin/VAETrain.xml.
constexpr double PollInterval = 0.5;
// A window whose views take a second to follow is given a model every five seconds at most.
constexpr double RefreshShare = 0.2;

double Since(std::chrono::steady_clock::time_point t)
{
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - t).count();
}
}

//----------------------------------------------------------------------------
vtkVAETrain::vtkVAETrain() : Internal(std::make_unique<Internals>())
{
  this->SetNumberOfInputPorts(2);
  this->SetInputArrayToProcess(
    0, 0, 0, vtkDataObject::FIELD_ASSOCIATION_POINTS_THEN_CELLS, vtkDataSetAttributes::SCALARS);
  this->Internal->AdditionalArrays->SetUnknownArraySetting(0);
  this->Internal->AdditionalArrays->AddObserver(
    vtkCommand::ModifiedEvent, this, &vtkVAETrain::Modified);
}

vtkVAETrain::~vtkVAETrain() = default;

//----------------------------------------------------------------------------
void vtkVAETrain::PrintSelf(ostream& os, vtkIndent indent)
{
  this->Superclass::PrintSelf(os, indent);
  os << indent << "Execution: " << this->GetExecution() << "\n";
  os << indent << "AllTimeSteps: " << this->AllTimeSteps << "\n";
  os << indent << "TimeStepRange: " << this->TimeStepRange[0] << " " << this->TimeStepRange[1]
     << "\n";
  os << indent << "ModelFile: " << this->GetModelFile() << "\n";
  os << indent << "OverwriteModelFile: " << this->GetOverwriteModelFile() << "\n";
  os << indent << "State: " << this->GetState() << "\n";
  os << indent << "Status: " << this->GetStatus() << "\n";
}

//----------------------------------------------------------------------------
vtkDataArraySelection* vtkVAETrain::GetAdditionalArrays()
{
  return this->Internal->AdditionalArrays;
}

//----------------------------------------------------------------------------
// Properties are the fields of vae::TrainOptions and vae::SessionOptions.
#define vtkVAEStringOptionMacro(Name, field)                                                       \
  void vtkVAETrain::Set##Name(const char* value)                                                   \
  {                                                                                                \
    if (this->Internal->field != (value ? value : ""))                                             \
    {                                                                                              \
      this->Internal->field = value ? value : "";                                                  \
      this->Modified();                                                                            \
    }                                                                                              \
  }                                                                                                \
  const char* vtkVAETrain::Get##Name() { return this->Internal->field.c_str(); }

// clang-format off
vtkVAEOptionMacro(vtkVAETrain, TimeBudget, double, Options.timeBudget);
vtkVAEOptionMacro(vtkVAETrain, Epochs, int, Options.epochs);
vtkVAEOptionMacro(vtkVAETrain, PriorShare, double, Options.priorShare);
vtkVAEOptionMacro(vtkVAETrain, Patience, int, Options.patience);
vtkVAEOptionMacro(vtkVAETrain, BestBy, int, Options.bestBy);
vtkVAEOptionMacro(vtkVAETrain, StepsPerEpoch, int, Options.stepsPerEpoch);
vtkVAEOptionMacro(vtkVAETrain, ValidationFraction, double, Options.validationFraction);
vtkVAEOptionMacro(vtkVAETrain, ClassBalance, double, Options.classBalance);
vtkVAEOptionMacro(vtkVAETrain, Likelihood, int, Options.likelihood);
vtkVAEOptionMacro(vtkVAETrain, LikelihoodScale, int, Options.scale);
vtkVAEOptionMacro(vtkVAETrain, FixedScale, double, Options.fixedScale);
vtkVAEOptionMacro(vtkVAETrain, KLSchedule, int, Options.klSchedule);
vtkVAEOptionMacro(vtkVAETrain, KLRamp, double, Options.klRamp);
vtkVAEOptionMacro(vtkVAETrain, KLCycles, int, Options.klCycles);
vtkVAEOptionMacro(vtkVAETrain, FreeBits, double, Options.freeBits);
vtkVAEOptionMacro(vtkVAETrain, Network, int, Options.network.architecture);
vtkVAEOptionMacro(vtkVAETrain, LatentStride, int, Options.network.latentStride);
vtkVAEOptionMacro(vtkVAETrain, BlockSize, int, Options.network.blockSize);
vtkVAEOptionMacro(vtkVAETrain, HiddenUnits, int, Options.network.hiddenUnits);
vtkVAEOptionMacro(vtkVAETrain, AllowTorchScript, bool, Options.allowTorchScript);
vtkVAEOptionMacro(vtkVAETrain, LatentChannels, int, Options.network.latentChannels);
vtkVAEOptionMacro(vtkVAETrain, Width, int, Options.network.width);
vtkVAEOptionMacro(vtkVAETrain, Blocks, int, Options.network.blocks);
vtkVAEOptionMacro(vtkVAETrain, PatchSize, int, Options.patchSize);
vtkVAEOptionMacro(vtkVAETrain, BatchSize, int, Options.batchSize);
vtkVAEOptionMacro(vtkVAETrain, LearningRate, double, Options.learningRate);
vtkVAEOptionMacro(vtkVAETrain, Symmetry, int, Options.symmetry);
vtkVAEOptionMacro(vtkVAETrain, StartFrom, int, Options.startFrom);
vtkVAEOptionMacro(vtkVAETrain, Seed, int, Options.seed);
vtkVAEOptionMacro(vtkVAETrain, Precision, int, Options.precision);
vtkVAEOptionMacro(vtkVAETrain, Threads, int, Options.threads);
vtkVAEOptionMacro(vtkVAETrain, AlwaysTrain, bool, Driving.alwaysTrain);
vtkVAEOptionMacro(vtkVAETrain, OverwriteModelFile, bool, Driving.overwrite);
vtkVAEOptionMacro(vtkVAETrain, CheckpointInterval, double, Driving.checkpointInterval);
vtkVAEOptionMacro(vtkVAETrain, RefreshInterval, double, Driving.refreshInterval);
vtkVAEOptionMacro(vtkVAETrain, Execution, int, Driving.execution);
vtkVAEOptionMacro(vtkVAETrain, SaveOptimizer, bool, Driving.saveOptimizer);
vtkVAEStringOptionMacro(Objective, Options.objective)
vtkVAEStringOptionMacro(EncoderFile, Options.network.encoderFile)
vtkVAEStringOptionMacro(DecoderFile, Options.network.decoderFile)
vtkVAEStringOptionMacro(Device, Options.device)
vtkVAEStringOptionMacro(ModelFile, Driving.modelFile)

  // clang-format on

  //----------------------------------------------------------------------------
  void vtkVAETrain::SetQuality(int quality)
{
  this->Internal->Chosen.quality = static_cast<vae::Quality>(quality);
  vae::apply({ this->Internal->Chosen.quality, vae::Purpose::Custom }, this->Internal->Options);
  this->Modified();
}

int vtkVAETrain::GetQuality()
{
  return static_cast<int>(vae::presetsOf(this->Internal->Options).quality);
}

void vtkVAETrain::SetPurpose(int purpose)
{
  this->Internal->Chosen.purpose = static_cast<vae::Purpose>(purpose);
  vae::apply({ vae::Quality::Custom, this->Internal->Chosen.purpose }, this->Internal->Options);
  this->Modified();
}

int vtkVAETrain::GetPurpose()
{
  return static_cast<int>(vae::presetsOf(this->Internal->Options).purpose);
}

//----------------------------------------------------------------------------
void vtkVAETrain::SetObjectiveParameter(const char* name, double value)
{
  auto& all = this->Internal->Options.parameters;
  const auto found = all.find(name);
  if (found == all.end() || found->second != value)
  {
    all[name] = value;
    this->Modified();
  }
}

double vtkVAETrain::GetObjectiveParameter(const char* name)
{
  const auto& all = this->Internal->Options.parameters;
  const auto found = all.find(name);
  return found == all.end() ? std::nan("") : found->second;
}

//----------------------------------------------------------------------------
void vtkVAETrain::Train()
{
  this->Internal->Again = true;
  this->Modified();
}

//----------------------------------------------------------------------------
void vtkVAETrain::Stop()
{
  if (this->Internal->Session)
  {
    this->Internal->Session->stop();
  }
}

//----------------------------------------------------------------------------
void vtkVAETrain::Resume()
{
  if (this->Internal->Session)
  {
    this->Internal->Session->resume();
  }
}

//----------------------------------------------------------------------------
void vtkVAETrain::Wait()
{
  if (this->Internal->Session)
  {
    this->Internal->Session->wait();
    this->GetNeedsUpdate();
  }
}

//----------------------------------------------------------------------------
bool vtkVAETrain::GetNeedsUpdate()
{
  Internals& in = *this->Internal;
  in.Polled = true;
  if (!in.Session)
  {
    return false;
  }
  if (in.Measuring)
  {
    in.Measuring = false;
    const double cost = Since(in.Delivered) - PollInterval;
    in.Session->setRefreshInterval(std::max(in.Driving.refreshInterval, cost / RefreshShare));
  }
  if (!in.Session->hasNews())
  {
    return false;
  }
  this->Modified();
  in.Refreshed = this->GetMTime();
  return true;
}

//----------------------------------------------------------------------------
int vtkVAETrain::FillInputPortInformation(int port, vtkInformation* info)
{
  if (port == 0)
  {
    // Composite data as a whole: its images are trained on together, not one by one.
    info->Set(vtkAlgorithm::INPUT_REQUIRED_DATA_TYPE(), "vtkImageData");
    info->Append(vtkAlgorithm::INPUT_REQUIRED_DATA_TYPE(), "vtkCompositeDataSet");
  }
  else
  {
    info->Set(vtkAlgorithm::INPUT_REQUIRED_DATA_TYPE(), "vtkTable");
    info->Set(vtkAlgorithm::INPUT_IS_OPTIONAL(), 1);
  }
  return 1;
}

//----------------------------------------------------------------------------
vtkTypeBool vtkVAETrain::ProcessRequest(
  vtkInformation* request, vtkInformationVector** inputVector, vtkInformationVector* outputVector)
{
  Internals& in = *this->Internal;
  const auto check = [&in]
  {
    vae::check(in.Options);
    vae::check(in.Chosen);
    vae::check(in.Driving);
  };
  return vtkVAEBridge::Refused(this, request, outputVector, check, in.Told)
    ? 0
    : this->Superclass::ProcessRequest(request, inputVector, outputVector);
}

//----------------------------------------------------------------------------
int vtkVAETrain::RequestInformation(
  vtkInformation*, vtkInformationVector** inputVector, vtkInformationVector* outputVector)
{
  vtkInformation* in = inputVector[0]->GetInformationObject(0);
  std::vector<double>& steps = this->Internal->TimeSteps;
  steps.clear();
  if (in->Has(vtkStreamingDemandDrivenPipeline::TIME_STEPS()))
  {
    const double* values = in->Get(vtkStreamingDemandDrivenPipeline::TIME_STEPS());
    steps.assign(values, values + in->Length(vtkStreamingDemandDrivenPipeline::TIME_STEPS()));
    const int last = static_cast<int>(steps.size()) - 1;
    const int* range = this->TimeStepRange;
    if (!this->AllTimeSteps && !(range[0] >= 0 && range[0] <= range[1] && range[1] <= last))
    {
      vtkErrorMacro(<< "Time Step Range is " << range[0] << " to " << range[1]
                    << "; the input's time steps are 0 to " << last
                    << ", and the first must not be above the last");
      return 0;
    }
    if (!this->AllTimeSteps)
    {
      steps = std::vector<double>(steps.begin() + range[0], steps.begin() + range[1] + 1);
    }
  }
  // One model of all steps: moving the time slider trains nothing.
  vtkInformation* out = outputVector->GetInformationObject(0);
  out->Remove(vtkStreamingDemandDrivenPipeline::TIME_STEPS());
  out->Remove(vtkStreamingDemandDrivenPipeline::TIME_RANGE());

  vae::ModelInfo expected;
  expected.network = this->Internal->Options.network;
  if (in->Has(vtkStreamingDemandDrivenPipeline::WHOLE_EXTENT())) // not of a multi-block
  {
    vtkInformation* array = this->GetInputArrayInformation(0);
    expected.cellData = array->Has(vtkDataObject::FIELD_ASSOCIATION()) &&
      array->Get(vtkDataObject::FIELD_ASSOCIATION()) == vtkDataObject::FIELD_ASSOCIATION_CELLS;
    const auto grid = vtkVAELatentImage::Grid::Of(in, expected.cellData);
    expected.spacing = grid.Spacing;
    expected.trainingDims = grid.Dims();
    const auto axes = std::count_if(expected.trainingDims.begin(), expected.trainingDims.end(),
      [](std::int64_t n) { return n > 1; });
    expected.network.dimensions = axes == 2 ? 2 : 3;
  }
  vtkVAEForecast::Tell(out, expected);
  return 1;
}

//----------------------------------------------------------------------------
int vtkVAETrain::RequestUpdateExtent(
  vtkInformation*, vtkInformationVector** inputVector, vtkInformationVector*)
{
  Internals& in = *this->Internal;
  vtkInformation* info = inputVector[0]->GetInformationObject(0);
  vtkVAEBridge::RequestWholeExtent(info);
  if (!in.TimeSteps.empty())
  {
    // Only a newer model is asked for: the input stays where the last look has left it.
    const bool refresh = this->GetMTime() == in.Refreshed;
    const std::size_t index = refresh ? in.TimeSteps.size() - 1 : in.TimeIndex;
    info->Set(vtkStreamingDemandDrivenPipeline::UPDATE_TIME_STEP(), in.TimeSteps[index]);
  }
  return 1;
}

namespace
{

/// The second array to process, empty if none was chosen.
std::string MaskName(vtkAlgorithm* self)
{
  vtkInformation* info = self->GetInputArrayInformation(1);
  const char* name =
    info->Has(vtkDataObject::FIELD_NAME()) ? info->Get(vtkDataObject::FIELD_NAME()) : nullptr;
  return name && std::string(name) != "None" ? name : "";
}

} // namespace

//----------------------------------------------------------------------------
bool vtkVAETrain::Internals::IsSame(const Key& key, const std::vector<vae::Volume>& volumes,
  const std::shared_ptr<const vae::Model>& initial, std::shared_ptr<const vae::DataSet>& data) const
{
  if (!this->Session || this->Session->status().state == vae::State::Failed)
  {
    return false;
  }
  if (key == this->Started)
  {
    return true;
  }
  data = std::make_shared<const vae::DataSet>(volumes);
  const vae::TrainingStart start =
    vae::backend().startOf(data, this->Options, initial, this->Driving.alwaysTrain);
  return this->Session->fingerprint() == start.fingerprint;
}

//----------------------------------------------------------------------------
void vtkVAETrain::Internals::Run(vtkVAETrain* self)
{
  auto lastReport = std::chrono::steady_clock::now() - std::chrono::hours(1);
  this->Session->run([&](const vae::Status& s)
  {
    if (Since(lastReport) > 0.25)
    {
      lastReport = std::chrono::steady_clock::now();
      const std::string text = s.step.finished
        ? s.message
        : std::format("VAE Train: epoch {}, {} {:.4f}, {:.1f} million voxels/s, {} left",
            s.step.epoch, s.step.prior ? "loss of the prior" : "loss", s.step.loss,
            s.step.voxelsPerSecond / 1e6, vae::minutes(s.secondsLeft));
      self->SetProgressText(text.c_str());
      self->UpdateProgress(0.97 * s.step.progress);
    }
    return !self->CheckAbort();
  });
}

//----------------------------------------------------------------------------
int vtkVAETrain::RequestData(
  vtkInformation* request, vtkInformationVector** inputVector, vtkInformationVector* outputVector)
{
  Internals& in = *this->Internal;
  vtkVAEModel* output = vtkVAEModel::GetData(outputVector);
  auto controller = vtkMultiProcessController::GetGlobalController();
  if (controller && controller->GetNumberOfProcesses() > 1)
  {
    vtkErrorMacro(<< "VAE Train runs on one process; this server has "
                  << controller->GetNumberOfProcesses() << ". Start the server with one process.");
    return 0;
  }
  const bool refresh = in.Session && this->GetMTime() == in.Refreshed;
  const auto restart = [&in]()
  {
    in.TimeIndex = 0;
    in.Volumes.clear();
    in.Looked = {};
  };
  try
  {
    // Every time step is looked at once; then the training begins.
    vtkVAETrainingInput::Choice choice;
    choice.Algorithm = this;
    choice.Scalars = [this](vtkImageData* image) { return this->GetInputArrayToProcess(0, image); };
    choice.Additional = in.AdditionalArrays;
    choice.MaskName = MaskName(this);
    vtkVAETrainingInput::Look(
      choice, vtkDataObject::GetData(inputVector[0]), in.Volumes, in.Looked.second);
    const vtkVAETrainingInput::Arrays &looked = in.Looked.second, &started = in.Started.second;
    if (refresh && looked.size() <= started.size() && // this was the last time step
      std::equal(looked.rbegin(), looked.rend(), started.rbegin()))
    {
      restart();
      return this->Deliver(output);
    }
    if (in.TimeIndex + 1 < in.TimeSteps.size())
    {
      in.TimeIndex = refresh ? 0 : in.TimeIndex + 1;
      in.Refreshed = 0;
      request->Set(vtkStreamingDemandDrivenPipeline::CONTINUE_EXECUTING(), 1);
      return 1;
    }
    request->Remove(vtkStreamingDemandDrivenPipeline::CONTINUE_EXECUTING());
    std::vector<vae::Volume> volumes = std::move(in.Volumes);
    Internals::Key key = std::move(in.Looked);
    restart();

    std::shared_ptr<const vae::Model> initial;
    if (vtkDataObject* from = vtkDataObject::GetData(inputVector[1]))
    {
      vtkVAEBridge::ModelOf(from); // tells what is wrong with it
      initial = vtkVAEModel::SafeDownCast(from)->GetModel();
    }
    key.first = vae::toText(in.Options) + (initial ? initial->info().fingerprint : "");
    const std::string& file = in.Driving.modelFile;
    if (!file.empty() &&
      !vtksys::SystemTools::FileIsDirectory(
        vtksys::SystemTools::GetFilenamePath(vtksys::SystemTools::CollapseFullPath(file))))
    {
      throw std::invalid_argument("Model File is '" + file + "', but its folder does not exist");
    }

    const bool again = std::exchange(in.Again, false);
    std::shared_ptr<const vae::DataSet> data;
    const bool same = !again && in.IsSame(key, volumes, initial, data);
    in.Started = key;
    if (same)
    {
      in.Session->setRefreshInterval(in.Driving.refreshInterval);
      in.Session->setModelFile(file, in.Driving.overwrite); // it may have been named only now
      return this->Deliver(output);
    }

    vae::SessionOptions driving = in.Driving;
    driving.alwaysTrain = driving.alwaysTrain || again;
    in.Session.reset(); // stops what is under way
    in.Measurement.stop();
    in.Session = data
      ? std::make_unique<vae::Session>(data, in.Options, driving, initial)
      : std::make_unique<vae::Session>(std::move(volumes), in.Options, driving, initial);
    if (driving.execution == vae::Execution::Live ||
      (driving.execution == vae::Execution::Automatic && in.Polled))
    {
      in.Session->start();
      return this->Deliver(output);
    }
    in.Run(this);
    vtkLogF(INFO, "VAE Train: %s", this->GetStatus().c_str());
    if (const std::string varies = in.Session->status().dataWarning; !varies.empty())
    {
      vtkWarningMacro(<< varies);
    }
    this->UpdateProgress(1);
    return this->Deliver(output);
  }
  catch (const vtkVAEBridge::Pending&)
  {
    restart();
    output->SetPending(true);
    return 1;
  }
  catch (...)
  {
    restart();
    request->Remove(vtkStreamingDemandDrivenPipeline::CONTINUE_EXECUTING());
    if (in.Session && in.Session->status().state == vae::State::Preparing)
    {
      in.Session.reset(); // a blocking one that was refused
    }
    try
    {
      throw;
    }
    vtkVAECatchMacro
  }
}

//----------------------------------------------------------------------------
int vtkVAETrain::Deliver(vtkVAEModel* output)
{
  Internals& in = *this->Internal;
  const auto model = in.Session->model();
  in.Delivered = std::chrono::steady_clock::now();
  in.Measuring = in.Polled && model && in.Session->busy();
  if (model)
  {
    output->SetModel(model);
  }
  else
  {
    output->SetPending(in.Session->busy());
  }
  const std::string error = in.Session->takeError();
  if (!error.empty())
  {
    vtkErrorMacro(<< vtkVAEBridge::FirstLine(error));
    return model ? 1 : 0;
  }
  return 1;
}
