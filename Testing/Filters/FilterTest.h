// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Model.h"
#include "Rock.h"

#include "vtkCellData.h"
#include "vtkCommand.h"
#include "vtkDataArray.h"
#include "vtkDataArraySelection.h"
#include "vtkDoubleArray.h"
#include "vtkExecutive.h"
#include "vtkFieldData.h"
#include "vtkFloatArray.h"
#include "vtkImageData.h"
#include "vtkInformation.h"
#include "vtkMatrix3x3.h"
#include "vtkNew.h"
#include "vtkPointData.h"
#include "vtkShortArray.h"
#include "vtkSmartPointer.h"
#include "vtkStreamingDemandDrivenPipeline.h"
#include "vtkTable.h"
#include "vtkUnsignedCharArray.h"
#include "vtkUnsignedShortArray.h"
#include "vtkVAEGenerate.h"
#include "vtkVAEModel.h"
#include "vtkVAEModelReader.h"
#include "vtkVAEModelWriter.h"
#include "vtkVAEReconstruct.h"
#include "vtkVAETrain.h"
#include "vtkVariant.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include <unistd.h>

// What the tests of the filters share: images, a quick training, captured errors.
namespace test
{

/// Collects the errors of algorithms, so that they are checked and not printed.
class Errors : public vtkCommand
{
public:
  static Errors* New() { return new Errors; }
  void Execute(vtkObject*, unsigned long, void* data) override
  {
    this->Text += static_cast<const char*>(data);
    ++this->Count;
  }
  /// The sentence between VTK's "(address): " and the end.
  std::string Sentence() const
  {
    const auto at = this->Text.find("): ");
    std::string s = at == std::string::npos ? this->Text : this->Text.substr(at + 3);
    s = s.substr(0, s.find("\n\n"));
    return s;
  }
  std::string Text;
  int Count = 0;
};

template <typename Array, typename F>
vtkSmartPointer<vtkImageData> Image(const int extent[6], bool cells, F&& value)
{
  auto image = vtkSmartPointer<vtkImageData>::New();
  image->SetExtent(const_cast<int*>(extent));
  image->SetSpacing(2, 2, 2);
  image->SetOrigin(10, -20, 30);
  const vtkIdType n = cells ? image->GetNumberOfCells() : image->GetNumberOfPoints();
  vtkNew<Array> array;
  array->SetName("rock");
  array->SetNumberOfTuples(n);
  for (vtkIdType i = 0; i < n; ++i)
  {
    array->SetValue(i, static_cast<typename Array::ValueType>(value(i)));
  }
  if (cells)
  {
    image->GetCellData()->SetScalars(array);
  }
  else
  {
    image->GetPointData()->SetScalars(array);
  }
  return image;
}

/// A 32^3 rock with an extent that does not start at zero.
inline vtkSmartPointer<vtkImageData> Rock(int low = 0, int high = 255)
{
  static const rock::Voxels voxels = rock::cementedGrains({ 32, 0.4, 12, 1 });
  const int extent[6] = { 3, 34, -5, 26, 100, 131 };
  return Image<vtkUnsignedCharArray>(
    extent, false, [&](vtkIdType i) { return voxels[static_cast<std::size_t>(i)] ? high : low; });
}

inline void Quick(vtkVAETrain* train, int epochs = 3)
{
  train->SetTimeBudget(0);
  train->SetEpochs(epochs);
  train->SetStepsPerEpoch(5);
  train->SetWidth(16);
  train->SetLatentChannels(4);
  train->SetPatchSize(16);
  train->SetDevice("cpu");
}

struct Pipeline
{
  vtkNew<vtkVAETrain> Train;
  vtkNew<vtkVAEReconstruct> Reconstruct;
  explicit Pipeline(vtkImageData* image, int epochs = 3)
  {
    Quick(this->Train, epochs);
    this->Train->SetInputData(image);
    this->Reconstruct->SetInputData(image);
    this->Reconstruct->SetModelConnection(this->Train->GetOutputPort());
  }
  vtkImageData* Run()
  {
    this->Reconstruct->Update();
    return this->Reconstruct->GetOutput();
  }
};

inline std::string ErrorOf(vtkAlgorithm* algorithm, vtkAlgorithm* watched = nullptr)
{
  vtkNew<Errors> errors, executive;
  watched = watched ? watched : algorithm;
  for (vtkAlgorithm* a : { algorithm, watched })
  {
    a->GetExecutive()->AddObserver(vtkCommand::ErrorEvent, executive);
  }
  watched->AddObserver(vtkCommand::ErrorEvent, errors);
  algorithm->Update();
  EXPECT_LE(errors->Count, 1) << "one error, one sentence: " << errors->Text;
  return errors->Sentence();
}

class Files : public testing::Test
{
protected:
  void SetUp() override
  {
    this->Folder =
      std::filesystem::temp_directory_path() / ("vae-filters-" + std::to_string(::getpid()));
    std::filesystem::create_directories(this->Folder);
    this->File = (this->Folder / "m.safetensors").string();
  }
  void TearDown() override { std::filesystem::remove_all(this->Folder); }
  std::filesystem::path Folder;
  std::string File;
};
using Model = Files;

} // namespace test
