// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "FilterTest.h"

#include "vtkImageAlgorithm.h"
#include "vtkInformationVector.h"
#include "vtkMultiBlockDataSet.h"
#include "vtkObjectFactory.h"
#include "vtkVAETwoSampleTest.h"

using namespace test;

namespace
{

/// 48^3 voxels of a rock; of `spoiled` ones one voxel in ten has the other phase.
vtkSmartPointer<vtkImageData> Rock48(std::uint64_t seed, bool spoiled = false, bool cells = false)
{
  const rock::Voxels v = rock::cementedGrains({ 48, 0.3, 5, seed });
  const int points = cells ? 48 : 47;
  const int extent[6] = { 3, 3 + points, -5, points - 5, 0, points };
  return Image<vtkUnsignedCharArray>(extent, cells, [&](vtkIdType i)
  {
    const bool other = spoiled && (static_cast<std::uint64_t>(i) * 2654435761U >> 7) % 10 == 0;
    return (v[static_cast<std::size_t>(i)] > 0) != other ? 255 : 0;
  });
}

void Small(vtkVAETwoSampleTest* filter, int steps)
{
  filter->SetBlockSize(16);
  filter->SetSteps(steps);
  filter->SetControl(false);
  filter->SetDistances(false);
  filter->SetDevice("cpu");
  filter->SetThreads(1);
}

double Field(vtkDataObject* data, const char* name)
{
  vtkDataArray* array = data->GetFieldData()->GetArray(name);
  EXPECT_TRUE(array) << name;
  return array ? array->GetTuple1(0) : std::nan("");
}

/// Spoiled rocks at times 0, 1 and 2.
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
    const double steps[3] = { 0, 1, 2 }, range[2] = { 0, 2 };
    const int extent[6] = { 3, 50, -5, 42, 0, 47 };
    vtkInformation* info = out->GetInformationObject(0);
    info->Set(vtkStreamingDemandDrivenPipeline::TIME_STEPS(), steps, 3);
    info->Set(vtkStreamingDemandDrivenPipeline::TIME_RANGE(), range, 2);
    info->Set(vtkStreamingDemandDrivenPipeline::WHOLE_EXTENT(), extent, 6);
    return 1;
  }
  int RequestData(vtkInformation*, vtkInformationVector**, vtkInformationVector* out) override
  {
    vtkInformation* info = out->GetInformationObject(0);
    const double time = info->Get(vtkStreamingDemandDrivenPipeline::UPDATE_TIME_STEP());
    vtkImageData* output = vtkImageData::GetData(out);
    output->ShallowCopy(Rock48(10 + static_cast<std::uint64_t>(time), true));
    output->GetInformation()->Set(vtkDataObject::DATA_TIME_STEP(), time);
    return 1;
  }
};
vtkStandardNewMacro(Series);

} // namespace

TEST(TwoSampleFilter, TablesAndBlocks)
{
  for (const bool cells : { false, true })
  {
    vtkNew<vtkVAETwoSampleTest> filter;
    Small(filter, 60);
    filter->SetControl(!cells);
    filter->SetDistances(true);
    filter->SetSurestBlocks(2);
    vtkSmartPointer<vtkImageData> real = Rock48(1, false, cells), other = Rock48(2, true, cells);
    filter->SetInputData(0, real);
    filter->SetInputData(1, other);
    filter->Update();

    vtkTable* accuracy = filter->GetOutput();
    ASSERT_EQ(accuracy->GetNumberOfRows(), 2);
    EXPECT_STREQ(accuracy->GetColumnName(0), "Comparison");
    EXPECT_GT(accuracy->GetValueByName(0, "Accuracy").ToDouble(), 0.9);
    EXPECT_EQ(accuracy->GetValueByName(0, "Tested Blocks").ToInt(), 36);
    EXPECT_EQ(accuracy->GetValueByName(0, "Accuracy").ToDouble(), Field(accuracy, "Accuracy"));
    // Three layers of blocks have no room for a control.
    EXPECT_EQ(accuracy->GetValueByName(1, "Tested Blocks").ToInt(), 0);
    EXPECT_TRUE(std::isnan(Field(accuracy, "Control Accuracy")));
    EXPECT_EQ(
      std::string(filter->GetSummary()).find("There is no control") != std::string::npos, !cells);

    auto* history = vtkTable::SafeDownCast(filter->GetOutputDataObject(1));
    ASSERT_EQ(history->GetNumberOfRows(), 12);
    EXPECT_EQ(history->GetValueByName(11, "Step").ToInt(), 60);
    EXPECT_LT(history->GetValueByName(11, "Loss").ToDouble(), 0.6);

    auto* distances = vtkTable::SafeDownCast(filter->GetOutputDataObject(4));
    ASSERT_EQ(distances->GetNumberOfRows(), 2);
    for (vtkIdType row = 0; row < 2; ++row)
    {
      EXPECT_GT(distances->GetValueByName(row, "Value").ToDouble(),
        5 * distances->GetValueByName(row, "Control").ToDouble());
      EXPECT_EQ(distances->GetValueByName(row, "P Value").ToDouble(), 1. / 200);
    }

    auto* blocks = vtkMultiBlockDataSet::SafeDownCast(filter->GetOutputDataObject(2));
    auto* tested = vtkTable::SafeDownCast(filter->GetOutputDataObject(3));
    ASSERT_EQ(tested->GetNumberOfRows(), 36);
    ASSERT_EQ(blocks->GetNumberOfBlocks(), 4u);
    for (unsigned int b = 0; b < 4; ++b)
    {
      auto* image = vtkImageData::SafeDownCast(blocks->GetBlock(b));
      ASSERT_TRUE(image);
      EXPECT_EQ(Field(image, "Candidate"), b < 2);
      EXPECT_EQ(Field(image, "Probability Of Candidate") > 0.5, b < 2);
      EXPECT_EQ(image->GetSpacing()[0], 2);
      EXPECT_EQ(image->GetOrigin()[0], b % 2 == 0 ? 0 : 40);
      EXPECT_EQ(image->GetOrigin()[1], b < 2 ? 0 : 40);
      vtkDataSetAttributes* data =
        cells ? static_cast<vtkDataSetAttributes*>(image->GetCellData()) : image->GetPointData();
      ASSERT_TRUE(data->GetArray("Saliency"));
      EXPECT_EQ(data->GetArray("Saliency")->GetNumberOfTuples(), 4096);
      EXPECT_GT(data->GetArray("Saliency")->GetRange()[1], 0);
      // The voxels are those of the input at the place that it names.
      vtkImageData* from = b < 2 ? other : real;
      vtkDataArray* values =
        (cells ? static_cast<vtkDataSetAttributes*>(from->GetCellData()) : from->GetPointData())
          ->GetScalars();
      const double* origin = image->GetFieldData()->GetArray("Origin In Volume")->GetTuple(0);
      for (int i = 0; i < 4096; ++i)
      {
        const auto at = static_cast<vtkIdType>(
          ((origin[2] + i / 256) * 48 + origin[1] + i / 16 % 16) * 48 + origin[0] + i % 16);
        ASSERT_EQ(data->GetArray("rock")->GetTuple1(i), values->GetTuple1(at));
      }
    }
  }
}

TEST(TwoSampleFilter, BlocksAndTimeStepsAreSeveralVolumes)
{
  vtkNew<vtkMultiBlockDataSet> real;
  vtkNew<Series> series;
  for (unsigned int i = 0; i < 3; ++i)
  {
    real->SetBlock(i, Rock48(i));
  }
  vtkNew<vtkVAETwoSampleTest> filter;
  Small(filter, 1);
  filter->SetInputData(0, real);
  filter->SetInputConnection(1, series->GetOutputPort());
  filter->Update();
  auto* tested = vtkTable::SafeDownCast(filter->GetOutputDataObject(3));
  // One volume of three is learned from; 27 blocks of each of the others are tested.
  ASSERT_EQ(tested->GetNumberOfRows(), 2 * 54);
  for (const vtkIdType row : { 0, 53, 54, 107 })
  {
    EXPECT_EQ(tested->GetValueByName(row, "Candidate").ToInt(), row < 54 ? 0 : 1);
    EXPECT_EQ(tested->GetValueByName(row, "Volume").ToInt(), row % 54 == 0 ? 1 : 2);
  }
  vtkInformation* out = filter->GetOutputInformation(0);
  EXPECT_FALSE(out->Has(vtkStreamingDemandDrivenPipeline::TIME_STEPS()));
  // Once more, after a change.
  filter->SetSeed(3);
  filter->Update();
  EXPECT_EQ(vtkTable::SafeDownCast(filter->GetOutputDataObject(3))->GetNumberOfRows(), 2 * 54);
}

TEST(TwoSampleFilter, BadInput)
{
  vtkNew<vtkVAETwoSampleTest> filter;
  Small(filter, 1);
  filter->SetInputData(0, Rock48(1));
  auto other = Rock48(2);
  other->GetPointData()->GetScalars()->SetName("stone");
  vtkNew<vtkFloatArray> more;
  more->SetName("more");
  more->SetNumberOfTuples(other->GetNumberOfPoints());
  more->Fill(0);
  other->GetPointData()->AddArray(more);
  filter->SetInputData(1, other);
  EXPECT_EQ(ErrorOf(filter), "The candidate has no array 'rock' and not just one array");
  filter->SetInputData(1, Rock48(2));
  filter->SetBlockSize(64);
  EXPECT_NE(
    ErrorOf(filter).find("The real input is too small (48 x 48 x 48 voxels)"), std::string::npos);
  filter->SetSteps(0);
  EXPECT_EQ(ErrorOf(filter), "Steps is 0; it must be in [1, 100000]");
  // It works again.
  filter->SetSteps(1);
  filter->SetBlockSize(16);
  filter->Update();
  EXPECT_EQ(filter->GetOutput()->GetNumberOfRows(), 2);
}

TEST(TwoSampleFilter, Aborts)
{
  vtkNew<vtkVAETwoSampleTest> filter;
  Small(filter, 50);
  filter->SetInputData(0, Rock48(1));
  filter->SetInputData(1, Rock48(2));
  vtkNew<Errors> errors;
  filter->AddObserver(vtkCommand::ErrorEvent, errors);
  struct Abort : vtkCommand
  {
    static Abort* New() { return new Abort; }
    void Execute(vtkObject* caller, unsigned long, void* progress) override
    {
      this->Last = *static_cast<double*>(progress);
      if (this->Last > 0.1)
      {
        static_cast<vtkAlgorithm*>(caller)->SetAbortExecuteAndUpdateTime();
      }
    }
    double Last = 0;
  };
  vtkNew<Abort> abort;
  filter->AddObserver(vtkCommand::ProgressEvent, abort);
  filter->Update();
  EXPECT_EQ(errors->Count, 0);
  EXPECT_EQ(filter->GetOutput()->GetNumberOfRows(), 0);
}
