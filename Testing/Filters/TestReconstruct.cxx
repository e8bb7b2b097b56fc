// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
//
// What VAE Reconstruct adds on request, and every kind of input that VTK can give it.
#include "FilterTest.h"

#include "vtkDataSetAttributes.h"
#include "vtkImageAlgorithm.h"
#include "vtkInformationVector.h"
#include "vtkMultiBlockDataSet.h"
#include "vtkPartitionedDataSet.h"
#include "vtkPartitionedDataSetCollection.h"
#include "vtkPolyData.h"
#include "vtkRectilinearGrid.h"
#include "vtkUniformGrid.h"
#include "vtkUnstructuredGrid.h"

using namespace test;

namespace
{

vtkVAEModel* RockModel()
{
  static const Pipeline p(Rock(), 3, "rock");
  p.Train->Update();
  return vtkVAEModel::SafeDownCast(p.Train->GetOutput());
}

vtkNew<vtkVAEReconstruct> Reconstructing(vtkDataObject* input)
{
  vtkNew<vtkVAEReconstruct> reconstruct;
  reconstruct->SetDevice("cpu");
  reconstruct->SetInputData(input);
  reconstruct->SetInputData(1, RockModel());
  return reconstruct;
}

vtkSmartPointer<vtkImageData> Cut(int size, int first)
{
  const rock::Voxels voxels = rock::cementedGrains({ 32, 0.4, 12, 7 });
  const int extent[6] = { first, first + size - 1, 0, size - 1, 0, size - 1 };
  return Image<vtkUnsignedCharArray>(
    extent, false, [&](vtkIdType i) { return voxels[static_cast<std::size_t>(i + first)]; });
}

std::vector<double> Values(vtkDataSet* data, const char* name)
{
  std::vector<double> values;
  vtkDataArray* array = data ? data->GetPointData()->GetArray(name) : nullptr;
  for (vtkIdType i = 0; array && i < array->GetNumberOfTuples(); ++i)
  {
    values.push_back(array->GetTuple1(i));
  }
  return values;
}

double Field(vtkDataSet* data, const char* name)
{
  vtkDataArray* array = data->GetFieldData()->GetArray(name);
  return array ? array->GetTuple1(0) : std::nan("");
}

/// Time steps 1 and 2, of rocks of 20 and 24 voxels.
class Series : public vtkImageAlgorithm
{
public:
  static Series* New();
  vtkTypeMacro(Series, vtkImageAlgorithm);

protected:
  Series() { this->SetNumberOfInputPorts(0); }
  int RequestInformation(
    vtkInformation*, vtkInformationVector**, vtkInformationVector* out) override
  {
    const double steps[2] = { 1, 2 };
    const int extent[6] = { 0, 19, 0, 19, 0, 19 };
    vtkInformation* info = out->GetInformationObject(0);
    info->Set(vtkStreamingDemandDrivenPipeline::TIME_STEPS(), steps, 2);
    info->Set(vtkStreamingDemandDrivenPipeline::TIME_RANGE(), steps, 2);
    info->Set(vtkStreamingDemandDrivenPipeline::WHOLE_EXTENT(), extent, 6);
    return 1;
  }
  int RequestData(vtkInformation*, vtkInformationVector**, vtkInformationVector* out) override
  {
    vtkInformation* info = out->GetInformationObject(0);
    const double time = info->Get(vtkStreamingDemandDrivenPipeline::UPDATE_TIME_STEP());
    vtkImageData* output = vtkImageData::GetData(out);
    output->ShallowCopy(Cut(20, static_cast<int>(time)));
    output->SetExtent(0, 19, 0, 19, 0, 19);
    output->GetInformation()->Set(vtkDataObject::DATA_TIME_STEP(), time);
    return 1;
  }
};
vtkStandardNewMacro(Series);

} // namespace

TEST(ReconstructOutputs, OnRequestAndConsistent)
{
  auto reconstruct = Reconstructing(Rock());
  vtkVAEReconstruct* r = reconstruct;
  r->Update();
  EXPECT_EQ(r->GetOutput()->GetPointData()->GetNumberOfArrays(), 3) << "input, result, error";
  r->ComputeErrorOff();
  r->ComputeAbsoluteErrorOn();
  r->ComputeProbabilityOn();
  r->ComputeStandardDeviationOn();
  r->ComputeEntropyOn();
  r->ComputeExceedanceOn();
  r->ComputeAnomalyOn();
  r->ComputeCellAnomalyOn();
  r->ComputeSSIMOn();
  r->SetThreshold(100);
  r->SetSamples(8);
  r->Update();
  vtkImageData* out = r->GetOutput();
  EXPECT_FALSE(out->GetPointData()->GetArray("rock_error"));
  EXPECT_EQ(out->GetPointData()->GetNumberOfArrays(), 11);
  const auto in = Values(out, "rock"), made = Values(out, "rock_reconstruction"),
             absolute = Values(out, "rock_absolute_error"), p = Values(out, "rock_probability"),
             stddev = Values(out, "rock_stddev"), entropy = Values(out, "rock_entropy"),
             above = Values(out, "rock_exceedance"), anomaly = Values(out, "rock_anomaly"),
             percentile = Values(out, "rock_anomaly_percentile"),
             cell = Values(out, "rock_anomaly_cell"),
             cellPercentile = Values(out, "rock_anomaly_cell_percentile");
  ASSERT_EQ(cellPercentile.size(), in.size());
  double cells = 0, mean = 0;
  for (std::size_t i = 0; i < in.size(); ++i)
  {
    ASSERT_EQ(absolute[i], std::abs(made[i] - in[i]));
    // -log of the probability of the label that is there.
    ASSERT_NEAR(anomaly[i], -std::log(in[i] > 0 ? p[i] : 1 - p[i]), 1e-3 * (1 + anomaly[i]));
    ASSERT_NEAR(
      entropy[i], -above[i] * std::log(above[i]) - (1 - above[i]) * std::log(1 - above[i]), 1e-4);
    ASSERT_TRUE(above[i] >= 0 && above[i] <= 1 && stddev[i] >= 0 && stddev[i] <= 0.55);
    ASSERT_TRUE(percentile[i] >= 0 && percentile[i] <= 100 && cellPercentile[i] <= 100);
    cells += cell[i] / static_cast<double>(in.size());
    mean += anomaly[i] / static_cast<double>(in.size());
  }
  EXPECT_NEAR(cells, mean, 1e-5) << "32 is a multiple of the cell";
  // Latents: 4^3 cells of 4 channels of 4 bytes for 32^3 bytes.
  EXPECT_DOUBLE_EQ(Field(out, "Compression Ratio"), 32);
  const double wrong = 1 - Field(out, "Accuracy");
  EXPECT_NEAR(Field(out, "PSNR"), -10 * std::log10(wrong), 1e-9);
  EXPECT_GT(Field(out, "SSIM"), 0);
  EXPECT_LT(Field(out, "SSIM"), 1);
  EXPECT_NE(
    std::string(r->GetMemoryPlan()).find("1 tile of 32 x 32 x 32 voxels"), std::string::npos)
    << r->GetMemoryPlan();

  r->SetStrength(0);
  r->Update();
  EXPECT_EQ(Values(r->GetOutput(), "rock_reconstruction"), in);
  EXPECT_EQ(Field(r->GetOutput(), "Accuracy"), 1);
}

TEST(ReconstructOutputs, ThreePhases)
{
  const int extent[6] = { 0, 23, 0, 23, 0, 23 };
  auto image = Image<vtkUnsignedCharArray>(
    extent, false, [](vtkIdType i) { return 5 * ((i / 7 + i / 577) % 3) + 10; });
  Pipeline p(image);
  p.Reconstruct->ComputeProbabilityOn();
  p.Reconstruct->ComputeEntropyOn();
  p.Reconstruct->ComputeStandardDeviationOn();
  p.Reconstruct->ComputeExceedanceOn();
  p.Reconstruct->ComputeAnomalyOn();
  p.Reconstruct->SetThreshold(12);
  p.Reconstruct->SetStrength(0.7);
  vtkImageData* out = p.Run();
  const auto in = Values(out, "rock"), a = Values(out, "rock_probability_10"),
             b = Values(out, "rock_probability_15"), c = Values(out, "rock_probability_20"),
             made = Values(out, "rock_reconstruction"), above = Values(out, "rock_exceedance"),
             entropy = Values(out, "rock_entropy");
  ASSERT_EQ(c.size(), in.size());
  ASSERT_EQ(entropy.size(), in.size());
  for (std::size_t i = 0; i < in.size(); ++i)
  {
    ASSERT_NEAR(a[i] + b[i] + c[i], 1, 1e-5);
    const double most = std::max({ a[i], b[i], c[i] });
    ASSERT_EQ(made[i] == 10 ? a[i] : made[i] == 15 ? b[i] : c[i], most);
    ASSERT_GE((in[i] == 10 ? a[i] : in[i] == 15 ? b[i] : c[i]), 0.3 - 1e-5) << "0.3 of the input";
    ASSERT_TRUE(above[i] >= 0 && above[i] <= 1 && entropy[i] <= std::log(3.) + 1e-5);
  }
}

TEST(ReconstructInput, BlocksAndPartitions)
{
  auto one = Reconstructing(Cut(20, 0)), two = Reconstructing(Cut(25, 3));
  one->Update();
  two->Update();
  const auto first = Values(one->GetOutput(), "rock_reconstruction"),
             second = Values(two->GetOutput(), "rock_reconstruction");
  ASSERT_EQ(second.size(), 15625u);

  vtkNew<vtkMultiBlockDataSet> blocks, inner;
  blocks->SetNumberOfBlocks(3); // the second stays empty
  blocks->SetBlock(0, Cut(20, 0));
  inner->SetNumberOfBlocks(1);
  vtkNew<vtkUniformGrid> grid;
  grid->ShallowCopy(Cut(25, 3));
  inner->SetBlock(0, grid);
  blocks->SetBlock(2, inner);
  auto r = Reconstructing(blocks);
  r->Update();
  auto out = vtkMultiBlockDataSet::SafeDownCast(r->GetOutputDataObject(0));
  ASSERT_TRUE(out && out->GetNumberOfBlocks() == 3);
  auto outInner = vtkMultiBlockDataSet::SafeDownCast(out->GetBlock(2));
  ASSERT_TRUE(outInner);
  EXPECT_EQ(Values(vtkDataSet::SafeDownCast(out->GetBlock(0)), "rock_reconstruction"), first);
  auto last = vtkDataSet::SafeDownCast(outInner->GetBlock(0));
  EXPECT_EQ(Values(last, "rock_reconstruction"), second);
  EXPECT_EQ(Field(last, "Accuracy"), Field(two->GetOutput(), "Accuracy"));

  vtkNew<vtkPartitionedDataSetCollection> collection;
  collection->SetPartition(0, 0, Cut(20, 0));
  collection->SetPartition(1, 0, Cut(25, 3));
  auto c = Reconstructing(collection);
  c->Update();
  auto parts = vtkPartitionedDataSetCollection::SafeDownCast(c->GetOutputDataObject(0));
  ASSERT_TRUE(parts);
  EXPECT_EQ(Values(parts->GetPartition(0, 0), "rock_reconstruction"), first);
  EXPECT_EQ(Values(parts->GetPartition(1, 0), "rock_reconstruction"), second);
}

TEST(ReconstructInput, TimeSteps)
{
  vtkNew<Series> series;
  vtkNew<vtkVAEReconstruct> r;
  r->SetInputConnection(series->GetOutputPort());
  r->SetInputData(1, RockModel());
  r->UpdateInformation();
  EXPECT_EQ(r->GetOutputInformation(0)->Length(vtkStreamingDemandDrivenPipeline::TIME_STEPS()), 2);
  for (const int time : { 1, 2 })
  {
    r->UpdateTimeStep(time);
    auto alone = Reconstructing(Cut(20, time));
    alone->Update();
    EXPECT_EQ(Values(r->GetOutput(), "rock_reconstruction"),
      Values(alone->GetOutput(), "rock_reconstruction"));
    EXPECT_EQ(r->GetOutput()->GetInformation()->Get(vtkDataObject::DATA_TIME_STEP()), time);
  }
}

TEST(ReconstructOutputs, PosteriorSamplesAreTimeSteps)
{
  auto mean = Reconstructing(Rock()), samples = Reconstructing(Rock()),
       one = Reconstructing(Rock());
  const auto steps = [&]
  {
    samples->UpdateInformation();
    return samples->GetOutputInformation(0)->Length(vtkStreamingDemandDrivenPipeline::TIME_STEPS());
  };
  const auto probability = [](vtkVAEReconstruct* r)
  { return Values(r->GetOutput(), "rock_probability"); };
  for (vtkVAEReconstruct* r : { &*mean, &*samples, &*one })
  {
    r->ComputeProbabilityOn();
  }
  mean->Update();
  samples->SetRealizations(3);
  EXPECT_EQ(steps(), 0) << "there is one mean";
  samples->SetReconstructFrom(static_cast<int>(vae::ReconstructFrom::PosteriorSample));
  EXPECT_EQ(steps(), 3);
  std::vector<std::vector<double>> all{ probability(mean) };
  for (const int step : { 0, 1, 2 })
  {
    samples->UpdateTimeStep(step);
    EXPECT_EQ(samples->GetOutput()->GetInformation()->Get(vtkDataObject::DATA_TIME_STEP()), step);
    for (const auto& other : all)
    {
      EXPECT_NE(probability(samples), other);
    }
    all.push_back(probability(samples));
  }
  samples->UpdateTimeStep(1);
  EXPECT_EQ(probability(samples), all[2]);
  one->SetReconstructFrom(static_cast<int>(vae::ReconstructFrom::PosteriorSample));
  one->Update();
  EXPECT_EQ(probability(one), all[1]) << "one sample is the first of several";
  one->SetSeed(1);
  one->Update();
  EXPECT_NE(probability(one), all[1]);

  samples->SetRealizations(1);
  EXPECT_EQ(steps(), 0);
  samples->SetRealizations(3);
  vtkNew<Series> series;
  samples->SetInputConnection(series->GetOutputPort());
  EXPECT_EQ(steps(), 2) << "those of the input";
  EXPECT_EQ(ErrorOf(samples),
    "Realizations is 3, but the input is a time series, whose time steps the output has; "
    "Realizations must be 1");
}

TEST(ReconstructInput, GhostsDoNotCount)
{
  auto image = Rock();
  auto plain = Reconstructing(image);
  plain->Update();
  const auto error = Values(plain->GetOutput(), "rock_error");
  vtkNew<vtkUnsignedCharArray> ghosts;
  ghosts->SetName(vtkDataSetAttributes::GhostArrayName());
  double right = 0, counted = 0;
  for (vtkIdType i = 0; i < image->GetNumberOfPoints(); ++i)
  {
    const bool ghost = i % 32 < 5; // a layer along x
    ghosts->InsertNextValue(ghost ? vtkDataSetAttributes::DUPLICATEPOINT : 0);
    counted += !ghost;
    right += !ghost && error[static_cast<std::size_t>(i)] == 0;
  }
  image->GetPointData()->AddArray(ghosts);
  auto r = Reconstructing(image);
  r->Update();
  EXPECT_EQ(Values(r->GetOutput(), "rock_error"), error) << "ghosts are context as before";
  EXPECT_DOUBLE_EQ(Field(r->GetOutput(), "Accuracy"), right / counted);
  EXPECT_NE(Field(r->GetOutput(), "Accuracy"), Field(plain->GetOutput(), "Accuracy"));
  EXPECT_TRUE(r->GetOutput()->GetPointData()->GetArray(vtkDataSetAttributes::GhostArrayName()));
}

TEST(ReconstructInput, OtherGridsAreToldWhatToDo)
{
  const std::string rest = "; it must be image data (the filter Resample To Image makes it)";
  vtkNew<vtkRectilinearGrid> rectilinear;
  rectilinear->SetDimensions(4, 4, 4);
  auto a = Reconstructing(rectilinear);
  EXPECT_EQ(ErrorOf(a), "The input is a vtkRectilinearGrid" + rest);
  vtkNew<vtkUnstructuredGrid> unstructured;
  auto b = Reconstructing(unstructured);
  EXPECT_EQ(ErrorOf(b), "The input is a vtkUnstructuredGrid" + rest);
  vtkNew<vtkMultiBlockDataSet> blocks;
  vtkNew<vtkPolyData> mesh;
  blocks->SetBlock(0, mesh);
  auto c = Reconstructing(blocks);
  EXPECT_EQ(ErrorOf(c), "The input is a vtkPolyData" + rest);
}

TEST(ReconstructInput, ImpossibleOptionsAreOneSentence)
{
  auto r = Reconstructing(Rock());
  r->SetStrength(2);
  EXPECT_EQ(ErrorOf(r), "Strength is 2; it must be in [0, 1]");
  auto s = Reconstructing(Rock());
  s->ComputeEntropyOn();
  s->SetSamples(1);
  EXPECT_EQ(ErrorOf(s), "Samples is 1; it must be in [2, 10000]");
  auto m = Reconstructing(Rock());
  m->SetMemoryBudget(-1);
  EXPECT_EQ(ErrorOf(m), "Memory Budget is -1; it must be in [0, 1000000000]");
}
