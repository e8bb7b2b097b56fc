// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
/**
 * @class   vtkVAEDecode
 * @brief   a volume from a latent image
 *
 * Port 0: the latent image, of vtkVAEEncode or edited, or the cells of one that vtkThreshold or
 * vtkExtractSelection has kept (missing cells are the mean of each channel). Port 1: a
 * vtkVAEModel. Output: image data with the training data's arrays, on the grid in the latent
 * image's field data. If the number of cells does not fit that grid, the output has stride voxels
 * for each cell. An unchanged latent image decodes to exactly the result of vtkVAEReconstruct.
 */
#ifndef vtkVAEDecode_h
#define vtkVAEDecode_h

#include "vtkVAEFiltersModule.h" // for export macro
#include "vtkVAEInferenceAlgorithm.h"

#include <memory> // for std::unique_ptr

class VTKVAEFILTERS_EXPORT vtkVAEDecode : public vtkVAEInferenceAlgorithm
{
public:
  static vtkVAEDecode* New();
  vtkTypeMacro(vtkVAEDecode, vtkVAEInferenceAlgorithm);
  void PrintSelf(ostream& os, vtkIndent indent) override;

  /**
   * The model, port 1.
   */
  void SetModelConnection(vtkAlgorithmOutput* model) { this->SetInputConnection(1, model); }

  ///@{
  /**
   * Added to all cells before decoding: for each latent channel, in standard deviations of it over
   * the training volume (the model's aggregated posterior). Channels without a number are not
   * moved.
   */
  void SetNumberOfLatentOffsets(int n);
  void SetLatentOffset(int channel, double standardDeviations);
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
  vtkVAEDecode();
  ~vtkVAEDecode() override;

  void Check() const override;
  int FillInputPortInformation(int port, vtkInformation* info) override;
  int RequestInformation(vtkInformation*, vtkInformationVector** inputVector,
    vtkInformationVector* outputVector) override;
  int RequestUpdateExtent(
    vtkInformation*, vtkInformationVector** inputVector, vtkInformationVector*) override;
  int RequestData(vtkInformation*, vtkInformationVector** inputVector,
    vtkInformationVector* outputVector) override;

private:
  vtkVAEDecode(const vtkVAEDecode&) = delete;
  void operator=(const vtkVAEDecode&) = delete;

  struct State;
  std::unique_ptr<State> Internal;

  bool ComputeProbability = false;
};

#endif
