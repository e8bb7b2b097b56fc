// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "vtkVAEModelAlgorithm.h"

#include "vtkDemandDrivenPipeline.h"
#include "vtkInformation.h"
#include "vtkInformationVector.h"
#include "vtkNew.h"
#include "vtkVAEModel.h"

//----------------------------------------------------------------------------
vtkTypeBool vtkVAEModelAlgorithm::ProcessRequest(
  vtkInformation* request, vtkInformationVector** inputVector, vtkInformationVector* outputVector)
{
  if (request->Has(vtkDemandDrivenPipeline::REQUEST_DATA_OBJECT()))
  {
    // VTK's factory does not know the class, so the output is made here.
    if (!vtkVAEModel::GetData(outputVector))
    {
      vtkNew<vtkVAEModel> output;
      outputVector->GetInformationObject(0)->Set(vtkDataObject::DATA_OBJECT(), output);
    }
    return 1;
  }
  return this->Superclass::ProcessRequest(request, inputVector, outputVector);
}
