// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "vtkVAEForecast.h"

#include "vtkInformation.h"
#include "vtkInformationDataObjectMetaDataKey.h"
#include "vtkInformationVector.h"
#include "vtkNew.h"
#include "vtkObjectFactory.h"
#include "vtkVAEBridge.h"

vtkStandardNewMacro(vtkVAEForecast);
vtkInformationKeyMacro(vtkVAEForecast, MODEL, DataObjectMetaData);
vtkInformationKeyMacro(vtkVAEForecast, VOLUME, DataObjectMetaData);

namespace
{

vtkVAEForecast* Find(vtkInformationVector* input, vtkInformationDataObjectMetaDataKey* key)
{
  vtkInformation* info = input->GetInformationObject(0);
  return info && info->Has(key) ? vtkVAEForecast::SafeDownCast(info->Get(key)) : nullptr;
}

} // namespace

//----------------------------------------------------------------------------
void vtkVAEForecast::Tell(vtkInformation* output, const vae::ModelInfo& info)
{
  vtkNew<vtkVAEForecast> forecast;
  forecast->Info = info;
  output->Set(MODEL(), forecast);
}

const vae::ModelInfo* vtkVAEForecast::Model(vtkInformationVector* input)
{
  if (const vae::ModelInfo* info = vtkVAEBridge::KnownModel(input))
  {
    return info;
  }
  vtkVAEForecast* forecast = Find(input, MODEL());
  return forecast ? &forecast->Info : nullptr;
}

//----------------------------------------------------------------------------
void vtkVAEForecast::Tell(vtkInformation* output, const vtkVAELatentImage::Grid& volume)
{
  vtkNew<vtkVAEForecast> forecast;
  forecast->Grid = volume;
  output->Set(VOLUME(), forecast);
}

const vtkVAELatentImage::Grid* vtkVAEForecast::Volume(vtkInformationVector* input)
{
  vtkVAEForecast* forecast = Find(input, VOLUME());
  return forecast ? &forecast->Grid : nullptr;
}
