// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#ifndef vtkVAETrainingInput_h
#define vtkVAETrainingInput_h

#include "Volume.h"

#include "vtkType.h"

#include <functional>
#include <string>
#include <utility>
#include <vector>

class vtkAlgorithm;
class vtkDataArray;
class vtkDataArraySelection;
class vtkDataObject;
class vtkImageData;

/// What VAE Train finds in its input.
namespace vtkVAETrainingInput
{

/// Which arrays.
struct Choice
{
  vtkAlgorithm* Algorithm = nullptr;
  /// The one that the algorithm is to process, null if it is not there (see ScalarsOf).
  std::function<vtkDataArray*(vtkImageData*)> Scalars;
  vtkDataArraySelection* Additional = nullptr;
  std::string MaskName; ///< empty: none
};

/// Arrays that were looked at, and when they had been modified.
using Arrays = std::vector<std::pair<vtkDataArray*, vtkMTimeType>>;

/// Append the volumes of an image, or of the leaves of composite data, and their arrays.
/// \throws std::invalid_argument naming the array or block that does not fit
void Look(
  const Choice& choice, vtkDataObject* input, std::vector<vae::Volume>& volumes, Arrays& seen);

} // namespace vtkVAETrainingInput

#endif
// VTK-HeaderTest-Exclude: vtkVAETrainingInput.h
