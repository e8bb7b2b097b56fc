// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "vtkVAEFeatures.h"

#include "Check.h"
#include "vtkCellData.h"
#include "vtkDoubleArray.h"
#include "vtkFieldData.h"
#include "vtkIdTypeArray.h"
#include "vtkImageData.h"
#include "vtkInformation.h"
#include "vtkInformationVector.h"
#include "vtkNew.h"
#include "vtkObjectFactory.h"
#include "vtkPCAStatistics.h"
#include "vtkTable.h"
#include "vtkVAEBridge.h"
#include "vtkVAEForecast.h"
#include "vtkVAELatentImage.h"

#include <algorithm>
#include <numeric>

vtkStandardNewMacro(vtkVAEFeatures);

//----------------------------------------------------------------------------
vtkVAEFeatures::vtkVAEFeatures() : BlockSize(vae::FeatureOptions().blockSize)
{
  this->SetNumberOfInputPorts(2);
  this->SetNumberOfOutputPorts(2);
}

vtkVAEFeatures::~vtkVAEFeatures() = default;

//----------------------------------------------------------------------------
void vtkVAEFeatures::PrintSelf(ostream& os, vtkIndent indent)
{
  this->Superclass::PrintSelf(os, indent);
  os << indent << "BlockSize: " << this->BlockSize << "\n";
}

//----------------------------------------------------------------------------
void vtkVAEFeatures::Check() const
{
  this->Superclass::Check();
  vae::check(vae::FeatureOptions{ this->BlockSize });
}

//----------------------------------------------------------------------------
int vtkVAEFeatures::FillInputPortInformation(int port, vtkInformation* info)
{
  info->Set(vtkAlgorithm::INPUT_REQUIRED_DATA_TYPE(), port == 0 ? "vtkImageData" : "vtkTable");
  if (port == 1)
  {
    // Optional, so that our own message reports a missing model.
    info->Set(vtkAlgorithm::INPUT_IS_OPTIONAL(), 1);
  }
  return 1;
}

int vtkVAEFeatures::FillOutputPortInformation(int port, vtkInformation* info)
{
  info->Set(vtkDataObject::DATA_TYPE_NAME(), port == 0 ? "vtkTable" : "vtkImageData");
  return 1;
}

namespace
{

using vtkVAELatentImage::Grid;

/// The latent image with blocks for cells.
Grid BlockGrid(Grid grid, const vae::Dims& cells, const vae::Dims& blocks, int size)
{
  for (std::size_t a = 0; a < 3; ++a)
  {
    if (cells[a] > 1)
    {
      grid.Extent[2 * a + 1] = static_cast<int>(blocks[a]);
      grid.Spacing[a] *= size;
    }
  }
  return grid;
}

vae::Dims BlocksOf(const vae::Dims& cells, int size)
{
  vae::Dims blocks;
  std::transform(cells.begin(), cells.end(), blocks.begin(),
    [size](std::int64_t n) { return (n + size - 1) / size; });
  return blocks;
}

/// Means over blocks: a column for each channel.
std::vector<vtkSmartPointer<vtkDoubleArray>> BlockMeans(
  const vae::Latent& latent, const vae::Dims& blocks, int size)
{
  const vae::Dims& cells = latent.dims;
  std::vector<double> counts(static_cast<std::size_t>(vae::voxels(blocks)));
  std::vector<vtkSmartPointer<vtkDoubleArray>> columns;
  for (int c = 0; c < latent.channels; ++c)
  {
    vtkNew<vtkDoubleArray> column;
    column->SetName(("z" + std::to_string(c)).c_str());
    column->SetNumberOfTuples(vae::voxels(blocks));
    column->Fill(0);
    std::fill(counts.begin(), counts.end(), 0.);
    const float* value = latent.mean.data() + c * vae::voxels(cells);
    for (std::int64_t z = 0; z < cells[2]; ++z)
    {
      for (std::int64_t y = 0; y < cells[1]; ++y)
      {
        for (std::int64_t x = 0; x < cells[0]; ++x)
        {
          const vtkIdType block = (z / size * blocks[1] + y / size) * blocks[0] + x / size;
          *column->GetPointer(block) += *value++;
          counts[static_cast<std::size_t>(block)] += 1;
        }
      }
    }
    for (vtkIdType i = 0; i < column->GetNumberOfTuples(); ++i)
    {
      *column->GetPointer(i) /= counts[static_cast<std::size_t>(i)];
    }
    columns.push_back(column);
  }
  return columns;
}

double VarianceOf(vtkDoubleArray* column)
{
  const double* begin = column->GetPointer(0);
  const vtkIdType n = column->GetNumberOfTuples();
  const double mean = std::accumulate(begin, begin + n, 0.) / static_cast<double>(n);
  const double squares = std::accumulate(
    begin, begin + n, 0., [mean](double sum, double v) { return sum + (v - mean) * (v - mean); });
  return n > 1 ? squares / static_cast<double>(n - 1) : 0;
}

/// Scores of the first two principal components. Where there is just one channel, or one block,
/// there is nothing to turn: its deviation from the mean, and nothing.
std::vector<vtkSmartPointer<vtkDoubleArray>> PrincipalComponents(
  const std::vector<vtkSmartPointer<vtkDoubleArray>>& columns)
{
  const vtkIdType rows = columns[0]->GetNumberOfTuples();
  std::vector<vtkSmartPointer<vtkDoubleArray>> scores;
  for (const char* name : { "PCA 0", "PCA 1" })
  {
    scores.push_back(vtkSmartPointer<vtkDoubleArray>::New());
    scores.back()->SetName(name);
    scores.back()->SetNumberOfTuples(rows);
    scores.back()->Fill(0);
  }
  if (columns.size() == 1 || rows < 2)
  {
    const double mean =
      std::accumulate(columns[0]->GetPointer(0), columns[0]->GetPointer(0) + rows, 0.) /
      static_cast<double>(rows);
    std::transform(columns[0]->GetPointer(0), columns[0]->GetPointer(0) + rows,
      scores[0]->GetPointer(0), [mean](double v) { return v - mean; });
    return scores;
  }
  vtkNew<vtkTable> table;
  vtkNew<vtkPCAStatistics> pca;
  for (const auto& column : columns)
  {
    table->AddColumn(column);
    pca->SetColumnStatus(column->GetName(), 1);
  }
  pca->RequestSelectedColumns();
  pca->SetInputData(table);
  pca->SetLearnOption(true);
  pca->SetDeriveOption(true);
  pca->SetTestOption(false);
  pca->SetAssessOption(true);
  pca->SetBasisScheme(vtkPCAStatistics::FIXED_BASIS_SIZE);
  pca->SetFixedBasisSize(2);
  pca->Update();
  vtkTable* assessed = pca->GetOutput();
  const vtkIdType added = assessed->GetNumberOfColumns() - 2;
  for (vtkIdType k = 0; k < 2; ++k)
  {
    auto score = vtkDoubleArray::SafeDownCast(assessed->GetColumn(added + k));
    if (!score || added != static_cast<vtkIdType>(columns.size()))
    {
      throw std::runtime_error("the principal components could not be computed");
    }
    // A direction has no sign of its own: the block that is farthest out is made positive.
    const double* begin = score->GetPointer(0);
    const double farthest = *std::max_element(
      begin, begin + rows, [](double a, double b) { return std::abs(a) < std::abs(b); });
    std::transform(begin, begin + rows, scores[static_cast<std::size_t>(k)]->GetPointer(0),
      [farthest](double v) { return farthest < 0 ? -v : v; });
  }
  return scores;
}

} // namespace

//----------------------------------------------------------------------------
int vtkVAEFeatures::RequestInformation(
  vtkInformation*, vtkInformationVector** inputVector, vtkInformationVector* outputVector)
{
  Grid grid;
  if (const vae::ModelInfo* info = vtkVAEForecast::Model(inputVector[1]))
  {
    const Grid volume = Grid::Of(inputVector[0]->GetInformationObject(0), info->cellData);
    const vae::Dims cells = vae::latentDims(volume.Dims(), info->network);
    grid = BlockGrid(vtkVAELatentImage::LatentGrid(volume, info->network), cells,
      BlocksOf(cells, this->BlockSize), this->BlockSize);
  }
  grid.ApplyTo(outputVector->GetInformationObject(1));
  return 1;
}

//----------------------------------------------------------------------------
int vtkVAEFeatures::RequestUpdateExtent(
  vtkInformation*, vtkInformationVector** inputVector, vtkInformationVector*)
{
  vtkVAEBridge::RequestWholeExtent(inputVector[0]->GetInformationObject(0));
  return 1;
}

//----------------------------------------------------------------------------
int vtkVAEFeatures::RequestData(
  vtkInformation*, vtkInformationVector** inputVector, vtkInformationVector* outputVector)
{
  vtkImageData* input = vtkImageData::GetData(inputVector[0]);
  vtkTable* table = vtkTable::GetData(outputVector, 0);
  vtkImageData* image = vtkImageData::GetData(outputVector, 1);
  try
  {
    const vae::Model& model = vtkVAEBridge::ModelOf(vtkDataObject::GetData(inputVector[1]));
    const vae::NetworkOptions& network = model.info().network;
    bool cellData = false;
    const std::vector<vtkDataArray*> arrays =
      vtkVAEBridge::ArraysFor(input, model.info(), cellData);
    vtkVAEBridge::Progress encoding(this, 0, 0.9);
    const vae::Volume volume = vtkVAEBridge::VolumeOf(input, arrays, cellData);
    vae::requireMemory("The latent image of " + vae::toString(volume.dims) + " voxels",
      2 * vae::latentBytes(volume.dims, 0, model.info()));
    const vae::Latent latent = model.encode(volume, this->Run(), encoding.Monitor());

    const vae::Dims blocks = BlocksOf(latent.dims, this->BlockSize);
    const Grid grid = BlockGrid(vtkVAELatentImage::LatentGrid(Grid::Of(input, cellData), network),
      latent.dims, blocks, this->BlockSize);
    grid.ApplyTo(image);

    const vtkIdType rows = vae::voxels(blocks);
    vtkNew<vtkIdTypeArray> ids;
    ids->SetName("Block");
    ids->SetNumberOfTuples(rows);
    std::iota(ids->GetPointer(0), ids->GetPointer(0) + rows, vtkIdType(0));
    table->AddColumn(ids);
    std::vector<vtkSmartPointer<vtkDoubleArray>> columns;
    for (const char* name : { "X", "Y", "Z" })
    {
      columns.push_back(vtkSmartPointer<vtkDoubleArray>::New());
      columns.back()->SetName(name);
      columns.back()->SetNumberOfTuples(rows);
    }
    for (vtkIdType i = 0; i < rows; ++i)
    {
      double bounds[6], middle[3];
      const std::int64_t index[3] = { i % blocks[0], i / blocks[0] % blocks[1],
        i / (blocks[0] * blocks[1]) };
      for (std::size_t a = 0; a < 3; ++a)
      {
        const bool flat = grid.Extent[2 * a] == grid.Extent[2 * a + 1];
        bounds[a] = static_cast<double>(index[a]) + (flat ? 0 : 0.5);
      }
      image->TransformContinuousIndexToPhysicalPoint(bounds, middle);
      for (std::size_t a = 0; a < 3; ++a)
      {
        columns[a]->SetValue(i, middle[a]);
      }
    }
    const auto means = BlockMeans(latent, blocks, this->BlockSize);
    const auto scores = PrincipalComponents(means);
    columns.insert(columns.end(), means.begin(), means.end());
    columns.insert(columns.end(), scores.begin(), scores.end());
    image->GetCellData()->AddArray(ids);
    for (const auto& column : columns)
    {
      table->AddColumn(column);
      image->GetCellData()->AddArray(column);
    }
    table->GetRowData()->SetPedigreeIds(ids);
    image->GetCellData()->SetPedigreeIds(ids);
    image->GetCellData()->SetActiveScalars("PCA 0");

    vtkNew<vtkDoubleArray> explained, total;
    explained->SetName("PCA Variance");
    total->SetName("Latent Variance");
    for (const auto& score : scores)
    {
      explained->InsertNextValue(VarianceOf(score));
    }
    total->InsertNextValue(std::accumulate(means.begin(), means.end(), 0.,
      [](double sum, vtkDoubleArray* column) { return sum + VarianceOf(column); }));
    for (vtkFieldData* field : { table->GetFieldData(), image->GetFieldData() })
    {
      field->AddArray(explained);
      field->AddArray(total);
    }
    this->LastTable = vtkSmartPointer<vtkTable>::New();
    this->LastTable->ShallowCopy(table);
    this->LastImage = vtkSmartPointer<vtkImageData>::New();
    this->LastImage->ShallowCopy(image);
    return 1;
  }
  catch (const vtkVAEBridge::Pending&)
  {
    // A training has begun anew: what the one before it gave stays in view until it has a model.
    if (this->LastTable && this->LastImage)
    {
      table->ShallowCopy(this->LastTable);
      image->ShallowCopy(this->LastImage);
    }
    return 1;
  }
  vtkVAECatchMacro
}
