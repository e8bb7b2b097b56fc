// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "FilterTest.h"

#include "LatentMath.h"
#include "vtkCellData.h"
#include "vtkExtractVOI.h"
#include "vtkThreshold.h"
#include "vtkUnstructuredGrid.h"
#include "vtkVAEDecode.h"
#include "vtkVAEEncode.h"
#include "vtkVAEFeatures.h"
#include "vtkVAELatentExplorer.h"
#include "vtkVAELatentWalk.h"

using namespace test;

namespace
{

std::vector<double> ValuesOf(vtkDataArray* array)
{
  std::vector<double> values;
  for (vtkIdType i = 0; array && i < array->GetNumberOfTuples(); ++i)
  {
    for (int c = 0; c < array->GetNumberOfComponents(); ++c)
    {
      values.push_back(array->GetComponent(i, c));
    }
  }
  return values;
}

std::vector<double> Rocks(vtkImageData* image)
{
  return ValuesOf(image->GetPointData()->GetArray("rock"));
}

/// Volume -> Encode -> Decode, with a quick model of the volume.
struct Latents : Pipeline
{
  vtkNew<vtkVAEEncode> Encode;
  vtkNew<vtkVAEDecode> Decode;
  explicit Latents(vtkImageData* image, int epochs = 3, const char* shared = nullptr)
    : Pipeline(image, epochs, shared)
  {
    this->Encode->SetInputData(image);
    this->Encode->SetModelConnection(this->Train->GetOutputPort());
    this->Decode->SetInputConnection(this->Encode->GetOutputPort());
    this->Decode->SetModelConnection(this->Train->GetOutputPort());
  }
  const vae::Model& Model()
  {
    this->Train->Update();
    return *vtkVAEModel::SafeDownCast(this->Train->GetOutput())->GetModel();
  }
};

void ExpectSameGrid(vtkImageData* a, vtkImageData* b)
{
  for (int i = 0; i < 6; ++i)
  {
    EXPECT_EQ(a->GetExtent()[i], b->GetExtent()[i]);
  }
  for (int i = 0; i < 3; ++i)
  {
    EXPECT_EQ(a->GetOrigin()[i], b->GetOrigin()[i]);
    EXPECT_EQ(a->GetSpacing()[i], b->GetSpacing()[i]);
  }
  for (int i = 0; i < 9; ++i)
  {
    EXPECT_EQ(a->GetDirectionMatrix()->GetData()[i], b->GetDirectionMatrix()->GetData()[i]);
  }
}

} // namespace

TEST(Encode, TheLatentImageOverlaysTheVolume)
{
  auto image = Skew(Rock());
  Latents p(image, 3, "skew");
  p.Encode->Update();
  vtkImageData* latent = p.Encode->GetOutput();
  int dims[3];
  latent->GetDimensions(dims);
  for (const int n : dims)
  {
    EXPECT_EQ(n, 5); // 32 voxels are 4 cells
  }
  for (const char* name : { "latent_mean", "latent_log_variance" })
  {
    vtkDataArray* array = latent->GetCellData()->GetArray(name);
    ASSERT_TRUE(array) << name;
    EXPECT_EQ(array->GetNumberOfTuples(), 64);
    EXPECT_EQ(array->GetNumberOfComponents(), 4);
    EXPECT_STREQ(array->GetComponentName(2), "z2");
  }
  // A cell's corners are half a voxel beyond its first and last points: in index space of the
  // volume cell (1, 2, 3) is [7.5, 15.5] x [15.5, 23.5] x [23.5, 31.5] from the extent's begin.
  for (const int far : { 0, 1 })
  {
    double corner[3], index[3];
    const int ijk[3] = { 1 + far, 2 + far, 3 + far };
    latent->TransformIndexToPhysicalPoint(ijk, corner);
    image->TransformPhysicalPointToContinuousIndex(corner, index);
    for (int a = 0; a < 3; ++a)
    {
      EXPECT_NEAR(index[a] - image->GetExtent()[2 * a], 8 * ijk[a] - 0.5, 1e-9);
    }
  }
}

TEST(Encode, ThenDecodeEqualsReconstruct)
{
  const int extent[6] = { 3, 31, -5, 25, 100, 119 }; // no multiples of 8
  const auto wave = [](vtkIdType i) { return 100 + 80 * std::sin(0.01 * static_cast<double>(i)); };
  const int flat[6] = { 0, 28, 7, 7, 0, 33 };
  const auto check = [](vtkImageData* image, bool cells)
  {
    Latents p(image, 2);
    p.Reconstruct->ComputeProbabilityOn();
    p.Decode->ComputeProbabilityOn();
    p.Decode->Update();
    vtkImageData *once = p.Run(), *twice = p.Decode->GetOutput();
    ExpectSameGrid(once, twice);
    const auto attributes = [cells](vtkImageData* i)
    { return cells ? static_cast<vtkDataSetAttributes*>(i->GetCellData()) : i->GetPointData(); };
    vtkDataArray* wanted = attributes(once)->GetArray("rock_reconstruction");
    vtkDataArray* got = attributes(twice)->GetArray("rock");
    ASSERT_TRUE(wanted && got);
    EXPECT_EQ(wanted->GetDataType(), got->GetDataType());
    EXPECT_EQ(ValuesOf(wanted), ValuesOf(got));
    EXPECT_EQ(ValuesOf(attributes(once)->GetArray("rock_probability")),
      ValuesOf(attributes(twice)->GetArray("rock_probability")));
  };
  check(Skew(Rock(87, 182)), false);
  check(Skew(Image<vtkFloatArray>(extent, false, wave)), false);
  check(Skew(Image<vtkUnsignedShortArray>(extent, true, wave)), true);
  check(Image<vtkFloatArray>(flat, false, wave), false);
  check(Image<vtkFloatArray>(flat, true, wave), true);
}

TEST(Encode, ALatentVectorForABlockIsOneCell)
{
  const int extent[6] = { 0, 35, 0, 31, 2, 33 };
  const auto wave = [](vtkIdType i) { return 100 + 80 * std::sin(0.01 * static_cast<double>(i)); };
  Latents p(Image<vtkFloatArray>(extent, false, wave), 2);
  p.Train->SetNetwork(static_cast<int>(vae::Architecture::Vector));
  p.Train->SetBlockSize(16);
  p.Decode->Update();
  int dims[3];
  p.Encode->GetOutput()->GetDimensions(dims);
  EXPECT_EQ(std::vector<int>(dims, dims + 3), (std::vector<int>{ 4, 3, 3 })); // 3 x 2 x 2 cells
  ExpectSameGrid(p.Run(), p.Decode->GetOutput());
  EXPECT_EQ(ValuesOf(p.Run()->GetPointData()->GetArray("rock_reconstruction")),
    Rocks(p.Decode->GetOutput()));
  vtkNew<vtkVAELatentExplorer> explorer;
  explorer->SetInputConnection(p.Train->GetOutputPort());
  explorer->SetDimensions(48, 48, 48);
  explorer->SetBlockSize(10);
  explorer->SetLatentOffset(0, 1);
  explorer->Update();
  explorer->GetOutput()->GetDimensions(dims);
  EXPECT_EQ(std::vector<int>(dims, dims + 3), (std::vector<int>{ 16, 16, 16 }));
}

TEST(Decode, ThePipelineLearnsTheGrid)
{
  // Nothing has run when the pipeline first asks: neither stride nor extent are known.
  Latents p(Rock(), 3, "rock");
  vtkNew<vtkExtractVOI> below;
  below->SetInputConnection(p.Decode->GetOutputPort());
  below->SetVOI(3, 34, 0, 3, 100, 101);
  EXPECT_EQ(ErrorOf(p.Decode), "");
  EXPECT_EQ(ErrorOf(below), "");
  int dims[3];
  below->GetOutput()->GetDimensions(dims);
  EXPECT_EQ(std::vector<int>(dims, dims + 3), (std::vector<int>{ 32, 4, 2 }));
  const vtkMTimeType before = p.Decode->GetMTime();
  const vtkMTimeType encoded = p.Encode->GetMTime();
  below->Modified();
  below->Update();
  EXPECT_EQ(p.Decode->GetMTime(), before); // it has settled
  EXPECT_EQ(p.Encode->GetMTime(), encoded);
}

TEST(Decode, WhatWasEdited)
{
  Latents p(Rock(), 3, "rock");
  p.Encode->Update();
  const auto plain = [&]
  {
    p.Decode->Update();
    return Rocks(p.Decode->GetOutput());
  }();
  // Offsets, and the same by hand.
  p.Decode->SetLatentOffset(1, 2.5);
  p.Decode->Update();
  const auto offset = Rocks(p.Decode->GetOutput());
  EXPECT_NE(offset, plain);
  vtkNew<vtkImageData> edited;
  edited->DeepCopy(p.Encode->GetOutput());
  auto mean = vtkFloatArray::SafeDownCast(edited->GetCellData()->GetArray("latent_mean"));
  const float by = static_cast<float>(2.5 * p.Model().latentStatistics()[1].stddev);
  for (vtkIdType i = 0; i < mean->GetNumberOfTuples(); ++i)
  {
    mean->SetTypedComponent(i, 1, mean->GetTypedComponent(i, 1) + by);
  }
  vtkNew<vtkVAEDecode> decode;
  decode->SetInputData(edited);
  decode->SetModelConnection(p.Train->GetOutputPort());
  decode->Update();
  EXPECT_EQ(Rocks(decode->GetOutput()), offset);

  // Another array, of another type; the recorded grid is forgotten: stride voxels a cell, in place.
  vtkNew<vtkDoubleArray> doubles;
  doubles->DeepCopy(mean);
  doubles->SetName("Result");
  vtkNew<vtkImageData> bare;
  bare->CopyStructure(edited);
  bare->GetCellData()->AddArray(doubles);
  decode->SetInputData(bare);
  EXPECT_EQ(ErrorOf(decode),
    "Latent Array is 'latent_mean', but the input has no such array; VAE "
    "Encode makes 'latent_mean'");
  decode->SetInputArrayToProcess(0, 0, 0, vtkDataObject::FIELD_ASSOCIATION_CELLS, "Result");
  decode->Update();
  EXPECT_EQ(Rocks(decode->GetOutput()), offset);
  double first[3], wanted[3];
  decode->GetOutput()->GetPoint(0, first);
  p.Run()->GetPoint(0, wanted);
  for (int a = 0; a < 3; ++a)
  {
    EXPECT_NEAR(first[a], wanted[a], 1e-9);
  }
}

TEST(Decode, PartsOfALatentImage)
{
  Latents p(Rock(), 3, "rock");
  p.Decode->Update();
  // A box of it: its own voxels, in place.
  vtkNew<vtkExtractVOI> part;
  part->SetInputConnection(p.Encode->GetOutputPort());
  part->SetVOI(1, 3, 0, 4, 2, 4);
  vtkNew<vtkVAEDecode> decode;
  decode->SetInputConnection(part->GetOutputPort());
  decode->SetModelConnection(p.Train->GetOutputPort());
  decode->Update();
  vtkImageData* box = decode->GetOutput();
  int dims[3];
  box->GetDimensions(dims);
  EXPECT_EQ(std::vector<int>(dims, dims + 3), (std::vector<int>{ 16, 32, 16 }));
  double point[3], index[3];
  box->GetPoint(0, point);
  p.Run()->TransformPhysicalPointToContinuousIndex(point, index);
  EXPECT_NEAR(index[0] - 3, 8, 1e-9);
  EXPECT_NEAR(index[1] + 5, 0, 1e-9);
  EXPECT_NEAR(index[2] - 100, 16, 1e-9);

  // Cells that a threshold has left over; the others take the mean.
  vtkNew<vtkThreshold> threshold;
  threshold->SetInputConnection(p.Encode->GetOutputPort());
  threshold->SetInputArrayToProcess(0, 0, 0, vtkDataObject::FIELD_ASSOCIATION_CELLS, "latent_cell");
  threshold->SetThresholdFunction(vtkThreshold::THRESHOLD_LOWER);
  threshold->SetLowerThreshold(31);
  vtkNew<vtkVAEDecode> rest;
  rest->SetInputConnection(threshold->GetOutputPort());
  rest->SetModelConnection(p.Train->GetOutputPort());
  rest->Update();
  ASSERT_EQ(threshold->GetOutput()->GetNumberOfCells(), 32);
  ExpectSameGrid(rest->GetOutput(), p.Run());
  const auto statistics = p.Model().latentStatistics();
  vtkNew<vtkImageData> byHand;
  byHand->DeepCopy(p.Encode->GetOutput());
  vtkDataArray* mean = byHand->GetCellData()->GetArray("latent_mean");
  for (vtkIdType i = 32; i < 64; ++i)
  {
    for (int c = 0; c < 4; ++c)
    {
      mean->SetComponent(i, c, static_cast<float>(statistics[static_cast<std::size_t>(c)].mean));
    }
  }
  decode->SetInputData(byHand);
  decode->Update();
  EXPECT_EQ(Rocks(rest->GetOutput()), Rocks(decode->GetOutput()));
}

TEST(Decode, BadInput)
{
  Latents p(Rock(), 3, "rock");
  p.Decode->Update();
  vtkNew<vtkVAEDecode> decode;
  decode->SetInputData(p.Encode->GetOutput());
  EXPECT_EQ(
    ErrorOf(decode), "Model is not set; choose the output of VAE Train or of a VAE Model Reader");
  decode->SetModelConnection(p.Train->GetOutputPort());
  decode->SetInputArrayToProcess(0, 0, 0, vtkDataObject::FIELD_ASSOCIATION_CELLS, "latent_cell");
  EXPECT_EQ(
    ErrorOf(decode), "Latent Array 'latent_cell' has 1 component; the model has 4 latent channels");
  decode->SetInputArrayToProcess(0, 0, 0, vtkDataObject::FIELD_ASSOCIATION_CELLS, "latent_mean");
  decode->SetNumberOfLatentOffsets(5);
  EXPECT_EQ(ErrorOf(decode), "Latent Offsets has 5 values; the model has 4 latent channels");
  decode->SetNumberOfLatentOffsets(0);
  vtkNew<vtkUnstructuredGrid> grid;
  vtkNew<vtkFloatArray> array;
  array->SetName("latent_mean");
  array->SetNumberOfComponents(4);
  grid->GetCellData()->AddArray(array);
  decode->SetInputData(grid);
  EXPECT_NE(ErrorOf(decode).find("lacks the cell array 'latent_cell'"), std::string::npos);
}

TEST(LatentWalk, TraversesFromMinusToPlusRange)
{
  Latents p(Rock(), 3, "rock");
  vtkNew<vtkVAELatentWalk> walk;
  walk->SetInputConnection(p.Train->GetOutputPort());
  walk->SetStartVolumeConnection(nullptr);
  walk->SetInputData(1, Rock());
  walk->SetStart(static_cast<int>(vae::LatentSource::Volume));
  walk->SetChannel(2);
  walk->SetRange(1.5);
  walk->SetSteps(5);
  walk->UpdateInformation();
  EXPECT_EQ(
    walk->GetOutputInformation(0)->Length(vtkStreamingDemandDrivenPipeline::TIME_STEPS()), 5);
  for (const double time : { 0., 2., 3.5 })
  {
    walk->UpdateTimeStep(time);
    const double offset = (time / 2 - 1) * 1.5;
    EXPECT_NEAR(
      walk->GetOutput()->GetFieldData()->GetArray("Walk Position")->GetTuple1(0), offset, 1e-12);
    p.Decode->SetLatentOffset(2, offset);
    p.Decode->Update();
    ExpectSameGrid(walk->GetOutput(), p.Decode->GetOutput());
    EXPECT_EQ(Rocks(walk->GetOutput()), Rocks(p.Decode->GetOutput())) << time;
  }
  p.Decode->SetLatentOffset(2, 0);
  p.Decode->Update();
  walk->UpdateTimeStep(2); // the middle is the field itself
  EXPECT_EQ(
    Rocks(walk->GetOutput()), ValuesOf(p.Run()->GetPointData()->GetArray("rock_reconstruction")));
}

TEST(LatentWalk, GoesFromFieldToField)
{
  Latents p(Rock(), 3, "rock");
  vtkNew<vtkVAELatentWalk> walk;
  walk->SetInputConnection(p.Train->GetOutputPort());
  walk->SetDimensions(24, 20, 17);
  walk->SetSteps(11);
  walk->SetStartSeed(7);
  walk->SetEndSeed(8);
  vtkNew<vtkVAEGenerate> generate;
  generate->SetInputConnection(p.Train->GetOutputPort());
  generate->SetDimensions(24, 20, 17);
  const auto at = [&](double time)
  {
    walk->UpdateTimeStep(time);
    return Rocks(walk->GetOutput());
  };
  for (const vae::Walk kind : { vae::Walk::Linear, vae::Walk::Spherical })
  {
    walk->SetWalk(static_cast<int>(kind));
    generate->SetSeed(7);
    generate->Update();
    EXPECT_EQ(at(0), Rocks(generate->GetOutput()));
    generate->SetSeed(8);
    generate->Update();
    EXPECT_EQ(at(10), Rocks(generate->GetOutput()));
    // The middle, without the filter.
    const vae::Model& model = p.Model();
    const vae::Dims dims{ 24, 20, 17 };
    const int margin = model.margin();
    vae::GenerateOptions options;
    options.seed = 7;
    const vae::LatentSample from = model.sample({ dims, margin, options });
    options.seed = 8;
    const vae::LatentSample to = model.sample({ dims, margin, options });
    std::vector<unsigned char> voxels(24 * 20 * 17);
    vae::Outputs outputs;
    outputs.values.resize(1);
    outputs.values[0].data = voxels.data();
    outputs.values[0].type = vae::ScalarType::UInt8;
    outputs.thresholds = vae::lerp(from.thresholds, to.thresholds, 0.5);
    model.decode(kind == vae::Walk::Linear
        ? vae::lerp(from.latent, to.latent, 0.5)
        : vae::slerp(from.latent, to.latent, 0.5, model.latentStatistics()),
      dims, margin, outputs, {});
    EXPECT_EQ(at(5), std::vector<double>(voxels.begin(), voxels.end()));
  }
  // From a volume to the mean.
  walk->SetInputData(1, Rock());
  walk->SetStart(static_cast<int>(vae::LatentSource::Volume));
  walk->SetEnd(static_cast<int>(vae::LatentSource::Mean));
  EXPECT_EQ(at(0), ValuesOf(p.Run()->GetPointData()->GetArray("rock_reconstruction")));
  // At the mean there is no direction: an arc to it is a line.
  const auto arc = at(5);
  walk->SetWalk(static_cast<int>(vae::Walk::Linear));
  EXPECT_EQ(at(5), arc);
}

TEST(LatentWalk, BadInput)
{
  Latents p(Rock(), 3, "rock");
  vtkNew<vtkVAELatentWalk> walk;
  walk->SetInputConnection(p.Train->GetOutputPort());
  walk->SetChannel(4);
  EXPECT_EQ(ErrorOf(walk), "Channel is 4; this model has the channels 0 to 3");
  walk->SetChannel(0);
  walk->SetSteps(1);
  EXPECT_EQ(ErrorOf(walk), "Steps is 1; it must be in [2, 100000]");
  walk->SetSteps(3);
  walk->SetStart(static_cast<int>(vae::LatentSource::Volume));
  EXPECT_EQ(ErrorOf(walk), "Start Volume is not set, but it is needed");
  const int extent[6] = { 0, 15, 0, 15, 0, 31 };
  walk->SetInputData(1, Rock());
  walk->SetInputData(
    2, Image<vtkUnsignedCharArray>(extent, false, [](vtkIdType i) { return i % 2; }));
  walk->SetEnd(static_cast<int>(vae::LatentSource::Volume));
  walk->SetWalk(static_cast<int>(vae::Walk::Spherical));
  EXPECT_EQ(ErrorOf(walk),
    "The latent fields to interpolate between are 4 x 4 x 4 and 2 x 2 x 4 cells; they must be of "
    "one "
    "size");
}

TEST(LatentExplorer, TheBlockIsAPartOfWhatDecodeGives)
{
  Latents p(Rock(), 3, "rock");
  vtkNew<vtkVAELatentExplorer> explorer;
  explorer->SetInputConnection(p.Train->GetOutputPort());
  explorer->SetDimensions(150, 60, 33);
  explorer->SetBlockSize(16);
  explorer->SetSeed(3);
  explorer->SetLatentOffset(0, -1);
  explorer->SetLatentOffset(3, 2);
  explorer->Update();
  vtkNew<vtkVAEDecode> decode;
  decode->SetInputConnection(explorer->GetOutputPort(1));
  decode->SetModelConnection(p.Train->GetOutputPort());
  decode->SetLatentOffset(0, -1);
  decode->SetLatentOffset(3, 2);
  decode->Update();
  vtkImageData *block = explorer->GetOutput(), *whole = decode->GetOutput();
  const int all[6] = { 0, 149, 0, 59, 0, 32 }, middle[6] = { 64, 79, 24, 39, 8, 23 };
  for (int i = 0; i < 6; ++i)
  {
    EXPECT_EQ(whole->GetExtent()[i], all[i]);
    EXPECT_EQ(block->GetExtent()[i], middle[i]);
  }
  double differences = 0, upper = 0;
  for (int z = middle[4]; z <= middle[5]; ++z)
  {
    for (int y = middle[2]; y <= middle[3]; ++y)
    {
      for (int x = middle[0]; x <= middle[1]; ++x)
      {
        const double v = block->GetScalarComponentAsDouble(x, y, z, 0);
        differences += v != whole->GetScalarComponentAsDouble(x, y, z, 0);
        upper += v > 0;
      }
    }
  }
  EXPECT_EQ(differences, 0);
  EXPECT_GT(upper, 0);

  // Sliders leave the latent image, and what is below it, as they were.
  const vtkMTimeType before =
    explorer->GetOutput(1)->GetCellData()->GetArray("latent_mean")->GetMTime();
  vtkDataArray* decoded = whole->GetPointData()->GetArray("rock");
  const auto first = Rocks(block);
  explorer->SetLatentOffset(3, -2);
  decode->Update();
  EXPECT_NE(Rocks(explorer->GetOutput()), first);
  EXPECT_EQ(explorer->GetOutput(1)->GetCellData()->GetArray("latent_mean")->GetMTime(), before);
  EXPECT_EQ(decode->GetOutput()->GetPointData()->GetArray("rock"), decoded);
  // But its own do not.
  decode->SetLatentOffset(3, -2);
  decode->Update();
  EXPECT_NE(decode->GetOutput()->GetPointData()->GetArray("rock"), decoded);
}

TEST(LatentExplorer, TellsTheDistributions)
{
  Latents p(Rock(), 3, "rock");
  p.Train->Update();
  vtkNew<vtkVAELatentExplorer> explorer;
  EXPECT_EQ(explorer->GetChannelMeans()->GetNumberOfTuples(), 0);
  explorer->SetInputConnection(p.Train->GetOutputPort());
  const auto statistics = p.Model().latentStatistics();
  ASSERT_EQ(explorer->GetChannelMeans()->GetNumberOfTuples(), 4);
  EXPECT_EQ(explorer->GetChannelQuantiles()->GetNumberOfTuples(), 4 * 257);
  // Against the moments of the encoding itself.
  p.Encode->Update();
  vtkDataArray* mean = p.Encode->GetOutput()->GetCellData()->GetArray("latent_mean");
  vtkDataArray* log = p.Encode->GetOutput()->GetCellData()->GetArray("latent_log_variance");
  for (int c = 0; c < 4; ++c)
  {
    double m = 0, squares = 0, posterior = 0;
    for (vtkIdType i = 0; i < 64; ++i)
    {
      m += mean->GetComponent(i, c) / 64;
      squares += std::pow(mean->GetComponent(i, c), 2) / 64;
      posterior += std::exp(log->GetComponent(i, c)) / 64;
    }
    const double scale = std::sqrt(squares - m * m + posterior);
    EXPECT_NEAR(explorer->GetChannelMeans()->GetTuple1(c), m, 0.05 * scale);
    EXPECT_NEAR(explorer->GetChannelDeviations()->GetTuple1(c), scale, 0.05 * scale);
    EXPECT_NEAR(explorer->GetPosteriorDeviations()->GetTuple1(c), std::sqrt(posterior), 1e-3);
  }
}

TEST(Features, ATableOfBlocksAndTheirPrincipalComponents)
{
  auto image = Skew(Rock());
  Latents p(image, 3, "skew");
  p.Encode->Update();
  vtkDataArray* latents = p.Encode->GetOutput()->GetCellData()->GetArray("latent_mean");
  vtkNew<vtkVAEFeatures> features;
  features->SetInputData(image);
  features->SetModelConnection(p.Train->GetOutputPort());
  features->Update();
  auto table = vtkTable::SafeDownCast(features->GetOutputDataObject(0));
  auto blocks = vtkImageData::SafeDownCast(features->GetOutputDataObject(1));
  ASSERT_TRUE(table && blocks);
  ASSERT_EQ(table->GetNumberOfRows(), 64);
  ASSERT_EQ(blocks->GetNumberOfCells(), 64);
  EXPECT_EQ(table->GetNumberOfColumns(), 1 + 3 + 4 + 2);
  ExpectSameGrid(blocks, p.Encode->GetOutput());
  const auto value = [&](vtkIdType row, const char* column)
  { return table->GetValueByName(row, column).ToDouble(); };
  double moments[4] = {}, covariance[4][4] = {};
  for (vtkIdType i = 0; i < 64; ++i)
  {
    EXPECT_EQ(value(i, "Block"), static_cast<double>(i));
    double bounds[6];
    blocks->GetCell(i)->GetBounds(bounds);
    EXPECT_NEAR(value(i, "X"), (bounds[0] + bounds[1]) / 2, 1e-9);
    EXPECT_NEAR(value(i, "Y"), (bounds[2] + bounds[3]) / 2, 1e-9);
    EXPECT_NEAR(value(i, "Z"), (bounds[4] + bounds[5]) / 2, 1e-9);
    for (int c = 0; c < 4; ++c)
    {
      EXPECT_EQ(value(i, ("z" + std::to_string(c)).c_str()), latents->GetComponent(i, c));
      moments[c] += latents->GetComponent(i, c) / 64;
    }
  }
  for (int r = 0; r < 4; ++r)
  {
    for (int c = 0; c < 4; ++c)
    {
      for (vtkIdType i = 0; i < 64; ++i)
      {
        covariance[r][c] += (latents->GetComponent(i, r) - moments[r]) *
          (latents->GetComponent(i, c) - moments[c]) / 63;
      }
    }
  }
  // The largest eigenvector, by power iteration: its scores are PCA 0 but for the sign.
  double v[4] = { 1, 0.7, 0.3, 0.1 }, eigenvalue = 0;
  for (int k = 0; k < 5000; ++k)
  {
    double w[4] = {}, length = 0;
    for (int r = 0; r < 4; ++r)
    {
      for (int c = 0; c < 4; ++c)
      {
        w[r] += covariance[r][c] * v[c];
      }
      length += w[r] * w[r];
    }
    eigenvalue = std::sqrt(length);
    for (int r = 0; r < 4; ++r)
    {
      v[r] = w[r] / eigenvalue;
    }
  }
  double same = 0, reverse = 0, product = 0;
  for (vtkIdType i = 0; i < 64; ++i)
  {
    double score = 0;
    for (int c = 0; c < 4; ++c)
    {
      score += v[c] * (latents->GetComponent(i, c) - moments[c]);
    }
    same = std::max(same, std::abs(score - value(i, "PCA 0")));
    reverse = std::max(reverse, std::abs(score + value(i, "PCA 0")));
    product += value(i, "PCA 0") * value(i, "PCA 1");
    EXPECT_EQ(value(i, "PCA 0"), blocks->GetCellData()->GetArray("PCA 0")->GetTuple1(i));
  }
  EXPECT_LT(std::min(same, reverse), 1e-4 * std::sqrt(eigenvalue));
  EXPECT_NEAR(product / 63 / eigenvalue, 0, 1e-6);
  EXPECT_NEAR(
    table->GetFieldData()->GetArray("PCA Variance")->GetTuple1(0), eigenvalue, 1e-5 * eigenvalue);
  EXPECT_NEAR(table->GetFieldData()->GetArray("Latent Variance")->GetTuple1(0),
    covariance[0][0] + covariance[1][1] + covariance[2][2] + covariance[3][3], 1e-6);

  // Blocks of 3^3 cells: two along each axis, the last with one cell's thickness.
  features->SetBlockSize(3);
  features->Update();
  table = vtkTable::SafeDownCast(features->GetOutputDataObject(0));
  ASSERT_EQ(table->GetNumberOfRows(), 8);
  double sum = 0;
  for (int z = 0; z < 3; ++z)
  {
    for (int y = 0; y < 3; ++y)
    {
      sum += latents->GetComponent((z * 4 + y) * 4 + 3, 1);
    }
  }
  EXPECT_NEAR(value(1, "z1"), sum / 9, 1e-6);
}
