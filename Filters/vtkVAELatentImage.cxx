// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "vtkVAELatentImage.h"

#include "Check.h"
#include "LatentMath.h"
#include "vtkCellData.h"
#include "vtkDataArray.h"
#include "vtkDataArrayRange.h"
#include "vtkDataObject.h"
#include "vtkDoubleArray.h"
#include "vtkFieldData.h"
#include "vtkFloatArray.h"
#include "vtkIdTypeArray.h"
#include "vtkImageData.h"
#include "vtkInformation.h"
#include "vtkIntArray.h"
#include "vtkMatrix3x3.h"
#include "vtkNew.h"
#include "vtkPointData.h"
#include "vtkStreamingDemandDrivenPipeline.h"
#include "vtkVAEBridge.h"

#include <algorithm>
#include <numeric>

namespace vtkVAELatentImage
{
namespace
{

// Field data of a latent image: the grid of the volume.
constexpr const char* ExtentName = "Volume Extent";
constexpr const char* OriginName = "Volume Origin";
constexpr const char* SpacingName = "Volume Spacing";
constexpr const char* DirectionName = "Volume Direction";
constexpr const char* CellDataName = "Volume Cell Data";

template <typename Array, typename Values>
void Record(vtkFieldData* field, const char* name, const Values& values)
{
  vtkNew<Array> array;
  array->SetName(name);
  for (const auto v : values)
  {
    array->InsertNextValue(v);
  }
  field->AddArray(array);
}

template <typename Values>
bool Recall(vtkFieldData* field, const char* name, Values& values)
{
  vtkDataArray* array = field->GetArray(name);
  if (!array || array->GetNumberOfValues() != static_cast<vtkIdType>(values.size()))
  {
    return false;
  }
  const auto recorded = vtk::DataArrayValueRange(array);
  std::transform(recorded.begin(), recorded.end(), values.begin(),
    [](double v) { return static_cast<typename Values::value_type>(v); });
  return true;
}

bool Recorded(vtkFieldData* field, Grid& grid)
{
  std::array<int, 1> cells{};
  const bool there = Recall(field, ExtentName, grid.Extent) &&
    Recall(field, OriginName, grid.Origin) && Recall(field, SpacingName, grid.Spacing) &&
    Recall(field, DirectionName, grid.Direction) && Recall(field, CellDataName, cells);
  grid.CellData = cells[0] != 0;
  return there;
}

bool Unused(const vae::Dims& dims, int axis, const vae::NetworkOptions& network)
{
  return network.dimensions == 2 && dims[static_cast<std::size_t>(axis)] == 1;
}

/// Move the origin to the position of a continuous index.
void MoveOrigin(Grid& grid, const std::array<double, 3>& index)
{
  for (std::size_t r = 0; r < 3; ++r)
  {
    for (std::size_t c = 0; c < 3; ++c)
    {
      grid.Origin[r] += grid.Direction[3 * r + c] * grid.Spacing[c] * index[c];
    }
  }
}

} // namespace

//----------------------------------------------------------------------------
Grid Grid::Of(vtkImageData* image, bool cellData)
{
  Grid grid;
  grid.CellData = cellData;
  image->GetExtent(grid.Extent.data());
  image->GetOrigin(grid.Origin.data());
  image->GetSpacing(grid.Spacing.data());
  std::copy_n(image->GetDirectionMatrix()->GetData(), 9, grid.Direction.begin());
  return grid;
}

Grid Grid::Of(vtkInformation* pipeline, bool cellData)
{
  Grid grid;
  grid.CellData = cellData;
  const auto get = [pipeline](vtkInformationDoubleVectorKey* key, auto& to)
  {
    if (pipeline->Has(key))
    {
      pipeline->Get(key, to.data());
    }
  };
  if (pipeline->Has(vtkStreamingDemandDrivenPipeline::WHOLE_EXTENT()))
  {
    pipeline->Get(vtkStreamingDemandDrivenPipeline::WHOLE_EXTENT(), grid.Extent.data());
  }
  get(vtkDataObject::ORIGIN(), grid.Origin);
  get(vtkDataObject::SPACING(), grid.Spacing);
  get(vtkDataObject::DIRECTION(), grid.Direction);
  return grid;
}

Grid Grid::New(const vae::ModelInfo& info, const int dims[3])
{
  Grid grid;
  grid.CellData = info.cellData;
  grid.Spacing = info.spacing;
  const vae::Dims made = vae::dimsFor(info, { dims[0], dims[1], dims[2] });
  for (std::size_t a = 0; a < 3; ++a)
  {
    grid.Extent[2 * a + 1] = static_cast<int>(made[a]) - 1 + (info.cellData ? 1 : 0);
  }
  return grid;
}

//----------------------------------------------------------------------------
vae::Dims Grid::Dims() const
{
  vae::Dims dims;
  for (std::size_t a = 0; a < 3; ++a)
  {
    const std::int64_t points = std::int64_t{ this->Extent[2 * a + 1] } - this->Extent[2 * a] + 1;
    dims[a] = this->CellData && points > 0 ? std::max<std::int64_t>(points - 1, 1)
                                           : std::max<std::int64_t>(points, 0);
  }
  return dims;
}

void Grid::ApplyTo(vtkImageData* image) const
{
  image->SetExtent(const_cast<int*>(this->Extent.data()));
  image->SetOrigin(this->Origin.data());
  image->SetSpacing(this->Spacing.data());
  image->SetDirectionMatrix(this->Direction.data());
}

void Grid::ApplyTo(vtkInformation* pipeline) const
{
  pipeline->Set(vtkStreamingDemandDrivenPipeline::WHOLE_EXTENT(), this->Extent.data(), 6);
  pipeline->Set(vtkDataObject::ORIGIN(), this->Origin.data(), 3);
  pipeline->Set(vtkDataObject::SPACING(), this->Spacing.data(), 3);
  pipeline->Set(vtkDataObject::DIRECTION(), this->Direction.data(), 9);
}

//----------------------------------------------------------------------------
Grid LatentGrid(const Grid& volume, const vae::NetworkOptions& network)
{
  const vae::Dims dims = volume.Dims(), cells = vae::latentDims(dims, network);
  Grid grid = volume;
  grid.CellData = true;
  // Where the box of the first voxel begins; a voxel of point data is the box round its point.
  std::array<double, 3> begin;
  for (std::size_t a = 0; a < 3; ++a)
  {
    const bool unused = Unused(dims, static_cast<int>(a), network);
    begin[a] = volume.Extent[2 * a] - (volume.CellData || unused ? 0 : 0.5);
    const int layers =
      unused ? volume.Extent[2 * a + 1] - volume.Extent[2 * a] : static_cast<int>(cells[a]);
    grid.Extent[2 * a] = 0;
    grid.Extent[2 * a + 1] = layers;
  }
  MoveOrigin(grid, begin);
  for (std::size_t a = 0; a < 3; ++a)
  {
    grid.Spacing[a] *= Unused(dims, static_cast<int>(a), network) ? 1 : network.stride();
  }
  return grid;
}

//----------------------------------------------------------------------------
void Write(vtkImageData* image, const vae::Latent& latent, const Grid& grid,
  const vae::NetworkOptions& network)
{
  LatentGrid(grid, network).ApplyTo(image);
  const vtkIdType cells = vae::voxels(latent.dims);
  const auto add = [&](const char* name, const std::vector<float>& values)
  {
    vtkNew<vtkFloatArray> array;
    array->SetName(name);
    array->SetNumberOfComponents(latent.channels);
    array->SetNumberOfTuples(cells);
    for (int c = 0; c < latent.channels; ++c)
    {
      array->SetComponentName(c, ("z" + std::to_string(c)).c_str());
      for (vtkIdType i = 0; i < cells; ++i)
      {
        array->SetTypedComponent(i, c, values[static_cast<std::size_t>(c * cells + i)]);
      }
    }
    image->GetCellData()->AddArray(array);
  };
  add(MeanName, latent.mean);
  if (!latent.logVariance.empty())
  {
    add(LogVarianceName, latent.logVariance);
  }
  vtkNew<vtkIdTypeArray> ids;
  ids->SetName(CellName);
  ids->SetNumberOfTuples(cells);
  std::iota(ids->GetPointer(0), ids->GetPointer(0) + cells, vtkIdType(0));
  image->GetCellData()->AddArray(ids);

  vtkFieldData* field = image->GetFieldData();
  Record<vtkIntArray>(field, ExtentName, grid.Extent);
  Record<vtkDoubleArray>(field, OriginName, grid.Origin);
  Record<vtkDoubleArray>(field, SpacingName, grid.Spacing);
  Record<vtkDoubleArray>(field, DirectionName, grid.Direction);
  Record<vtkIntArray>(field, CellDataName, std::array<int, 1>{ grid.CellData ? 1 : 0 });
}

//----------------------------------------------------------------------------
Grid Decoded(const Grid& coarse, const Grid* volume, const vae::ModelInfo& info)
{
  const vae::Dims cells = coarse.Dims();
  if (volume && vae::latentDims(volume->Dims(), info.network) == cells)
  {
    return *volume;
  }
  Grid grid = coarse;
  grid.CellData = info.cellData;
  std::array<double, 3> first; // where the first voxel is
  for (std::size_t a = 0; a < 3; ++a)
  {
    const bool unused = Unused(cells, static_cast<int>(a), info.network);
    const int stride = unused ? 1 : info.network.stride();
    grid.Spacing[a] /= stride;
    const std::int64_t wide = cells[a] * stride;
    if (wide > VTK_INT_MAX)
    {
      throw std::invalid_argument("The latent image of " + vae::toString(cells) +
        " cells is too large: it decodes to " + std::to_string(wide) + " voxels along an axis");
    }
    const int voxels = static_cast<int>(wide);
    const bool flat = unused && coarse.Extent[2 * a] == coarse.Extent[2 * a + 1];
    grid.Extent[2 * a] = 0;
    grid.Extent[2 * a + 1] = flat ? 0 : voxels - 1 + (info.cellData ? 1 : 0);
    // Points lie in the middle of their voxels; so do those of a latent image of points.
    first[a] = coarse.Extent[2 * a] * stride;
    first[a] += flat ? 0 : (info.cellData ? 0 : 0.5) - (coarse.CellData ? 0 : 0.5 * stride);
  }
  MoveOrigin(grid, first);
  return grid;
}

namespace
{

std::string Channels(int n) { return std::to_string(n) + (n == 1 ? " component" : " components"); }

} // namespace

//----------------------------------------------------------------------------
std::pair<vae::Latent, Grid> Read(vtkDataSet* data, vtkDataArray* array, const vae::Model& model)
{
  const vae::ModelInfo& info = model.info();
  vae::Latent latent;
  latent.channels = info.latentChannels();
  if (array->GetNumberOfComponents() != latent.channels)
  {
    throw std::invalid_argument(std::string("Latent Array '") +
      (array->GetName() ? array->GetName() : "") + "' has " +
      Channels(array->GetNumberOfComponents()) + "; the model has " +
      std::to_string(latent.channels) + " latent channels");
  }
  const auto cells = [&latent] { return vae::voxels(latent.dims); };
  const auto copy = [&](auto&& target)
  {
    const vtkIdType n = array->GetNumberOfTuples();
    std::vector<double> tuple(static_cast<std::size_t>(latent.channels));
    for (vtkIdType i = 0; i < n; ++i)
    {
      array->GetTuple(i, tuple.data());
      const vtkIdType to = target(i);
      for (int c = 0; c < latent.channels; ++c)
      {
        latent.mean[static_cast<std::size_t>(c * cells() + to)] =
          static_cast<float>(tuple[static_cast<std::size_t>(c)]);
      }
    }
  };
  Grid grid;
  if (auto image = vtkImageData::SafeDownCast(data))
  {
    const bool cellData = array->GetNumberOfTuples() == image->GetNumberOfCells();
    latent.dims = vtkVAEBridge::DimsOf(image, cellData);
    if (array->GetNumberOfTuples() != cells())
    {
      throw std::invalid_argument("The latent image has " + vae::toString(latent.dims) +
        " cells and " + std::to_string(array->GetNumberOfTuples()) + " latent vectors");
    }
    latent.mean.resize(static_cast<std::size_t>(latent.channels * cells()));
    copy([](vtkIdType i) { return i; });
    const bool recorded = Recorded(data->GetFieldData(), grid);
    return { std::move(latent),
      Decoded(Grid::Of(image, cellData), recorded ? &grid : nullptr, info) };
  }
  vtkDataArray* ids = data->GetCellData()->GetArray(CellName);
  if (!Recorded(data->GetFieldData(), grid) || !ids ||
    ids->GetNumberOfTuples() != array->GetNumberOfTuples())
  {
    throw std::invalid_argument(
      std::string("The input is not an image, and it lacks the cell array '") + CellName +
      "' with which VAE Encode numbers the cells");
  }
  vae::requireMemory("The latent image of " + vae::toString(grid.Dims()) + " voxels",
    vae::latentBytes(grid.Dims(), 0, info)); // the grid is what an array says
  latent = vae::meanField(vae::latentDims(grid.Dims(), info.network), model.latentStatistics());
  copy([&](vtkIdType i)
  {
    const auto id = static_cast<vtkIdType>(ids->GetTuple1(i));
    if (id < 0 || id >= cells())
    {
      throw std::invalid_argument("The cell number " + std::to_string(id) + " is not among the " +
        vae::toString(latent.dims) + " cells of this model's latent image");
    }
    return id;
  });
  return { std::move(latent), grid };
}

//----------------------------------------------------------------------------
double VolumeBytes(const vae::Dims& dims, const vae::ModelInfo& info, bool probability)
{
  double each = probability ? vtkVAEBridge::ProbabilityBytes(info) : 0;
  for (const vae::ChannelInfo& c : info.channels)
  {
    each += vae::dispatch(c.type, [](auto t) { return static_cast<double>(sizeof t); });
  }
  return each * static_cast<double>(vae::voxels(dims));
}

Arrays::Arrays(const Grid& grid, const vae::ModelInfo& info, bool probability) : Where(grid)
{
  const vtkIdType tuples = vae::voxels(grid.Dims());
  this->All = vtkVAEBridge::NewArrays(info, "", VTK_VOID, tuples, this->Wanted.values);
  if (probability)
  {
    for (auto& array : vtkVAEBridge::NewProbabilities(info, tuples, this->Wanted.probability))
    {
      this->All.push_back(array);
    }
  }
}

void Arrays::PutOn(vtkImageData* output) const
{
  this->Where.ApplyTo(output);
  vtkDataSetAttributes* attributes = this->Where.CellData
    ? static_cast<vtkDataSetAttributes*>(output->GetCellData())
    : output->GetPointData();
  for (const auto& array : this->All)
  {
    attributes->AddArray(array);
  }
  attributes->SetActiveScalars(this->All[0]->GetName());
}

//----------------------------------------------------------------------------
void Decode(vtkImageData* output, const Grid& grid, const vae::Model& model,
  const vae::LatentSample& sample, int margin, bool probability, const vae::RunOptions& run,
  const vae::Monitor& monitor)
{
  vae::requireMemory("The output of " + vae::toString(grid.Dims()) + " voxels",
    VolumeBytes(grid.Dims(), model.info(), probability));
  Arrays arrays(grid, model.info(), probability);
  arrays.Wanted.thresholds = sample.thresholds;
  model.decode(sample.latent, grid.Dims(), margin, arrays.Wanted, run, monitor);
  arrays.PutOn(output);
}

//----------------------------------------------------------------------------
Grid GridOf(vtkImageData* volume, const vae::ModelInfo& info, const char* input)
{
  if (!volume)
  {
    throw std::invalid_argument(std::string(input) + " is not set, but it is needed");
  }
  bool cellData = false;
  vtkVAEBridge::ArraysFor(volume, info, cellData);
  return Grid::Of(volume, cellData);
}

//----------------------------------------------------------------------------
const vae::LatentSample& Start::Get(const std::shared_ptr<const vae::Model>& model,
  vae::LatentSource source, std::int64_t seed, const Grid& grid, int margin, vtkImageData* volume,
  const vae::RunOptions& run, const vae::Monitor& monitor)
{
  const vae::Dims dims = grid.Dims();
  const bool encoded = source == vae::LatentSource::Volume;
  const std::uint64_t time = encoded ? volume->GetMTime() : 0;
  if (this->Model == model && this->Source == source && this->Seed == seed && this->Size == dims &&
    this->Margin == margin && this->VolumeTime == time &&
    (source == vae::LatentSource::Mean ||
      (this->Device == run.device && this->Precision == run.precision)))
  {
    return this->Sample;
  }
  this->Model = nullptr;
  ++this->Version;
  this->Sample.thresholds.clear();
  if (encoded)
  {
    bool cellData = false;
    const auto arrays = vtkVAEBridge::ArraysFor(volume, model->info(), cellData);
    this->Sample.latent =
      model->encode(vtkVAEBridge::VolumeOf(volume, arrays, cellData), run, monitor);
  }
  else if (source == vae::LatentSource::Mean)
  {
    vae::Dims cells = vae::latentDims(dims, model->info().network);
    for (std::size_t a = 0; a < 3; ++a)
    {
      cells[a] += Unused(cells, static_cast<int>(a), model->info().network) ? 0 : 2 * margin;
    }
    this->Sample.latent = vae::meanField(cells, model->latentStatistics());
  }
  else
  {
    vae::SampleRequest request;
    request.dims = dims;
    request.margin = margin;
    request.options.seed = seed;
    this->Sample = model->sample(request, run, monitor);
  }
  this->Model = model;
  this->Source = source;
  this->Seed = seed;
  this->Size = dims;
  this->Margin = margin;
  this->VolumeTime = time;
  this->Device = run.device;
  this->Precision = run.precision;
  return this->Sample;
}

} // namespace vtkVAELatentImage
