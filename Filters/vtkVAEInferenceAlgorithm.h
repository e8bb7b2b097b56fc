// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
/**
 * @class   vtkVAEInferenceAlgorithm
 * @brief   superclass of filters that run a trained network over an image, tile by tile
 *
 * Where and in how much memory it runs. The result does not depend on the tiles that the memory
 * leads to.
 */
#ifndef vtkVAEInferenceAlgorithm_h
#define vtkVAEInferenceAlgorithm_h

#include "vtkImageAlgorithm.h"
#include "vtkVAEFiltersModule.h" // for export macro

#include <array>  // for a size
#include <memory> // for std::unique_ptr
#include <string> // for std::string

namespace vae
{
class Model;
struct RunOptions;
}

class VTKVAEFILTERS_EXPORT vtkVAEInferenceAlgorithm : public vtkImageAlgorithm
{
public:
  vtkTypeMacro(vtkVAEInferenceAlgorithm, vtkImageAlgorithm);
  void PrintSelf(ostream& os, vtkIndent indent) override;

  /**
   * Values of properties that cannot be used, and whatever else is wrong, become one error message.
   */
  vtkTypeBool ProcessRequest(vtkInformation* request, vtkInformationVector** inputVector,
    vtkInformationVector* outputVector) override;

  ///@{
  /**
   * auto (the first GPU, or else the CPU), cpu, cuda or cuda:N. Default auto.
   */
  void SetDevice(std::string device);
  std::string GetDevice();
  ///@}

  ///@{
  /**
   * vae::Precision. Default automatic.
   */
  void SetPrecision(int precision);
  int GetPrecision();
  ///@}

  ///@{
  /**
   * MiB that the network's activations may use at once; larger volumes are processed in tiles.
   * 0, the default: from what is free (vae::RunOptions).
   */
  void SetMemoryBudget(double mebibytes);
  double GetMemoryBudget();
  ///@}

  /**
   * In words, for the last input that was looked at: tiles, memory, what is free. Empty before.
   */
  const char* GetMemoryPlan() { return this->MemoryPlan.c_str(); }

protected:
  vtkVAEInferenceAlgorithm();
  ~vtkVAEInferenceAlgorithm() override;

  /// Looks at the values of the properties before anything is made of them.
  /// \throws std::invalid_argument naming the property, its value and what is allowed
  virtual void Check() const;

  const vae::RunOptions& Run() const { return *this->Internal; }

  /// Put what running `model` on so many voxels (x, y, z) takes into MemoryPlan.
  void PlanMemory(const vae::Model& model, const std::array<std::int64_t, 3>& voxels);

private:
  vtkVAEInferenceAlgorithm(const vtkVAEInferenceAlgorithm&) = delete;
  void operator=(const vtkVAEInferenceAlgorithm&) = delete;

  std::unique_ptr<vae::RunOptions> Internal;
  std::string MemoryPlan;
  vtkMTimeType Told = 0; // of the last refusal
};

#endif
