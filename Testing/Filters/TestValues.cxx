// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
//
// Values that no panel offers, but a script or a state file can set: one sentence each, before
// anything runs. Testing/Python/property_sweep.py tries all properties; these are the ones that
// crashed or hung.
#include "FilterTest.h"
#include "vtkVAEDecode.h"
#include "vtkVAEEncode.h"
#include "vtkVAEFeatures.h"
#include "vtkVAELatentExplorer.h"
#include "vtkVAELatentWalk.h"
#include "vtkVAEMicrostructureStatistics.h"
#include "vtkVAEPermeability.h"

#include "Presets.h"
#include "Statistics/Options.h"
#include "vtkMultiBlockDataSet.h"

#include <limits>

using namespace test;

namespace
{

/// A filter whose inputs are there, but hold nothing.
template <typename Filter>
vtkSmartPointer<Filter> Over(std::initializer_list<vtkDataObject*> inputs)
{
  auto filter = vtkSmartPointer<Filter>::New();
  int port = 0;
  for (vtkDataObject* input : inputs)
  {
    filter->SetInputDataObject(port++, input);
  }
  return filter;
}

struct Values : testing::Test
{
  vtkNew<vtkVAEModel> Model;
  vtkSmartPointer<vtkImageData> Volume = Rock();
};

} // namespace

TEST_F(Values, OfAGenerate)
{
  const auto g = Over<vtkVAEGenerate>({ this->Model });
  g->SetRealizations(VTK_INT_MAX);
  EXPECT_EQ(ErrorOf(g), "Realizations is 2147483647; it must be in [1, 100000]");
  g->SetRealizations(0);
  EXPECT_EQ(ErrorOf(g), "Realizations is 0; it must be in [1, 100000]");
  g->SetRealizations(1);
  g->SetDimensions(64, VTK_INT_MAX, 64);
  EXPECT_EQ(ErrorOf(g), "Dimensions is 64 x 2147483647 x 64; each must be in [1, 100000]");
  g->SetDimensions(64, 64, 64);
  g->SetPrior(-7);
  EXPECT_EQ(ErrorOf(g), "Prior is -7; it must be in [0, 3]");
  g->SetPrior(0);
  g->SetRealizationsAs(2);
  EXPECT_EQ(ErrorOf(g), "Realizations As is 2; it must be in [0, 1]");
  g->SetRealizationsAs(0);
  g->SetTemperature(std::nan(""));
  EXPECT_EQ(ErrorOf(g), "Temperature is nan; it must be in [0, 10]");
  g->SetTemperature(1);
  g->SetMemoryBudget(std::numeric_limits<double>::infinity());
  EXPECT_EQ(ErrorOf(g), "Memory Budget is inf; it must be in [0, 1000000000]");
}

// A window asks what there will be, then for the data.
TEST_F(Values, AreRefusedOnce)
{
  const auto g = Over<vtkVAEGenerate>({ this->Model });
  const auto t = Over<vtkVAEPermeability>({ this->Volume });
  const auto train = Over<vtkVAETrain>({ this->Volume });
  g->SetPrior(9);
  t->SetDirection(9);
  train->SetNetwork(9);
  for (vtkAlgorithm* filter : std::initializer_list<vtkAlgorithm*>{ g, t, train })
  {
    vtkNew<Errors> errors, executive;
    filter->AddObserver(vtkCommand::ErrorEvent, errors);
    filter->GetExecutive()->AddObserver(vtkCommand::ErrorEvent, executive);
    filter->UpdateInformation();
    EXPECT_NE(errors->Sentence().find(" is 9; it must be in [0, 3]"), std::string::npos);
    filter->Update();
    filter->Update();
    EXPECT_EQ(errors->Count, 1) << errors->Text;
    EXPECT_EQ(executive->Text.find("has been set"), std::string::npos)
      << "the pipeline misses an extent: " << executive->Text;
  }
  g->SetPrior(0);
  EXPECT_EQ(ErrorOf(g).find("The model input is an empty VAE model"), 0u);
  t->SetDirection(0);
  EXPECT_EQ(ErrorOf(t), "");
  auto image = vtkImageData::SafeDownCast(t->GetOutputDataObject(0));
  EXPECT_TRUE(image->GetPointData()->GetArray("pressure_along_x"));
}

TEST_F(Values, OfOtherInference)
{
  const auto walk = Over<vtkVAELatentWalk>({ this->Model });
  walk->SetSteps(VTK_INT_MAX);
  EXPECT_EQ(ErrorOf(walk), "Steps is 2147483647; it must be in [2, 100000]");
  walk->SetSteps(2);
  walk->SetWalk(100000);
  EXPECT_EQ(ErrorOf(walk), "Walk is 100000; it must be in [0, 2]");
  const auto explorer = Over<vtkVAELatentExplorer>({ this->Model });
  explorer->SetBlockSize(VTK_INT_MAX);
  EXPECT_EQ(ErrorOf(explorer), "Block Size is 2147483647; it must be in [0, 100000]");
  explorer->SetBlockSize(0);
  explorer->SetNumberOfLatentOffsets(VTK_INT_MAX);
  explorer->SetLatentOffset(VTK_INT_MAX, 1);
  explorer->SetLatentOffset(1, 1e300);
  EXPECT_EQ(ErrorOf(explorer), "Latent Offsets is 1e+300; it must be in [-100, 100]");
  const auto features = Over<vtkVAEFeatures>({ this->Volume, this->Model });
  features->SetBlockSize(0);
  EXPECT_EQ(ErrorOf(features), "Block Size is 0; it must be in [1, 100000]");
  const auto decode = Over<vtkVAEDecode>({ this->Volume, this->Model });
  decode->SetLatentOffset(0, std::nan(""));
  EXPECT_EQ(ErrorOf(decode), "Latent Offsets is nan; it must be in [-100, 100]");
  const auto encode = Over<vtkVAEEncode>({ this->Volume, this->Model });
  encode->SetPrecision(5);
  EXPECT_EQ(ErrorOf(encode), "Precision is 5; it must be in [0, 2]");
  const auto reconstruct = Over<vtkVAEReconstruct>({ this->Volume, this->Model });
  reconstruct->SetAnomalyMeasure(-1);
  EXPECT_EQ(ErrorOf(reconstruct), "Anomaly Measure is -1; it must be in [0, 2]");
}

TEST_F(Values, OfAMeasurement)
{
  const auto permeability = Over<vtkVAEPermeability>({ this->Volume });
  permeability->SetDirection(100000);
  EXPECT_EQ(ErrorOf(permeability), "Direction is 100000; it must be in [0, 3]");
  permeability->SetDirection(0);
  permeability->SetThreads(100000);
  EXPECT_EQ(ErrorOf(permeability), "Threads is 100000; it must be in [0, 1024]");
  permeability->SetThreads(0);
  permeability->SetPhase(-1);
  EXPECT_EQ(ErrorOf(permeability), "Phase is -1; it must be in [0, 3]");
  const auto statistics = Over<vtkVAEMicrostructureStatistics>({ this->Volume });
  statistics->SetThreads(100000);
  EXPECT_EQ(ErrorOf(statistics), "Threads is 100000; it must be in [0, 1024]");
  statistics->SetThreads(0);
  statistics->SetPhase(9);
  EXPECT_EQ(ErrorOf(statistics), "Phase is 9; it must be in [0, 3]");
}

TEST_F(Values, OfAVolume)
{
  const auto permeability = Over<vtkVAEPermeability>({ this->Volume });
  this->Volume->SetSpacing(1, 0, 1);
  EXPECT_EQ(
    ErrorOf(permeability), "The image's spacing along y is 0; it must be in [1e-30, 1e+30]");
  this->Volume->SetSpacing(1, 1, std::nan(""));
  EXPECT_EQ(
    ErrorOf(permeability), "The image's spacing along z is nan; it must be in [1e-30, 1e+30]");
  this->Volume->SetSpacing(1, 1, 1);
  this->Volume->GetPointData()->GetScalars()->SetName(nullptr);
  permeability->SetPhase(static_cast<int>(vae::Phase::Automatic));
  EXPECT_EQ(ErrorOf(permeability), "") << "an array may have no name";
  vtkNew<vtkFloatArray> vectors;
  vectors->SetNumberOfComponents(3);
  vectors->SetNumberOfTuples(this->Volume->GetNumberOfPoints());
  vectors->Fill(1);
  this->Volume->GetPointData()->SetScalars(vectors);
  EXPECT_EQ(ErrorOf(permeability), "Array '' has 3 components; it must have 1");
}

TEST_F(Values, OfATraining)
{
  const auto train = Over<vtkVAETrain>({ this->Volume });
  Quick(train, 1);
  train->SetLatentStride(2);
  EXPECT_EQ(ErrorOf(train), "Latent Stride is 2; it must be 4, 8, 16 or 32");
  EXPECT_EQ(std::string(train->GetPlan()), "Latent Stride is 2; it must be 4, 8, 16 or 32.");
  EXPECT_GT(train->GetParameters(), 0);
  train->SetLatentStride(8);
  train->SetNetwork(9);
  EXPECT_EQ(ErrorOf(train), "Network is 9; it must be in [0, 3]");
  EXPECT_GT(train->GetReceptiveField(), 0);
  train->SetNetwork(0);
  train->SetThreads(100000);
  EXPECT_EQ(ErrorOf(train), "Threads is 100000; it must be in [0, 1024]");
  train->SetThreads(0);
  train->SetRefreshInterval(std::nan(""));
  EXPECT_EQ(ErrorOf(train), "Refresh Interval is nan; it must be in [0, 10000000]");
  train->SetRefreshInterval(2);
  train->SetQuality(9);
  EXPECT_EQ(ErrorOf(train), "Quality is 9; it must be in [0, 3]");
  train->SetQuality(static_cast<int>(vae::Quality::Custom));
  train->SetPurpose(-1);
  EXPECT_EQ(ErrorOf(train), "Purpose is -1; it must be in [0, 3]");
  train->SetPurpose(static_cast<int>(vae::Purpose::Custom));
  train->SetDevice(std::string(100000, 'x').c_str());
  const std::string error = ErrorOf(train);
  EXPECT_EQ(error.find("Device is 'xxx"), 0u);
  EXPECT_NE(error.find("xxx'; it must be auto, cpu, cuda or cuda:N"), std::string::npos);
  EXPECT_LT(error.size(), 1100u);
}

TEST_F(Values, APresetSetsOthersAndWhatIsSetLastCounts)
{
  const auto train = Over<vtkVAETrain>({ this->Volume });
  const auto named = [&](vae::Quality quality, vae::Purpose purpose)
  {
    return train->GetQuality() == static_cast<int>(quality) &&
      train->GetPurpose() == static_cast<int>(purpose);
  };
  EXPECT_TRUE(named(vae::Quality::Good, vae::Purpose::NewVolumes));
  train->SetQuality(static_cast<int>(vae::Quality::Best));
  train->SetPurpose(static_cast<int>(vae::Purpose::Compress));
  EXPECT_TRUE(named(vae::Quality::Best, vae::Purpose::Compress));
  EXPECT_EQ(train->GetTimeBudget(), 900);
  EXPECT_EQ(train->GetPriorShare(), 0);
  EXPECT_EQ(train->GetLatentStride(), 16);
  EXPECT_NE(train->GetPlan().find("Quality Best, Purpose Compress."), std::string::npos);
  train->SetTimeBudget(60);
  train->SetLatentStride(4);
  EXPECT_TRUE(named(vae::Quality::Custom, vae::Purpose::Custom));
  train->SetQuality(static_cast<int>(vae::Quality::Custom));
  EXPECT_EQ(train->GetTimeBudget(), 60);
  train->SetPurpose(static_cast<int>(vae::Purpose::NewVolumes));
  EXPECT_EQ(train->GetLatentStride(), 8);
  EXPECT_EQ(train->GetPriorShare(), vae::TrainOptions().priorShare);
}

// The new block comes first: what is looked at now ends as what was trained on does, and is longer.
TEST_F(Values, ABlockMoreAfterALiveTrainingTrainsAnew)
{
  vtkNew<vtkMultiBlockDataSet> blocks;
  blocks->SetBlock(1, this->Volume);
  const auto train = Over<vtkVAETrain>({ blocks });
  Brief(train, 2);
  train->SetExecution(static_cast<int>(vae::Execution::Live));
  const auto fingerprint = [&]
  {
    train->Update();
    train->Wait(); // and asks, as a window does, whether there is a newer model
    train->Update();
    vtkAbstractArray* found = train->GetOutput()->GetFieldData()->GetAbstractArray("Fingerprint");
    return found ? found->GetVariantValue(0).ToString() : std::string("none");
  };
  const std::string before = fingerprint();
  EXPECT_NE(before, "none");
  train->Wait();
  blocks->SetBlock(0, Rock(0, 255));
  train->GetNeedsUpdate();
  EXPECT_NE(fingerprint(), before);
}

namespace
{

/// A model that only notes how it is asked for a sample.
class Noting : public vae::Model
{
public:
  Noting()
  {
    this->Info.channels.emplace_back().array = "rock";
    this->Info.channels[0].phases = { 0, 1 };
  }
  const vae::ModelInfo& info() const override { return this->Info; }
  vae::LatentSample sample(const vae::SampleRequest&, const vae::RunOptions& run,
    const vae::Monitor& monitor) const override
  {
    this->Asked = run;
    this->Watched = static_cast<bool>(monitor.progress);
    throw vae::Stopped();
  }
  int margin(const std::array<bool, 3>&) const override { return 1; }
  int decodeHalo() const override { return 1; }
  std::vector<vae::LatentStatistics> latentStatistics() const override
  {
    return std::vector<vae::LatentStatistics>(8);
  }
  vae::Prior bestPrior() const override { return vae::Prior::Learned; }
  bool hasAnomalyScale() const override { return false; }
  std::string memoryPlan(const vae::Dims&, const vae::RunOptions&) const override { return {}; }
  void save(const std::string&, const std::function<void()>&) const override {}
  bool hasTrainingState() const override { return false; }
  vae::Latent encode(const vae::Volume&, const vae::RunOptions&, const vae::Monitor&) const override
  {
    return {};
  }
  void decode(const vae::Latent&, const vae::Dims&, int, const vae::Outputs&,
    const vae::RunOptions&, const vae::Monitor&) const override
  {
  }
  void reconstruct(const vae::Volume&, const vae::ReconstructOptions&,
    const vae::ReconstructOutputs&, const vae::RunOptions&, const vae::Monitor&) const override
  {
  }
  void sampleAndDecode(const vae::SampleRequest&, const vae::Outputs&, const vae::RunOptions&,
    const vae::Monitor&) const override
  {
  }

  mutable vae::RunOptions Asked;
  mutable bool Watched = false;

private:
  vae::ModelInfo Info;
};

} // namespace

TEST_F(Values, OfTheDeviceReachTheSamplesOfWalkAndExplorer)
{
  const auto walk = Over<vtkVAELatentWalk>({ this->Model });
  const auto explorer = Over<vtkVAELatentExplorer>({ this->Model });
  for (vtkVAEInferenceAlgorithm* filter :
    std::initializer_list<vtkVAEInferenceAlgorithm*>{ walk, explorer })
  {
    const auto model = std::make_shared<Noting>();
    this->Model->SetModel(model);
    this->Model->Modified();
    filter->SetDevice("cuda:7");
    EXPECT_EQ(ErrorOf(filter), "") << "stopped";
    EXPECT_EQ(model->Asked.device, "cuda:7");
    EXPECT_TRUE(model->Watched) << "an abort is heard";
  }
}
