// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "vtkVAEGenerate.h"

#include "vtkImageData.h"
#include "vtkInformation.h"
#include "vtkInformationVector.h"
#include "vtkObjectFactory.h"
#include "vtkStreamingDemandDrivenPipeline.h"
#include "vtkVAEBridge.h"
#include "vtkVAEForecast.h"
#include "vtkVAELatentImage.h"
#include "vtkVAEModel.h"

#include <algorithm>
#include <cmath>
#include <numeric>

vtkStandardNewMacro(vtkVAEGenerate);

//----------------------------------------------------------------------------
vtkVAEGenerate::vtkVAEGenerate()
{
  const vae::GenerateOptions options;
  this->Seed = static_cast<int>(options.seed);
  this->Prior = static_cast<int>(options.prior);
  this->Temperature = options.temperature;
}

vtkVAEGenerate::~vtkVAEGenerate() = default;

//----------------------------------------------------------------------------
void vtkVAEGenerate::PrintSelf(ostream& os, vtkIndent indent)
{
  this->Superclass::PrintSelf(os, indent);
  os << indent << "Dimensions: " << this->Dimensions[0] << " x " << this->Dimensions[1] << " x "
     << this->Dimensions[2] << "\n";
  os << indent << "Realizations: " << this->Realizations << "\n";
  os << indent << "Seed: " << this->Seed << "\n";
  os << indent << "Prior: " << this->Prior << "\n";
  os << indent << "Temperature: " << this->Temperature << "\n";
  os << indent << "ComputeProbability: " << this->ComputeProbability << "\n";
}

//----------------------------------------------------------------------------
int vtkVAEGenerate::FillInputPortInformation(int, vtkInformation* info)
{
  info->Set(vtkAlgorithm::INPUT_REQUIRED_DATA_TYPE(), "vtkTable");
  return 1;
}

//----------------------------------------------------------------------------
int vtkVAEGenerate::RequestInformation(
  vtkInformation*, vtkInformationVector** inputVector, vtkInformationVector* outputVector)
{
  vtkInformation* out = outputVector->GetInformationObject(0);
  if (*std::min_element(this->Dimensions, this->Dimensions + 3) < 1)
  {
    vtkErrorMacro(<< "Dimensions is " << this->Dimensions[0] << " x " << this->Dimensions[1]
                  << " x " << this->Dimensions[2] << "; each must be at least 1.");
    return 0;
  }
  vtkVAELatentImage::Grid grid; // of one point, until a model is known
  if (const vae::ModelInfo* info = vtkVAEForecast::Model(inputVector[0]))
  {
    grid = vtkVAELatentImage::Grid::New(*info, this->Dimensions);
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
  vtkInformation*, vtkInformationVector**, vtkInformationVector*)
{
  return 1; // the model is not an image: it has no extent to ask for
}

//----------------------------------------------------------------------------
int vtkVAEGenerate::RequestData(
  vtkInformation*, vtkInformationVector** inputVector, vtkInformationVector* outputVector)
{
  vtkInformation* out = outputVector->GetInformationObject(0);
  vtkImageData* output = vtkImageData::GetData(outputVector);
  try
  {
    const vae::Model& model = vtkVAEBridge::ModelOf(vtkDataObject::GetData(inputVector[0]));
    this->Last = nullptr; // its memory is needed
    const vae::ModelInfo& info = model.info();
    vae::GenerateOptions options;
    options.prior = static_cast<vae::Prior>(this->Prior);
    options.seed = this->Seed;
    options.temperature = this->Temperature;
    if (out->Has(vtkStreamingDemandDrivenPipeline::UPDATE_TIME_STEP()))
    {
      const double time = out->Get(vtkStreamingDemandDrivenPipeline::UPDATE_TIME_STEP());
      options.realization =
        std::clamp(static_cast<int>(std::floor(time + 1e-6)), 0, this->Realizations - 1);
    }

    const auto grid = vtkVAELatentImage::Grid::New(info, this->Dimensions);
    this->PlanMemory(model, grid.Dims());
    // A margin of latent cells all round, decoded and thrown away: no border in the result.
    const int margin = model.decodeHalo();
    vtkVAEBridge::Progress decoding(this, 0.1, 1);
    vtkVAELatentImage::Decode(output, grid, model, model.sample(grid.Dims(), margin, options),
      margin, this->ComputeProbability, this->Run(), decoding.Monitor());
    output->GetInformation()->Set(
      vtkDataObject::DATA_TIME_STEP(), static_cast<double>(options.realization));
    this->Last = vtkSmartPointer<vtkImageData>::New();
    this->Last->ShallowCopy(output);
    return 1;
  }
  catch (const vtkVAEBridge::Pending&)
  {
    // A training has begun anew: what the one before it gave stays in view until it has a model.
    if (this->Last)
    {
      output->ShallowCopy(this->Last);
    }
    return 1;
  }
  vtkVAECatchMacro
}
