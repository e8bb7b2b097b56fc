// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
/**
 * @class   vtkVAEReconstruct
 * @brief   encode a volume and decode it again
 *
 * Port 0: image data; composite data, block by block, and time series, step by step, by VTK's own
 * pipeline. Port 1: a vtkVAEModel. Output: the input with, for each array X that the model was
 * trained on, X_reconstruction (type, units and range of the training data; for phases their
 * labels), and on request
 *
 * | array | what |
 * |---|---|
 * | X_error, X_absolute_error | reconstruction minus input, float |
 * | X_probability | of the larger of two labels, 0 to 1; X_probability_L of each label L of more |
 * | X_stddev, X_entropy, X_exceedance | over posterior samples, see vae::ReconstructOutputs |
 * | X_anomaly, X_anomaly_percentile | of all arrays together, named after the first |
 * | X_anomaly_cell, X_anomaly_cell_percentile | the same of each latent cell, constant within it |
 *
 * X_reconstruction is that of the posterior mean or of a posterior sample, z = mu + sigma eps.
 * Several realizations of it are time steps 0, 1, ..., unless the input has time steps.
 *
 * Field data, one value for each array: Accuracy (phases: fraction of equal voxels), PSNR (dB, over
 * the training data's range), on request SSIM, and one Compression Ratio, bytes of the arrays over
 * those of the latent means as float32. Ghosts and blanked voxels (vtkGhostType) do not count.
 */
#ifndef vtkVAEReconstruct_h
#define vtkVAEReconstruct_h

#include "vtkVAEFiltersModule.h" // for export macro
#include "vtkVAEInferenceAlgorithm.h"

#include <memory> // for std::unique_ptr

namespace vae
{
struct ModelInfo;
}

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
   * Arrays to add. Only the error is on by default.
   */
  vtkSetMacro(ComputeError, bool);
  vtkGetMacro(ComputeError, bool);
  vtkBooleanMacro(ComputeError, bool);
  vtkSetMacro(ComputeAbsoluteError, bool);
  vtkGetMacro(ComputeAbsoluteError, bool);
  vtkBooleanMacro(ComputeAbsoluteError, bool);
  vtkSetMacro(ComputeProbability, bool);
  vtkGetMacro(ComputeProbability, bool);
  vtkBooleanMacro(ComputeProbability, bool);
  vtkSetMacro(ComputeStandardDeviation, bool);
  vtkGetMacro(ComputeStandardDeviation, bool);
  vtkBooleanMacro(ComputeStandardDeviation, bool);
  vtkSetMacro(ComputeEntropy, bool);
  vtkGetMacro(ComputeEntropy, bool);
  vtkBooleanMacro(ComputeEntropy, bool);
  vtkSetMacro(ComputeExceedance, bool);
  vtkGetMacro(ComputeExceedance, bool);
  vtkBooleanMacro(ComputeExceedance, bool);
  vtkSetMacro(ComputeAnomaly, bool);
  vtkGetMacro(ComputeAnomaly, bool);
  vtkBooleanMacro(ComputeAnomaly, bool);
  vtkSetMacro(ComputeCellAnomaly, bool);
  vtkGetMacro(ComputeCellAnomaly, bool);
  vtkBooleanMacro(ComputeCellAnomaly, bool);
  ///@}

  ///@{
  /**
   * Add the structural similarity to the field data, which takes about as long as decoding. Off by
   * default.
   */
  vtkSetMacro(ComputeSSIM, bool);
  vtkGetMacro(ComputeSSIM, bool);
  vtkBooleanMacro(ComputeSSIM, bool);
  ///@}

  ///@{
  /** Fields of vae::ReconstructOptions; defaults and ranges there. */
  void SetReconstructFrom(int which);
  int GetReconstructFrom();
  void SetRealizations(int number);
  int GetRealizations();
  void SetStrength(double strength);
  double GetStrength();
  void SetSamples(int number);
  int GetSamples();
  void SetSeed(int seed);
  int GetSeed();
  void SetThreshold(double value);
  double GetThreshold();
  void SetAnomalyMeasure(int measure);
  int GetAnomalyMeasure();
  ///@}

protected:
  vtkVAEReconstruct();
  ~vtkVAEReconstruct() override;

  void Check() const override;
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

  /// Before anything is allocated.
  void CheckMemory(
    const vae::ModelInfo& info, const std::array<std::int64_t, 3>& voxels, bool scaled) const;

  struct Internals;
  std::unique_ptr<Internals> Internal;

  bool ComputeError = true;
  bool ComputeAbsoluteError = false;
  bool ComputeProbability = false;
  bool ComputeStandardDeviation = false;
  bool ComputeEntropy = false;
  bool ComputeExceedance = false;
  bool ComputeAnomaly = false;
  bool ComputeCellAnomaly = false;
  bool ComputeSSIM = false;
};

#endif
