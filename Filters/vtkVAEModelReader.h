// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
/**
 * @class   vtkVAEModelReader
 * @brief   read a model file (*.safetensors) that VAE Train or VAE Model Writer wrote
 */
#ifndef vtkVAEModelReader_h
#define vtkVAEModelReader_h

#include "vtkVAEFiltersModule.h" // for export macro
#include "vtkVAEModelAlgorithm.h"

class VTKVAEFILTERS_EXPORT vtkVAEModelReader : public vtkVAEModelAlgorithm
{
public:
  static vtkVAEModelReader* New();
  vtkTypeMacro(vtkVAEModelReader, vtkVAEModelAlgorithm);
  void PrintSelf(ostream& os, vtkIndent indent) override;

  vtkSetFilePathMacro(FileName);
  vtkGetFilePathMacro(FileName);

  /**
   * Whether the file looks like a safetensors file of this plugin: 1 or 0.
   */
  int CanReadFile(const char* fileName);

protected:
  vtkVAEModelReader();
  ~vtkVAEModelReader() override;

  int RequestData(
    vtkInformation*, vtkInformationVector**, vtkInformationVector* outputVector) override;

private:
  vtkVAEModelReader(const vtkVAEModelReader&) = delete;
  void operator=(const vtkVAEModelReader&) = delete;

  char* FileName = nullptr;
};

#endif
