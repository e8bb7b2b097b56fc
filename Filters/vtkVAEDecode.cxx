// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "vtkVAEDecode.h"

#include "LatentMath.h"
#include "vtkCellData.h"
#include "vtkDataArray.h"
#include "vtkDataSet.h"
#include "vtkImageData.h"
#include "vtkInformation.h"
#include "vtkInformationVector.h"
#include "vtkObjectFactory.h"
#include "vtkPointData.h"
#include "vtkVAEBridge.h"
#include "vtkVAELatentImage.h"
#include "vtkVAEModel.h"

vtkStandardNewMacro(vtkVAEDecode);

/// What it has decoded is not decoded again where only the pipeline above has moved, not the latents:
/// so is it below a VAE Latent Explorer, whose sliders leave its latent image as it is.
struct vtkVAEDecode::Result
{
  vtkSmartPointer<vtkImageData> Image;
  std::shared_ptr<const vae::Model> Model;
  vtkSmartPointer<vtkDataArray> Array;
  vtkMTimeType ArrayTime = 0, FilterTime = 0;
  vtkVAELatentImage::Grid Grid;
};

//----------------------------------------------------------------------------
vtkVAEDecode::vtkVAEDecode()
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
  for (const double v : this->LatentOffsets)
  {
    os << " " << v;
  }
  os << "\n" << indent << "ComputeProbability: " << this->ComputeProbability << "\n";
}

//----------------------------------------------------------------------------
void vtkVAEDecode::SetNumberOfLatentOffsets(int n)
{
  if (n >= 0 && static_cast<std::size_t>(n) != this->LatentOffsets.size())
  {
    this->LatentOffsets.resize(static_cast<std::size_t>(n));
    this->Modified();
  }
}

void vtkVAEDecode::SetLatentOffset(int channel, double standardDeviations)
{
  if (channel >= 0)
  {
    this->SetNumberOfLatentOffsets(
      std::max(channel + 1, static_cast<int>(this->LatentOffsets.size())));
    double& offset = this->LatentOffsets[static_cast<std::size_t>(channel)];
    if (offset != standardDeviations)
    {
      offset = standardDeviations;
      this->Modified();
    }
  }
}

//----------------------------------------------------------------------------
int vtkVAEDecode::FillInputPortInformation(int port, vtkInformation* info)
{
  info->Set(vtkAlgorithm::INPUT_REQUIRED_DATA_TYPE(), port == 0 ? "vtkDataSet" : "vtkTable");
  if (port == 1)
  {
    // Optional, so that a missing model is told in our words.
    info->Set(vtkAlgorithm::INPUT_IS_OPTIONAL(), 1);
  }
  return 1;
}

//----------------------------------------------------------------------------
int vtkVAEDecode::RequestInformation(
  vtkInformation*, vtkInformationVector** inputVector, vtkInformationVector* outputVector)
{
  vtkVAELatentImage::Grid grid; // of one point, which every volume has, until the latents are known
  auto latent = vtkImageData::GetData(inputVector[0]);
  const vae::ModelInfo* info = vtkVAEBridge::KnownModel(inputVector[1]);
  if (latent && info && latent->GetNumberOfPoints() > 0)
  {
    grid = vtkVAELatentImage::Decoded(latent, latent->GetCellData()->GetNumberOfArrays() > 0, *info);
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
    Result result{ nullptr, vtkVAEModel::SafeDownCast(modelObject)->GetModel(), array,
      array->GetMTime(), this->GetMTime(), grid };
    if (this->Last && this->Last->Model == result.Model && this->Last->Array == result.Array &&
      this->Last->ArrayTime == result.ArrayTime && this->Last->FilterTime == result.FilterTime &&
      this->Last->Grid == result.Grid)
    {
      output->ShallowCopy(this->Last->Image);
      return 1;
    }
    this->Last = nullptr; // its memory is needed
    vtkVAEBridge::Progress progress(this, 0, 1);
    vtkVAELatentImage::Decode(output, grid, model,
      vae::shifted(std::move(latent), this->LatentOffsets, model.latentStatistics()), 0,
      this->ComputeProbability, this->Run(), progress.Monitor());
    vtkVAELatentImage::Grid::Of(output, false).ApplyTo(outputVector->GetInformationObject(0));
    result.Image = vtkSmartPointer<vtkImageData>::New();
    result.Image->ShallowCopy(output);
    this->Last = std::make_unique<Result>(std::move(result));
    return 1;
  }
  catch (const vtkVAEBridge::Pending&)
  {
    // A training has begun anew: what the one before it gave stays in view until it has a model.
    if (this->Last)
    {
      output->ShallowCopy(this->Last->Image);
    }
    return 1;
  }
  vtkVAECatchMacro
}
