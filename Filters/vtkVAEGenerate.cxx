// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "vtkVAEGenerate.h"

#include "Check.h"
#include "Generator.h"
#include "PhaseFraction.h"
#include "vtkCompositeDataSet.h"
#include "vtkDemandDrivenPipeline.h"
#include "vtkDoubleArray.h"
#include "vtkFieldData.h"
#include "vtkImageData.h"
#include "vtkInformation.h"
#include "vtkInformationVector.h"
#include "vtkIntArray.h"
#include "vtkMultiBlockDataSet.h"
#include "vtkNew.h"
#include "vtkObjectFactory.h"
#include "vtkStreamingDemandDrivenPipeline.h"
#include "vtkStringArray.h"
#include "vtkVAEBridge.h"
#include "vtkVAEForecast.h"
#include "vtkVAELatentImage.h"
#include "vtkVAEModel.h"
#include "vtkVAETrendMap.h"

#include <algorithm>
#include <cmath>
#include <numeric>

vtkStandardNewMacro(vtkVAEGenerate);

struct vtkVAEGenerate::Options : vae::GenerateRequest
{
  vae::RealizationOptions volumes;
  std::string Warned; // of this model, by its fingerprint
};

//----------------------------------------------------------------------------
vtkVAEGenerate::vtkVAEGenerate() : Internal(std::make_unique<Options>())
{
  this->SetNumberOfInputPorts(3);
  this->SetInputArrayToProcess(0, 1, 0, vtkDataObject::FIELD_ASSOCIATION_POINTS, "");
  this->SetInputArrayToProcess(1, 2, 0, vtkDataObject::FIELD_ASSOCIATION_POINTS, "");
}

vtkVAEGenerate::~vtkVAEGenerate() = default;

//----------------------------------------------------------------------------
void vtkVAEGenerate::PrintSelf(ostream& os, vtkIndent indent)
{
  this->Superclass::PrintSelf(os, indent);
  os << indent << "Dimensions: " << this->Dimensions[0] << " x " << this->Dimensions[1] << " x "
     << this->Dimensions[2] << "\n";
  os << indent << "Realizations: " << this->GetRealizations() << "\n";
  os << indent << "RealizationsAs: " << this->GetRealizationsAs() << "\n";
  os << indent << "Seed: " << this->GetSeed() << "\n";
  os << indent << "ReduceVariance: " << this->GetReduceVariance() << "\n";
  os << indent << "Prior: " << this->GetPrior() << "\n";
  os << indent << "Temperature: " << this->GetTemperature() << "\n";
  os << indent << "Periodic: " << this->GetPeriodicX() << " " << this->GetPeriodicY() << " "
     << this->GetPeriodicZ() << "\n";
  os << indent << "Texture: " << this->GetTexture() << "\n";
  os << indent << "CorrectLongWaves: " << this->GetCorrectLongWaves() << "\n";
  os << indent << "CorrectFraction: " << this->GetCorrectFraction() << "\n";
  os << indent << "FractionMode: " << this->GetFractionMode() << "\n";
  os << indent << "TargetFraction: " << this->GetTargetFraction() << "\n";
  os << indent << "Phase: " << this->GetPhase() << "\n";
  os << indent << "ComputeProbability: " << this->ComputeProbability << "\n";
}

//----------------------------------------------------------------------------
vtkVAEOptionMacro(vtkVAEGenerate, Realizations, int, volumes.realizations);
vtkVAEOptionMacro(vtkVAEGenerate, RealizationsAs, int, volumes.realizationsAs);
vtkVAEOptionMacro(vtkVAEGenerate, Seed, int, options.seed);
vtkVAEOptionMacro(vtkVAEGenerate, ReduceVariance, bool, options.reduceVariance);
vtkVAEOptionMacro(vtkVAEGenerate, Prior, int, options.prior);
vtkVAEOptionMacro(vtkVAEGenerate, Temperature, double, options.temperature);
vtkVAEOptionMacro(vtkVAEGenerate, PeriodicX, bool, options.periodic[0]);
vtkVAEOptionMacro(vtkVAEGenerate, PeriodicY, bool, options.periodic[1]);
vtkVAEOptionMacro(vtkVAEGenerate, PeriodicZ, bool, options.periodic[2]);
vtkVAEOptionMacro(vtkVAEGenerate, Texture, bool, options.texture);
vtkVAEOptionMacro(vtkVAEGenerate, CorrectLongWaves, bool, options.correctLongWaves);
vtkVAEOptionMacro(vtkVAEGenerate, CorrectFraction, bool, options.correctFraction);
vtkVAEOptionMacro(vtkVAEGenerate, FractionMode, int, fraction.fractionMode);
vtkVAEOptionMacro(vtkVAEGenerate, TargetFraction, double, fraction.targetFraction);
vtkVAEOptionMacro(vtkVAEGenerate, Phase, std::string, fraction.phase);

//----------------------------------------------------------------------------
void vtkVAEGenerate::Check() const
{
  this->Superclass::Check();
  vae::requireDimensions(this->Dimensions);
  vae::check(this->Internal->volumes);
  vae::check(this->Internal->options);
  vae::check(this->Internal->fraction);
}

//----------------------------------------------------------------------------
int vtkVAEGenerate::FillInputPortInformation(int port, vtkInformation* info)
{
  info->Set(vtkAlgorithm::INPUT_REQUIRED_DATA_TYPE(), port == 0 ? "vtkTable" : "vtkImageData");
  if (port > 0)
  {
    info->Set(vtkAlgorithm::INPUT_IS_OPTIONAL(), 1);
  }
  return 1;
}

//----------------------------------------------------------------------------
int vtkVAEGenerate::FillOutputPortInformation(int, vtkInformation* info)
{
  info->Set(vtkDataObject::DATA_TYPE_NAME(), "vtkDataObject");
  return 1;
}

//----------------------------------------------------------------------------
vtkTypeBool vtkVAEGenerate::ProcessRequest(
  vtkInformation* request, vtkInformationVector** inputVector, vtkInformationVector* outputVector)
{
  return request->Has(vtkDemandDrivenPipeline::REQUEST_DATA_OBJECT())
    ? this->RequestDataObject(outputVector)
    : this->Superclass::ProcessRequest(request, inputVector, outputVector);
}

//----------------------------------------------------------------------------
int vtkVAEGenerate::RequestDataObject(vtkInformationVector* outputVector)
{
  const bool blocks = this->Internal->volumes.realizationsAs == vae::RealizationsAs::Blocks;
  vtkDataObject* now = vtkDataObject::GetData(outputVector);
  if (!now || !now->IsA(blocks ? "vtkMultiBlockDataSet" : "vtkImageData"))
  {
    auto made = blocks ? vtkSmartPointer<vtkDataObject>::Take(vtkMultiBlockDataSet::New())
                       : vtkSmartPointer<vtkDataObject>::Take(vtkImageData::New());
    outputVector->GetInformationObject(0)->Set(vtkDataObject::DATA_OBJECT(), made);
  }
  return 1;
}

//----------------------------------------------------------------------------
int vtkVAEGenerate::RequestInformation(
  vtkInformation*, vtkInformationVector** inputVector, vtkInformationVector* outputVector)
{
  vtkInformation* out = outputVector->GetInformationObject(0);
  if (this->Internal->volumes.realizationsAs == vae::RealizationsAs::Blocks)
  {
    out->Remove(vtkStreamingDemandDrivenPipeline::WHOLE_EXTENT());
    out->Remove(vtkStreamingDemandDrivenPipeline::TIME_STEPS());
    out->Remove(vtkStreamingDemandDrivenPipeline::TIME_RANGE());
    return 1;
  }
  vtkVAELatentImage::Grid grid; // of one point, until a model is known
  if (const vae::ModelInfo* info = vtkVAEForecast::Model(inputVector[0]))
  {
    vtkInformation* known = inputVector[2]->GetInformationObject(0);
    grid = known ? vtkVAELatentImage::Grid::Of(known, info->cellData)
                 : vtkVAELatentImage::Grid::New(*info, this->Dimensions);
  }
  grid.ApplyTo(out);
  std::vector<double> times(static_cast<std::size_t>(this->Internal->volumes.realizations));
  std::iota(times.begin(), times.end(), 0.);
  out->Set(vtkStreamingDemandDrivenPipeline::TIME_STEPS(), times.data(),
    this->Internal->volumes.realizations);
  const double range[2] = { times.front(), times.back() };
  out->Set(vtkStreamingDemandDrivenPipeline::TIME_RANGE(), range, 2);
  return 1;
}

//----------------------------------------------------------------------------
int vtkVAEGenerate::RequestUpdateExtent(
  vtkInformation*, vtkInformationVector** inputVector, vtkInformationVector*)
{
  // The model is not an image: it has no extent to ask for.
  for (const int port : { 1, 2 })
  {
    if (vtkInformation* image = inputVector[port]->GetInformationObject(0))
    {
      vtkVAEBridge::RequestWholeExtent(image);
      vtkVAEBridge::RequestFirstTimeStep(image); // the time that is asked for is a realization
    }
  }
  return 1;
}

/// The request of the properties and inputs, and the grid of what it gives.
class vtkVAEGenerate::Job
{
public:
  Job(vtkVAEGenerate* self, const vae::Model& model, vtkImageData* map, vtkImageData* known)
    : Self(self)
    , Info(model.info())
    , Generator(model)
    , Request(*self->Internal)
    , Grid(vtkVAELatentImage::Grid::New(this->Info, self->Dimensions))
  {
    std::copy_n(self->Dimensions, 3, this->Request.dims.begin());
    if (known)
    {
      this->ReadKnown(known);
    }
    if (map)
    {
      bool cellData = false;
      vtkDataArray* array = vtkVAEBridge::ScalarsOf(
        self, self->GetInputArrayToProcess(0, map), map, cellData, "Trend Array");
      this->Request.trend = vtkVAETrendMap::Of(map, array, cellData, this->Grid);
    }
    this->Generator.check(this->Request);
    this->CheckMemory();
  }

  /// One realization, between two fractions of the job.
  void Make(vtkImageData* output, int realization, double from, double to)
  {
    this->Request.options.realization = realization;
    vtkVAELatentImage::Arrays arrays(this->Grid, this->Info, this->Self->ComputeProbability);
    vtkVAEBridge::Progress progress(this->Self, from, to);
    const vae::Generated made =
      this->Generator.generate(this->Request, arrays.Wanted, this->Self->Run(), progress.Monitor());
    arrays.PutOn(output);
    this->Report(output->GetFieldData(), made);
  }

  vae::Dims Dims() const { return this->Grid.Dims(); }

private:
  /// Before anything is allocated.
  void CheckMemory() const
  {
    const bool blocks = this->Self->Internal->volumes.realizationsAs == vae::RealizationsAs::Blocks;
    const int kept = blocks ? this->Self->Internal->volumes.realizations : 1;
    const vae::Dims dims = this->Dims();
    vae::requireMemory("The output of " + vae::toString(dims) + " voxels" +
        (kept > 1 ? ", " + std::to_string(kept) + " times," : ""),
      kept * vtkVAELatentImage::VolumeBytes(dims, this->Info, this->Self->ComputeProbability) +
        this->Generator.bytes(this->Request));
  }

  void ReadKnown(vtkImageData* image)
  {
    bool cellData = false, maskCellData = false;
    const auto arrays = vtkVAEBridge::ArraysFor(image, this->Info, cellData);
    vtkDataArray* named = this->Self->GetInputArrayToProcess(1, image);
    if (!named)
    {
      throw std::invalid_argument("Known Data is set, but not its Known Mask: the array that is "
                                  "not 0 where values are known");
    }
    vtkDataArray* mask =
      vtkVAEBridge::ScalarsOf(this->Self, named, image, maskCellData, "Known Mask");
    if (maskCellData != cellData)
    {
      throw std::invalid_argument(std::string("Known Mask '") + mask->GetName() +
        "' is an array of " + (maskCellData ? "cells" : "points") + ", the data are of " +
        (cellData ? "cells" : "points"));
    }
    this->Request.known = vtkVAEBridge::VolumeOf(image, arrays, cellData);
    this->Request.known->mask = vtkVAEBridge::VolumeOf(image, { mask }, cellData).channels[0];
    this->Grid = vtkVAELatentImage::Grid::Of(image, cellData);
  }

  void Report(vtkFieldData* field, const vae::Generated& made) const
  {
    const auto add = [field](auto&& array, const char* name, auto&& values)
    {
      array->SetName(name);
      for (const auto& v : values)
      {
        array->InsertNextValue(v);
      }
      field->AddArray(array);
    };
    const vae::GenerateOptions& o = this->Request.options;
    const vae::FractionOptions& f = this->Request.fraction;
    if (f.fractionMode != vae::FractionMode::Off || (this->Request.trend && this->Info.hasPhases()))
    {
      const vae::ChannelInfo& c = this->Info.channels[0];
      const auto phase = static_cast<std::size_t>(vae::phaseOf(this->Info, f.phase));
      vtkVAEBridge::AddPhase(field, c.array + " = " + vae::inWords(c.phases[phase]));
    }
    add(vtkNew<vtkStringArray>(), "Prior", std::array{ vae::name(made.prior) });
    this->Judge(field, made.prior);
    add(vtkNew<vtkIntArray>(), "Seed", std::array{ static_cast<int>(o.seed) });
    add(vtkNew<vtkIntArray>(), "Realization", std::array{ static_cast<int>(o.realization) });
    if (this->Request.known)
    {
      const auto known = static_cast<double>(made.known.known);
      add(vtkNew<vtkDoubleArray>(), "Known Data Met",
        std::array{ static_cast<double>(made.known.equal) / known });
      add(vtkNew<vtkDoubleArray>(), "Known Data RMS Error",
        std::array{ std::sqrt(made.known.squares / known) });
    }
    if (this->Info.hasPhases())
    {
      add(vtkNew<vtkDoubleArray>(), "Phase Label", this->Info.channels[0].phases);
      add(vtkNew<vtkDoubleArray>(), "Phase Fraction", made.fractions);
    }
  }

  /// Pass the model's verdict on, and warn once of a poor one.
  void Judge(vtkFieldData* field, vae::Prior prior) const
  {
    const vae::Verdict& verdict = this->Info.verdict;
    std::string& text = this->Self->Verdict;
    text = vae::verdictInWords(this->Info, prior);
    vtkVAEBridge::AddField(field, "Verdict", text);
    field->RemoveArray("Verdict Score"); // of the output before
    if (!verdict.judged() || verdict.prior != prior)
    {
      return;
    }
    vtkVAEBridge::AddField(field, "Verdict Score", verdict.generated);
    std::string& warned = this->Self->Internal->Warned;
    if (vae::likenessOf(verdict) == vae::Likeness::Apart && warned != this->Info.fingerprint)
    {
      warned = this->Info.fingerprint;
      vtkWarningWithObjectMacro(this->Self, << text);
    }
  }

  vtkVAEGenerate* Self;
  const vae::ModelInfo& Info;
  vae::Generator Generator;
  vae::GenerateRequest Request;
  vtkVAELatentImage::Grid Grid;
};

//----------------------------------------------------------------------------
int vtkVAEGenerate::RequestData(
  vtkInformation*, vtkInformationVector** inputVector, vtkInformationVector* outputVector)
{
  vtkInformation* out = outputVector->GetInformationObject(0);
  vtkDataObject* output = vtkDataObject::GetData(outputVector);
  try
  {
    const vae::Model& model = vtkVAEBridge::ModelOf(vtkDataObject::GetData(inputVector[0]));
    this->Last = nullptr; // its memory is needed
    Job job(
      this, model, vtkImageData::GetData(inputVector[1]), vtkImageData::GetData(inputVector[2]));
    this->PlanMemory(model, job.Dims());
    if (auto blocks = vtkMultiBlockDataSet::SafeDownCast(output))
    {
      for (int i = 0; i < this->Internal->volumes.realizations; ++i)
      {
        vtkNew<vtkImageData> image;
        const double n = this->Internal->volumes.realizations;
        job.Make(image, i, i / n, (i + 1) / n);
        const auto block = static_cast<unsigned int>(i);
        blocks->SetBlock(block, image);
        blocks->GetMetaData(block)->Set(
          vtkCompositeDataSet::NAME(), "Realization " + std::to_string(i));
      }
    }
    else
    {
      int realization = 0;
      if (out->Has(vtkStreamingDemandDrivenPipeline::UPDATE_TIME_STEP()))
      {
        const double time = out->Get(vtkStreamingDemandDrivenPipeline::UPDATE_TIME_STEP());
        realization = static_cast<int>(vtkVAEBridge::Within(
          std::floor(time + 1e-6), 0., this->Internal->volumes.realizations - 1.));
      }
      job.Make(vtkImageData::SafeDownCast(output), realization, 0, 1);
      output->GetInformation()->Set(
        vtkDataObject::DATA_TIME_STEP(), static_cast<double>(realization));
    }
    this->Last.TakeReference(output->NewInstance());
    this->Last->ShallowCopy(output);
    return 1;
  }
  catch (const vtkVAEBridge::Pending&)
  {
    // A training has begun anew: what the one before it gave stays in view until it has a model.
    if (this->Last && this->Last->IsA(output->GetClassName()))
    {
      output->ShallowCopy(this->Last);
    }
    return 1;
  }
  vtkVAECatchMacro
}
