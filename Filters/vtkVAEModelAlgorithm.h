// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
/**
 * @class   vtkVAEModelAlgorithm
 * @brief   superclass of algorithms whose output is a vtkVAEModel
 */
#ifndef vtkVAEModelAlgorithm_h
#define vtkVAEModelAlgorithm_h

#include "vtkTableAlgorithm.h"
#include "vtkVAEFiltersModule.h" // for export macro

class VTKVAEFILTERS_EXPORT vtkVAEModelAlgorithm : public vtkTableAlgorithm
{
public:
  vtkTypeMacro(vtkVAEModelAlgorithm, vtkTableAlgorithm);
  vtkTypeBool ProcessRequest(vtkInformation* request, vtkInformationVector** inputVector,
    vtkInformationVector* outputVector) override;

protected:
  vtkVAEModelAlgorithm() = default;
  ~vtkVAEModelAlgorithm() override = default;

private:
  vtkVAEModelAlgorithm(const vtkVAEModelAlgorithm&) = delete;
  void operator=(const vtkVAEModelAlgorithm&) = delete;
};

#endif
