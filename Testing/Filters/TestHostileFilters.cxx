// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
//
// Model files that lie, used by every filter that takes a model: each is refused in a sentence, or
// does no harm. VAE_HOSTILE is how many, VAE_HOSTILE_SEED which.
#include "FilterTest.h"

#include "../Model/HostileFile.h"
#include "vtkVAEDecode.h"
#include "vtkVAEEncode.h"
#include "vtkVAEFeatures.h"
#include "vtkVAELatentExplorer.h"
#include "vtkVAELatentWalk.h"

#include <csignal>
#include <cstdlib>
#include <cstring>

namespace
{

int FromEnvironment(const char* name, int otherwise)
{
  const char* text = std::getenv(name);
  return text ? std::atoi(text) : otherwise;
}

int VTKTypeOf(vae::ScalarType type)
{
  constexpr int types[] = { VTK_SIGNED_CHAR, VTK_UNSIGNED_CHAR, VTK_SHORT, VTK_UNSIGNED_SHORT,
    VTK_INT, VTK_UNSIGNED_INT, VTK_LONG_LONG, VTK_UNSIGNED_LONG_LONG, VTK_FLOAT, VTK_DOUBLE };
  return types[static_cast<int>(type)];
}

/// An image with the arrays that a model says it was trained on.
vtkSmartPointer<vtkImageData> ImageFor(const vae::ModelInfo& info)
{
  auto image = vtkSmartPointer<vtkImageData>::New();
  image->SetDimensions(14, 19, info.network.dimensions == 2 ? 1 : 10);
  const vtkIdType n = image->GetNumberOfPoints();
  for (const vae::ChannelInfo& c : info.channels)
  {
    if (c.component > 0)
    {
      continue;
    }
    auto array =
      vtkSmartPointer<vtkDataArray>::Take(vtkDataArray::CreateDataArray(VTKTypeOf(c.type)));
    array->SetName(c.array.c_str());
    array->SetNumberOfComponents(c.components);
    array->SetNumberOfTuples(n);
    for (vtkIdType i = 0; i < n * c.components; ++i)
    {
      array->SetVariantValue(i, vtkVariant(static_cast<int>(i * 7 % 101 % 3)));
    }
    image->GetPointData()->AddArray(array);
  }
  return image;
}

/// What is under way, for whoever looks at a crash.
char UnderWay[1000];

extern "C" void TellAndDie(int signal)
{
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, UnderWay, std::strlen(UnderWay));
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

void Use(vtkVAEModelReader* reader, const vae::ModelInfo& info)
{
  const auto image = ImageFor(info);
  vtkAlgorithmOutput* model = reader->GetOutputPort();

  vtkNew<vtkVAEReconstruct> reconstruct;
  reconstruct->SetInputData(image);
  reconstruct->SetModelConnection(model);
  reconstruct->SetComputeProbability(true);
  reconstruct->SetComputeAnomaly(true);
  reconstruct->SetComputeStandardDeviation(true);
  reconstruct->SetSamples(2);
  reconstruct->Update();

  vtkNew<vtkVAEEncode> encode;
  encode->SetInputData(image);
  encode->SetModelConnection(model);
  vtkNew<vtkVAEDecode> decode;
  decode->SetInputConnection(encode->GetOutputPort());
  decode->SetModelConnection(model);
  decode->SetComputeProbability(true);
  decode->SetNumberOfLatentOffsets(1);
  decode->SetLatentOffset(0, 1.5);
  decode->Update();

  vtkNew<vtkVAEFeatures> features;
  features->SetInputData(image);
  features->SetModelConnection(model);
  features->Update();

  for (const vae::Prior prior : { vae::Prior::Automatic, vae::Prior::Normal, vae::Prior::Learned })
  {
    vtkNew<vtkVAEGenerate> generate;
    generate->SetInputConnection(model);
    generate->SetDimensions(13, 9, 10);
    generate->SetPrior(static_cast<int>(prior));
    generate->SetComputeProbability(true);
    generate->SetFractionMode(static_cast<int>(
      info.hasPhases() ? vae::FractionMode::TrainingData : vae::FractionMode::Off));
    if (prior == vae::Prior::Normal)
    {
      generate->SetInputData(2, image); // known data
    }
    generate->Update();
  }
  vtkNew<vtkVAELatentWalk> walk;
  walk->SetInputConnection(model);
  walk->SetDimensions(9, 12, 8);
  walk->SetSteps(2);
  walk->SetWalk(static_cast<int>(vae::Walk::Spherical));
  walk->Update();

  vtkNew<vtkVAELatentExplorer> explorer;
  explorer->SetInputConnection(model);
  explorer->SetDimensions(9, 12, 8);
  explorer->SetNumberOfLatentOffsets(1);
  explorer->SetLatentOffset(0, 1);
  explorer->Update();

  vtkNew<vtkVAETrain> train;
  test::Quick(train, 1);
  train->SetStepsPerEpoch(1);
  train->SetInputData(image);
  train->SetInitialModelConnection(model);
  train->Update();
}

/// A small model in a file.
void Train(const std::string& file, int network, bool flat, int values)
{
  const int extent[6] = { 0, 15, 0, 23, 0, flat ? 0 : 15 };
  const auto image = test::Image<vtkUnsignedCharArray>(
    extent, false, [=](vtkIdType i) { return i * 7 % 101 % values; });
  vtkNew<vtkVAETrain> train;
  test::Quick(train, 1);
  train->SetNetwork(network);
  train->SetWidth(8);
  train->SetLatentChannels(2);
  train->SetLatentStride(4);
  train->SetBlockSize(8);
  train->SetHiddenUnits(8);
  train->SetStepsPerEpoch(2);
  train->SetPriorShare(0);
  train->SetInputData(image);
  train->SetModelFile(file.c_str());
  train->Update();
}

} // namespace

using Files = test::Files;

TEST_F(Files, OfProgramsAreRefusedUnlessAllowed)
{
  Train(this->File, static_cast<int>(vae::Architecture::Dense), true, 2);
  test::HostileFile file(this->File);
  for (const char* network : { "/network/", "/options/network/" })
  {
    file.set(network + std::string("architecture"), "\"torchscript\"");
    file.set(network + std::string("encoder_file"), "\"/etc/passwd\"");
  }
  std::ofstream(this->File, std::ios::binary) << file.bytes();
  vtkNew<vtkVAEModelReader> reader;
  EXPECT_FALSE(reader->GetAllowTorchScript());
  reader->SetFileName(this->File.c_str());
  EXPECT_EQ(test::ErrorOf(reader),
    this->File +
      ": is not a usable VAE model: its network is TorchScript, which is a program, and Allow "
      "TorchScript is off; switch it on only if you trust who made this file");
  reader->AllowTorchScriptOn();
  EXPECT_EQ(test::ErrorOf(reader),
    this->File + ": is not a usable VAE model: tensor \"torchscript.encoder\" is missing");
}

TEST_F(Files, ThatLieAreRefusedOrUsedByEveryFilter)
{
  for (const int signal : { SIGSEGV, SIGABRT, SIGFPE, SIGBUS })
  {
    std::signal(signal, TellAndDie);
  }
  std::vector<std::string> good;
  const auto train = [&](int network, bool flat, int values)
  {
    good.push_back((this->Folder / (std::to_string(good.size()) + ".safetensors")).string());
    Train(good.back(), network, flat, values);
  };
  train(0, false, 2);
  train(0, true, 101);
  train(1, true, 3);
  train(2, true, 2);

  vtkObject::GlobalWarningDisplayOff();
  const int count = FromEnvironment("VAE_HOSTILE", 40),
            seed = FromEnvironment("VAE_HOSTILE_SEED", 1);
  int used = 0;
  for (int i = 0; i < count; ++i)
  {
    std::mt19937 random(static_cast<unsigned>(seed * 1000003 + i));
    const std::string& from = good[random() % good.size()];
    test::HostileFile file(from);
    std::string what;
    for (unsigned lies = i < 4 ? 0 : random() % 4 ? 1 : 2 + random() % 2; lies > 0; --lies)
    {
      what += file.change(random) + "; ";
    }
    std::snprintf(UnderWay, sizeof UnderWay, "hostile model %d: %s\n", i, what.c_str());
    std::ofstream(this->File, std::ios::binary) << file.bytes();
    vtkNew<vtkVAEModelReader> reader;
    reader->SetFileName(this->File.c_str());
    reader->Update();
    const auto model = vtkVAEModel::SafeDownCast(reader->GetOutputDataObject(0));
    if (model && model->GetModel())
    {
      ++used;
      Use(reader, model->GetModel()->info());
    }
  }
  vtkObject::GlobalWarningDisplayOn();
  std::printf("%d models, %d used\n", count, used);
  EXPECT_GE(used, 4) << "those that do not lie";
  EXPECT_LT(used, count);
}
