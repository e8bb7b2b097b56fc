// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
/**
 * @class   vtkVAELatentExplorer
 * @brief   move the latent channels of a field, and decode a block of it
 *
 * Port 0: a vtkVAEModel. Port 1: image data, if Base is a volume. Output 0: a block in the middle
 * of the decoded volume, at its place and equal to the same voxels of the whole volume. Output 1:
 * the latent image of the base field without the offsets, for vtkVAEDecode, which has the same
 * Latent Offsets. It stays the same object while they change, so that filters downstream do not
 * execute again.
 */
#ifndef vtkVAELatentExplorer_h
#define vtkVAELatentExplorer_h

#include "vtkNew.h"              // for arrays
#include "vtkSmartPointer.h"     // for the last outputs
#include "vtkVAEFiltersModule.h" // for export macro
#include "vtkVAEInferenceAlgorithm.h"

#include <memory> // for std::unique_ptr

class vtkDoubleArray;

class VTKVAEFILTERS_EXPORT vtkVAELatentExplorer : public vtkVAEInferenceAlgorithm
{
public:
  static vtkVAELatentExplorer* New();
  vtkTypeMacro(vtkVAELatentExplorer, vtkVAEInferenceAlgorithm);
  void PrintSelf(ostream& os, vtkIndent indent) override;

  /**
   * The volume whose encoding is the base, port 1.
   */
  void SetVolumeConnection(vtkAlgorithmOutput* volume) { this->SetInputConnection(1, volume); }

  ///@{
  /**
   * Offsets added to all cells, one for each latent channel, in standard deviations of the channel
   * over the training volume (the model's aggregated posterior). Channels without one are not
   * moved.
   */
  void SetNumberOfLatentOffsets(int n);
  void SetLatentOffset(int channel, double standardDeviations);
  ///@}

  ///@{
  /**
   * vae::LatentSource of the base field, the seed of a sample, voxels along each axis of the block
   * that is decoded (0: all). Defaults as in vae::ExplorerOptions.
   */
  void SetBase(int source);
  int GetBase();
  void SetSeed(int seed);
  int GetSeed();
  void SetBlockSize(int voxels);
  int GetBlockSize();
  ///@}

  ///@{
  /**
   * Voxels of the decoded volume along x, y, z, if Base is no volume. Default
   * 128 x 128 x 128.
   */
  vtkSetVector3Macro(Dimensions, int);
  vtkGetVector3Macro(Dimensions, int);
  ///@}

  ///@{
  /**
   * Add X_probability, for two-phase data. Off by default.
   */
  vtkSetMacro(ComputeProbability, bool);
  vtkGetMacro(ComputeProbability, bool);
  vtkBooleanMacro(ComputeProbability, bool);
  ///@}

  ///@{
  /**
   * What the panel draws for each latent channel of the model: mean and standard deviation of the
   * aggregated posterior, mean standard deviation of q(z|x), and 257 quantiles of the posterior
   * means at equally spaced normal scores from -4 to 4, one channel after the other. Empty without
   * a model.
   */
  vtkDoubleArray* GetChannelMeans();
  vtkDoubleArray* GetChannelDeviations();
  vtkDoubleArray* GetPosteriorDeviations();
  vtkDoubleArray* GetChannelQuantiles();
  ///@}

protected:
  vtkVAELatentExplorer();
  ~vtkVAELatentExplorer() override;

  void Check() const override;
  int FillInputPortInformation(int port, vtkInformation* info) override;
  int RequestInformation(vtkInformation*, vtkInformationVector** inputVector,
    vtkInformationVector* outputVector) override;
  int RequestUpdateExtent(
    vtkInformation*, vtkInformationVector** inputVector, vtkInformationVector*) override;
  int RequestData(vtkInformation*, vtkInformationVector** inputVector,
    vtkInformationVector* outputVector) override;

private:
  vtkVAELatentExplorer(const vtkVAELatentExplorer&) = delete;
  void operator=(const vtkVAELatentExplorer&) = delete;

  void LookAtModel();

  struct Options;
  std::unique_ptr<Options> Internal;
  vtkSmartPointer<vtkImageData> LastBlock, LastLatent; // while there are no newer ones
  vtkNew<vtkDoubleArray> ChannelMeans, ChannelDeviations, PosteriorDeviations, ChannelQuantiles;

  int Dimensions[3] = { 128, 128, 128 };
  bool ComputeProbability = false;
};

#endif
