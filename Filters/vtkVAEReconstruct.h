// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
/**
 * @class   vtkVAEReconstruct
 * @brief   encode a volume and decode it again
 *
 * Port 0: image data. Port 1: a vtkVAEModel. Output: the input with, for each array X that
 * the model was trained on, X_reconstruction (type, units and range of the training data;
 * for two phases their labels), X_error (reconstruction minus input, float) and on request
 * X_probability (two phases: of the larger label, float, 0 to 1). Field data: Accuracy
 * (fraction of equal voxels) or PSNR (dB, over the training data's range).
 */
#ifndef vtkVAEReconstruct_h
#define vtkVAEReconstruct_h

#include "vtkSmartPointer.h"     // for the last output
#include "vtkVAEFiltersModule.h" // for export macro
#include "vtkVAEInferenceAlgorithm.h"

class VTKVAEFILTERS_EXPORT vtkVAEReconstruct : public vtkVAEInferenceAlgorithm
{
public:
  static vtkVAEReconstruct* New();
  vtkTypeMacro(vtkVAEReconstruct, vtkVAEInferenceAlgorithm);
  void PrintSelf(ostream& os, vtkIndent indent) override;

  /**
   * The model, port 1.
   */
  void SetModelConnection(vtkAlgorithmOutput* model) { this->SetInputConnection(1, model); }

  ///@{
  /**
   * Add X_error: reconstruction minus input. On by default.
   */
  vtkSetMacro(ComputeError, bool);
  vtkGetMacro(ComputeError, bool);
  vtkBooleanMacro(ComputeError, bool);
  ///@}

  ///@{
  /**
   * Add X_probability, for two-phase data. Off by default.
   */
  vtkSetMacro(ComputeProbability, bool);
  vtkGetMacro(ComputeProbability, bool);
  vtkBooleanMacro(ComputeProbability, bool);
  ///@}

protected:
  vtkVAEReconstruct();
  ~vtkVAEReconstruct() override = default;

  int FillInputPortInformation(int port, vtkInformation* info) override;
  int RequestInformation(vtkInformation*, vtkInformationVector** inputVector,
    vtkInformationVector* outputVector) override;
  int RequestUpdateExtent(
    vtkInformation*, vtkInformationVector** inputVector, vtkInformationVector*) override;
  int RequestData(vtkInformation*, vtkInformationVector** inputVector,
    vtkInformationVector* outputVector) override;

private:
  vtkVAEReconstruct(const vtkVAEReconstruct&) = delete;
  void operator=(const vtkVAEReconstruct&) = delete;

  vtkSmartPointer<vtkImageData> Last; // the last output, while there is no newer one

  bool ComputeError = true;
  bool ComputeProbability = false;
};

#endif
