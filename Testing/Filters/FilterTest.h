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
#include <cstdlib>
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

/// Turned by 90 degrees about z, at an odd place, with three spacings.
inline vtkSmartPointer<vtkImageData> Skew(vtkImageData* image)
{
  vtkNew<vtkMatrix3x3> direction;
  direction->SetElement(0, 0, 0);
  direction->SetElement(0, 1, -1);
  direction->SetElement(1, 0, 1);
  direction->SetElement(1, 1, 0);
  image->SetDirectionMatrix(direction);
  image->SetSpacing(2, 3, 0.5);
  return image;
}

/// Three phases in shells: 2, 5 and 9, of which 9 is the rarest.
inline vtkSmartPointer<vtkImageData> Shells()
{
  const int extent[6] = { 0, 31, 0, 31, 0, 31 };
  return Image<vtkShortArray>(extent, false, [](vtkIdType i)
  {
    const auto r = std::hypot(static_cast<double>(i % 32) - 16,
      static_cast<double>(i / 32 % 32) - 16, static_cast<double>(i / 1024) - 16);
    return r < 8 ? 9 : r < 14 ? 5 : 2;
  });
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
  train->SetThreads(1); // tests run side by side
}

/// The same with latent cells of 4 voxels, for tests that train: what the end of a training
/// measures, on so and so many cells, then takes an eighth of the time.
inline void Brief(vtkVAETrain* train, int epochs = 3)
{
  Quick(train, epochs);
  train->SetLatentStride(4);
  train->SetPriorShare(0); // 32 voxels are enough for one
}

/// For tests of what is round a training: one latent vector for a block, whose prior takes no time
/// to measure.
inline void OneVectorABlock(vtkVAETrain* train)
{
  train->SetNetwork(static_cast<int>(vae::Architecture::Vector));
  train->SetBlockSize(16);
}

/// The file of a model that tests share: the first training that names it writes it, the others
/// load it. CTest names the folder (Testing/Filters/CMakeLists.txt); without, a process shares with
/// itself only.
inline std::string Shared(const std::string& name)
{
  struct Folder
  {
    std::filesystem::path Path;
    bool Mine = false;
    Folder()
    {
      const char* given = std::getenv("VAE_TEST_MODELS");
      this->Mine = !given;
      this->Path = given
        ? given
        : std::filesystem::temp_directory_path() / ("vae-models-" + std::to_string(::getpid()));
      std::filesystem::create_directories(this->Path);
    }
    ~Folder()
    {
      if (this->Mine)
      {
        std::filesystem::remove_all(this->Path);
      }
    }
  };
  static const Folder folder;
  return (folder.Path / (name + ".safetensors")).string();
}

struct Pipeline
{
  vtkNew<vtkVAETrain> Train;
  vtkNew<vtkVAEReconstruct> Reconstruct;
  /// \param shared the name of a model of TestSharedModels.cxx; without, it trains, briefly
  explicit Pipeline(vtkImageData* image, int epochs = 3, const char* shared = nullptr)
  {
    if (shared)
    {
      Quick(this->Train, epochs);
      this->Train->SetModelFile(Shared(shared).c_str());
    }
    else
    {
      Brief(this->Train, epochs);
    }
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
