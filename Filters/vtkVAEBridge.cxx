// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "vtkVAEBridge.h"

#include "Check.h"
#include "vtkAlgorithm.h"
#include "vtkCellData.h"
#include "vtkDataArray.h"
#include "vtkDoubleArray.h"
#include "vtkFieldData.h"
#include "vtkImageData.h"
#include "vtkInformation.h"
#include "vtkInformationVector.h"
#include "vtkNew.h"
#include "vtkPointData.h"
#include "vtkStreamingDemandDrivenPipeline.h"
#include "vtkStringArray.h"
#include "vtkVAEModel.h"
#include "vtkVariant.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace vtkVAEBridge
{
namespace
{

vae::ScalarType ScalarTypeOf(int vtkType, const char* name)
{
  switch (vtkType)
  {
    case VTK_CHAR:
      return std::is_signed_v<char> ? vae::ScalarType::Int8 : vae::ScalarType::UInt8;
    case VTK_SIGNED_CHAR:
      return vae::ScalarType::Int8;
    case VTK_UNSIGNED_CHAR:
      return vae::ScalarType::UInt8;
    case VTK_SHORT:
      return vae::ScalarType::Int16;
    case VTK_UNSIGNED_SHORT:
      return vae::ScalarType::UInt16;
    case VTK_INT:
      return vae::ScalarType::Int32;
    case VTK_UNSIGNED_INT:
      return vae::ScalarType::UInt32;
    case VTK_LONG:
    case VTK_LONG_LONG:
    case VTK_ID_TYPE:
      return sizeof(long) == 8 || vtkType != VTK_LONG ? vae::ScalarType::Int64
                                                      : vae::ScalarType::Int32;
    case VTK_UNSIGNED_LONG:
    case VTK_UNSIGNED_LONG_LONG:
      return sizeof(long) == 8 || vtkType != VTK_UNSIGNED_LONG ? vae::ScalarType::UInt64
                                                               : vae::ScalarType::UInt32;
    case VTK_FLOAT:
      return vae::ScalarType::Float32;
    case VTK_DOUBLE:
      return vae::ScalarType::Float64;
    default:
      throw std::invalid_argument(std::string("Array '") + name + "' is not an array of numbers");
  }
}

int VTKTypeOf(vae::ScalarType type)
{
  switch (type)
  {
    case vae::ScalarType::Int8:
      return VTK_SIGNED_CHAR;
    case vae::ScalarType::UInt8:
      return VTK_UNSIGNED_CHAR;
    case vae::ScalarType::Int16:
      return VTK_SHORT;
    case vae::ScalarType::UInt16:
      return VTK_UNSIGNED_SHORT;
    case vae::ScalarType::Int32:
      return VTK_INT;
    case vae::ScalarType::UInt32:
      return VTK_UNSIGNED_INT;
    case vae::ScalarType::Int64:
      return VTK_LONG_LONG;
    case vae::ScalarType::UInt64:
      return VTK_UNSIGNED_LONG_LONG;
    case vae::ScalarType::Float32:
      return VTK_FLOAT;
    case vae::ScalarType::Float64:
      return VTK_DOUBLE;
  }
  return VTK_FLOAT;
}

/// Lengths of a voxel. Along an axis of one voxel it may be anything; some readers give 0.
std::array<double, 3> SpacingOf(vtkImageData* image, const vae::Dims& dims)
{
  std::array<double, 3> spacing;
  image->GetSpacing(spacing.data());
  for (std::size_t a = 0; a < 3; ++a)
  {
    double& h = spacing[a];
    h = std::abs(h);
    h = dims[a] == 1 && !(h >= 1e-30 && h <= 1e30) ? 1 : h;
    vae::require(std::string("The image's spacing along ") + "xyz"[a], h, 1e-30, 1e30);
  }
  return spacing;
}

const char* NameOf(vtkDataArray* array) { return array->GetName() ? array->GetName() : ""; }

vtkDataSetAttributes* AttributesOf(vtkImageData* image, bool cellData)
{
  return cellData ? static_cast<vtkDataSetAttributes*>(image->GetCellData())
                  : image->GetPointData();
}

} // namespace

//----------------------------------------------------------------------------
std::string InWords(const vae::statistics::PhaseChoice& choice)
{
  return choice.text + (choice.why.empty() ? "" : ", " + choice.why);
}

void AddField(vtkFieldData* data, const std::string& name, double value)
{
  vtkNew<vtkDoubleArray> array;
  array->SetName(name.c_str());
  array->InsertNextValue(value);
  data->AddArray(array);
}

void AddField(vtkFieldData* data, const std::string& name, const std::string& text)
{
  vtkNew<vtkStringArray> array;
  array->SetName(name.c_str());
  array->InsertNextValue(text.c_str());
  data->AddArray(array);
}

void AddPhase(vtkFieldData* data, const std::string& phase) { AddField(data, "Phase", phase); }

vae::Dims DimsOf(vtkImageData* image, bool cellData)
{
  int d[3];
  image->GetDimensions(d);
  vae::Dims dims;
  for (int a = 0; a < 3; ++a)
  {
    dims[a] = cellData ? std::max(d[a] - 1, d[a] > 0 ? 1 : 0) : d[a];
  }
  return dims;
}

//----------------------------------------------------------------------------
double Within(double value, double low, double high)
{
  return value > low ? std::min(value, high) : low;
}

//----------------------------------------------------------------------------
void RequestWholeExtent(vtkInformation* input)
{
  if (input->Has(vtkStreamingDemandDrivenPipeline::WHOLE_EXTENT()))
  {
    input->Set(vtkStreamingDemandDrivenPipeline::UPDATE_EXTENT(),
      input->Get(vtkStreamingDemandDrivenPipeline::WHOLE_EXTENT()), 6);
  }
}

//----------------------------------------------------------------------------
void RequestFirstTimeStep(vtkInformation* input)
{
  if (input->Has(vtkStreamingDemandDrivenPipeline::TIME_STEPS()))
  {
    input->Set(vtkStreamingDemandDrivenPipeline::UPDATE_TIME_STEP(),
      input->Get(vtkStreamingDemandDrivenPipeline::TIME_STEPS(), 0));
  }
}

//----------------------------------------------------------------------------
vtkImageData* ImageOf(vtkDataObject* input)
{
  if (auto image = vtkImageData::SafeDownCast(input))
  {
    return image;
  }
  throw std::invalid_argument(std::string("The input is ") +
    (input ? std::string("a ") + input->GetClassName() : "missing") +
    "; it must be image data (the filter Resample To Image makes it)");
}

//----------------------------------------------------------------------------
vae::Volume VolumeOf(vtkImageData* image, const std::vector<vtkDataArray*>& arrays, bool cellData)
{
  vae::Volume volume;
  volume.dims = DimsOf(image, cellData);
  volume.cellData = cellData;
  volume.spacing = SpacingOf(image, volume.dims);
  const vtkIdType count = vae::voxels(volume.dims);
  if (count == 0)
  {
    throw std::invalid_argument("The input is empty (it has no voxels)");
  }
  for (vtkDataArray* array : arrays)
  {
    if (array->GetNumberOfTuples() != count)
    {
      throw std::invalid_argument(std::string("Array '") + NameOf(array) + "' has " +
        std::to_string(array->GetNumberOfTuples()) + " values for " + std::to_string(count) +
        " voxels");
    }
    vtkSmartPointer<vtkDataArray> block = array;
    if (!array->HasStandardMemoryLayout())
    {
      block =
        vtkSmartPointer<vtkDataArray>::Take(vtkDataArray::CreateDataArray(array->GetDataType()));
      block->DeepCopy(array);
    }
    const int components = array->GetNumberOfComponents();
    const vae::ScalarType type = ScalarTypeOf(array->GetDataType(), NameOf(array));
    for (int c = 0; c < components; ++c)
    {
      vae::Channel channel;
      channel.data = block->GetVoidPointer(c);
      channel.type = type;
      channel.stride = components;
      channel.owner =
        std::shared_ptr<const void>(block->GetVoidPointer(0), [block](const void*) {});
      channel.array = NameOf(array);
      channel.component = c;
      channel.components = components;
      volume.channels.push_back(std::move(channel));
    }
  }
  return volume;
}

//----------------------------------------------------------------------------
bool NamesRows(vtkAlgorithm* algorithm)
{
  vtkInformation* info = algorithm->GetInputArrayInformation(0);
  return info->Has(vtkDataObject::FIELD_ASSOCIATION()) &&
    info->Get(vtkDataObject::FIELD_ASSOCIATION()) == vtkDataObject::FIELD_ASSOCIATION_ROWS;
}

//----------------------------------------------------------------------------
vtkDataArray* ScalarsOf(vtkAlgorithm* algorithm, vtkDataArray* array, vtkImageData* image,
  bool& cellData, const std::string& property)
{
  vtkInformation* info = algorithm->GetInputArrayInformation(0);
  const char* named =
    info->Has(vtkDataObject::FIELD_NAME()) ? info->Get(vtkDataObject::FIELD_NAME()) : nullptr;
  const std::string wanted = named ? named : "";
  if (!array && !wanted.empty() && !NamesRows(algorithm))
  {
    throw std::invalid_argument(
      property + " is '" + wanted + "', but the input has no such array of numbers");
  }
  for (const bool cells : { false, true })
  {
    vtkDataSetAttributes* attributes = AttributesOf(image, cells);
    array = array ? array : attributes->GetScalars();
    for (int i = 0; !array && i < attributes->GetNumberOfArrays(); ++i)
    {
      array = attributes->GetArray(i);
    }
  }
  if (!array)
  {
    throw std::invalid_argument("The input is empty (it has no point or cell arrays)");
  }
  // Where it is, whichever way it was found.
  cellData = false;
  for (int i = 0; i < image->GetCellData()->GetNumberOfArrays(); ++i)
  {
    cellData = cellData || image->GetCellData()->GetArray(i) == array;
  }
  return array;
}

//----------------------------------------------------------------------------
void RequireOneComponent(vtkDataArray* array, const std::string& property)
{
  if (array->GetNumberOfComponents() != 1)
  {
    throw std::invalid_argument(property + " '" + NameOf(array) + "' has " +
      std::to_string(array->GetNumberOfComponents()) + " components; it must have 1");
  }
}

//----------------------------------------------------------------------------
vtkDataArray* ArrayLike(
  vtkImageData* image, vtkDataArray* array, bool& cellData, const std::string& input)
{
  for (const bool cells : { cellData, !cellData })
  {
    if (vtkDataArray* same = AttributesOf(image, cells)->GetArray(NameOf(array)))
    {
      cellData = cells;
      return same;
    }
  }
  for (const bool cells : { cellData, !cellData })
  {
    vtkDataSetAttributes* attributes = AttributesOf(image, cells);
    if (attributes->GetNumberOfArrays() == 1 && attributes->GetArray(0))
    {
      cellData = cells;
      return attributes->GetArray(0);
    }
  }
  throw std::invalid_argument(
    "The " + input + " has no array '" + NameOf(array) + "' and not just one array");
}

//----------------------------------------------------------------------------
std::vector<ArrayLayout> LayoutOf(const vae::ModelInfo& info)
{
  std::vector<ArrayLayout> layout;
  for (const vae::ChannelInfo& c : info.channels)
  {
    if (c.component == 0)
    {
      layout.push_back({ c.array, c.components, VTKTypeOf(c.type) });
    }
  }
  return layout;
}

//----------------------------------------------------------------------------
std::vector<vtkDataArray*> ArraysFor(
  vtkImageData* image, const vae::ModelInfo& info, bool& cellData)
{
  const std::vector<ArrayLayout> layout = LayoutOf(info);
  for (const bool cells : { info.cellData, !info.cellData })
  {
    vtkDataSetAttributes* attributes = AttributesOf(image, cells);
    std::vector<vtkDataArray*> arrays;
    for (const ArrayLayout& wanted : layout)
    {
      vtkDataArray* array = attributes->GetArray(wanted.Name.c_str());
      if (!array && layout.size() == 1 && attributes->GetNumberOfArrays() == 1)
      {
        array = attributes->GetArray(0);
      }
      if (array && array->GetNumberOfComponents() != wanted.Components)
      {
        throw std::invalid_argument(std::string("Array '") + NameOf(array) + "' has " +
          std::to_string(array->GetNumberOfComponents()) +
          " component(s); the model was trained on " + std::to_string(wanted.Components));
      }
      if (array)
      {
        arrays.push_back(array);
      }
    }
    if (arrays.size() == layout.size())
    {
      cellData = cells;
      return arrays;
    }
  }
  std::string names;
  for (const ArrayLayout& wanted : layout)
  {
    names += (names.empty() ? "'" : ", '") + wanted.Name + "'";
  }
  if (image->GetPointData()->GetNumberOfArrays() + image->GetCellData()->GetNumberOfArrays() == 0)
  {
    throw std::invalid_argument("The input is empty (it has no arrays); the model needs " + names);
  }
  throw std::invalid_argument(
    "The input does not have the array(s) that the model was trained on: " + names);
}

//----------------------------------------------------------------------------
vtkSmartPointer<vtkDataArray> NewArray(const std::string& name, int type, int components,
  vtkIdType tuples, std::vector<vae::OutputChannel>& views)
{
  auto array = vtkSmartPointer<vtkDataArray>::Take(vtkDataArray::CreateDataArray(type));
  array->SetName(name.c_str());
  array->SetNumberOfComponents(components);
  if (!array->Allocate(tuples * components))
  {
    throw std::bad_alloc();
  }
  array->SetNumberOfTuples(tuples);
  for (int c = 0; c < components; ++c)
  {
    vae::OutputChannel view;
    view.data = array->GetVoidPointer(c);
    view.type = ScalarTypeOf(type, array->GetName());
    view.stride = components;
    views.push_back(std::move(view));
  }
  return array;
}

//----------------------------------------------------------------------------
std::vector<vtkSmartPointer<vtkDataArray>> NewArrays(const vae::ModelInfo& info,
  const std::string& suffix, int type, vtkIdType tuples, std::vector<vae::OutputChannel>& views)
{
  std::vector<vtkSmartPointer<vtkDataArray>> arrays;
  for (const ArrayLayout& layout : LayoutOf(info))
  {
    const int vtkType = type == VTK_VOID ? layout.VTKType : type;
    arrays.push_back(NewArray(layout.Name + suffix, vtkType, layout.Components, tuples, views));
  }
  return arrays;
}

//----------------------------------------------------------------------------
std::vector<vtkSmartPointer<vtkDataArray>> NewProbabilities(
  const vae::ModelInfo& info, vtkIdType tuples, std::vector<vae::OutputChannel>& views)
{
  std::vector<vtkSmartPointer<vtkDataArray>> arrays;
  if (info.likelihood == vae::Likelihood::Bernoulli)
  {
    return NewArrays(info, "_probability", VTK_FLOAT, tuples, views);
  }
  for (const double label : info.channels[0].phases)
  {
    const std::string suffix = "_probability_" + vtkVariant(label).ToString();
    arrays.push_back(NewArrays(info, suffix, VTK_FLOAT, tuples, views)[0]);
  }
  return arrays;
}

//----------------------------------------------------------------------------
double ProbabilityBytes(const vae::ModelInfo& info)
{
  const std::size_t arrays = info.likelihood == vae::Likelihood::Bernoulli
    ? info.channels.size()
    : info.channels[0].phases.size();
  return static_cast<double>(arrays * sizeof(float));
}

//----------------------------------------------------------------------------
const vae::Model& ModelOf(vtkDataObject* object)
{
  if (!object)
  {
    throw std::invalid_argument(
      "Model is not set; choose the output of VAE Train or of a VAE Model Reader");
  }
  auto model = vtkVAEModel::SafeDownCast(object);
  if (model && model->GetPending())
  {
    throw Pending();
  }
  if (!model || !model->GetModel())
  {
    throw std::invalid_argument(std::string("The model input is ") +
      (model ? "an empty VAE model" : "a table without a VAE model") +
      "; choose the output of VAE Train, after it has run, or of a VAE Model Reader");
  }
  return *model->GetModel();
}

//----------------------------------------------------------------------------
const vae::ModelInfo* KnownModel(vtkInformationVector* input)
{
  auto model = vtkVAEModel::GetData(input);
  return model && model->GetModel() ? &model->GetModel()->info() : nullptr;
}

//----------------------------------------------------------------------------
Progress::Progress(vtkAlgorithm* algorithm, double from, double to)
  : Algorithm(algorithm)
  , From(from)
  , To(to)
{
}

//----------------------------------------------------------------------------
vae::Monitor Progress::Monitor()
{
  return { [this](double fraction)
  {
    this->Algorithm->UpdateProgress(this->From + fraction * (this->To - this->From));
    if (this->Algorithm->CheckAbort())
    {
      this->Stop.request_stop();
    }
  }, this->Stop.get_token() };
}

//----------------------------------------------------------------------------
bool Refused(vtkAlgorithm* algorithm, vtkInformation* request, vtkInformationVector* outputs,
  const std::function<void()>& check, vtkMTimeType& told)
{
  using Pipeline = vtkStreamingDemandDrivenPipeline;
  const bool information = request->Has(Pipeline::REQUEST_INFORMATION());
  if (!information && !request->Has(Pipeline::REQUEST_DATA()))
  {
    return false;
  }
  try
  {
    check();
    return false;
  }
  catch (const std::exception& e)
  {
    if (std::exchange(told, algorithm->GetMTime()) != algorithm->GetMTime())
    {
      vtkErrorWithObjectMacro(algorithm, << FirstLine(e.what()));
    }
  }
  // An update after this one asks for the data only, and complains where it knows of no part.
  const int none[6] = { 0, -1, 0, -1, 0, -1 };
  for (int i = 0; information && i < outputs->GetNumberOfInformationObjects(); ++i)
  {
    vtkInformation* out = outputs->GetInformationObject(i);
    out->Set(Pipeline::WHOLE_EXTENT(), none, 6);
    out->Set(Pipeline::UPDATE_EXTENT(), none, 6);
    out->Set(Pipeline::UPDATE_PIECE_NUMBER(), 0);
    out->Set(Pipeline::UPDATE_NUMBER_OF_PIECES(), 1);
    out->Set(Pipeline::UPDATE_NUMBER_OF_GHOST_LEVELS(), 0);
  }
  return true;
}

//----------------------------------------------------------------------------
std::string FirstLine(const std::string& message)
{
  constexpr std::size_t longest = 1000, end = 400;
  std::string text = message.substr(0, message.find('\n'));
  if (text.size() > longest)
  {
    text = text.substr(0, longest - end) + " ... " + text.substr(text.size() - end);
  }
  std::replace_if(
    text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < ' '; }, ' ');
  return text;
}

} // namespace vtkVAEBridge
