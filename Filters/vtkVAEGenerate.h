// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
/**
 * @class   vtkVAEGenerate
 * @brief   new volumes from a trained model
 *
 * Port 0: a vtkVAEModel. Port 1, optional: a trend map, image data with the local fraction of a
 * phase, or local mean of grey values, that is wanted. Output: image data of any size with the
 * training data's arrays, spacing and units. Realizations are time steps 0, 1, ... or the blocks of
 * a multi-block; each is fixed by Seed and its number, whatever order they are asked for in.
 *
 * Field data: Prior (its name), Seed, Realization; Verdict, and Verdict Score where that prior was
 * judged; of phases also Phase ("rock = 0", what fractions are of), and Phase Label and Phase
 * Fraction, of each phase of the first array.
 *
 * Defaults are those of vae::GenerateOptions and vae::FractionOptions.
 */
#ifndef vtkVAEGenerate_h
#define vtkVAEGenerate_h

#include "vtkSmartPointer.h"     // for vtkSmartPointer
#include "vtkVAEFiltersModule.h" // for export macro
#include "vtkVAEInferenceAlgorithm.h"

#include <memory> // for std::unique_ptr
#include <string> // for std::string

class VTKVAEFILTERS_EXPORT vtkVAEGenerate : public vtkVAEInferenceAlgorithm
{
public:
  static vtkVAEGenerate* New();
  vtkTypeMacro(vtkVAEGenerate, vtkVAEInferenceAlgorithm);
  void PrintSelf(ostream& os, vtkIndent indent) override;

  /**
   * What is wanted where, port 1: an array of one component, input array 0 (or else the active
   * scalars, or the first). It is looked up in the output's coordinates, whose origin is 0, and
   * beyond its border is what its border is. Fractions, in [0, 1], of Phase; or means in the data's
   * unit. Only the learned prior follows it by itself; Fraction Mode makes any follow.
   */
  void SetTrendMapConnection(vtkAlgorithmOutput* map) { this->SetInputConnection(1, map); }

  /**
   * Image data with values that every realization has where a mask (input array 1) is not 0; may be
   * left out. The output lies on its grid.
   */
  void SetKnownDataConnection(vtkAlgorithmOutput* image) { this->SetInputConnection(2, image); }

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
   * Number of volumes. 1 to 100000, default 1.
   */
  void SetRealizations(int count);
  int GetRealizations();
  ///@}

  ///@{
  /**
   * vae::RealizationsAs. Default time steps.
   */
  void SetRealizationsAs(int what);
  int GetRealizationsAs();
  ///@}

  ///@{
  /**
   * Start of the random numbers. Default 0.
   */
  void SetSeed(int seed);
  int GetSeed();
  ///@}

  ///@{
  /**
   * Whether realizations of a learned prior come in tens with the data's mean (antithetic pairs,
   * shifted together): means over a ten scatter less, but the ten are not independent. Default off.
   */
  void SetReduceVariance(bool reduce);
  bool GetReduceVariance();
  ///@}

  ///@{
  /**
   * vae::Prior. Default automatic.
   */
  void SetPrior(int prior);
  int GetPrior();
  ///@}

  ///@{
  /**
   * Factor on the latent field's standard deviation. Range [0, 10], default 1.
   */
  void SetTemperature(double factor);
  double GetTemperature();
  ///@}

  ///@{
  /**
   * Whether the end of the volume fits its beginning. Dimensions must be whole latent cells along
   * such an axis. Off by default.
   */
  void SetPeriodicX(bool periodic);
  bool GetPeriodicX();
  void SetPeriodicY(bool periodic);
  bool GetPeriodicY();
  void SetPeriodicZ(bool periodic);
  bool GetPeriodicZ();
  ///@}

  ///@{
  /**
   * Whether values are drawn from what the decoder says of each voxel, with noise that is alike in
   * neighbouring voxels as the training data's residuals are, or are the likeliest. Only with a
   * learned prior. Default on.
   */
  void SetTexture(bool texture);
  bool GetTexture();
  ///@}

  ///@{
  /**
   * Corrections of a learned prior, measured at the end of a training: long waves that the prior
   * adds by itself are taken from the local mean that it is told; phases are cut where a volume has
   * the fraction that its local mean asks for. Default on.
   */
  void SetCorrectLongWaves(bool correct);
  bool GetCorrectLongWaves();
  void SetCorrectFraction(bool correct);
  bool GetCorrectFraction();
  ///@}

  ///@{
  /**
   * vae::FractionMode, and the fraction in [0, 1] where it is the mode. Default off and 0.2.
   */
  void SetFractionMode(int mode);
  int GetFractionMode();
  void SetTargetFraction(double fraction);
  double GetTargetFraction();
  ///@}

  ///@{
  /**
   * The label of the phase, in the first array, that fractions are of, or Automatic, the default:
   * vae::statistics::automaticPhase of the training data. The field data Phase say which it is.
   */
  void SetPhase(std::string label);
  std::string GetPhase();
  ///@}

  ///@{
  /**
   * Add X_probability of two phases, X_probability_L of each label L of more. Off by default.
   */
  vtkSetMacro(ComputeProbability, bool);
  vtkGetMacro(ComputeProbability, bool);
  vtkBooleanMacro(ComputeProbability, bool);
  ///@}

  /**
   * How like its training volume what the model draws is, and what would help: sentences, about the
   * last output. One that can be told at a glance is also warned of, once a model.
   */
  std::string GetVerdict() { return this->Verdict; }

  vtkTypeBool ProcessRequest(vtkInformation* request, vtkInformationVector** inputVector,
    vtkInformationVector* outputVector) override;

protected:
  vtkVAEGenerate();
  ~vtkVAEGenerate() override;

  void Check() const override;
  int FillInputPortInformation(int port, vtkInformation* info) override;
  int FillOutputPortInformation(int port, vtkInformation* info) override;
  int RequestDataObject(vtkInformationVector* outputVector);
  int RequestInformation(vtkInformation*, vtkInformationVector** inputVector,
    vtkInformationVector* outputVector) override;
  int RequestUpdateExtent(
    vtkInformation*, vtkInformationVector** inputVector, vtkInformationVector*) override;
  int RequestData(vtkInformation*, vtkInformationVector** inputVector,
    vtkInformationVector* outputVector) override;

private:
  vtkVAEGenerate(const vtkVAEGenerate&) = delete;
  void operator=(const vtkVAEGenerate&) = delete;

  struct Options;
  class Job;
  std::unique_ptr<Options> Internal;
  vtkSmartPointer<vtkDataObject> Last; // the last output, while there is no newer one

  int Dimensions[3] = { 128, 128, 128 };
  bool ComputeProbability = false;
  std::string Verdict;
};

#endif
