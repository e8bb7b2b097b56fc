// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
/**
 * @class   vtkVAETrain
 * @brief   train a variational autoencoder on a volume
 *
 * Input: image data (3-D, or 2-D with one dimension of 1) with point or cell arrays of any
 * numeric type, composite data whose leaves are images, or a series of time steps. Second,
 * optional input: a VAE model to start from. Output: a vtkVAEModel, one row for each epoch.
 *
 * The training runs blocking, in RequestData, or live, in a thread of its own: RequestData then
 * returns at once, and GetNeedsUpdate(), which ParaView's client calls at intervals (the LiveSource
 * hint), says when a newer model is there and marks the filter modified.
 *
 * If ModelFile names a model that was trained on the same data with the same settings, it is
 * loaded instead of being trained again. A running training writes the model there at intervals
 * and at the end, to a temporary file first, so that the older file is kept until then. A file
 * that is no model, or a model of other data, is replaced only if OverwriteModelFile is on.
 *
 * Defaults and ranges are those of vae::TrainOptions and vae::SessionOptions.
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

  /**
   * A model to start from; none by default.
   */
  void SetInitialModelConnection(vtkAlgorithmOutput* model) { this->SetInputConnection(1, model); }

  ///@{
  /**
   * Train on every time step of the input, or on those between the two indices of
   * TimeStepRange. Off, and {0, 0}, the first, by default.
   */
  vtkSetMacro(AllTimeSteps, bool);
  vtkGetMacro(AllTimeSteps, bool);
  vtkBooleanMacro(AllTimeSteps, bool);
  vtkSetVector2Macro(TimeStepRange, int);
  vtkGetVector2Macro(TimeStepRange, int);
  ///@}

  ///@{
  /**
   * Set several of the options below at once, see vae::presets(): the time budget, and what a model
   * for some purpose needs. Custom sets nothing. What is set last counts; Get says which one the
   * options have.
   */
  void SetQuality(int quality); ///< vae::Quality
  int GetQuality();
  void SetPurpose(int purpose); ///< vae::Purpose
  int GetPurpose();
  ///@}

  ///@{
  /**
   * See vae::TrainOptions and vae::SessionOptions, the only copy of each default.
   */
  void SetTimeBudget(double seconds);
  double GetTimeBudget();
  void SetEpochs(int epochs);
  int GetEpochs();
  void SetPriorShare(double share);
  double GetPriorShare();
  void SetPatience(int epochs);
  int GetPatience();
  void SetBestBy(int measure); ///< vae::BestBy: which epoch is kept
  int GetBestBy();
  void SetStepsPerEpoch(int steps);
  int GetStepsPerEpoch();
  void SetValidationFraction(double fraction);
  double GetValidationFraction();
  void SetClassBalance(double fraction);
  double GetClassBalance();
  void SetObjective(const char* name);
  const char* GetObjective();
  void SetKLSchedule(int schedule); ///< vae::KLSchedule
  int GetKLSchedule();
  void SetKLRamp(double fraction);
  double GetKLRamp();
  void SetKLCycles(int cycles);
  int GetKLCycles();
  void SetFreeBits(double nats);
  double GetFreeBits();
  void SetLikelihood(int likelihood);
  int GetLikelihood();
  void SetLikelihoodScale(int scale); ///< vae::Scale
  int GetLikelihoodScale();
  void SetFixedScale(double standardDeviations);
  double GetFixedScale();
  void SetNetwork(int architecture); ///< vae::Architecture
  int GetNetwork();
  void SetLatentStride(int voxels);
  int GetLatentStride();
  void SetBlockSize(int voxels);
  int GetBlockSize();
  void SetHiddenUnits(int units);
  int GetHiddenUnits();
  void SetEncoderFile(const char* path);
  const char* GetEncoderFile();
  void SetDecoderFile(const char* path);
  const char* GetDecoderFile();
  void SetAllowTorchScript(bool allow);
  bool GetAllowTorchScript();
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
  void SetStartFrom(int weights); ///< vae::StartFrom
  int GetStartFrom();
  void SetSeed(int seed);
  int GetSeed();
  void SetDevice(const char* device);
  const char* GetDevice();
  void SetPrecision(int precision);
  int GetPrecision();
  void SetThreads(int threads);
  int GetThreads();
  void SetModelFile(const char* path);
  const char* GetModelFile();
  void SetAlwaysTrain(bool always);
  bool GetAlwaysTrain();
  void SetOverwriteModelFile(bool overwrite);
  bool GetOverwriteModelFile();
  void SetCheckpointInterval(double seconds);
  double GetCheckpointInterval();
  void SetRefreshInterval(double seconds);
  double GetRefreshInterval();
  void SetExecution(int execution); ///< vae::Execution
  int GetExecution();
  void SetSaveOptimizer(bool save);
  bool GetSaveOptimizer();
  ///@}

  ///@{
  /**
   * A parameter of the objective, by the name with which the objective registers it. Parameters of
   * other objectives are kept and ignored.
   */
  void SetObjectiveParameter(const char* name, double value);
  double GetObjectiveParameter(const char* name);
  ///@}

  ///@{
  /**
   * Control a training: start it (again, with the current settings, at the next update), stop it
   * and keep the best model, resume it after a stop, wait for its end. Stop returns at once; the
   * State is "Stopping" until the model is ready.
   */
  void Train();
  void Stop();
  void Resume();
  void Wait();
  ///@}

  /**
   * Measure for half a second, in the background, how fast this device trains; see GetDeviceSpeed.
   */
  void MeasureDevice();

  /**
   * A client calls this at intervals: is there a newer model than at the last update? If so the
   * filter is Modified().
   */
  bool GetNeedsUpdate();

  ///@{
  /**
   * The state of the training. Losses are in nats a voxel, times in seconds.
   */
  std::string GetStatus();  ///< a sentence
  std::string GetWarning(); ///< a sentence, or empty
  std::string
  GetState(); ///< Idle, Preparing, Training, Stopping, Stopped, Finished, Loaded, Failed
  int GetCurrentEpoch();
  int GetCurrentStep();
  double GetTrainingProgress(); ///< of the budget, 0..1
  double GetTrainingLoss();
  double GetReconstructionLoss();
  double GetKLDivergence();
  double GetValidationLoss();
  double GetVoxelsPerSecond();
  double GetTimeLeft();
  int GetActiveLatents();
  std::string GetDeviceInUse();
  std::string GetLikelihoodInUse(); ///< which, and why
  bool GetResumable();
  /**
   * Losses of the epochs so far, of the held-out slab or else of the training: numbers with spaces
   * between them, at most 120, evenly spaced.
   */
  std::string GetLossHistory();
  ///@}

  ///@{
  /**
   * Time and memory that the current settings need: see vae::Plan. Channels and dimensions are
   * those of the input, if there is one.
   */
  int GetParameters();
  int GetReceptiveField();    ///< voxels
  double GetExpectedMemory(); ///< MiB, of model and batch
  std::string GetPlan();      ///< in words, with the time on this device once it is measured
  std::string DescribePlan(int network, int latentChannels, int latentStride, int width, int blocks,
    int blockSize, int hiddenUnits, int patchSize, int batchSize, double timeBudget,
    double priorShare); ///< the same of other settings
  /**
   * Floating-point operations a second that MeasureDevice() has found; 0 before.
   */
  double GetDeviceSpeed();
  ///@}

  vtkTypeBool ProcessRequest(vtkInformation* request, vtkInformationVector** inputVector,
    vtkInformationVector* outputVector) override;

protected:
  vtkVAETrain();
  ~vtkVAETrain() override;

  int FillInputPortInformation(int port, vtkInformation* info) override;
  int RequestInformation(vtkInformation*, vtkInformationVector** inputVector,
    vtkInformationVector* outputVector) override;
  int RequestUpdateExtent(
    vtkInformation*, vtkInformationVector** inputVector, vtkInformationVector*) override;
  int RequestData(vtkInformation* request, vtkInformationVector** inputVector,
    vtkInformationVector* outputVector) override;

private:
  vtkVAETrain(const vtkVAETrain&) = delete;
  void operator=(const vtkVAETrain&) = delete;

  bool AllTimeSteps = false;
  int TimeStepRange[2] = { 0, 0 };

  int Deliver(vtkVAEModel* output);

  struct Internals;
  std::unique_ptr<Internals> Internal;
};

#endif
