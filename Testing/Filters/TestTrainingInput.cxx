// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
//
// What VAE Train can be given: multi-blocks, time series, masks, another model.
#include "FilterTest.h"

#include "vtkImageAlgorithm.h"
#include "vtkInformationVector.h"
#include "vtkMultiBlockDataSet.h"
#include "vtkPolyData.h"

using namespace test;

namespace
{

/// Noise whose two labels are 0 and 1 + the index of the time step.
class Series : public vtkImageAlgorithm
{
public:
  static Series* New();
  vtkTypeMacro(Series, vtkImageAlgorithm);
  std::vector<double> Asked; ///< time steps, in order

protected:
  Series() { this->SetNumberOfInputPorts(0); }
  int RequestInformation(
    vtkInformation*, vtkInformationVector**, vtkInformationVector* out) override
  {
    const double steps[4] = { 0.5, 1.5, 2.5, 3.5 }, range[2] = { 0.5, 3.5 };
    const int extent[6] = { 0, 15, 0, 15, 0, 15 };
    vtkInformation* info = out->GetInformationObject(0);
    info->Set(vtkStreamingDemandDrivenPipeline::TIME_STEPS(), steps, 4);
    info->Set(vtkStreamingDemandDrivenPipeline::TIME_RANGE(), range, 2);
    info->Set(vtkStreamingDemandDrivenPipeline::WHOLE_EXTENT(), extent, 6);
    return 1;
  }
  int RequestData(vtkInformation*, vtkInformationVector**, vtkInformationVector* out) override
  {
    vtkInformation* info = out->GetInformationObject(0);
    const double time = info->Get(vtkStreamingDemandDrivenPipeline::UPDATE_TIME_STEP());
    this->Asked.push_back(time);
    const int extent[6] = { 0, 15, 0, 15, 0, 15 };
    auto image = Image<vtkUnsignedCharArray>(
      extent, false, [&](vtkIdType i) { return (i * i) % 7 < 3 ? 0 : 1 + static_cast<int>(time); });
    vtkImageData* output = vtkImageData::GetData(out);
    output->ShallowCopy(image);
    output->GetInformation()->Set(vtkDataObject::DATA_TIME_STEP(), time);
    return 1;
  }
};
vtkStandardNewMacro(Series);

const vae::ModelInfo& InfoOf(vtkVAETrain* train)
{
  return vtkVAEModel::SafeDownCast(train->GetOutput())->GetModel()->info();
}

} // namespace

TEST(TrainingInput, AMultiBlockIsTrainedOnAsAWhole)
{
  vtkNew<vtkMultiBlockDataSet> blocks;
  blocks->SetNumberOfBlocks(3); // the last stays empty
  blocks->SetBlock(0, Rock(0, 1));
  blocks->SetBlock(1, Rock(0, 2)); // together three labels
  vtkNew<vtkVAETrain> train;
  Brief(train, 2);
  OneVectorABlock(train);
  train->SetInputData(blocks);
  train->Update();
  ASSERT_TRUE(vtkVAEModel::SafeDownCast(train->GetOutput()));
  EXPECT_EQ(InfoOf(train).likelihood, vae::Likelihood::Categorical);
  EXPECT_EQ(InfoOf(train).channels[0].phases, (std::vector<double>{ 0, 1, 2 }));
  EXPECT_EQ(InfoOf(train).channels[0].maximum, 2);
  EXPECT_EQ(InfoOf(train).history.size(), 2u);

  vtkNew<vtkPolyData> mesh;
  blocks->SetBlock(2, mesh);
  blocks->Modified();
  EXPECT_EQ(ErrorOf(train),
    "The input has a block that is a vtkPolyData; every block must be image data (the filter "
    "Resample To Image makes one)");
}

TEST(TrainingInput, TimeStepsAreChosenByIndexAndTheSliderTrainsNothing)
{
  vtkNew<Series> series;
  vtkNew<vtkVAETrain> train;
  Brief(train, 2);
  OneVectorABlock(train);
  train->SetInputConnection(series->GetOutputPort());
  train->Update();
  EXPECT_EQ(series->Asked, (std::vector<double>{ 0.5 })); // the first
  EXPECT_EQ(InfoOf(train).channels[0].maximum, 1);
  train->UpdateTimeStep(2.5);
  EXPECT_EQ(series->Asked.size(), 1u);

  train->SetTimeStepRange(1, 2);
  train->Update();
  EXPECT_EQ(series->Asked, (std::vector<double>{ 0.5, 1.5, 2.5 }));
  EXPECT_EQ(InfoOf(train).channels[0].minimum, 0);
  EXPECT_EQ(InfoOf(train).channels[0].maximum, 3);

  train->AllTimeStepsOn();
  train->Update();
  EXPECT_EQ(InfoOf(train).channels[0].maximum, 4);
  EXPECT_FALSE(train->GetOutputInformation(0)->Has(vtkStreamingDemandDrivenPipeline::TIME_STEPS()));

  train->AllTimeStepsOff();
  train->SetTimeStepRange(2, 4);
  EXPECT_EQ(ErrorOf(train),
    "Time Step Range is 2 to 4; the input's time steps are 0 to 3, and the first must not be "
    "above the last");
}

TEST(TrainingInput, ALiveTrainingOnASeriesReadsItOnce)
{
  vtkNew<Series> series;
  vtkNew<vtkVAETrain> train;
  Brief(train, 30);
  OneVectorABlock(train);
  train->SetExecution(static_cast<int>(vae::Execution::Live));
  train->SetRefreshInterval(0);
  train->SetInputConnection(series->GetOutputPort());
  train->AllTimeStepsOn();
  train->Update();
  train->Wait();
  train->Update();
  EXPECT_EQ(series->Asked.size(), 4u);
  EXPECT_EQ(InfoOf(train).channels[0].maximum, 4);
  EXPECT_EQ(InfoOf(train).history.size(), 30u);
}

TEST(TrainingInput, AMaskLimitsWherePatchesLie)
{
  auto image = Rock();
  vtkNew<vtkUnsignedCharArray> mask;
  mask->SetName("vtkInsidedness");
  mask->SetNumberOfTuples(image->GetNumberOfPoints());
  mask->Fill(1);
  image->GetPointData()->AddArray(mask);
  vtkNew<vtkVAETrain> train;
  Brief(train, 2);
  OneVectorABlock(train);
  train->SetInputData(image);
  train->Update();
  const std::string without = InfoOf(train).fingerprint;
  train->SetInputArrayToProcess(1, 0, 0, vtkDataObject::FIELD_ASSOCIATION_POINTS, "vtkInsidedness");
  train->Update();
  EXPECT_NE(InfoOf(train).fingerprint, without);
  mask->Fill(0);
  mask->Modified();
  EXPECT_EQ(ErrorOf(train), "Mask Array is 0 everywhere; there is nothing to learn");
  for (vtkIdType i = 0; i < mask->GetNumberOfValues() / 8; ++i)
  {
    mask->SetValue(i, 1);
  }
  mask->Modified();
  EXPECT_NE(ErrorOf(train).find("Mask Array leaves no room for a patch of 16 x 16 x 16 voxels"),
    std::string::npos);
  train->SetInputArrayToProcess(1, 0, 0, vtkDataObject::FIELD_ASSOCIATION_POINTS, "nothing");
  EXPECT_EQ(
    ErrorOf(train), "Mask Array is 'nothing', which is not among the point arrays of the input");
}

TEST(TrainingInput, AnotherModelIsAStart)
{
  vtkNew<vtkVAETrain> first, second;
  Brief(first, 3);
  OneVectorABlock(first);
  Brief(second, 3);
  OneVectorABlock(second);
  first->SetInputData(Rock());
  second->SetInputData(Rock(3, 4));
  second->SetInputConnection(1, first->GetOutputPort());
  second->Update();
  EXPECT_EQ(InfoOf(second).history.size(), 3u);
  EXPECT_EQ(InfoOf(second).fingerprint.size(), 16u);
  second->SetWidth(24);
  EXPECT_EQ(ErrorOf(second),
    "Initial Model has Width 16, this training 24; to start from a model they must be equal");
}
