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

#ifndef __VTK_WRAP__
#include <memory> // for std::shared_ptr
namespace vae
{
class Model;
}
#endif

class VTKVAEFILTERS_EXPORT vtkVAEModelReader : public vtkVAEModelAlgorithm
{
public:
  static vtkVAEModelReader* New();
  vtkTypeMacro(vtkVAEModelReader, vtkVAEModelAlgorithm);
  void PrintSelf(ostream& os, vtkIndent indent) override;

  vtkSetFilePathMacro(FileName);
  vtkGetFilePathMacro(FileName);

  ///@{
  /**
   * Read models whose network is TorchScript, which is a program. Default: false.
   */
  vtkSetMacro(AllowTorchScript, bool);
  vtkGetMacro(AllowTorchScript, bool);
  vtkBooleanMacro(AllowTorchScript, bool);
  ///@}

  /**
   * Whether the file looks like a safetensors file of this plugin: 1 or 0.
   */
  int CanReadFile(const char* fileName);

protected:
  vtkVAEModelReader();
  ~vtkVAEModelReader() override;

  int RequestInformation(
    vtkInformation*, vtkInformationVector**, vtkInformationVector* outputVector) override;
  int RequestData(
    vtkInformation*, vtkInformationVector**, vtkInformationVector* outputVector) override;

private:
  vtkVAEModelReader(const vtkVAEModelReader&) = delete;
  void operator=(const vtkVAEModelReader&) = delete;

  char* FileName = nullptr;
  bool AllowTorchScript = false;
#ifndef __VTK_WRAP__
  std::shared_ptr<const vae::Model> Load() const; // what File Name names

  std::shared_ptr<const vae::Model> Loaded; // when the pipeline asked what there will be
#endif
};

#endif
