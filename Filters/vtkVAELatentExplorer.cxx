// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "vtkVAELatentExplorer.h"

#include "Check.h"
#include "LatentMath.h"
#include "vtkDoubleArray.h"
#include "vtkImageData.h"
#include "vtkInformation.h"
#include "vtkInformationVector.h"
#include "vtkObjectFactory.h"
#include "vtkVAEBridge.h"
#include "vtkVAEForecast.h"
#include "vtkVAELatentImage.h"
#include "vtkVAEModel.h"

#include <algorithm>

vtkStandardNewMacro(vtkVAELatentExplorer);

struct vtkVAELatentExplorer::Options : vae::ExplorerOptions
{
  std::vector<double> Offsets;
  vtkVAELatentImage::Start Start;
  int Written = 0;                         // version of the base field that LastLatent holds
  std::shared_ptr<const vae::Model> Model; // that the channel arrays tell of
};

namespace
{

using vtkVAELatentImage::Grid;

/// The cells [begin, end) of a field.
vae::Latent Part(const vae::Latent& field, const vae::Dims& begin, const vae::Dims& end)
{
  vae::Latent part;
  part.channels = field.channels;
  for (std::size_t a = 0; a < 3; ++a)
  {
    part.dims[a] = end[a] - begin[a];
  }
  part.mean.reserve(static_cast<std::size_t>(part.channels * vae::voxels(part.dims)));
  for (std::int64_t c = 0; c < field.channels; ++c)
  {
    for (std::int64_t z = begin[2]; z < end[2]; ++z)
    {
      for (std::int64_t y = begin[1]; y < end[1]; ++y)
      {
        const auto row =
          field.mean.begin() + ((c * field.dims[2] + z) * field.dims[1] + y) * field.dims[0];
        part.mean.insert(part.mean.end(), row + begin[0], row + end[0]);
      }
    }
  }
  return part;
}

/// Cells of the block in the middle, and with the halo beyond which no cell has influence on it.
struct Block
{
  vae::Dims Begin, End, WideBegin, WideEnd;
};

Block Middle(const vae::Dims& cells, const vae::NetworkOptions& network, int voxels, int halo)
{
  const std::int64_t wanted = (voxels + network.stride() - 1) / network.stride();
  Block block;
  for (std::size_t a = 0; a < 3; ++a)
  {
    const std::int64_t n = voxels > 0 ? std::min(wanted, cells[a]) : cells[a];
    block.Begin[a] = (cells[a] - n) / 2;
    block.End[a] = block.Begin[a] + n;
    block.WideBegin[a] = std::max<std::int64_t>(block.Begin[a] - halo, 0);
    block.WideEnd[a] = std::min(block.End[a] + halo, cells[a]);
  }
  return block;
}

/// The voxels of a grid that the cells [begin, end) of `cells` stand for.
Grid Voxels(const Grid& whole, const vae::Dims& cells, const vae::Dims& begin, const vae::Dims& end,
  int stride)
{
  Grid part = whole;
  const vae::Dims dims = whole.Dims();
  for (std::size_t a = 0; a < 3; ++a)
  {
    if (begin[a] > 0 ||
      end[a] < cells[a]) // else all of it, also of an axis the model does not have
    {
      const std::int64_t last = std::min(end[a] * stride, dims[a]) - (whole.CellData ? 0 : 1);
      part.Extent[2 * a + 1] = whole.Extent[2 * a] + static_cast<int>(last);
      part.Extent[2 * a] += static_cast<int>(begin[a]) * stride;
    }
  }
  return part;
}

} // namespace

//----------------------------------------------------------------------------
vtkVAELatentExplorer::vtkVAELatentExplorer() : Internal(std::make_unique<Options>())
{
  this->SetNumberOfInputPorts(2);
  this->SetNumberOfOutputPorts(2);
}

vtkVAELatentExplorer::~vtkVAELatentExplorer() = default;

//----------------------------------------------------------------------------
void vtkVAELatentExplorer::PrintSelf(ostream& os, vtkIndent indent)
{
  this->Superclass::PrintSelf(os, indent);
  os << indent << "LatentOffsets:";
  for (const double v : this->Internal->Offsets)
  {
    os << " " << v;
  }
  os << "\n" << indent << "Base: " << this->GetBase() << "\n";
  os << indent << "Seed: " << this->GetSeed() << "\n";
  os << indent << "BlockSize: " << this->GetBlockSize() << "\n";
  os << indent << "Dimensions: " << this->Dimensions[0] << " x " << this->Dimensions[1] << " x "
     << this->Dimensions[2] << "\n";
  os << indent << "ComputeProbability: " << this->ComputeProbability << "\n";
}

//----------------------------------------------------------------------------
vtkVAEOptionMacro(vtkVAELatentExplorer, Base, int, base);
vtkVAEOptionMacro(vtkVAELatentExplorer, Seed, int, seed);
vtkVAEOptionMacro(vtkVAELatentExplorer, BlockSize, int, blockSize);

void vtkVAELatentExplorer::SetNumberOfLatentOffsets(int n)
{
  n = std::clamp(n, 0, vae::MostOffsets);
  if (static_cast<std::size_t>(n) != this->Internal->Offsets.size())
  {
    this->Internal->Offsets.resize(static_cast<std::size_t>(n));
    this->Modified();
  }
}

void vtkVAELatentExplorer::SetLatentOffset(int channel, double standardDeviations)
{
  if (channel < 0 || channel >= vae::MostOffsets)
  {
    return;
  }
  std::vector<double>& offsets = this->Internal->Offsets;
  this->SetNumberOfLatentOffsets(std::max(channel + 1, static_cast<int>(offsets.size())));
  if (offsets[static_cast<std::size_t>(channel)] != standardDeviations)
  {
    offsets[static_cast<std::size_t>(channel)] = standardDeviations;
    this->Modified();
  }
}

//----------------------------------------------------------------------------
void vtkVAELatentExplorer::LookAtModel()
{
  auto object = this->GetNumberOfInputConnections(0) > 0
    ? vtkVAEModel::SafeDownCast(this->GetInputDataObject(0, 0))
    : nullptr;
  const auto model = object ? object->GetModel() : nullptr;
  if (model == this->Internal->Model)
  {
    return;
  }
  this->Internal->Model = model;
  for (vtkDoubleArray* array : { this->ChannelMeans.Get(), this->ChannelDeviations.Get(),
         this->PosteriorDeviations.Get(), this->ChannelQuantiles.Get() })
  {
    array->Reset();
  }
  if (!model)
  {
    return;
  }
  for (const vae::LatentStatistics& channel : model->latentStatistics())
  {
    this->ChannelMeans->InsertNextValue(channel.mean);
    this->ChannelDeviations->InsertNextValue(channel.stddev);
    this->PosteriorDeviations->InsertNextValue(channel.posteriorStddev);
    for (const double q : channel.quantiles)
    {
      this->ChannelQuantiles->InsertNextValue(q);
    }
  }
}

vtkDoubleArray* vtkVAELatentExplorer::GetChannelMeans()
{
  this->LookAtModel();
  return this->ChannelMeans;
}

vtkDoubleArray* vtkVAELatentExplorer::GetChannelDeviations()
{
  this->LookAtModel();
  return this->ChannelDeviations;
}

vtkDoubleArray* vtkVAELatentExplorer::GetPosteriorDeviations()
{
  this->LookAtModel();
  return this->PosteriorDeviations;
}

vtkDoubleArray* vtkVAELatentExplorer::GetChannelQuantiles()
{
  this->LookAtModel();
  return this->ChannelQuantiles;
}

//----------------------------------------------------------------------------
void vtkVAELatentExplorer::Check() const
{
  this->Superclass::Check();
  vae::requireDimensions(this->Dimensions);
  vae::check(*this->Internal);
  vae::requireOffsets(this->Internal->Offsets);
}

//----------------------------------------------------------------------------
int vtkVAELatentExplorer::FillInputPortInformation(int port, vtkInformation* info)
{
  info->Set(vtkAlgorithm::INPUT_REQUIRED_DATA_TYPE(), port == 0 ? "vtkTable" : "vtkImageData");
  if (port == 1)
  {
    info->Set(vtkAlgorithm::INPUT_IS_OPTIONAL(), 1);
  }
  return 1;
}

//----------------------------------------------------------------------------
int vtkVAELatentExplorer::RequestInformation(
  vtkInformation*, vtkInformationVector** inputVector, vtkInformationVector* outputVector)
{
  Grid block, latent;
  if (const vae::ModelInfo* info = vtkVAEForecast::Model(inputVector[0]))
  {
    vtkInformation* volume = inputVector[1]->GetInformationObject(0);
    const Grid grid = volume && this->Internal->base == vae::LatentSource::Volume
      ? Grid::Of(volume, info->cellData)
      : Grid::New(*info, this->Dimensions);
    latent = vtkVAELatentImage::LatentGrid(grid, info->network);
    vtkVAEForecast::Tell(outputVector->GetInformationObject(1), grid);
    const vae::Dims cells = vae::latentDims(grid.Dims(), info->network);
    const Block middle = Middle(cells, info->network, this->GetBlockSize(), 0);
    block = Voxels(grid, cells, middle.Begin, middle.End, info->network.stride());
  }
  block.ApplyTo(outputVector->GetInformationObject(0));
  latent.ApplyTo(outputVector->GetInformationObject(1));
  return 1;
}

//----------------------------------------------------------------------------
int vtkVAELatentExplorer::RequestUpdateExtent(
  vtkInformation*, vtkInformationVector** inputVector, vtkInformationVector*)
{
  if (vtkInformation* volume = inputVector[1]->GetInformationObject(0))
  {
    vtkVAEBridge::RequestWholeExtent(volume);
  }
  return 1;
}

//----------------------------------------------------------------------------
int vtkVAELatentExplorer::RequestData(
  vtkInformation*, vtkInformationVector** inputVector, vtkInformationVector* outputVector)
{
  vtkImageData* block = vtkImageData::GetData(outputVector, 0);
  vtkImageData* latentImage = vtkImageData::GetData(outputVector, 1);
  try
  {
    vtkDataObject* object = vtkDataObject::GetData(inputVector[0]);
    const vae::Model& model = vtkVAEBridge::ModelOf(object);
    const auto shared = vtkVAEModel::SafeDownCast(object)->GetModel();
    const vae::ModelInfo& info = model.info();
    const vae::NetworkOptions& network = info.network;
    Options& o = *this->Internal;
    vtkImageData* volume = vtkImageData::GetData(inputVector[1]);
    const Grid grid = o.base == vae::LatentSource::Volume
      ? vtkVAELatentImage::GridOf(volume, info, "Volume")
      : Grid::New(info, this->Dimensions);
    vae::requireMemory("The latent image of " + vae::toString(grid.Dims()) + " voxels",
      2 * vae::latentBytes(grid.Dims(), 0, info));
    vtkVAEBridge::Progress encoding(this, 0, 0.5), decoding(this, 0.5, 1);
    const vae::Latent& base =
      o.Start.Get(shared, o.base, o.seed, grid, 0, volume, this->Run(), encoding.Monitor()).latent;
    if (!this->LastLatent || o.Written != o.Start.GetVersion())
    {
      this->LastLatent = vtkSmartPointer<vtkImageData>::New();
      vtkVAELatentImage::Write(this->LastLatent, base, grid, network);
      o.Written = o.Start.GetVersion();
    }
    latentImage->ShallowCopy(this->LastLatent);

    const Block part = Middle(base.dims, network, o.blockSize, model.decodeHalo());
    const auto voxels = [&](const vae::Dims& begin, const vae::Dims& end)
    { return Voxels(grid, base.dims, begin, end, network.stride()); };
    vtkVAELatentImage::Decode(block, voxels(part.WideBegin, part.WideEnd), model,
      { vae::shifted(
        Part(base, part.WideBegin, part.WideEnd), o.Offsets, model.latentStatistics()) },
      0, this->ComputeProbability, this->Run(), decoding.Monitor());
    const Grid inner = voxels(part.Begin, part.End);
    block->Crop(inner.Extent.data());
    this->LastBlock = vtkSmartPointer<vtkImageData>::New();
    this->LastBlock->ShallowCopy(block);
    return 1;
  }
  catch (const vtkVAEBridge::Pending&)
  {
    // A training has begun anew: what the one before it gave stays in view until it has a model.
    if (this->LastBlock && this->LastLatent)
    {
      block->ShallowCopy(this->LastBlock);
      latentImage->ShallowCopy(this->LastLatent);
    }
    return 1;
  }
  vtkVAECatchMacro
}
