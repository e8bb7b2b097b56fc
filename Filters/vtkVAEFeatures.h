// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
/**
 * @class   vtkVAEFeatures
 * @brief   latent vectors of the blocks of a volume, as a table and on the blocks themselves
 *
 * Features of a microstructure in the manner of Nugroho et al. (2020): the encoder's means,
 * averaged over blocks of BlockSize^3 latent cells, and their two principal components
 * (vtkPCAStatistics).
 *
 * Port 0: image data. Port 1: a vtkVAEModel. Output 0: a table with a row for each block: Block,
 * its number and pedigree id; X, Y, Z, its middle; z0, z1, ...; PCA 0, PCA 1. Output 1: image data
 * that overlays the volume, with a cell for each block, in the order of the rows, and the same
 * arrays: a chart of it and a view of it share their selection. Field data of both: PCA Variance,
 * of each of the two components, and Latent Variance, of all channels together.
 */
#ifndef vtkVAEFeatures_h
#define vtkVAEFeatures_h

#include "vtkSmartPointer.h"     // for the last outputs
#include "vtkVAEFiltersModule.h" // for export macro
#include "vtkVAEInferenceAlgorithm.h"

class vtkTable;

class VTKVAEFILTERS_EXPORT vtkVAEFeatures : public vtkVAEInferenceAlgorithm
{
public:
  static vtkVAEFeatures* New();
  vtkTypeMacro(vtkVAEFeatures, vtkVAEInferenceAlgorithm);
  void PrintSelf(ostream& os, vtkIndent indent) override;

  /**
   * The model, port 1.
   */
  void SetModelConnection(vtkAlgorithmOutput* model) { this->SetInputConnection(1, model); }

  ///@{
  /**
   * Latent cells along each axis of a block, 1 to 100000; the last blocks may be smaller.
   * Default as in vae::FeatureOptions.
   */
  vtkSetMacro(BlockSize, int);
  vtkGetMacro(BlockSize, int);
  ///@}

protected:
  vtkVAEFeatures();
  ~vtkVAEFeatures() override;

  void Check() const override;
  int FillInputPortInformation(int port, vtkInformation* info) override;
  int FillOutputPortInformation(int port, vtkInformation* info) override;
  int RequestInformation(vtkInformation*, vtkInformationVector** inputVector,
    vtkInformationVector* outputVector) override;
  int RequestUpdateExtent(
    vtkInformation*, vtkInformationVector** inputVector, vtkInformationVector*) override;
  int RequestData(vtkInformation*, vtkInformationVector** inputVector,
    vtkInformationVector* outputVector) override;

private:
  vtkVAEFeatures(const vtkVAEFeatures&) = delete;
  void operator=(const vtkVAEFeatures&) = delete;

  vtkSmartPointer<vtkTable> LastTable; // the last outputs, while there are no newer ones
  vtkSmartPointer<vtkImageData> LastImage;
  int BlockSize;
};

#endif
