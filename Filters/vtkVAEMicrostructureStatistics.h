// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
/**
 * @class   vtkVAEMicrostructureStatistics
 * @brief   measures of a microstructure, and their comparison with a reference
 *
 * Input 0: image data; one phase of one of its arrays is measured. Input 1, optional: image data to
 * compare with, measured in the same way. Outputs: tables made for line charts (GetPortName), the
 * abscissa in the first column, lengths in the unit of the spacing; the last one has a row a
 * measure. Every number is also in the field data of all outputs. Definitions, estimators and
 * sources: Model/Statistics/Report.h and the headers beside it.
 */
#ifndef vtkVAEMicrostructureStatistics_h
#define vtkVAEMicrostructureStatistics_h

#include "vtkTableAlgorithm.h"
#include "vtkVAEFiltersModule.h" // for export macro

#include <memory> // for std::unique_ptr
#include <string> // for std::string

class VTKVAEFILTERS_EXPORT vtkVAEMicrostructureStatistics : public vtkTableAlgorithm
{
public:
  static vtkVAEMicrostructureStatistics* New();
  vtkTypeMacro(vtkVAEMicrostructureStatistics, vtkTableAlgorithm);
  void PrintSelf(ostream& os, vtkIndent indent) override;

  /** Image data to compare with; may be left out. */
  void SetReferenceConnection(vtkAlgorithmOutput* image) { this->SetInputConnection(1, image); }

  /** Tables: vae::statistics::Curves in their order, then "Measures". */
  static const char* GetPortName(int port);

  ///@{
  /** Fields of vae::StatisticsOptions; defaults, units and ranges there. */
  void SetPhase(int phase);
  int GetPhase();
  void SetValue(double value);
  double GetValue();
  void SetPeriodic(bool periodic);
  bool GetPeriodic();
  void SetMaximumLag(int voxels);
  int GetMaximumLag();
  void SetConnectivity(int neighbours);
  int GetConnectivity();
  void SetCubeSize(int voxels);
  int GetCubeSize();
  void SetBlockSize(int voxels);
  int GetBlockSize();
  void SetThresholds(int number);
  int GetThresholds();
  void SetRadial(bool compute);
  bool GetRadial();
  void SetCluster(bool compute);
  bool GetCluster();
  void SetPoreSize(bool compute);
  bool GetPoreSize();
  void SetLocalPercolation(bool compute);
  bool GetLocalPercolation();
  void SetTortuosity(bool compute);
  bool GetTortuosity();
  void SetThreads(int threads);
  int GetThreads();
  ///@}

  ///@{
  /** Where Fourier transforms run: auto, cpu, cuda or cuda:N. Default auto. */
  vtkSetMacro(Device, std::string);
  vtkGetMacro(Device, std::string);
  ///@}

  /** The main numbers of the last execution, one a line. */
  const char* GetSummary() { return this->Summary.c_str(); }

  vtkTypeBool ProcessRequest(vtkInformation* request, vtkInformationVector** inputVector,
    vtkInformationVector* outputVector) override;

protected:
  vtkVAEMicrostructureStatistics();
  ~vtkVAEMicrostructureStatistics() override;

  int FillInputPortInformation(int port, vtkInformation* info) override;
  int RequestUpdateExtent(
    vtkInformation*, vtkInformationVector** inputVector, vtkInformationVector*) override;
  int RequestData(vtkInformation*, vtkInformationVector** inputVector,
    vtkInformationVector* outputVector) override;

private:
  vtkVAEMicrostructureStatistics(const vtkVAEMicrostructureStatistics&) = delete;
  void operator=(const vtkVAEMicrostructureStatistics&) = delete;

  struct Internals;
  std::unique_ptr<Internals> Internal;
  std::string Device;
  std::string Summary;
};

#endif
