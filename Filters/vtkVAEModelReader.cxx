// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "vtkVAEModelReader.h"

#include "vtkInformation.h"
#include "vtkInformationVector.h"
#include "vtkNew.h"
#include "vtkObjectFactory.h"
#include "vtkVAEBridge.h"
#include "vtkVAEForecast.h"
#include "vtkVAEModel.h"

#include <fstream>

vtkStandardNewMacro(vtkVAEModelReader);

//----------------------------------------------------------------------------
vtkVAEModelReader::vtkVAEModelReader() { this->SetNumberOfInputPorts(0); }

vtkVAEModelReader::~vtkVAEModelReader() { this->SetFileName(nullptr); }

//----------------------------------------------------------------------------
void vtkVAEModelReader::PrintSelf(ostream& os, vtkIndent indent)
{
  this->Superclass::PrintSelf(os, indent);
  os << indent << "FileName: " << (this->FileName ? this->FileName : "(none)") << "\n";
  os << indent << "AllowTorchScript: " << this->AllowTorchScript << "\n";
}

//----------------------------------------------------------------------------
int vtkVAEModelReader::CanReadFile(const char* fileName)
{
  std::ifstream in(fileName, std::ios::binary);
  char head[16] = {};
  return in.read(head, 9) && head[8] == '{';
}

//----------------------------------------------------------------------------
std::shared_ptr<const vae::Model> vtkVAEModelReader::Load() const
{
  return vae::backend().load(this->FileName, { this->AllowTorchScript });
}

//----------------------------------------------------------------------------
int vtkVAEModelReader::RequestInformation(
  vtkInformation*, vtkInformationVector**, vtkInformationVector* outputVector)
{
  this->Loaded = nullptr;
  try
  {
    if (this->FileName && *this->FileName)
    {
      this->Loaded = this->Load();
      vtkVAEForecast::Tell(outputVector->GetInformationObject(0), this->Loaded->info());
    }
  }
  catch (const std::exception&)
  {
    // RequestData says what is wrong.
  }
  return 1;
}

//----------------------------------------------------------------------------
int vtkVAEModelReader::RequestData(
  vtkInformation*, vtkInformationVector**, vtkInformationVector* outputVector)
{
  try
  {
    if (!this->FileName || !*this->FileName)
    {
      throw std::invalid_argument("File Name is empty; choose a model file (*.safetensors)");
    }
    vtkVAEModel::GetData(outputVector)->SetModel(this->Loaded ? this->Loaded : this->Load());
    return 1;
  }
  vtkVAECatchMacro
}
