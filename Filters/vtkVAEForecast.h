// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
/**
 * @class   vtkVAEForecast
 * @brief   facts of a model or a latent image that the pipeline needs before it exists
 *
 * The extent of a latent image follows from the model, that of a decoded one from the volume which
 * was encoded. VTK asks for extents before it makes data, and crops to the answer. So algorithms
 * that produce a model or a latent image put its facts into the pipeline information, under keys
 * that every filter in between passes on. Private to this module.
 */
#ifndef vtkVAEForecast_h
#define vtkVAEForecast_h

#include "ModelInfo.h"
#include "vtkDataObject.h"
#include "vtkVAELatentImage.h"

class vtkInformation;
class vtkInformationDataObjectMetaDataKey;
class vtkInformationVector;

class vtkVAEForecast : public vtkDataObject
{
public:
  static vtkVAEForecast* New();
  vtkTypeMacro(vtkVAEForecast, vtkDataObject);

  ///@{
  /// Of a model: only network, kind and grid of the training data are valid.
  static void Tell(vtkInformation* output, const vae::ModelInfo& info);
  /// The model itself if it exists, else its forecast, else null.
  static const vae::ModelInfo* Model(vtkInformationVector* input);
  ///@}

  ///@{
  /// Of a latent image: the grid of its volume, null if not known.
  static void Tell(vtkInformation* output, const vtkVAELatentImage::Grid& volume);
  static const vtkVAELatentImage::Grid* Volume(vtkInformationVector* input);
  ///@}

private:
  static vtkInformationDataObjectMetaDataKey* MODEL();
  static vtkInformationDataObjectMetaDataKey* VOLUME();

  vae::ModelInfo Info;
  vtkVAELatentImage::Grid Grid;
};

#endif
// VTK-HeaderTest-Exclude: vtkVAEForecast.h
