// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
/**
 * @class   vtkVAELatentWalk
 * @brief   decode along a path through latent space
 *
 * Port 0: a vtkVAEModel. Ports 1 and 2: image data, if Start or End is a volume. Output: image
 * data at time t, 0 to Steps - 1; s = t / (Steps - 1), and with z_0 the field of Start, z_1 that
 * of End, m and sigma mean and standard deviation of each latent channel over the training
 * volume:
 *
 * - Traverse: z = z_0 + (2 s - 1) Range sigma_c in all cells of channel c;
 * - Linear: z = (1 - s) z_0 + s z_1;
 * - Spherical: z = m + [sin((1 - s) theta) (z_0 - m) + sin(s theta) (z_1 - m)] / sin theta, theta
 * the angle between z_0 - m and z_1 - m as vectors of all cells and channels.
 *
 * The grid is that of the volume, or as vtkVAEGenerate's. Field data: Walk Position, s or the
 * offset in standard deviations.
 */
#ifndef vtkVAELatentWalk_h
#define vtkVAELatentWalk_h

#include "vtkSmartPointer.h"     // for the last output
#include "vtkVAEFiltersModule.h" // for export macro
#include "vtkVAEInferenceAlgorithm.h"

#include <memory> // for std::unique_ptr

class VTKVAEFILTERS_EXPORT vtkVAELatentWalk : public vtkVAEInferenceAlgorithm
{
public:
  static vtkVAELatentWalk* New();
  vtkTypeMacro(vtkVAELatentWalk, vtkVAEInferenceAlgorithm);
  void PrintSelf(ostream& os, vtkIndent indent) override;

  ///@{
  /**
   * The volumes that a walk begins and ends with, ports 1 and 2.
   */
  void SetStartVolumeConnection(vtkAlgorithmOutput* volume) { this->SetInputConnection(1, volume); }
  void SetEndVolumeConnection(vtkAlgorithmOutput* volume) { this->SetInputConnection(2, volume); }
  ///@}

  ///@{
  /**
   * vae::Walk. Default traverse.
   */
  void SetWalk(int walk);
  int GetWalk();
  ///@}

  ///@{
  /**
   * Number of time steps, at least 2; the channel to traverse, and how far to either side, in
   * standard deviations. Defaults as in vae::WalkOptions.
   */
  void SetSteps(int steps);
  int GetSteps();
  void SetChannel(int channel);
  int GetChannel();
  void SetRange(double standardDeviations);
  double GetRange();
  ///@}

  ///@{
  /**
   * vae::LatentSource: a sample by its seed, the mean, or the encoding of the volume. A traversal
   * has no end.
   */
  void SetStart(int source);
  int GetStart();
  void SetEnd(int source);
  int GetEnd();
  void SetStartSeed(int seed);
  int GetStartSeed();
  void SetEndSeed(int seed);
  int GetEndSeed();
  ///@}

  ///@{
  /**
   * Voxels along x, y, z, if neither Start nor End is a volume. Default 64 x 64 x 64.
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

protected:
  vtkVAELatentWalk();
  ~vtkVAELatentWalk() override;

  void Check() const override;
  int FillInputPortInformation(int port, vtkInformation* info) override;
  int RequestInformation(vtkInformation*, vtkInformationVector** inputVector,
    vtkInformationVector* outputVector) override;
  int RequestUpdateExtent(
    vtkInformation*, vtkInformationVector** inputVector, vtkInformationVector*) override;
  int RequestData(vtkInformation*, vtkInformationVector** inputVector,
    vtkInformationVector* outputVector) override;

private:
  vtkVAELatentWalk(const vtkVAELatentWalk&) = delete;
  void operator=(const vtkVAELatentWalk&) = delete;

  struct Options;
  std::unique_ptr<Options> Internal;
  vtkSmartPointer<vtkImageData> Last; // the last output, while there is no newer one

  int Dimensions[3] = { 64, 64, 64 };
  bool ComputeProbability = false;
};

#endif
