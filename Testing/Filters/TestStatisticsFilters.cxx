// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "FilterTest.h"
#include "Rock.h"

#include "vtkCellData.h"
#include "vtkDataArray.h"
#include "vtkDoubleArray.h"
#include "vtkExecutive.h"
#include "vtkFieldData.h"
#include "vtkFloatArray.h"
#include "vtkImageData.h"
#include "vtkNew.h"
#include "vtkPointData.h"
#include "vtkSmartPointer.h"
#include "vtkTable.h"
#include "vtkUnsignedCharArray.h"
#include "vtkVAEMicrostructureStatistics.h"
#include "vtkVAEPermeability.h"
#include "vtkVariant.h"

#include <gtest/gtest.h>

#include <cmath>

namespace
{

using test::Errors;

std::string ErrorOf(vtkAlgorithm* algorithm)
{
  vtkNew<Errors> errors, executive;
  algorithm->GetExecutive()->AddObserver(vtkCommand::ErrorEvent, executive);
  algorithm->AddObserver(vtkCommand::ErrorEvent, errors);
  algorithm->Update();
  EXPECT_EQ(errors->Count, 1) << "one error, one sentence: " << errors->Text;
  return errors->Text;
}

template <typename Array, typename F>
vtkSmartPointer<vtkImageData> Image(int n, bool cells, double spacing, F&& value)
{
  auto image = vtkSmartPointer<vtkImageData>::New();
  const int points = n + (cells ? 1 : 0);
  image->SetDimensions(points, points, points);
  image->SetSpacing(spacing, spacing, spacing);
  vtkNew<Array> array;
  array->SetName("rock");
  for (int z = 0; z < n; ++z)
  {
    for (int y = 0; y < n; ++y)
    {
      for (int x = 0; x < n; ++x)
      {
        array->InsertNextValue(static_cast<typename Array::ValueType>(value(x, y, z)));
      }
    }
  }
  (cells ? static_cast<vtkDataSetAttributes*>(image->GetCellData()) : image->GetPointData())
    ->SetScalars(array);
  return image;
}

vtkSmartPointer<vtkImageData> Rock(
  int size, std::uint64_t seed, double spacing, double porosity = 0.3)
{
  const rock::Voxels v = rock::cementedGrains({ size, porosity, 5, seed });
  std::size_t i = 0;
  return Image<vtkUnsignedCharArray>(size, false, spacing, [&](int, int, int) { return v[i++]; });
}

double Field(vtkDataObject* data, const char* name, int i = 0)
{
  vtkDataArray* array = data->GetFieldData()->GetArray(name);
  EXPECT_TRUE(array) << name;
  return array ? array->GetTuple1(i) : std::nan("");
}

double Cell(vtkTable* table, const char* column, vtkIdType row)
{
  EXPECT_TRUE(table->GetColumnByName(column)) << column;
  return table->GetColumnByName(column) ? table->GetValueByName(row, column).ToDouble()
                                        : std::nan("");
}

vtkIdType RowOf(vtkTable* measures, const std::string& name)
{
  for (vtkIdType i = 0; i < measures->GetNumberOfRows(); ++i)
  {
    if (measures->GetValue(i, 0).ToString() == name)
    {
      return i;
    }
  }
  ADD_FAILURE() << "no measure " << name;
  return 0;
}

constexpr int TwoPoint = 0, Cluster = 1, Path = 2, Pores = 4, Slices = 5, Local = 6, Thresholds = 8,
              Measures = 9;

} // namespace

TEST(MicrostructureStatistics, UnitsFollowTheSpacing)
{
  vtkNew<vtkVAEMicrostructureStatistics> one, five;
  one->SetInputData(Rock(48, 1, 1));
  five->SetInputData(Rock(48, 1, 5));
  one->SetDevice("cpu");
  five->SetDevice("cpu");
  one->Update();
  five->Update();
  vtkTable* a = one->GetOutput();
  vtkTable* b = five->GetOutput();
  ASSERT_EQ(a->GetNumberOfRows(), 25);
  EXPECT_STREQ(a->GetColumnName(0), "Lag");
  EXPECT_EQ(Cell(b, "Lag", 3), 15);
  for (const char* column : { "S2 x", "S2 y", "S2 z", "S2 radial", "Variogram x" })
  {
    EXPECT_NEAR(Cell(a, column, 3), Cell(b, column, 3), 1e-9) << column;
  }
  EXPECT_NEAR(Cell(a, "S2 x", 0), 0.3, 1e-4);
  EXPECT_EQ(Cell(one->GetOutput(Slices), "Position", 47), 47);
  EXPECT_NEAR(Field(a, "Porosity"), Field(b, "Porosity"), 1e-12);
  EXPECT_NEAR(
    Field(a, "Specific Surface (Crofton 13)") / 5, Field(b, "Specific Surface (Crofton 13)"), 1e-9);
  EXPECT_NEAR(Field(a, "Mean Chord (Interior, y)") * 5, Field(b, "Mean Chord (Interior, y)"), 1e-9);
  EXPECT_NEAR(Field(a, "Mean Pore Diameter (Local Thickness)") * 5,
    Field(b, "Mean Pore Diameter (Local Thickness)"), 1e-4);
  EXPECT_NEAR(Field(a, "Euler Density (26, Interior)") / 125,
    Field(b, "Euler Density (26, Interior)"), 1e-12);
  EXPECT_EQ(Field(a, "Faces"), Field(b, "Faces"));
  EXPECT_NEAR(Cell(one->GetOutput(Pores), "Volume density (local thickness)", 5) / 5,
    Cell(five->GetOutput(Pores), "Volume density (local thickness)", 5), 1e-9);
  // The cluster function is never above the probability of two points.
  for (vtkIdType i = 0; i < 25; ++i)
  {
    EXPECT_LE(Cell(one->GetOutput(Cluster), "C2 x", i), Cell(a, "S2 x", i) + 1e-12);
    EXPECT_LE(
      Cell(one->GetOutput(Path), "L x", i), Cell(one->GetOutput(Cluster), "C2 x", i) + 1e-12);
  }
  const std::string summary = one->GetSummary();
  EXPECT_NE(summary.find("rock = 0"), std::string::npos) << summary;
  EXPECT_NE(summary.find("Porosity 0.3"), std::string::npos) << summary;
  EXPECT_EQ(one->GetOutput(Thresholds)->GetNumberOfRows(), 0);
  EXPECT_STREQ(vtkVAEMicrostructureStatistics::GetPortName(Measures), "Measures");
}

TEST(MicrostructureStatistics, PhasesAndThresholds)
{
  // Three labels in layers along z, as cell data: 8, 16 and 24 of 48.
  vtkNew<vtkVAEMicrostructureStatistics> filter;
  filter->SetInputData(Image<vtkUnsignedCharArray>(
    48, true, 1, [](int, int, int z) { return z < 8 ? 3
                                         : z < 24   ? 7
                                                    : 9; }));
  EXPECT_NE(ErrorOf(filter).find("Phase is Automatic, which needs an array of exactly two values, "
                                 "but 'rock' has more (3 to 9); choose Label"),
    std::string::npos);
  filter->SetPhase(1);
  filter->SetValue(7);
  filter->Update();
  EXPECT_NEAR(Field(filter->GetOutput(), "Porosity"), 1. / 3, 1e-12);
  EXPECT_NEAR(Field(filter->GetOutput(Measures), "Phase Fraction of 3"), 1. / 6, 1e-12);
  EXPECT_NEAR(Field(filter->GetOutput(Measures), "Phase Fraction of 9"), 1. / 2, 1e-12);
  vtkTable* thresholds = filter->GetOutput(Thresholds);
  ASSERT_EQ(thresholds->GetNumberOfRows(), 16);
  EXPECT_NEAR(Cell(thresholds, "Threshold", 0), 3 + 6. / 17, 1e-12);
  EXPECT_NEAR(Cell(thresholds, "Porosity below", 0), 1. / 6, 1e-12);
  EXPECT_NEAR(Cell(thresholds, "Porosity below", 15), 0.5, 1e-12);
  EXPECT_NEAR(Cell(thresholds, "Specific surface (faces)", 8), 1. / 48, 1e-12);
  filter->SetPhase(3);
  filter->SetValue(7);
  filter->Update();
  EXPECT_NEAR(Field(filter->GetOutput(), "Porosity"), 5. / 6, 1e-12);
  EXPECT_EQ(Cell(filter->GetOutput(Slices), "Porosity of slices normal to z", 7), 0);
  EXPECT_EQ(Cell(filter->GetOutput(Slices), "Porosity of slices normal to z", 8), 1);
}

TEST(MicrostructureStatistics, ScoresTellMediaApart)
{
  const auto rock = Rock(64, 1, 2), same = Rock(64, 2, 2), other = Rock(64, 3, 2, 0.2);
  const auto scores = [&](vtkImageData* input)
  {
    vtkNew<vtkVAEMicrostructureStatistics> filter;
    filter->SetInputData(input);
    filter->SetInputData(1, rock);
    filter->SetDevice("cpu");
    filter->Update();
    vtkTable* t = filter->GetOutput(Measures);
    const vtkIdType s2 = RowOf(t, "Two-Point Probability"), phi = RowOf(t, "Porosity");
    EXPECT_NEAR(Field(t, "Score"), Cell(t, "Score", RowOf(t, "All Measures")), 1e-12);
    EXPECT_EQ(Field(t, "Score High"), Cell(t, "Score High", RowOf(t, "All Measures")));
    EXPECT_LT(Cell(t, "Score Low", s2), Cell(t, "Score High", s2));
    EXPECT_NEAR(Cell(t, "Reference", phi), 0.3, 1e-4);
    // Bands stand beside the curves, of both volumes.
    vtkTable* curves = filter->GetOutput(TwoPoint);
    EXPECT_GT(Cell(curves, "S2 x blocks high", 4), Cell(curves, "S2 x blocks low", 4));
    EXPECT_GT(Cell(curves, "S2 x blocks high (reference)", 4),
      Cell(curves, "S2 x blocks mean (reference)", 4));
    EXPECT_GT(Cell(curves, "S2 x (reference)", 4), 0);
    return std::array<double, 4>{ Field(t, "Score"), Cell(t, "Score", s2),
      Cell(t, "Relative Error", phi), Cell(t, "Hellinger Distance", phi) };
  };
  // Itself: each of the 8 blocks has itself among the 8 of the other.
  const auto itself = scores(rock);
  EXPECT_NEAR(itself[0], 1 - 2. / 8, 1e-9);
  EXPECT_EQ(itself[2], 0);
  EXPECT_EQ(itself[3], 0);
  const auto like = scores(same);
  EXPECT_GT(like[0], 0.7);
  EXPECT_LT(like[0], 1.5);
  const auto unlike = scores(other);
  EXPECT_GT(unlike[0], like[0] + 0.3);
  EXPECT_GT(unlike[1], like[1]);
  EXPECT_NEAR(unlike[2], 1. / 3, 0.001);
  EXPECT_GT(unlike[3], like[3]);
}

TEST(MicrostructureStatistics, WarnsOfATrend)
{
  unsigned int random = 1;
  vtkNew<vtkVAEMicrostructureStatistics> filter;
  filter->SetInputData(Image<vtkUnsignedCharArray>(32, false, 1, [&](int, int, int z)
  {
    random = random * 1664525 + 1013904223; // Numerical Recipes' generator
    return random >> 16 < static_cast<unsigned int>(6000 + 800 * z) ? 0 : 1;
  }));
  filter->SetRadial(false);
  vtkNew<Errors> warnings;
  filter->AddObserver(vtkCommand::WarningEvent, warnings);
  filter->Update();
  EXPECT_NE(warnings->Text.find("The fraction of rock = 0 changes along z, from about 0."),
    std::string::npos)
    << warnings->Text;
  EXPECT_EQ(warnings->Count, 1);
}

TEST(MicrostructureStatistics, BadInput)
{
  vtkNew<vtkVAEMicrostructureStatistics> filter;
  filter->SetInputData(Rock(32, 1, 1));
  filter->SetMaximumLag(40);
  EXPECT_NE(ErrorOf(filter).find("Maximum Lag is 40; it must be in [0, 31]"), std::string::npos);
  filter->SetMaximumLag(0);
  filter->SetBlockSize(64);
  EXPECT_NE(
    ErrorOf(filter).find("Block Size is 64; it must be in [8, 32], or 0"), std::string::npos);
  filter->SetBlockSize(0);
  filter->SetInputData(1, Rock(32, 1, 2));
  EXPECT_NE(ErrorOf(filter).find("The reference's spacing along x is 2.000000 and the input's "
                                 "1.000000; they must be equal"),
    std::string::npos);
  vtkNew<vtkVAEMicrostructureStatistics> named;
  named->SetInputData(Rock(32, 1, 1));
  named->SetInputArrayToProcess(0, 0, 0, vtkDataObject::FIELD_ASSOCIATION_POINTS, "nothing");
  EXPECT_NE(ErrorOf(named).find("Scalars is 'nothing', but the input has no such array"),
    std::string::npos);
  vtkNew<vtkVAEMicrostructureStatistics> empty;
  vtkNew<vtkImageData> nothing;
  empty->SetInputData(nothing);
  EXPECT_NE(ErrorOf(empty).find("The input is empty"), std::string::npos);
}

TEST(MicrostructureStatistics, TwoDimensionsAndOnePhase)
{
  auto image = vtkSmartPointer<vtkImageData>::New();
  image->SetDimensions(40, 32, 1);
  vtkNew<vtkFloatArray> array;
  array->SetName("rock");
  for (int i = 0; i < 1280; ++i)
  {
    array->InsertNextValue(static_cast<float>((i % 40 / 4 + i / 160) % 2));
  }
  image->GetPointData()->SetScalars(array);
  vtkNew<vtkVAEMicrostructureStatistics> filter;
  filter->SetInputData(image);
  filter->SetDevice("cpu");
  filter->Update();
  EXPECT_TRUE(filter->GetOutput()->GetColumnByName("S2 y"));
  EXPECT_FALSE(filter->GetOutput()->GetColumnByName("S2 z"));
  EXPECT_NEAR(Field(filter->GetOutput(), "Porosity"), 0.5, 1e-12);
  EXPECT_NEAR(Cell(filter->GetOutput(), "S2 x", 4), 0, 1e-12); // a chessboard
  // No voxel of the phase at all: numbers that have no meaning are NaN, nothing fails.
  filter->SetPhase(1);
  filter->SetValue(5);
  filter->Update();
  EXPECT_EQ(Field(filter->GetOutput(), "Porosity"), 0);
  EXPECT_EQ(Field(filter->GetOutput(), "Components (6)"), 0);
}

TEST(MicrostructureStatistics, Aborts)
{
  vtkNew<vtkVAEMicrostructureStatistics> filter;
  filter->SetInputData(Rock(64, 1, 1));
  vtkNew<Errors> errors;
  filter->AddObserver(vtkCommand::ErrorEvent, errors);
  struct Abort : vtkCommand
  {
    static Abort* New() { return new Abort; }
    void Execute(vtkObject* caller, unsigned long, void* progress) override
    {
      if (*static_cast<double*>(progress) > 0.1)
      {
        static_cast<vtkAlgorithm*>(caller)->SetAbortExecuteAndUpdateTime();
        this->Called = true;
      }
    }
    bool Called = false;
  };
  vtkNew<Abort> abort;
  filter->AddObserver(vtkCommand::ProgressEvent, abort);
  filter->Update();
  EXPECT_EQ(errors->Count, 0);
  EXPECT_TRUE(abort->Called);
  EXPECT_EQ(filter->GetOutput()->GetNumberOfRows(), 0);
}

TEST(Permeability, DuctInAllUnits)
{
  // A square duct of 16 voxels along y in a cube of 24, voxels of 2 micrometres.
  vtkNew<vtkVAEPermeability> filter;
  filter->SetInputData(Image<vtkUnsignedCharArray>(24, false, 2,
    [](int x, int, int z) { return x >= 4 && x < 20 && z >= 4 && z < 20 ? 0 : 255; }));
  filter->SetDirection(1);
  filter->Update();
  auto* out = vtkImageData::SafeDownCast(filter->GetOutputDataObject(0));
  auto* table = vtkTable::SafeDownCast(filter->GetOutputDataObject(1));
  ASSERT_TRUE(out && table);
  const double exact = 0.035144 * 256 * (256. / 576);
  EXPECT_NEAR(Field(out, "Permeability [voxel^2]") / exact, 1, 0.01);
  EXPECT_NEAR(Field(out, "Permeability [m^2]") / (exact * 4e-12), 1, 0.01);
  EXPECT_NEAR(Field(out, "Permeability [mD]") / (exact * 4e-12 / 9.869233e-16), 1, 0.01);
  EXPECT_NEAR(Field(out, "Tortuosity Factor"), 1, 1e-3);
  EXPECT_NEAR(Field(out, "Formation Factor"), 576. / 256, 1e-2);
  EXPECT_EQ(Field(table, "Converged"), 1);
  vtkDataArray* velocity = out->GetPointData()->GetArray("velocity_along_y");
  ASSERT_TRUE(velocity);
  EXPECT_EQ(velocity, out->GetPointData()->GetVectors());
  double mean = 0;
  for (vtkIdType i = 0; i < velocity->GetNumberOfTuples(); ++i)
  {
    mean += velocity->GetComponent(i, 1) / static_cast<double>(velocity->GetNumberOfTuples());
  }
  EXPECT_NEAR(mean / (exact * 4), 1, 0.01);
  EXPECT_GT(out->GetPointData()->GetArray("pressure_along_y")->GetRange()[1], 40);
  EXPECT_TRUE(out->GetPointData()->GetArray("rock"));
  EXPECT_STREQ(table->GetColumnName(0), "Iteration");
  EXPECT_NE(std::string(filter->GetSummary()).find("\ny: "), std::string::npos);

  // Nothing flows along x and z. That is a result, and y keeps its own.
  filter->SetDirection(3);
  vtkNew<Errors> errors;
  filter->AddObserver(vtkCommand::ErrorEvent, errors);
  filter->Update();
  EXPECT_EQ(errors->Text, "");
  for (const int axis : { 0, 2 })
  {
    EXPECT_EQ(Field(out, "Permeability [voxel^2]", axis), 0);
    EXPECT_EQ(Field(out, "Blocked", axis), 1);
    EXPECT_EQ(Field(out, "Converged", axis), 1);
    EXPECT_TRUE(std::isinf(Field(out, "Hydraulic Tortuosity", axis)));
    EXPECT_TRUE(std::isinf(Field(out, "Tortuosity Factor", axis)));
  }
  EXPECT_NEAR(Field(out, "Permeability [voxel^2]", 1) / exact, 1, 0.01);
  EXPECT_EQ(Field(out, "Blocked", 1), 0);
  EXPECT_EQ(out->GetPointData()->GetArray("velocity_along_x")->GetRange(-1)[1], 0);
  EXPECT_NE(std::string(filter->GetSummary()).find("\nx: 0, blocked: no part of the phase"),
    std::string::npos);
}

// A duct as PoreSpy has it: True is pore. Flow goes through it, not through the solid around it,
// and what was taken is said.
TEST(Permeability, PoreIsTrue)
{
  const auto duct = [](int label)
  {
    return Image<vtkUnsignedCharArray>(16, false, 1, [label](int x, int, int z)
    { return x >= 4 && x < 12 && z >= 4 && z < 12 ? label : 1 - label; });
  };
  double permeability = 0;
  for (const int label : { 0, 1 })
  {
    vtkNew<vtkVAEPermeability> filter;
    filter->SetInputData(duct(label));
    filter->SetDirection(1);
    filter->SetTortuosity(false);
    filter->Update();
    vtkFieldData* field = filter->GetOutputDataObject(0)->GetFieldData();
    const std::string phase = "rock = " + std::to_string(label);
    EXPECT_EQ(field->GetAbstractArray("Phase")->GetVariantValue(0).ToString(), phase);
    EXPECT_EQ(std::string(filter->GetSummary()).find(phase + ", the rarer of two values"), 0u);
    const double k = Field(filter->GetOutputDataObject(0), "Permeability [voxel^2]");
    EXPECT_EQ(k, label == 0 ? k : permeability);
    permeability = k;

    vtkNew<vtkVAEMicrostructureStatistics> statistics;
    statistics->SetInputData(duct(label));
    statistics->SetDevice("cpu");
    statistics->Update();
    EXPECT_EQ(Field(statistics->GetOutput(), "Porosity"), 0.25);
    EXPECT_EQ(statistics->GetOutput()
                ->GetFieldData()
                ->GetAbstractArray("Phase")
                ->GetVariantValue(0)
                .ToString(),
      phase);
  }
}

// A volume with more pore than solid beside a reference with less: the same phase of both.
TEST(MicrostructureStatistics, TheReferenceDecidesWhichPhase)
{
  const auto layers = [](int open)
  {
    return Image<vtkUnsignedCharArray>(
      32, false, 1, [open](int, int, int z) { return z % 8 < open ? 7 : 9; });
  };
  vtkNew<vtkVAEMicrostructureStatistics> filter;
  filter->SetInputData(layers(5));
  filter->SetInputData(1, layers(3));
  filter->SetDevice("cpu");
  filter->Update();
  EXPECT_EQ(Field(filter->GetOutput(), "Porosity"), 5. / 8);
  EXPECT_EQ(std::string(filter->GetSummary()).find("rock = 7, as in the Reference"), 0u);
}

TEST(Permeability, AllDirectionsConverge)
{
  vtkNew<vtkVAEPermeability> filter;
  filter->SetInputData(Rock(40, 1, 1, 0.4));
  filter->Update();
  auto* table = vtkTable::SafeDownCast(filter->GetOutputDataObject(1));
  ASSERT_EQ(table->GetNumberOfColumns(), 7);
  const vtkIdType last = table->GetNumberOfRows() - 1;
  ASSERT_GT(last, 2);
  for (int a = 0; a < 3; ++a)
  {
    const std::string name(1, "xyz"[a]);
    const double k = Field(table, "Permeability [voxel^2]", a);
    EXPECT_GT(k, 0.01);
    EXPECT_EQ(Field(table, "Converged", a), 1);
    EXPECT_NEAR(Cell(table, ("Permeability " + name + " [voxel^2]").c_str(), last), k, 1e-9);
    EXPECT_LT(Cell(table, ("Residual " + name).c_str(), last), 1e-3);
    EXPECT_GT(Field(table, "Hydraulic Tortuosity", a), 1);
    EXPECT_GT(Field(table, "Tortuosity Factor", a), 1);
  }
  vtkNew<vtkVAEPermeability> one;
  one->SetInputData(Rock(40, 1, 1, 0.4));
  one->SetDirection(2);
  one->SetMaximumIterations(1);
  vtkNew<Errors> warnings;
  one->AddObserver(vtkCommand::WarningEvent, warnings);
  one->Update();
  EXPECT_NE(warnings->Text.find("has not converged in 1 iterations"), std::string::npos);
  EXPECT_EQ(Field(one->GetOutputDataObject(1), "Converged"), 0);
}
