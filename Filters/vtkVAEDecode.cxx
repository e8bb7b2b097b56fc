// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "vtkVAEDecode.h"

#include "Check.h"
#include "LatentMath.h"
#include "vtkCellData.h"
#include "vtkDataArray.h"
#include "vtkDataSet.h"
#include "vtkImageData.h"
#include "vtkInformation.h"
#include "vtkInformationVector.h"
#include "vtkObjectFactory.h"
#include "vtkPointData.h"
#include "vtkStreamingDemandDrivenPipeline.h"
#include "vtkVAEBridge.h"
#include "vtkVAEForecast.h"
#include "vtkVAELatentImage.h"
#include "vtkVAEModel.h"

#include <algorithm>

vtkStandardNewMacro(vtkVAEDecode);

struct vtkVAEDecode::State
{
  std::vector<double> LatentOffsets;

  /// What a result depends on. It is not decoded again where only the pipeline above has moved, not
  /// the latents: so it is below a VAE Latent Explorer, whose sliders leave its latent image as it
  /// is.
  struct Key
  {
    std::shared_ptr<const vae::Model> Model;
    vtkSmartPointer<vtkDataArray> Array;
    vtkMTimeType ArrayTime = 0, FilterTime = 0;
    vtkVAELatentImage::Grid Grid;
    bool operator==(const Key&) const = default;
  } Done;
  vtkSmartPointer<vtkImageData> Last; // the output that it gave
};

//----------------------------------------------------------------------------
vtkVAEDecode::vtkVAEDecode() : Internal(std::make_unique<State>())
{
  this->SetNumberOfInputPorts(2);
  this->SetInputArrayToProcess(
    0, 0, 0, vtkDataObject::FIELD_ASSOCIATION_CELLS, vtkVAELatentImage::MeanName);
}

vtkVAEDecode::~vtkVAEDecode() = default;

//----------------------------------------------------------------------------
void vtkVAEDecode::PrintSelf(ostream& os, vtkIndent indent)
{
  this->Superclass::PrintSelf(os, indent);
  os << indent << "LatentOffsets:";
  for (const double v : this->Internal->LatentOffsets)
  {
    os << " " << v;
  }
  os << "\n" << indent << "ComputeProbability: " << this->ComputeProbability << "\n";
}

//----------------------------------------------------------------------------
void vtkVAEDecode::SetNumberOfLatentOffsets(int n)
{
  n = std::clamp(n, 0, vae::MostOffsets);
  if (static_cast<std::size_t>(n) != this->Internal->LatentOffsets.size())
  {
    this->Internal->LatentOffsets.resize(static_cast<std::size_t>(n));
    this->Modified();
  }
}

void vtkVAEDecode::SetLatentOffset(int channel, double standardDeviations)
{
  if (channel >= 0 && channel < vae::MostOffsets)
  {
    this->SetNumberOfLatentOffsets(
      std::max(channel + 1, static_cast<int>(this->Internal->LatentOffsets.size())));
    double& offset = this->Internal->LatentOffsets[static_cast<std::size_t>(channel)];
    if (offset != standardDeviations)
    {
      offset = standardDeviations;
      this->Modified();
    }
  }
}

//----------------------------------------------------------------------------
void vtkVAEDecode::Check() const
{
  this->Superclass::Check();
  vae::requireOffsets(this->Internal->LatentOffsets);
}

//----------------------------------------------------------------------------
int vtkVAEDecode::FillInputPortInformation(int port, vtkInformation* info)
{
  info->Set(vtkAlgorithm::INPUT_REQUIRED_DATA_TYPE(), port == 0 ? "vtkDataSet" : "vtkTable");
  if (port == 1)
  {
    // Optional, so that our own message reports a missing model.
    info->Set(vtkAlgorithm::INPUT_IS_OPTIONAL(), 1);
  }
  return 1;
}

//----------------------------------------------------------------------------
int vtkVAEDecode::RequestInformation(
  vtkInformation*, vtkInformationVector** inputVector, vtkInformationVector* outputVector)
{
  using vtkVAELatentImage::Grid;
  vtkInformation* in = inputVector[0]->GetInformationObject(0);
  const vae::ModelInfo* info = vtkVAEForecast::Model(inputVector[1]);
  const Grid* volume = vtkVAEForecast::Volume(inputVector[0]);
  Grid grid =
    volume ? *volume : Grid(); // cells of a latent image, as Threshold leaves them, have no extent
  if (info && in->Has(vtkStreamingDemandDrivenPipeline::WHOLE_EXTENT()))
  {
    grid = vtkVAELatentImage::Decoded(Grid::Of(in, true), volume, *info);
  }
  grid.ApplyTo(outputVector->GetInformationObject(0));
  return 1;
}

//----------------------------------------------------------------------------
int vtkVAEDecode::RequestUpdateExtent(
  vtkInformation*, vtkInformationVector** inputVector, vtkInformationVector*)
{
  vtkVAEBridge::RequestWholeExtent(inputVector[0]->GetInformationObject(0));
  return 1;
}

//----------------------------------------------------------------------------
int vtkVAEDecode::RequestData(
  vtkInformation*, vtkInformationVector** inputVector, vtkInformationVector* outputVector)
{
  vtkDataSet* input = vtkDataSet::GetData(inputVector[0]);
  vtkImageData* output = vtkImageData::GetData(outputVector);
  try
  {
    vtkDataObject* modelObject = vtkDataObject::GetData(inputVector[1]);
    const vae::Model& model = vtkVAEBridge::ModelOf(modelObject);
    vtkDataArray* array = vtkVAEBridge::NamesRows(this)
      ? input->GetCellData()->GetArray(vtkVAELatentImage::MeanName)
      : this->GetInputArrayToProcess(0, inputVector);
    if (!array)
    {
      vtkInformation* wanted = this->GetInputArrayInformation(0);
      throw std::invalid_argument(std::string("Latent Array is '") +
        (wanted->Has(vtkDataObject::FIELD_NAME()) ? wanted->Get(vtkDataObject::FIELD_NAME()) : "") +
        "', but the input has no such array; VAE Encode makes '" + vtkVAELatentImage::MeanName +
        "'");
    }
    auto [latent, grid] = vtkVAELatentImage::Read(input, array, model);
    State::Key key{ vtkVAEModel::SafeDownCast(modelObject)->GetModel(), array, array->GetMTime(),
      this->GetMTime(), grid };
    if (this->Internal->Last && this->Internal->Done == key)
    {
      output->ShallowCopy(this->Internal->Last);
      return 1;
    }
    this->Internal->Last = nullptr; // its memory is needed
    vtkVAEBridge::Progress progress(this, 0, 1);
    this->PlanMemory(model, grid.Dims());
    vtkVAELatentImage::Decode(output, grid, model,
      { vae::shifted(std::move(latent), this->Internal->LatentOffsets, model.latentStatistics()) },
      0, this->ComputeProbability, this->Run(), progress.Monitor());
    this->Internal->Done = std::move(key);
    this->Internal->Last = vtkSmartPointer<vtkImageData>::New();
    this->Internal->Last->ShallowCopy(output);
    return 1;
  }
  catch (const vtkVAEBridge::Pending&)
  {
    // A training has begun anew: what the one before it gave stays in view until it has a model.
    if (this->Internal->Last)
    {
      output->ShallowCopy(this->Internal->Last);
    }
    return 1;
  }
  vtkVAECatchMacro
}
