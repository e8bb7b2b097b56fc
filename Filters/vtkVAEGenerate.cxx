// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "vtkVAEGenerate.h"

#include "vtkCellData.h"
#include "vtkDataArray.h"
#include "vtkImageData.h"
#include "vtkInformation.h"
#include "vtkInformationVector.h"
#include "vtkObjectFactory.h"
#include "vtkPointData.h"
#include "vtkStreamingDemandDrivenPipeline.h"
#include "vtkVAEBridge.h"
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

namespace
{

/// Voxels of the output: as asked for, but 1 along the axis that a 2-D model does not have.
void SizeFor(const vae::ModelInfo* info, const int asked[3], int dims[3])
{
  for (int a = 0; a < 3; ++a)
  {
    const bool unused =
      info && info->network.dimensions == 2 && info->trainingDims[static_cast<std::size_t>(a)] == 1;
    dims[a] = unused ? 1 : asked[a];
  }
}

const vae::ModelInfo* KnownModel(vtkInformationVector** inputVector)
{
  auto model = vtkVAEModel::GetData(inputVector[0]);
  return model && model->GetModel() ? &model->GetModel()->info() : nullptr;
}

} // namespace

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
  const vae::ModelInfo* info = KnownModel(inputVector);
  int dims[3];
  SizeFor(info, this->Dimensions, dims);
  const int points = info && info->cellData ? 1 : 0;
  const int extent[6] = { 0, dims[0] - 1 + points, 0, dims[1] - 1 + points, 0,
    dims[2] - 1 + points };
  out->Set(vtkStreamingDemandDrivenPipeline::WHOLE_EXTENT(), extent, 6);
  const double origin[3] = { 0, 0, 0 };
  out->Set(vtkDataObject::ORIGIN(), origin, 3);
  if (info)
  {
    out->Set(vtkDataObject::SPACING(), info->spacing.data(), 3);
  }
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

    int size[3];
    SizeFor(&info, this->Dimensions, size);
    const vae::Dims dims{ size[0], size[1], size[2] };
    const vtkIdType count = vae::voxels(dims);
    vae::Outputs wanted;
    auto arrays = vtkVAEBridge::NewArrays(info, "", VTK_VOID, count, wanted.values);
    const vtkSmartPointer<vtkDataArray> scalars = arrays[0];
    if (this->ComputeProbability)
    {
      for (auto& array : vtkVAEBridge::NewProbabilities(info, count, wanted.probability))
      {
        arrays.push_back(array);
      }
    }

    this->PlanMemory(model, dims);
    // A margin of latent cells all round, decoded and thrown away: no border in the result.
    const int margin = model.decodeHalo();
    vtkVAEBridge::Progress decoding(this, 0.1, 1);
    model.decode(
      model.sample(dims, margin, options), dims, margin, wanted, this->Run(), decoding.Monitor());

    const int points = info.cellData ? 1 : 0;
    output->SetExtent(0, size[0] - 1 + points, 0, size[1] - 1 + points, 0, size[2] - 1 + points);
    output->SetOrigin(0, 0, 0);
    output->SetSpacing(info.spacing.data());
    vtkDataSetAttributes* attributes = info.cellData
      ? static_cast<vtkDataSetAttributes*>(output->GetCellData())
      : output->GetPointData();
    for (const auto& array : arrays)
    {
      attributes->AddArray(array);
    }
    attributes->SetActiveScalars(scalars->GetName());
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
