// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
/**
 * @class   vtkVAETwoSampleTest
 * @brief   can a classifier tell a candidate from the real thing?
 *
 * Port 0: real, port 1: candidate; each image data, composite data of images, or time steps, all of
 * which are used. A small network is trained to tell blocks of both apart and tested on blocks that
 * it has not seen (Lopez-Paz and Oquab 2017). Definitions: Model/TwoSampleTest.h.
 *
 * Outputs:
 * 0 Accuracy: a table, a row for the test and one for its control, which tells two halves of real.
 * 1 History: a table with a row for each five steps of the training.
 * 2 Blocks: a multi-block of the tested blocks that the classifier was surest of, the most like the
 *   candidate in the first row, the most like real in the second one; their array, and Saliency.
 * 3 Tested Blocks: a table with a row for each of them.
 * 4 Distances: a table with a row for each distance of the measures of blocks
 *   (Model/Statistics/Distances.h).
 * The field data of all outputs have the main numbers.
 */
#ifndef vtkVAETwoSampleTest_h
#define vtkVAETwoSampleTest_h

#include "vtkTableAlgorithm.h"
#include "vtkVAEFiltersModule.h" // for export macro

#include <memory> // for std::unique_ptr
#include <string> // for std::string

class VTKVAEFILTERS_EXPORT vtkVAETwoSampleTest : public vtkTableAlgorithm
{
public:
  static vtkVAETwoSampleTest* New();
  vtkTypeMacro(vtkVAETwoSampleTest, vtkTableAlgorithm);
  void PrintSelf(ostream& os, vtkIndent indent) override;

  ///@{
  /** The two inputs. The candidate's array of the same name, or its only array, is taken. */
  void SetRealConnection(vtkAlgorithmOutput* real) { this->SetInputConnection(0, real); }
  void SetCandidateConnection(vtkAlgorithmOutput* other) { this->SetInputConnection(1, other); }
  ///@}

  ///@{
  /** Fields of vae::TwoSampleOptions; defaults and ranges there. */
  void SetBlockSize(int voxels);
  int GetBlockSize();
  void SetSteps(int steps);
  int GetSteps();
  void SetControl(bool control);
  bool GetControl();
  void SetDistances(bool distances);
  bool GetDistances();
  void SetSurestBlocks(int blocks);
  int GetSurestBlocks();
  void SetSymmetry(int symmetry);
  int GetSymmetry();
  void SetSeed(int seed);
  int GetSeed();
  ///@}

  ///@{
  /** Fields of vae::RunOptions. */
  void SetDevice(std::string device);
  std::string GetDevice();
  void SetThreads(int threads);
  int GetThreads();
  ///@}

  /** The result of the last execution, in words. */
  const char* GetSummary() { return this->Summary.c_str(); }

  vtkTypeBool ProcessRequest(vtkInformation* request, vtkInformationVector** inputVector,
    vtkInformationVector* outputVector) override;

protected:
  vtkVAETwoSampleTest();
  ~vtkVAETwoSampleTest() override;

  int FillInputPortInformation(int port, vtkInformation* info) override;
  int FillOutputPortInformation(int port, vtkInformation* info) override;
  int RequestInformation(vtkInformation*, vtkInformationVector** inputVector,
    vtkInformationVector* outputVector) override;
  int RequestUpdateExtent(
    vtkInformation*, vtkInformationVector** inputVector, vtkInformationVector*) override;
  int RequestData(vtkInformation* request, vtkInformationVector** inputVector,
    vtkInformationVector* outputVector) override;

private:
  vtkVAETwoSampleTest(const vtkVAETwoSampleTest&) = delete;
  void operator=(const vtkVAETwoSampleTest&) = delete;

  struct Internals;
  std::unique_ptr<Internals> Internal;
  std::string Summary;
};

#endif
