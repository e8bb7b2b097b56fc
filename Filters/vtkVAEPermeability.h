// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
/**
 * @class   vtkVAEPermeability
 * @brief   permeability and flow field of a phase, by Stokes flow
 *
 * Input: image data. Output 0: the input with, for each direction of the pressure drop,
 * `velocity_along_x` (3 components; under a unit pressure gradient and viscosity, so in the square
 * of the spacing's unit; its mean over the volume is the permeability) and `pressure_along_x` (0 at
 * the upper end). Output 1: a table of the convergence, one row an iteration. Both have in their
 * field data `Phase` ("rock = 0"), and with a value for each direction solved: `Direction`,
 * `Permeability [voxel^2]`,
 * `Permeability [m^2]`, `Permeability [mD]`, `Permeability Tensor [m^2]` (a column of it),
 * `Hydraulic Tortuosity`, `Tortuosity Factor`, `Formation Factor`, `Converged`, `Blocked` (1 where
 * nothing flows; its permeability is then 0, and its tortuosities are infinite).
 * The method is vae::statistics::solveFlow (Model/Statistics/Transport.h).
 */
#ifndef vtkVAEPermeability_h
#define vtkVAEPermeability_h

#include "vtkDataObjectAlgorithm.h"
#include "vtkVAEFiltersModule.h" // for export macro

#include <memory> // for std::unique_ptr
#include <string> // for std::string

class VTKVAEFILTERS_EXPORT vtkVAEPermeability : public vtkDataObjectAlgorithm
{
public:
  static vtkVAEPermeability* New();
  vtkTypeMacro(vtkVAEPermeability, vtkDataObjectAlgorithm);
  void PrintSelf(ostream& os, vtkIndent indent) override;

  ///@{
  /** Fields of vae::PermeabilityOptions; defaults, units and ranges there. */
  void SetPhase(int phase);
  int GetPhase();
  void SetValue(double value);
  double GetValue();
  void SetDirection(int direction);
  int GetDirection();
  void SetBoundary(int boundary);
  int GetBoundary();
  void SetTolerance(double tolerance);
  double GetTolerance();
  void SetMaximumIterations(int number);
  int GetMaximumIterations();
  void SetSpacingInMetres(double metres);
  double GetSpacingInMetres();
  void SetTortuosity(bool compute);
  bool GetTortuosity();
  void SetThreads(int threads);
  int GetThreads();
  ///@}

  /** The permeabilities of the last execution, a line for each direction. */
  const char* GetSummary() { return this->Summary.c_str(); }

  vtkTypeBool ProcessRequest(vtkInformation* request, vtkInformationVector** inputVector,
    vtkInformationVector* outputVector) override;

protected:
  vtkVAEPermeability();
  ~vtkVAEPermeability() override;

  int FillInputPortInformation(int port, vtkInformation* info) override;
  int FillOutputPortInformation(int port, vtkInformation* info) override;
  int RequestDataObject(vtkInformation*, vtkInformationVector** inputVector,
    vtkInformationVector* outputVector) override;
  int RequestInformation(vtkInformation*, vtkInformationVector** inputVector,
    vtkInformationVector* outputVector) override;
  int RequestUpdateExtent(
    vtkInformation*, vtkInformationVector** inputVector, vtkInformationVector*) override;
  int RequestData(vtkInformation*, vtkInformationVector** inputVector,
    vtkInformationVector* outputVector) override;

private:
  vtkVAEPermeability(const vtkVAEPermeability&) = delete;
  void operator=(const vtkVAEPermeability&) = delete;

  struct Internals;
  std::unique_ptr<Internals> Internal;
  std::string Summary;
};

#endif
