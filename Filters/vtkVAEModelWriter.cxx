// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "vtkVAEModelWriter.h"

#include "vtkErrorCode.h"
#include "vtkInformation.h"
#include "vtkObjectFactory.h"
#include "vtkVAEBridge.h"

vtkStandardNewMacro(vtkVAEModelWriter);

//----------------------------------------------------------------------------
vtkVAEModelWriter::vtkVAEModelWriter() = default;

vtkVAEModelWriter::~vtkVAEModelWriter() { this->SetFileName(nullptr); }

//----------------------------------------------------------------------------
void vtkVAEModelWriter::PrintSelf(ostream& os, vtkIndent indent)
{
  this->Superclass::PrintSelf(os, indent);
  os << indent << "FileName: " << (this->FileName ? this->FileName : "(none)") << "\n";
}

//----------------------------------------------------------------------------
int vtkVAEModelWriter::FillInputPortInformation(int, vtkInformation* info)
{
  info->Set(vtkAlgorithm::INPUT_REQUIRED_DATA_TYPE(), "vtkTable");
  return 1;
}

//----------------------------------------------------------------------------
void vtkVAEModelWriter::WriteData()
{
  try
  {
    if (!this->FileName || !*this->FileName)
    {
      throw std::invalid_argument("File Name is empty; choose where to write the model");
    }
    vtkVAEBridge::ModelOf(this->GetInput()).save(this->FileName);
  }
  catch (const std::exception& e)
  {
    this->SetErrorCode(vtkErrorCode::CannotOpenFileError);
    vtkErrorMacro(<< vtkVAEBridge::FirstLine(e.what()));
  }
}
