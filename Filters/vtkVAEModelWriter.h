// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
/**
 * @class   vtkVAEModelWriter
 * @brief   write a model to a file (*.safetensors)
 *
 * The file is written completely or not at all. Python reads it with the safetensors package.
 */
#ifndef vtkVAEModelWriter_h
#define vtkVAEModelWriter_h

#include "vtkVAEFiltersModule.h" // for export macro
#include "vtkWriter.h"

class VTKVAEFILTERS_EXPORT vtkVAEModelWriter : public vtkWriter
{
public:
  static vtkVAEModelWriter* New();
  vtkTypeMacro(vtkVAEModelWriter, vtkWriter);
  void PrintSelf(ostream& os, vtkIndent indent) override;

  vtkSetFilePathMacro(FileName);
  vtkGetFilePathMacro(FileName);

protected:
  vtkVAEModelWriter();
  ~vtkVAEModelWriter() override;

  int FillInputPortInformation(int port, vtkInformation* info) override;
  void WriteData() override;

private:
  vtkVAEModelWriter(const vtkVAEModelWriter&) = delete;
  void operator=(const vtkVAEModelWriter&) = delete;

  char* FileName = nullptr;
};

#endif
