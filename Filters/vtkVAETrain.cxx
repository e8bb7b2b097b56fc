// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "vtkVAETrain.h"

#include "vtkCellData.h"
#include "vtkCommand.h"
#include "vtkDataArray.h"
#include "vtkDataArraySelection.h"
#include "vtkImageData.h"
#include "vtkInformation.h"
#include "vtkInformationVector.h"
#include "vtkLogger.h"
#include "vtkMultiProcessController.h"
#include "vtkNew.h"
#include "vtkObjectFactory.h"
#include "vtkPointData.h"
#include "vtkStreamingDemandDrivenPipeline.h"
#include "vtkVAEBridge.h"
#include "vtkVAEModel.h"

#include <vtksys/SystemTools.hxx>

#include <chrono>
#include <cstdio>

vtkStandardNewMacro(vtkVAETrain);

//----------------------------------------------------------------------------
struct vtkVAETrain::Internals
{
  vae::TrainOptions Options;
  vtkNew<vtkDataArraySelection> AdditionalArrays;
  std::shared_ptr<const vae::Model> Model; // the last one, for re-executions that change nothing
  std::string SavedTo;                     // the file that holds it
};

//----------------------------------------------------------------------------
vtkVAETrain::vtkVAETrain() : Internal(std::make_unique<Internals>())
{
  this->SetNumberOfInputPorts(1);
  this->SetInputArrayToProcess(
    0, 0, 0, vtkDataObject::FIELD_ASSOCIATION_POINTS_THEN_CELLS, vtkDataSetAttributes::SCALARS);
  this->Internal->AdditionalArrays->SetUnknownArraySetting(0);
  this->Internal->AdditionalArrays->AddObserver(
    vtkCommand::ModifiedEvent, this, &vtkVAETrain::Modified);
}

vtkVAETrain::~vtkVAETrain() { this->SetModelFile(nullptr); }

//----------------------------------------------------------------------------
void vtkVAETrain::PrintSelf(ostream& os, vtkIndent indent)
{
  this->Superclass::PrintSelf(os, indent);
  os << indent << "ModelFile: " << (this->ModelFile ? this->ModelFile : "(none)") << "\n";
  os << indent << "AlwaysTrain: " << this->AlwaysTrain << "\n";
  os << indent << "Status: " << this->Status << "\n";
}

//----------------------------------------------------------------------------
vtkDataArraySelection* vtkVAETrain::GetAdditionalArrays()
{
  return this->Internal->AdditionalArrays;
}

//----------------------------------------------------------------------------
// Properties are the fields of vae::TrainOptions.
#define vtkVAEOptionMacro(Name, Type, field, FieldType)                                            \
  void vtkVAETrain::Set##Name(Type value)                                                          \
  {                                                                                                \
    if (this->Internal->Options.field != static_cast<FieldType>(value))                            \
    {                                                                                              \
      this->Internal->Options.field = static_cast<FieldType>(value);                               \
      this->Modified();                                                                            \
    }                                                                                              \
  }                                                                                                \
  Type vtkVAETrain::Get##Name() { return static_cast<Type>(this->Internal->Options.field); }

vtkVAEOptionMacro(TimeBudget, double, timeBudget, double)
  vtkVAEOptionMacro(Epochs, int, epochs, int)
    vtkVAEOptionMacro(StepsPerEpoch, int, stepsPerEpoch, int)
      vtkVAEOptionMacro(ValidationFraction, double, validationFraction, double)
        vtkVAEOptionMacro(Likelihood, int, likelihood, vae::Likelihood)
          vtkVAEOptionMacro(KLWeight, double, klWeight, double)
            vtkVAEOptionMacro(KLRamp, double, klRamp, double)
              vtkVAEOptionMacro(LatentChannels, int, network.latentChannels, int)
                vtkVAEOptionMacro(Width, int, network.width, int)
                  vtkVAEOptionMacro(Blocks, int, network.blocks, int)
                    vtkVAEOptionMacro(PatchSize, int, patchSize, int)
                      vtkVAEOptionMacro(BatchSize, int, batchSize, int)
                        vtkVAEOptionMacro(LearningRate, double, learningRate, double)
                          vtkVAEOptionMacro(Symmetry, int, symmetry, vae::Symmetry)
                            vtkVAEOptionMacro(Seed, int, seed, std::int64_t)
                              vtkVAEOptionMacro(Precision, int, precision, vae::Precision)
                                vtkVAEOptionMacro(Threads, int, threads, int)

                                  void vtkVAETrain::SetDevice(const char* device)
{
  const std::string value = device ? device : "";
  if (this->Internal->Options.device != value)
  {
    this->Internal->Options.device = value;
    this->Modified();
  }
}

const char* vtkVAETrain::GetDevice() { return this->Internal->Options.device.c_str(); }

//----------------------------------------------------------------------------
int vtkVAETrain::FillInputPortInformation(int, vtkInformation* info)
{
  info->Set(vtkAlgorithm::INPUT_REQUIRED_DATA_TYPE(), "vtkImageData");
  return 1;
}

//----------------------------------------------------------------------------
int vtkVAETrain::RequestUpdateExtent(
  vtkInformation*, vtkInformationVector** inputVector, vtkInformationVector*)
{
  vtkVAEBridge::RequestWholeExtent(inputVector[0]->GetInformationObject(0));
  return 1;
}

namespace
{

std::string Clock(double seconds)
{
  char text[32];
  const int s = static_cast<int>(seconds + 0.5);
  std::snprintf(text, sizeof text, "%d:%02d", s / 60, s % 60);
  return text;
}

/// What to learn when nothing was chosen (a script that names no array): the active scalars,
/// or else the first array, of the points, or else of the cells.
vtkDataArray* DefaultArray(vtkImageData* input, int& association)
{
  for (const int kind :
    { vtkDataObject::FIELD_ASSOCIATION_POINTS, vtkDataObject::FIELD_ASSOCIATION_CELLS })
  {
    vtkDataSetAttributes* attributes = input->GetAttributes(kind);
    association = kind;
    if (vtkDataArray* scalars = attributes->GetScalars())
    {
      return scalars;
    }
    for (int i = 0; i < attributes->GetNumberOfArrays(); ++i)
    {
      if (vtkDataArray* array = attributes->GetArray(i))
      {
        return array;
      }
    }
  }
  throw std::invalid_argument("The input is empty (it has no point or cell arrays)");
}

/// Arrays to train on: the chosen one, which is `first` if it was found, then the additional ones.
std::vector<vtkDataArray*> ChosenArrays(
  vtkVAETrain* self, vtkImageData* input, vtkDataArray* first, int& association)
{
  vtkInformation* info = self->GetInputArrayInformation(0);
  const char* wanted =
    info->Has(vtkDataObject::FIELD_NAME()) ? info->Get(vtkDataObject::FIELD_NAME()) : "";
  if (!first && wanted && *wanted)
  {
    throw std::invalid_argument(
      std::string("Scalars is '") + wanted + "', but the input has no such array of numbers");
  }
  if (!first)
  {
    first = DefaultArray(input, association);
  }
  const bool cellData = association == vtkDataObject::FIELD_ASSOCIATION_CELLS;
  std::vector<vtkDataArray*> arrays{ first };
  vtkDataSetAttributes* attributes = input->GetAttributes(association);
  vtkDataArraySelection* more = self->GetAdditionalArrays();
  for (int i = 0; i < more->GetNumberOfArrays(); ++i)
  {
    const char* name = more->GetArrayName(i);
    if (!more->GetArraySetting(i) || (first->GetName() && std::string(name) == first->GetName()))
    {
      continue;
    }
    vtkDataArray* array = attributes->GetArray(name);
    if (!array)
    {
      throw std::invalid_argument(std::string("Additional Arrays names '") + name +
        "', which is not among the " + (cellData ? "cell" : "point") + " arrays of the input");
    }
    arrays.push_back(array);
  }
  return arrays;
}

} // namespace

//----------------------------------------------------------------------------
void vtkVAETrain::SaveModel()
{
  const std::string file = this->ModelFile ? this->ModelFile : "";
  if (!file.empty() && file != this->Internal->SavedTo)
  {
    this->Internal->Model->save(file);
    this->Internal->SavedTo = file;
  }
}

//----------------------------------------------------------------------------
int vtkVAETrain::RequestData(
  vtkInformation*, vtkInformationVector** inputVector, vtkInformationVector* outputVector)
{
  vtkImageData* input = vtkImageData::GetData(inputVector[0]);
  vtkVAEModel* output = vtkVAEModel::GetData(outputVector);
  auto controller = vtkMultiProcessController::GetGlobalController();
  if (controller && controller->GetNumberOfProcesses() > 1)
  {
    vtkErrorMacro(<< "VAE Train runs on one process; this server has "
                  << controller->GetNumberOfProcesses() << ". Start it with one.");
    return 0;
  }
  try
  {
    int association = -1;
    vtkDataArray* first = this->GetInputArrayToProcess(0, input, association);
    const std::vector<vtkDataArray*> arrays = ChosenArrays(this, input, first, association);
    const bool cellData = association == vtkDataObject::FIELD_ASSOCIATION_CELLS;
    const vae::Volume volume = vtkVAEBridge::VolumeOf(input, arrays, cellData);
    const std::string file = this->ModelFile ? this->ModelFile : "";
    if (!file.empty() &&
      !vtksys::SystemTools::FileIsDirectory(
        vtksys::SystemTools::GetFilenamePath(vtksys::SystemTools::CollapseFullPath(file))))
    {
      throw std::invalid_argument("Model File is '" + file + "', but its folder does not exist");
    }

    const std::string fingerprint = vae::fingerprint(volume, this->Internal->Options);
    const auto fits = [&](const std::shared_ptr<const vae::Model>& model)
    { return model && model->info().fingerprint == fingerprint; };
    if (!this->AlwaysTrain && !fits(this->Internal->Model) && !file.empty() &&
      vtksys::SystemTools::FileExists(file, true))
    {
      try
      {
        auto found = vae::backend().load(file);
        if (fits(found))
        {
          this->Internal->Model = found;
          this->Internal->SavedTo = file;
          this->Status = "Loaded from " + file +
            ": it was trained on the same data with the same settings, so it was not trained "
            "again.";
          vtkLogF(INFO, "VAE Train: %s", this->Status.c_str());
        }
      }
      catch (const std::exception& e)
      {
        // Not a model, or a damaged one: training writes a new one over it.
        vtkLogF(WARNING, "VAE Train: %s", vtkVAEBridge::FirstLine(e.what()).c_str());
      }
    }
    if (fits(this->Internal->Model))
    {
      output->SetModel(this->Internal->Model);
      this->SaveModel(); // the file may have been named after the training
      return 1;
    }

    auto trainer = vae::backend().train(volume, this->Internal->Options);
    vtkLogF(INFO, "VAE Train: training on %s", trainer->info().device.c_str());
    auto lastReport = std::chrono::steady_clock::now() - std::chrono::hours(1);
    vae::StepRecord record;
    do
    {
      record = trainer->step();
      const auto now = std::chrono::steady_clock::now();
      if (record.finished || now - lastReport > std::chrono::milliseconds(250))
      {
        lastReport = now;
        const double left =
          record.progress > 0 ? record.seconds * (1 - record.progress) / record.progress : 0;
        char text[160];
        std::snprintf(text, sizeof text,
          "VAE Train: epoch %d, loss %.4f, %.1f million voxels/s, %s left", record.epoch,
          record.loss, record.voxelsPerSecond / 1e6, Clock(left).c_str());
        this->SetProgressText(text);
        this->UpdateProgress(0.97 * record.progress);
      }
    } while (!record.finished && !this->CheckAbort());

    // The rest is short; an abort that has brought us here must not end it as well.
    this->Internal->Model = trainer->model();
    this->Status = "Trained on " + trainer->info().device + " in " + Clock(record.seconds) + " (" +
      std::to_string(record.step) + " steps).";
    this->Internal->SavedTo.clear();
    vtkLogF(INFO, "VAE Train: %s", this->Status.c_str());
    output->SetModel(this->Internal->Model);
    this->SaveModel();
    this->UpdateProgress(1);
    return 1;
  }
  vtkVAECatchMacro
}
