// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "vtkVAEInferenceAlgorithm.h"

#include "Check.h"
#include "vtkVAEBridge.h"

//----------------------------------------------------------------------------
vtkVAEInferenceAlgorithm::vtkVAEInferenceAlgorithm() : Internal(std::make_unique<vae::RunOptions>())
{
}

vtkVAEInferenceAlgorithm::~vtkVAEInferenceAlgorithm() = default;

//----------------------------------------------------------------------------
void vtkVAEInferenceAlgorithm::PrintSelf(ostream& os, vtkIndent indent)
{
  this->Superclass::PrintSelf(os, indent);
  os << indent << "Device: " << this->GetDevice() << "\n";
  os << indent << "Precision: " << this->GetPrecision() << "\n";
  os << indent << "MemoryBudget: " << this->GetMemoryBudget() << "\n";
  os << indent << "MemoryPlan: " << this->MemoryPlan << "\n";
}

//----------------------------------------------------------------------------
// Properties are the fields of vae::RunOptions.
vtkVAEOptionMacro(vtkVAEInferenceAlgorithm, Device, std::string, device);
vtkVAEOptionMacro(vtkVAEInferenceAlgorithm, Precision, int, precision);
vtkVAEOptionMacro(vtkVAEInferenceAlgorithm, MemoryBudget, double, memoryBudget);

//----------------------------------------------------------------------------
void vtkVAEInferenceAlgorithm::Check() const { vae::check(this->Run()); }

vtkTypeBool vtkVAEInferenceAlgorithm::ProcessRequest(
  vtkInformation* request, vtkInformationVector** inputVector, vtkInformationVector* outputVector)
{
  if (vtkVAEBridge::Refused(this, request, outputVector, [this] { this->Check(); }, this->Told))
  {
    return 0;
  }
  try
  {
    return this->Superclass::ProcessRequest(request, inputVector, outputVector);
  }
  vtkVAECatchMacro
}

//----------------------------------------------------------------------------
void vtkVAEInferenceAlgorithm::PlanMemory(
  const vae::Model& model, const std::array<std::int64_t, 3>& voxels)
{
  this->MemoryPlan = model.memoryPlan(voxels, this->Run());
}
