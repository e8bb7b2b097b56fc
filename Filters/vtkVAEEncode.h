// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
/**
 * @class   vtkVAEEncode
 * @brief   a volume's latent field, as image data that overlays it
 *
 * Port 0: image data. Port 1: a vtkVAEModel. Output: the latent image. Each cell is the box of
 * stride voxels that it encodes, in place, size and direction (a point of the volume is the middle
 * of a voxel's box); sizes that the stride does not divide are padded by reflection. Cell
 * data: latent_mean and latent_log_variance, of q(z|x), with one component a latent channel (z0,
 * z1, ...), and latent_cell, the cell's number. Field data: the volume's grid (Volume Extent,
 * Volume Origin, Volume Spacing, Volume Direction, Volume Cell Data), for vtkVAEDecode.
 */
#ifndef vtkVAEEncode_h
#define vtkVAEEncode_h

#include "vtkSmartPointer.h"     // for the last output
#include "vtkVAEFiltersModule.h" // for export macro
#include "vtkVAEInferenceAlgorithm.h"

class VTKVAEFILTERS_EXPORT vtkVAEEncode : public vtkVAEInferenceAlgorithm
{
public:
  static vtkVAEEncode* New();
  vtkTypeMacro(vtkVAEEncode, vtkVAEInferenceAlgorithm);

  /**
   * The model, port 1.
   */
  void SetModelConnection(vtkAlgorithmOutput* model) { this->SetInputConnection(1, model); }

protected:
  vtkVAEEncode();
  ~vtkVAEEncode() override = default;

  int FillInputPortInformation(int port, vtkInformation* info) override;
  int RequestInformation(vtkInformation*, vtkInformationVector** inputVector,
    vtkInformationVector* outputVector) override;
  int RequestUpdateExtent(
    vtkInformation*, vtkInformationVector** inputVector, vtkInformationVector*) override;
  int RequestData(vtkInformation*, vtkInformationVector** inputVector,
    vtkInformationVector* outputVector) override;

private:
  vtkVAEEncode(const vtkVAEEncode&) = delete;
  void operator=(const vtkVAEEncode&) = delete;

  vtkSmartPointer<vtkImageData> Last; // the last output, while there is no newer one
};

#endif
