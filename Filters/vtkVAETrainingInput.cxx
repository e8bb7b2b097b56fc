// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "vtkVAETrainingInput.h"

#include "vtkCompositeDataIterator.h"
#include "vtkCompositeDataSet.h"
#include "vtkDataArray.h"
#include "vtkDataArraySelection.h"
#include "vtkDataSetAttributes.h"
#include "vtkImageData.h"
#include "vtkSmartPointer.h"
#include "vtkVAEBridge.h"

namespace vtkVAETrainingInput
{
namespace
{

/// Arrays to train on: the chosen one, then the additional ones.
std::vector<vtkDataArray*> ChosenArrays(const Choice& choice, vtkImageData* input, bool& cellData)
{
  vtkDataArray* first = vtkVAEBridge::ScalarsOf(choice.Algorithm,
    vtkVAEBridge::NamesRows(choice.Algorithm) ? nullptr : choice.Scalars(input), input, cellData);
  std::vector<vtkDataArray*> arrays{ first };
  vtkDataSetAttributes* attributes = input->GetAttributes(
    cellData ? vtkDataObject::FIELD_ASSOCIATION_CELLS : vtkDataObject::FIELD_ASSOCIATION_POINTS);
  vtkDataArraySelection* more = choice.Additional;
  for (int i = 0; i < more->GetNumberOfArrays(); ++i)
  {
    const char* name = more->GetArrayName(i);
    if (!more->GetArraySetting(i) || (first->GetName() && std::string(name) == first->GetName()))
    {
      continue;
    }
    vtkDataArray* array = attributes->GetArray(name);
    if (!array)
    {
      throw std::invalid_argument(std::string("Additional Arrays names '") + name +
        "', which is not among the " + (cellData ? "cell" : "point") + " arrays of the input");
    }
    arrays.push_back(array);
  }
  return arrays;
}

/// The mask, if one is named.
vtkDataArray* MaskOf(const std::string& name, vtkImageData* image, bool cellData)
{
  if (name.empty())
  {
    return nullptr;
  }
  vtkDataArray* mask = image
                         ->GetAttributes(cellData ? vtkDataObject::FIELD_ASSOCIATION_CELLS
                                                  : vtkDataObject::FIELD_ASSOCIATION_POINTS)
                         ->GetArray(name.c_str());
  if (!mask)
  {
    throw std::invalid_argument("Mask Array is '" + name + "', which is not among the " +
      (cellData ? "cell" : "point") + " arrays of the input");
  }
  return mask;
}

/// The images of an input: itself, or the leaves of composite data.
std::vector<vtkImageData*> ImagesOf(vtkDataObject* input)
{
  if (auto image = vtkImageData::SafeDownCast(input))
  {
    return { image };
  }
  std::vector<vtkImageData*> images;
  if (auto composite = vtkCompositeDataSet::SafeDownCast(input))
  {
    auto it = vtk::TakeSmartPointer(composite->NewIterator());
    for (it->InitTraversal(); !it->IsDoneWithTraversal(); it->GoToNextItem())
    {
      auto image = vtkImageData::SafeDownCast(it->GetCurrentDataObject());
      if (!image)
      {
        throw std::invalid_argument(std::string("The input has a block that is a ") +
          it->GetCurrentDataObject()->GetClassName() +
          "; every block must be image data (the filter Resample To Image makes one)");
      }
      images.push_back(image);
    }
  }
  if (images.empty())
  {
    throw std::invalid_argument("The input is empty (it has no image data)");
  }
  return images;
}

} // namespace

//----------------------------------------------------------------------------
void Look(
  const Choice& choice, vtkDataObject* input, std::vector<vae::Volume>& volumes, Arrays& seen)
{
  for (vtkImageData* image : ImagesOf(input))
  {
    bool cellData = false;
    const std::vector<vtkDataArray*> arrays = ChosenArrays(choice, image, cellData);
    vae::Volume volume = vtkVAEBridge::VolumeOf(image, arrays, cellData);
    if (vtkDataArray* mask = MaskOf(choice.MaskName, image, cellData))
    {
      volume.mask = vtkVAEBridge::VolumeOf(image, { mask }, cellData).channels[0];
      seen.emplace_back(mask, mask->GetMTime());
    }
    for (vtkDataArray* array : arrays)
    {
      seen.emplace_back(array, array->GetMTime());
    }
    if (!volumes.empty() && volumes[0].channels.size() != volume.channels.size())
    {
      throw std::invalid_argument("The input's images differ: one has " +
        std::to_string(volumes[0].channels.size()) + " channel(s) to train on, another " +
        std::to_string(volume.channels.size()));
    }
    volumes.push_back(std::move(volume));
  }
}

} // namespace vtkVAETrainingInput
