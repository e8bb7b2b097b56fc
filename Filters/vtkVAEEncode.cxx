// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "vtkVAEEncode.h"

#include "Check.h"
#include "vtkImageData.h"
#include "vtkInformation.h"
#include "vtkInformationVector.h"
#include "vtkObjectFactory.h"
#include "vtkVAEBridge.h"
#include "vtkVAEForecast.h"
#include "vtkVAELatentImage.h"

vtkStandardNewMacro(vtkVAEEncode);

//----------------------------------------------------------------------------
vtkVAEEncode::vtkVAEEncode() { this->SetNumberOfInputPorts(2); }

//----------------------------------------------------------------------------
int vtkVAEEncode::FillInputPortInformation(int port, vtkInformation* info)
{
  info->Set(vtkAlgorithm::INPUT_REQUIRED_DATA_TYPE(), port == 0 ? "vtkImageData" : "vtkTable");
  if (port == 1)
  {
    // Optional, so that our own message reports a missing model.
    info->Set(vtkAlgorithm::INPUT_IS_OPTIONAL(), 1);
  }
  return 1;
}

//----------------------------------------------------------------------------
int vtkVAEEncode::RequestInformation(
  vtkInformation*, vtkInformationVector** inputVector, vtkInformationVector* outputVector)
{
  using vtkVAELatentImage::Grid;
  vtkInformation* out = outputVector->GetInformationObject(0);
  if (const vae::ModelInfo* info = vtkVAEForecast::Model(inputVector[1]))
  {
    const Grid volume = Grid::Of(inputVector[0]->GetInformationObject(0), info->cellData);
    vtkVAELatentImage::LatentGrid(volume, info->network).ApplyTo(out);
    vtkVAEForecast::Tell(out, volume);
  }
  else
  {
    Grid().ApplyTo(out);
  }
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
    this->Last = nullptr; // its memory is needed
    bool cellData = false;
    const std::vector<vtkDataArray*> arrays =
      vtkVAEBridge::ArraysFor(input, model.info(), cellData);
    vtkVAEBridge::Progress progress(this, 0, 1);
    const vae::Volume volume = vtkVAEBridge::VolumeOf(input, arrays, cellData);
    vae::requireMemory("The latent image of " + vae::toString(volume.dims) + " voxels",
      2 * vae::latentBytes(volume.dims, 0, model.info()));
    const vae::Latent latent = model.encode(volume, this->Run(), progress.Monitor());
    vtkVAELatentImage::Write(
      output, latent, vtkVAELatentImage::Grid::Of(input, cellData), model.info().network);
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
