// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "vtkVAEGenerate.h"

#include "Check.h"
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
#include "vtkVariant.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

vtkStandardNewMacro(vtkVAEGenerate);

struct vtkVAEGenerate::Options
  : vae::GenerateOptions
  , vae::FractionOptions
{
  vae::RealizationsAs realizationsAs = vae::RealizationsAs::TimeSteps;
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
  os << indent << "Realizations: " << this->Realizations << "\n";
  os << indent << "RealizationsAs: " << this->GetRealizationsAs() << "\n";
  os << indent << "Seed: " << this->GetSeed() << "\n";
  os << indent << "Prior: " << this->GetPrior() << "\n";
  os << indent << "Temperature: " << this->GetTemperature() << "\n";
  os << indent << "Periodic: " << this->GetPeriodicX() << " " << this->GetPeriodicY() << " "
     << this->GetPeriodicZ() << "\n";
  os << indent << "Texture: " << this->GetTexture() << "\n";
  os << indent << "FractionMode: " << this->GetFractionMode() << "\n";
  os << indent << "TargetFraction: " << this->GetTargetFraction() << "\n";
  os << indent << "Phase: " << this->GetPhase() << "\n";
  os << indent << "ComputeProbability: " << this->ComputeProbability << "\n";
}

//----------------------------------------------------------------------------
vtkVAEOptionMacro(vtkVAEGenerate, RealizationsAs, int, realizationsAs);
vtkVAEOptionMacro(vtkVAEGenerate, Seed, int, seed);
vtkVAEOptionMacro(vtkVAEGenerate, Prior, int, prior);
vtkVAEOptionMacro(vtkVAEGenerate, Temperature, double, temperature);
vtkVAEOptionMacro(vtkVAEGenerate, PeriodicX, bool, periodic[0]);
vtkVAEOptionMacro(vtkVAEGenerate, PeriodicY, bool, periodic[1]);
vtkVAEOptionMacro(vtkVAEGenerate, PeriodicZ, bool, periodic[2]);
vtkVAEOptionMacro(vtkVAEGenerate, Texture, bool, texture);
vtkVAEOptionMacro(vtkVAEGenerate, FractionMode, int, fractionMode);
vtkVAEOptionMacro(vtkVAEGenerate, TargetFraction, double, targetFraction);
vtkVAEOptionMacro(vtkVAEGenerate, Phase, std::string, phase);

//----------------------------------------------------------------------------
void vtkVAEGenerate::Check() const
{
  this->Superclass::Check();
  vae::requireDimensions(this->Dimensions);
  vae::require("Realizations", this->Realizations, 1, vae::MostSteps);
  vae::require("Realizations As", this->Internal->realizationsAs, vae::RealizationsAs::Blocks);
  vae::check(static_cast<const vae::GenerateOptions&>(*this->Internal));
  vae::check(static_cast<const vae::FractionOptions&>(*this->Internal));
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
  const bool blocks = this->Internal->realizationsAs == vae::RealizationsAs::Blocks;
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
  if (this->Internal->realizationsAs == vae::RealizationsAs::Blocks)
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
  std::vector<double> times(static_cast<std::size_t>(this->Realizations));
  std::iota(times.begin(), times.end(), 0.);
  out->Set(vtkStreamingDemandDrivenPipeline::TIME_STEPS(), times.data(), this->Realizations);
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

//----------------------------------------------------------------------------
/// All that realizations have in common.
class vtkVAEGenerate::Generator
{
public:
  Generator(vtkVAEGenerate* self, const vae::Model& model, vtkInformationVector* map,
    vtkInformationVector* known)
    : Self(self)
    , Options(*self->Internal)
    , Model(model)
    , Info(model.info())
    , Grid(vtkVAELatentImage::Grid::New(this->Info, self->Dimensions))
  {
    vae::Prior& prior = this->Options.prior;
    prior = prior == vae::Prior::Automatic ? model.bestPrior() : prior;
    if (auto image = vtkImageData::GetData(known))
    {
      this->ReadKnown(image);
    }
    this->CheckMemory();
    if (this->Options.fractionMode != vae::FractionMode::Off)
    {
      this->Phase = vae::phaseOf(this->Info, this->Options.phase);
    }
    if (auto image = vtkImageData::GetData(map))
    {
      this->ReadMap(image);
    }
    else if (this->Options.fractionMode == vae::FractionMode::TrendMap)
    {
      throw std::invalid_argument("Fraction Mode is 'Trend Map', but no Trend Map is set");
    }
  }

  /// One of them, between two fractions of the job.
  void Make(vtkImageData* output, int realization, double from, double to)
  {
    const auto at = [&](double part) { return from + part * (to - from); };
    const double sampled = at(this->Known            ? 0.95
        : this->Options.prior == vae::Prior::Learned ? 0.5
                                                     : 0.1);
    const double decoded = at(this->Levels() ? 0.8 : 1);
    vtkVAEBridge::Progress sampling(this->Self, from, sampled);
    vtkVAEBridge::Progress decoding(this->Self, sampled, decoded);
    vtkVAEBridge::Progress levelling(this->Self, decoded, to);
    const vae::Monitor first = sampling.Monitor();
    first.progress(0);
    if (first.stop.stop_requested())
    {
      throw vae::Stopped();
    }
    this->Options.realization = realization;
    // A margin of latent cells all round, decoded and thrown away: no border in the result.
    const int margin = this->Model.margin(this->Options.periodic);
    const vae::Dims dims = this->Grid.Dims();
    const vae::Latent latent = this->Known
      ? this->Model.sampleGiven(*this->Known, margin, this->Options, this->Self->Run(), first)
      : this->Model.sample(
          dims, margin, this->Options, this->TrendOnCells(margin), this->Self->Run(), first);
    vtkVAELatentImage::Arrays arrays(this->Grid, this->Info, this->Self->ComputeProbability);
    // Of fields that only resemble the training data's the decoder is not sure: noise would rule.
    // Surfaces of phases around what is known are rough enough without.
    const bool sure =
      this->Options.prior == vae::Prior::Learned && !(this->Known && this->Info.hasPhases());
    if (this->Options.texture && sure)
    {
      arrays.Wanted.texture = { this->Options.seed, realization, this->Options.periodic };
    }
    std::optional<vae::PhaseFraction> fraction;
    if (this->Options.fractionMode != vae::FractionMode::Off)
    {
      fraction.emplace(this->Info, this->Phase, dims);
      fraction->ask(arrays.Wanted);
    }
    this->Model.decode(latent, dims, margin, arrays.Wanted, this->Self->Run(), decoding.Monitor());
    if (this->Levels())
    {
      fraction->set([this](auto x, auto y, auto z, auto row) { this->Map->Row(x, y, z, row); },
        vae::statistics::Work(this->Self->Run().threads, levelling.Monitor()));
    }
    else if (fraction)
    {
      fraction->set(this->Options.fractionMode == vae::FractionMode::TargetFraction
          ? this->Options.targetFraction
          : vae::trainingFraction(this->Info, this->Phase));
    }
    if (this->Known)
    {
      this->Agreement = vae::overwrite(*this->Known, arrays.Wanted.values);
    }
    arrays.PutOn(output);
    this->Report(output->GetFieldData(), arrays.Wanted.values[0]);
  }

  const vtkVAELatentImage::Grid& GetGrid() const { return this->Grid; }

private:
  bool Levels() const { return this->Options.fractionMode == vae::FractionMode::TrendMap; }
  bool TwoPhases() const { return this->Info.likelihood == vae::Likelihood::Bernoulli; }

  /// Before anything is allocated.
  void CheckMemory() const
  {
    const bool blocks = this->Options.realizationsAs == vae::RealizationsAs::Blocks;
    const int kept = blocks ? this->Self->Realizations : 1;
    const bool fraction = this->Options.fractionMode != vae::FractionMode::Off;
    const vae::Dims dims = this->Grid.Dims();
    const double voxels = static_cast<double>(vae::voxels(dims));
    double bytes =
      kept * vtkVAELatentImage::VolumeBytes(dims, this->Info, this->Self->ComputeProbability);
    bytes += fraction ? voxels * sizeof(float) : 0; // log odds
    bytes += this->Known ? vtkVAELatentImage::VolumeBytes(dims, this->Info, false) : 0;
    bytes +=
      vtkVAELatentImage::LatentBytes(dims, this->Model.margin(this->Options.periodic), this->Info);
    vae::requireMemory("The output of " + vae::toString(dims) + " voxels" +
        (kept > 1 ? ", " + std::to_string(kept) + " times," : ""),
      bytes);
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
    if (this->Options.fractionMode != vae::FractionMode::Off ||
      this->Self->GetNumberOfInputConnections(1) > 0)
    {
      throw std::invalid_argument("Known Data is set: Fraction Mode must be Off and Trend Map "
                                  "empty, since what is known decides");
    }
    this->Known.emplace(vtkVAEBridge::VolumeOf(image, arrays, cellData));
    this->Known->mask = vtkVAEBridge::VolumeOf(image, { mask }, cellData).channels[0];
    this->Grid = vtkVAELatentImage::Grid::Of(image, cellData);
    this->Options.periodic = {};
  }

  void ReadMap(vtkImageData* image)
  {
    const bool phases = this->Info.hasPhases();
    // Where a cell has one mean: the prior knows one number, the fraction of the larger of two.
    this->Follows = this->Options.prior == vae::Prior::Learned &&
      this->Info.likelihood != vae::Likelihood::Categorical;
    if (!this->Follows && !this->Levels())
    {
      throw std::invalid_argument(
        std::string("Trend Map is set, but nothing follows it: the prior is '") +
        PriorNames[static_cast<int>(this->Options.prior)] + "'; " +
        (phases ? "choose the Fraction Mode 'Trend Map'"
                : "of grey values only a learned prior follows a map"));
    }
    if (phases)
    {
      this->Phase = vae::phaseOf(this->Info, this->Options.phase);
    }
    bool cellData = false;
    vtkDataArray* array = vtkVAEBridge::ScalarsOf(
      this->Self, this->Self->GetInputArrayToProcess(0, image), image, cellData, "Trend Array");
    this->Map.emplace(image, array, cellData, phases, this->Grid);
  }

  std::vector<float> TrendOnCells(int margin) const
  {
    std::vector<float> trend;
    if (this->Map && this->Follows)
    {
      trend = this->Map->OnCells(this->Info.network, margin, this->Options.periodic);
      if (this->TwoPhases() && this->Phase == 0) // the model counts the larger label
      {
        std::transform(trend.begin(), trend.end(), trend.begin(), [](float v) { return 1 - v; });
      }
    }
    return trend;
  }

  void Report(vtkFieldData* field, const vae::OutputChannel& labels) const
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
    add(vtkNew<vtkStringArray>(), "Prior",
      std::array{ PriorNames[static_cast<int>(this->Options.prior)] });
    add(vtkNew<vtkIntArray>(), "Seed", std::array{ static_cast<int>(this->Options.seed) });
    add(vtkNew<vtkIntArray>(), "Realization",
      std::array{ static_cast<int>(this->Options.realization) });
    if (this->Known)
    {
      const auto known = static_cast<double>(this->Agreement.known);
      add(vtkNew<vtkDoubleArray>(), "Known Data Met",
        std::array{ static_cast<double>(this->Agreement.equal) / known });
      add(vtkNew<vtkDoubleArray>(), "Known Data RMS Error",
        std::array{ std::sqrt(this->Agreement.squares / known) });
    }
    if (this->Info.hasPhases())
    {
      vae::Channel channel;
      channel.data = labels.data;
      channel.type = labels.type;
      channel.stride = labels.stride;
      const std::vector<double>& phases = this->Info.channels[0].phases;
      const auto found = vae::summarise(channel, vae::voxels(this->Grid.Dims()));
      std::vector<double> fractions(phases.size(), 0);
      for (std::size_t i = 0; i < found.values.size(); ++i)
      {
        const auto at = std::find(phases.begin(), phases.end(), found.values[i]) - phases.begin();
        fractions[static_cast<std::size_t>(at)] = found.fractions[i];
      }
      add(vtkNew<vtkDoubleArray>(), "Phase Label", phases);
      add(vtkNew<vtkDoubleArray>(), "Phase Fraction", fractions);
    }
  }

  static constexpr const char* PriorNames[] = { "automatic", "normal", "random field", "learned" };

  vtkVAEGenerate* Self;
  vtkVAEGenerate::Options Options;
  const vae::Model& Model;
  const vae::ModelInfo& Info;
  vtkVAELatentImage::Grid Grid;
  std::optional<vae::Volume> Known; ///< with its mask
  vae::Overwritten Agreement;       ///< of what was decoded with it
  std::optional<vtkVAETrendMap> Map;
  bool Follows = false; ///< the prior follows the map
  int Phase = 0;        ///< that fractions are of
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
    Generator generator(this, model, inputVector[1], inputVector[2]);
    this->PlanMemory(model, generator.GetGrid().Dims());
    if (auto blocks = vtkMultiBlockDataSet::SafeDownCast(output))
    {
      for (int i = 0; i < this->Realizations; ++i)
      {
        vtkNew<vtkImageData> image;
        const double n = this->Realizations;
        generator.Make(image, i, i / n, (i + 1) / n);
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
        realization = static_cast<int>(
          vtkVAEBridge::Within(std::floor(time + 1e-6), 0., this->Realizations - 1.));
      }
      generator.Make(vtkImageData::SafeDownCast(output), realization, 0, 1);
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
