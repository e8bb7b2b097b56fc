// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
/**
 * @class   vtkVAEGenerate
 * @brief   new volumes from a trained model
 *
 * Input: a vtkVAEModel. Output: image data of any size with the training data's arrays,
 * spacing and units. Realizations are time steps 0, 1, ...; each is fixed by Seed and its
 * number, whatever order they are asked for in. Defaults are those of vae::GenerateOptions.
 */
#ifndef vtkVAEGenerate_h
#define vtkVAEGenerate_h

#include "vtkSmartPointer.h"     // for vtkSmartPointer
#include "vtkVAEFiltersModule.h" // for export macro
#include "vtkVAEInferenceAlgorithm.h"

class VTKVAEFILTERS_EXPORT vtkVAEGenerate : public vtkVAEInferenceAlgorithm
{
public:
  static vtkVAEGenerate* New();
  vtkTypeMacro(vtkVAEGenerate, vtkVAEInferenceAlgorithm);
  void PrintSelf(ostream& os, vtkIndent indent) override;

  ///@{
  /**
   * Voxels along x, y, z, each at least 1; a 2-D model ignores the axis that its training
   * image did not have. Default 128 x 128 x 128.
   */
  vtkSetVector3Macro(Dimensions, int);
  vtkGetVector3Macro(Dimensions, int);
  ///@}

  ///@{
  /**
   * Number of volumes, offered as time steps. At least 1, default 1.
   */
  vtkSetClampMacro(Realizations, int, 1, VTK_INT_MAX);
  vtkGetMacro(Realizations, int);
  ///@}

  ///@{
  /**
   * Start of the random numbers. Default 0.
   */
  vtkSetMacro(Seed, int);
  vtkGetMacro(Seed, int);
  ///@}

  ///@{
  /**
   * vae::Prior. Default automatic.
   */
  vtkSetMacro(Prior, int);
  vtkGetMacro(Prior, int);
  ///@}

  ///@{
  /**
   * Factor on the latent field's standard deviation. Range [0, 10], default 1.
   */
  vtkSetClampMacro(Temperature, double, 0, 10);
  vtkGetMacro(Temperature, double);
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
  vtkVAEGenerate();
  ~vtkVAEGenerate() override;

  int FillInputPortInformation(int port, vtkInformation* info) override;
  int RequestInformation(vtkInformation*, vtkInformationVector** inputVector,
    vtkInformationVector* outputVector) override;
  int RequestUpdateExtent(
    vtkInformation*, vtkInformationVector** inputVector, vtkInformationVector*) override;
  int RequestData(vtkInformation*, vtkInformationVector** inputVector,
    vtkInformationVector* outputVector) override;

private:
  vtkVAEGenerate(const vtkVAEGenerate&) = delete;
  void operator=(const vtkVAEGenerate&) = delete;

  vtkSmartPointer<vtkImageData> Last; // the last output, while there is no newer one

  int Dimensions[3] = { 128, 128, 128 };
  int Realizations = 1;
  int Seed;
  int Prior;
  double Temperature;
  bool ComputeProbability = false;
};

#endif
