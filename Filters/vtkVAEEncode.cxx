// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "vtkVAEEncode.h"

#include "vtkImageData.h"
#include "vtkInformation.h"
#include "vtkInformationVector.h"
#include "vtkObjectFactory.h"
#include "vtkVAEBridge.h"
#include "vtkVAELatentImage.h"

vtkStandardNewMacro(vtkVAEEncode);

struct vtkVAEEncode::State
{
  vtkVAELatentImage::Whereabouts Whereabouts;
  vtkSmartPointer<vtkImageData> Last; // the last output, while there is no newer one
};

//----------------------------------------------------------------------------
vtkVAEEncode::vtkVAEEncode() : Internal(std::make_unique<State>()) { this->SetNumberOfInputPorts(2); }

vtkVAEEncode::~vtkVAEEncode() = default;

//----------------------------------------------------------------------------
int vtkVAEEncode::FillInputPortInformation(int port, vtkInformation* info)
{
  info->Set(vtkAlgorithm::INPUT_REQUIRED_DATA_TYPE(), port == 0 ? "vtkImageData" : "vtkTable");
  if (port == 1)
  {
    // Optional, so that a missing model is told in our words.
    info->Set(vtkAlgorithm::INPUT_IS_OPTIONAL(), 1);
  }
  return 1;
}

//----------------------------------------------------------------------------
int vtkVAEEncode::RequestInformation(
  vtkInformation*, vtkInformationVector** inputVector, vtkInformationVector* outputVector)
{
  using vtkVAELatentImage::Grid;
  const vae::ModelInfo* info = vtkVAEBridge::KnownModel(inputVector[1]);
  Grid grid;
  if (info)
  {
    grid = vtkVAELatentImage::LatentGrid(
      Grid::Of(inputVector[0]->GetInformationObject(0), info->cellData), info->network);
  }
  this->Internal->Whereabouts.Tell(outputVector->GetInformationObject(0), info ? &grid : nullptr);
  return 1;
}

//----------------------------------------------------------------------------
int vtkVAEEncode::RequestUpdateExtent(
  vtkInformation*, vtkInformationVector** inputVector, vtkInformationVector*)
{
  vtkVAEBridge::RequestWholeExtent(inputVector[0]->GetInformationObject(0));
  return 1;
}

//----------------------------------------------------------------------------
int vtkVAEEncode::RequestData(
  vtkInformation*, vtkInformationVector** inputVector, vtkInformationVector* outputVector)
{
  vtkImageData* input = vtkImageData::GetData(inputVector[0]);
  vtkImageData* output = vtkImageData::GetData(outputVector);
  try
  {
    const vae::Model& model = vtkVAEBridge::ModelOf(vtkDataObject::GetData(inputVector[1]));
    this->Internal->Last = nullptr; // its memory is needed
    bool cellData = false;
    const std::vector<vtkDataArray*> arrays =
      vtkVAEBridge::ArraysFor(input, model.info(), cellData);
    vtkVAEBridge::Progress progress(this, 0, 1);
    const vae::Latent latent = model.encode(
      vtkVAEBridge::VolumeOf(input, arrays, cellData), this->Run(), progress.Monitor());
    vtkVAELatentImage::Write(
      output, latent, vtkVAELatentImage::Grid::Of(input, cellData), model.info().network);
    if (this->Internal->Whereabouts.Correct(outputVector->GetInformationObject(0),
          vtkVAELatentImage::Grid::Of(output, true)))
    {
      this->Modified();
    }
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
