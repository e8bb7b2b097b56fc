// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
/**
 * @class   vtkVAEForecast
 * @brief   what the pipeline can know of a model, or of a latent image, before there is one
 *
 * The extent of a latent image follows from the model, that of a decoded one from the volume which
 * was encoded. VTK asks for extents before it makes data, and crops to the answer. So what yields a
 * model, or a latent image, tells its facts with the information that runs ahead of the data, under
 * keys that every filter between passes on. Private to this module.
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
  /// Of a model: network, kind and grid of the training data are right, nothing else need be.
  static void Tell(vtkInformation* output, const vae::ModelInfo& info);
  /// The model itself where it has run, else its forecast; null if neither is there.
  static const vae::ModelInfo* Model(vtkInformationVector* input);
  ///@}

  ///@{
  /// Of a latent image: the grid of its volume. Null if nothing was told.
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
