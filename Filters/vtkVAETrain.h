// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
/**
 * @class   vtkVAETrain
 * @brief   train a variational autoencoder on a volume
 *
 * Input: image data (3-D, or 2-D with one dimension of 1) with point or cell arrays of any
 * numeric type. Output: a vtkVAEModel, one row an epoch. RequestData blocks until the budget
 * is spent and reports progress; an abort keeps what was trained so far.
 *
 * If ModelFile names a model that was trained on the same data with the same settings, it is
 * loaded instead of being trained again (see Status). When training ends the model is written
 * there: to a temporary file first, so that an older one stays whole until then.
 *
 * Defaults and ranges are those of vae::TrainOptions.
 */
#ifndef vtkVAETrain_h
#define vtkVAETrain_h

#include "vtkVAEFiltersModule.h" // for export macro
#include "vtkVAEModelAlgorithm.h"

#include <memory> // for std::unique_ptr
#include <string> // for std::string

class vtkDataArraySelection;
class vtkVAEModel;

class VTKVAEFILTERS_EXPORT vtkVAETrain : public vtkVAEModelAlgorithm
{
public:
  static vtkVAETrain* New();
  vtkTypeMacro(vtkVAETrain, vtkVAEModelAlgorithm);
  void PrintSelf(ostream& os, vtkIndent indent) override;

  /**
   * Arrays beside the one to process whose components become further channels. All are off.
   */
  vtkDataArraySelection* GetAdditionalArrays();

  ///@{
  /**
   * Where the model is written when training ends; none if empty.
   */
  vtkSetFilePathMacro(ModelFile);
  vtkGetFilePathMacro(ModelFile);
  ///@}

  ///@{
  /**
   * Train again although ModelFile fits data and settings. Off by default.
   */
  vtkSetMacro(AlwaysTrain, bool);
  vtkGetMacro(AlwaysTrain, bool);
  vtkBooleanMacro(AlwaysTrain, bool);
  ///@}

  ///@{
  /**
   * See vae::TrainOptions, the only copy of each default.
   */
  void SetTimeBudget(double seconds);
  double GetTimeBudget();
  void SetEpochs(int epochs);
  int GetEpochs();
  void SetStepsPerEpoch(int steps);
  int GetStepsPerEpoch();
  void SetValidationFraction(double fraction);
  double GetValidationFraction();
  void SetLikelihood(int likelihood);
  int GetLikelihood();
  void SetKLWeight(double weight);
  double GetKLWeight();
  void SetKLRamp(double fraction);
  double GetKLRamp();
  void SetLatentChannels(int channels);
  int GetLatentChannels();
  void SetWidth(int width);
  int GetWidth();
  void SetBlocks(int blocks);
  int GetBlocks();
  void SetPatchSize(int voxels);
  int GetPatchSize();
  void SetBatchSize(int patches);
  int GetBatchSize();
  void SetLearningRate(double rate);
  double GetLearningRate();
  void SetSymmetry(int symmetry);
  int GetSymmetry();
  void SetSeed(int seed);
  int GetSeed();
  void SetDevice(const char* device);
  const char* GetDevice();
  void SetPrecision(int precision);
  int GetPrecision();
  void SetThreads(int threads);
  int GetThreads();
  ///@}

  /**
   * What the last execution did, in a sentence: trained (where, how long), or loaded.
   */
  vtkGetMacro(Status, std::string);

protected:
  vtkVAETrain();
  ~vtkVAETrain() override;

  int FillInputPortInformation(int port, vtkInformation* info) override;
  int RequestUpdateExtent(
    vtkInformation*, vtkInformationVector** inputVector, vtkInformationVector*) override;
  int RequestData(vtkInformation*, vtkInformationVector** inputVector,
    vtkInformationVector* outputVector) override;

private:
  vtkVAETrain(const vtkVAETrain&) = delete;
  void operator=(const vtkVAETrain&) = delete;

  void SaveModel(); // to ModelFile, unless it is there

  char* ModelFile = nullptr;
  bool AlwaysTrain = false;
  std::string Status;

  struct Internals;
  std::unique_ptr<Internals> Internal;
};

#endif
