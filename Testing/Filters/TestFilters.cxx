// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "FilterTest.h"

using namespace test;

TEST(Reconstruct, KeepsTheGridAndAddsTheArrays)
{
  auto image = Rock();
  vtkNew<vtkMatrix3x3> direction;
  direction->SetElement(0, 0, 0);
  direction->SetElement(0, 1, -1);
  direction->SetElement(1, 0, 1);
  direction->SetElement(1, 1, 0);
  image->SetDirectionMatrix(direction);
  Pipeline p(image, 30);
  p.Train->SetObjective("beta-VAE");
  p.Train->SetObjectiveParameter("Beta", 0.3);
  p.Train->SetPatchSize(32);
  p.Train->SetValidationFraction(0); // the slab of so small a rock is not like the rest
  p.Reconstruct->ComputeProbabilityOn();
  vtkImageData* out = p.Run();
  for (int i = 0; i < 6; ++i)
  {
    EXPECT_EQ(out->GetExtent()[i], image->GetExtent()[i]);
  }
  EXPECT_EQ(out->GetOrigin()[1], -20);
  EXPECT_EQ(out->GetDirectionMatrix()->GetElement(1, 0), 1);
  EXPECT_TRUE(out->GetPointData()->GetArray("rock"));
  vtkDataArray* in = image->GetPointData()->GetArray("rock");
  vtkDataArray* labels = out->GetPointData()->GetArray("rock_reconstruction");
  vtkDataArray* error = out->GetPointData()->GetArray("rock_error");
  vtkDataArray* probability = out->GetPointData()->GetArray("rock_probability");
  ASSERT_TRUE(labels && error && probability);
  EXPECT_EQ(labels->GetDataType(), VTK_UNSIGNED_CHAR);
  EXPECT_EQ(out->GetPointData()->GetScalars(), labels);
  double equal = 0;
  for (vtkIdType i = 0; i < in->GetNumberOfTuples(); ++i)
  {
    const double a = in->GetTuple1(i), b = labels->GetTuple1(i), q = probability->GetTuple1(i);
    ASSERT_TRUE(b == 0 || b == 255);
    ASSERT_EQ(error->GetTuple1(i), b - a);
    ASSERT_EQ(b == 255, q > 0.5);
    equal += a == b;
  }
  vtkDataArray* accuracy = out->GetFieldData()->GetArray("Accuracy");
  ASSERT_TRUE(accuracy);
  EXPECT_DOUBLE_EQ(accuracy->GetTuple1(0), equal / 32768);
  EXPECT_GT(accuracy->GetTuple1(0), 0.8); // 0.6 is grain everywhere
}

TEST(Reconstruct, AnyScalarTypeOfPointsOrCells)
{
  const int extent[6] = { 0, 16, 2, 18, 0, 16 };
  const auto wave = [](vtkIdType i) { return 100 + 80 * std::sin(0.01 * static_cast<double>(i)); };
  const auto check = [&](vtkImageData* image, bool cells, int type)
  {
    Pipeline p(image, 1);
    OneVectorABlock(p.Train);
    vtkImageData* out = p.Run();
    vtkDataSetAttributes* attributes =
      cells ? static_cast<vtkDataSetAttributes*>(out->GetCellData()) : out->GetPointData();
    vtkDataArray* result = attributes->GetArray("rock_reconstruction");
    ASSERT_TRUE(result);
    EXPECT_EQ(result->GetDataType(), type);
    double range[2], trained[2];
    result->GetRange(range);
    attributes->GetArray("rock")->GetRange(trained);
    EXPECT_GE(range[0], trained[0]);
    EXPECT_LE(range[1], trained[1]);
    ASSERT_TRUE(out->GetFieldData()->GetArray("PSNR"));
    EXPECT_GT(out->GetFieldData()->GetArray("PSNR")->GetTuple1(0), 0);
  };
  for (const bool cells : { false, true })
  {
    check(Image<vtkUnsignedCharArray>(extent, cells, wave), cells, VTK_UNSIGNED_CHAR);
    check(Image<vtkUnsignedShortArray>(extent, cells, wave), cells, VTK_UNSIGNED_SHORT);
    check(Image<vtkShortArray>(extent, cells, wave), cells, VTK_SHORT);
    check(Image<vtkFloatArray>(extent, cells, wave), cells, VTK_FLOAT);
    check(Image<vtkDoubleArray>(extent, cells, wave), cells, VTK_DOUBLE);
  }
}

TEST(Reconstruct, ComponentsAndFurtherArraysAreChannels)
{
  const int extent[6] = { 0, 15, 0, 15, 0, 15 };
  auto image = Image<vtkFloatArray>(
    extent, false, [](vtkIdType i) { return std::sin(0.02 * static_cast<double>(i)); });
  vtkNew<vtkFloatArray> velocity;
  velocity->SetName("velocity");
  velocity->SetNumberOfComponents(3);
  velocity->SetNumberOfTuples(4096);
  for (vtkIdType i = 0; i < 4096; ++i)
  {
    velocity->SetTuple3(i, static_cast<double>(i % 16), 5, std::cos(0.1 * static_cast<double>(i)));
    velocity->SetComponent(i, 1, i / 256);
  }
  image->GetPointData()->AddArray(velocity);
  Pipeline p(image);
  p.Train->GetAdditionalArrays()->EnableArray("velocity");
  vtkImageData* out = p.Run();
  vtkDataArray* result = out->GetPointData()->GetArray("velocity_reconstruction");
  ASSERT_TRUE(result);
  EXPECT_EQ(result->GetNumberOfComponents(), 3);
  EXPECT_TRUE(out->GetPointData()->GetArray("rock_reconstruction"));
  EXPECT_EQ(out->GetFieldData()->GetArray("PSNR")->GetNumberOfTuples(), 2);
}

TEST(Train, TwoDimensionalImage)
{
  const int extent[6] = { 0, 31, 7, 7, 0, 31 };
  auto image = Image<vtkFloatArray>(
    extent, false, [](vtkIdType i) { return std::sin(0.03 * static_cast<double>(i)); });
  Pipeline p(image);
  EXPECT_TRUE(p.Run()->GetPointData()->GetArray("rock_reconstruction"));
  vtkNew<vtkVAEGenerate> generate;
  generate->SetInputConnection(p.Train->GetOutputPort());
  generate->SetDimensions(20, 20, 24);
  generate->Update();
  int dims[3];
  generate->GetOutput()->GetDimensions(dims);
  EXPECT_EQ(dims[0], 20);
  EXPECT_EQ(dims[1], 1);
  EXPECT_EQ(dims[2], 24);
}

TEST(Train, OutputIsATableThatCarriesTheNetwork)
{
  Pipeline p(Rock(), 3, "rock");
  p.Train->Update();
  auto model = vtkVAEModel::SafeDownCast(p.Train->GetOutput());
  ASSERT_TRUE(model && model->GetModel());
  EXPECT_EQ(model->GetNumberOfRows(), 3);
  EXPECT_EQ(model->GetValueByName(2, "Step").ToInt(), 15);
  EXPECT_TRUE(model->GetColumnByName("Validation Accuracy"));
  // Copies share it; a plain table's copy has none.
  vtkNew<vtkVAEModel> shallow, deep;
  shallow->ShallowCopy(model);
  deep->DeepCopy(model);
  EXPECT_EQ(shallow->GetModel(), model->GetModel());
  EXPECT_EQ(deep->GetModel(), model->GetModel());
  vtkNew<vtkTable> table;
  deep->ShallowCopy(table);
  EXPECT_FALSE(deep->GetModel());
}

TEST(Train, NothingIsTrainedAgainWithoutAChange)
{
  Pipeline p(Rock());
  OneVectorABlock(p.Train);
  p.Train->Update();
  const auto first = vtkVAEModel::SafeDownCast(p.Train->GetOutput())->GetModel();
  p.Train->Modified();
  p.Train->Update();
  EXPECT_EQ(vtkVAEModel::SafeDownCast(p.Train->GetOutput())->GetModel(), first);
  p.Train->SetSeed(2);
  p.Train->Update();
  EXPECT_NE(vtkVAEModel::SafeDownCast(p.Train->GetOutput())->GetModel(), first);
}

TEST_F(Model, IsLoadedWhereItFitsAndTrainedWhereItDoesNot)
{
  Pipeline first(Rock());
  OneVectorABlock(first.Train);
  first.Train->SetModelFile(this->File.c_str());
  first.Train->Update();
  EXPECT_EQ(first.Train->GetStatus().find("Trained on"), 0u) << first.Train->GetStatus();
  ASSERT_TRUE(std::filesystem::exists(this->File));

  Pipeline second(Rock());
  OneVectorABlock(second.Train);
  second.Train->SetModelFile(this->File.c_str());
  second.Train->Update();
  EXPECT_EQ(second.Train->GetStatus().find("Loaded from"), 0u) << second.Train->GetStatus();

  Pipeline other(Rock(0, 200)); // other data
  OneVectorABlock(other.Train);
  other.Train->SetModelFile(this->File.c_str());
  EXPECT_EQ(ErrorOf(other.Train),
    "Model File is kept as it is (" + this->File +
      ": is a model of other data); choose another name, or switch on Overwrite Model File");
  other.Train->SetOverwriteModelFile(true);
  other.Train->Update();
  EXPECT_EQ(other.Train->GetStatus().find("Trained on"), 0u) << other.Train->GetStatus();
}

TEST_F(Model, IsSavedWhenTheFileIsNamedAfterTheTraining)
{
  Pipeline p(Rock());
  OneVectorABlock(p.Train);
  p.Train->Update();
  const auto trained = vtkVAEModel::SafeDownCast(p.Train->GetOutput())->GetModel();
  p.Train->SetModelFile(this->File.c_str());
  p.Train->Update();
  EXPECT_TRUE(std::filesystem::exists(this->File));
  EXPECT_EQ(vtkVAEModel::SafeDownCast(p.Train->GetOutput())->GetModel(), trained);

  // What is there and is no model is kept, and so is the model.
  const std::string work = this->File + ".txt";
  std::ofstream(work) << "all of it";
  p.Train->SetModelFile(work.c_str());
  EXPECT_EQ(
    ErrorOf(p.Train).find("The model is trained, but it was not written. Model File is kept"), 0u);
  EXPECT_EQ(vtkVAEModel::SafeDownCast(p.Train->GetOutput())->GetModel(), trained);
  EXPECT_EQ(std::filesystem::file_size(work), 9u);
  p.Train->SetOverwriteModelFile(true);
  EXPECT_EQ(ErrorOf(p.Train), "");
  EXPECT_EQ(vtkVAEModel::SafeDownCast(p.Train->GetOutput())->GetModel(), trained);
  EXPECT_GT(std::filesystem::file_size(work), 9u);
}

TEST_F(Model, SurvivesAFileAndGivesTheSameOutput)
{
  Pipeline p(Rock(), 3, "rock");
  vtkSmartPointer<vtkDataArray> before = p.Run()->GetPointData()->GetArray("rock_reconstruction");
  vtkNew<vtkVAEModelWriter> writer;
  writer->SetInputConnection(p.Train->GetOutputPort());
  writer->SetFileName(this->File.c_str());
  EXPECT_TRUE(writer->Write());
  vtkNew<vtkVAEModelReader> reader;
  EXPECT_TRUE(reader->CanReadFile(this->File.c_str()));
  reader->SetFileName(this->File.c_str());
  p.Reconstruct->SetModelConnection(reader->GetOutputPort());
  vtkDataArray* after = p.Run()->GetPointData()->GetArray("rock_reconstruction");
  ASSERT_NE(before.Get(), after);
  for (vtkIdType i = 0; i < after->GetNumberOfTuples(); ++i)
  {
    ASSERT_EQ(before->GetTuple1(i), after->GetTuple1(i));
  }
  EXPECT_EQ(reader->GetOutput()->GetNumberOfRows(), 3);
}

TEST(Generate, RealizationsAreTimeSteps)
{
  Pipeline p(Rock(87, 182), 3, "labels");
  vtkNew<vtkVAEGenerate> generate;
  generate->SetInputConnection(p.Train->GetOutputPort());
  generate->SetDimensions(20, 24, 17);
  generate->SetRealizations(3);
  generate->SetSeed(7);
  generate->UpdateInformation();
  vtkInformation* info = generate->GetOutputInformation(0);
  EXPECT_EQ(info->Length(vtkStreamingDemandDrivenPipeline::TIME_STEPS()), 3);
  const auto at = [&](double time)
  {
    generate->UpdateTimeStep(time);
    vtkDataArray* a = generate->GetOutput()->GetPointData()->GetArray("rock");
    std::vector<double> values;
    for (vtkIdType i = 0; a && i < a->GetNumberOfTuples(); ++i)
    {
      values.push_back(a->GetTuple1(i));
    }
    return values;
  };
  const auto zero = at(0), one = at(1);
  ASSERT_EQ(zero.size(), 20u * 24 * 17);
  for (const double v : zero)
  {
    ASSERT_TRUE(v == 87 || v == 182);
  }
  EXPECT_EQ(at(0), zero);
  generate->SetSeed(8);
  EXPECT_NE(at(0), zero);
  EXPECT_EQ(generate->GetOutput()->GetSpacing()[0], 2);
}

TEST(BadInput, IsOneClearSentence)
{
  vtkNew<vtkVAETrain> train;
  Quick(train);
  auto image = Rock();
  train->SetInputData(image);
  train->SetInputArrayToProcess(0, 0, 0, vtkDataObject::FIELD_ASSOCIATION_POINTS, "nothing");
  EXPECT_EQ(ErrorOf(train), "Scalars is 'nothing', but the input has no such array of numbers");

  vtkNew<vtkImageData> empty;
  vtkNew<vtkVAETrain> onEmpty;
  onEmpty->SetInputData(empty);
  EXPECT_EQ(ErrorOf(onEmpty), "The input is empty (it has no point or cell arrays)");

  vtkNew<vtkVAETrain> nowhere;
  Quick(nowhere);
  nowhere->SetInputData(image);
  nowhere->SetModelFile("/no/such/folder/m.safetensors");
  EXPECT_EQ(ErrorOf(nowhere),
    "Model File is '/no/such/folder/m.safetensors', but its folder does not exist");

  vtkNew<vtkVAEReconstruct> reconstruct;
  reconstruct->SetInputData(image);
  EXPECT_EQ(ErrorOf(reconstruct),
    "Model is not set; choose the output of VAE Train or of a VAE Model Reader");

  vtkNew<vtkTable> table;
  reconstruct->SetInputData(1, table);
  EXPECT_NE(ErrorOf(reconstruct).find("a table without a VAE model"), std::string::npos);
}

TEST(BadInput, AModelForOtherData)
{
  Pipeline p(Rock(), 3, "rock");
  p.Run();
  const int extent[6] = { 0, 15, 0, 15, 0, 15 };
  auto vectors = Image<vtkFloatArray>(extent, false, [](vtkIdType) { return 0; });
  vtkNew<vtkFloatArray> three;
  three->SetName("rock");
  three->SetNumberOfComponents(3);
  three->SetNumberOfTuples(4096);
  three->Fill(1);
  vectors->GetPointData()->AddArray(three);
  p.Reconstruct->SetInputData(vectors);
  EXPECT_EQ(ErrorOf(p.Reconstruct), "Array 'rock' has 3 component(s); the model was trained on 1");

  const int flat[6] = { 0, 31, 0, 31, 0, 0 };
  p.Reconstruct->SetInputData(Image<vtkFloatArray>(flat, false, [](vtkIdType) { return 0; }));
  EXPECT_EQ(ErrorOf(p.Reconstruct),
    "The data is 2-dimensional (32 x 32 x 1); the model was "
    "trained on 3-dimensional data");
}

TEST_F(Files, AWrongFile)
{
  std::ofstream(this->File) << "this is no model";
  vtkNew<vtkVAEModelReader> reader;
  reader->SetFileName(this->File.c_str());
  EXPECT_NE(ErrorOf(reader).find("is not a safetensors file"), std::string::npos);
  vtkNew<vtkVAEModelReader> none;
  none->SetFileName("/no/such/file.safetensors");
  EXPECT_NE(ErrorOf(none).find("/no/such/file.safetensors: cannot be read"), std::string::npos);
}
