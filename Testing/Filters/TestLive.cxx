// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
//
// Training in a thread, driven as ParaView's window drives it: GetNeedsUpdate, then an update.
#include "FilterTest.h"

#include <chrono>
#include <thread>

using namespace test;

namespace
{

void Live(vtkVAETrain* train, int epochs)
{
  Brief(train, epochs);
  OneVectorABlock(train);
  train->SetThreads(1);
  train->SetExecution(static_cast<int>(vae::Execution::Live));
  train->SetRefreshInterval(0);
}

/// Polls as the window does until `until` holds; false after half a minute.
template <typename F>
bool Poll(vtkVAETrain* train, F&& until)
{
  for (int i = 0; i < 3000 && !until(); ++i)
  {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    if (train->GetNeedsUpdate())
    {
      train->Update();
    }
  }
  return until();
}

vtkVAEModel* ModelOf(vtkVAETrain* train) { return vtkVAEModel::SafeDownCast(train->GetOutput()); }

} // namespace

TEST(Live, RowsComeWhileItTrainsAndTheResultIsThatOfBlocking)
{
  auto image = Rock();
  Pipeline blocking(image, 12), live(image, 12);
  blocking.Train->SetThreads(1);
  Live(live.Train, 12);
  OneVectorABlock(blocking.Train);
  live.Train->Update();
  EXPECT_EQ(ModelOf(live.Train)->GetNumberOfRows(), 0);
  EXPECT_TRUE(ModelOf(live.Train)->GetPending());
  vtkImageData* early = live.Run(); // no error, nothing yet
  EXPECT_TRUE(early->GetPointData()->GetArray("rock"));
  EXPECT_FALSE(early->GetPointData()->GetArray("rock_reconstruction"));

  int updates = 0;
  vtkIdType rows = 0;
  EXPECT_TRUE(Poll(live.Train, [&]()
  {
    const vtkIdType n = ModelOf(live.Train)->GetNumberOfRows();
    EXPECT_GE(n, rows);
    EXPECT_NE(n, 1); // a chart of one row is an error window
    updates += n > rows;
    rows = n;
    return live.Train->GetState() == "Finished" && n == 12;
  }));
  EXPECT_GE(updates, 3);
  EXPECT_FALSE(live.Train->GetNeedsUpdate());

  vtkDataArray* a = live.Run()->GetPointData()->GetArray("rock_reconstruction");
  vtkDataArray* b = blocking.Run()->GetPointData()->GetArray("rock_reconstruction");
  ASSERT_TRUE(a && b);
  for (vtkIdType i = 0; i < a->GetNumberOfTuples(); ++i)
  {
    ASSERT_EQ(a->GetTuple1(i), b->GetTuple1(i));
  }
}

TEST(Live, StopKeepsTheModelAndResumeGoesOn)
{
  auto image = Rock();
  vtkNew<vtkVAETrain> train;
  train->SetInputData(image);
  Live(train, 400);
  train->Update();
  ASSERT_TRUE(Poll(train, [&]() { return ModelOf(train)->GetNumberOfRows() > 3; }));
  EXPECT_EQ(train->GetState(), "Training");
  EXPECT_GT(train->GetVoxelsPerSecond(), 0);
  EXPECT_GT(train->GetTimeLeft(), 0);
  EXPECT_FALSE(train->GetResumable());
  train->Stop();
  ASSERT_TRUE(Poll(train, [&]() { return train->GetState() == "Stopped"; }));
  ASSERT_TRUE(Poll(train, [&]() { return !train->GetNeedsUpdate(); }));
  const vtkIdType stopped = ModelOf(train)->GetNumberOfRows();
  EXPECT_EQ(ModelOf(train)->GetModel()->info().ending, vae::Ending::Stopped);
  EXPECT_TRUE(train->GetResumable());
  EXPECT_LT(stopped, 400);
  EXPECT_TRUE(ModelOf(train)->GetModel()->info().bestEpoch > 0);

  train->Resume();
  ASSERT_TRUE(Poll(train, [&]() { return ModelOf(train)->GetNumberOfRows() > stopped + 2; }));
  EXPECT_EQ(train->GetState(), "Training");
  train->Stop();
  train->Wait();
  EXPECT_EQ(train->GetState(), "Stopped");
}

TEST(Live, AChangedSettingStartsAnewAndTheSameOneDoesNot)
{
  auto image = Rock();
  vtkNew<vtkVAETrain> train;
  train->SetInputData(image);
  Live(train, 100000);
  train->Update();
  ASSERT_TRUE(Poll(train, [&]() { return ModelOf(train)->GetNumberOfRows() > 3; }));
  const int step = train->GetCurrentStep();
  train->Modified(); // an Apply that changes nothing
  train->Update();
  EXPECT_GE(train->GetCurrentStep(), step);
  image->Modified(); // nor does an upstream filter that made the same again
  image->GetPointData()->GetArray(0)->Modified();
  train->Update();
  EXPECT_GE(train->GetCurrentStep(), step);

  train->SetEpochs(5);
  train->Update();
  EXPECT_LT(train->GetCurrentStep(), 50);
  ASSERT_TRUE(Poll(train, [&]() { return train->GetState() == "Finished"; }));
  ASSERT_TRUE(Poll(train, [&]() { return ModelOf(train)->GetNumberOfRows() == 5; }));

  train->Train(); // again, though nothing has changed
  train->Update();
  EXPECT_TRUE(ModelOf(train)->GetPending());
  ASSERT_TRUE(Poll(train, [&]() { return ModelOf(train)->GetNumberOfRows() == 5; }));
}

TEST(Live, DeletedWhileItTrains)
{
  const auto threads = []
  {
    const std::filesystem::directory_iterator all("/proc/self/task");
    return std::distance(begin(all), end(all));
  };
  std::ptrdiff_t before = 0;
  for (const int milliseconds : { -1, 0, 1, 20, 300 })
  {
    vtkNew<Errors> errors;
    {
      vtkNew<vtkVAETrain> train;
      train->AddObserver(vtkCommand::ErrorEvent, errors);
      train->SetInputData(Rock());
      Live(train, 1000000);
      train->Update();
      EXPECT_TRUE(ModelOf(train)->GetPending());
      if (milliseconds < 0) // the others are deleted wherever they are
      {
        ASSERT_TRUE(Poll(train, [&]() { return train->GetCurrentStep() > 0; }));
      }
      else
      {
        std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
      }
      const std::string state = train->GetState();
      EXPECT_TRUE(state == "Preparing" || state == "Training") << state;
    }
    EXPECT_EQ(errors->Count, 0) << errors->Text;
    before = milliseconds < 0 ? threads() : before; // LibTorch has its own now
    EXPECT_EQ(threads(), before) << "its thread has ended";
  }
}

TEST(Live, ARefusalIsOneErrorAtTheNextPoll)
{
  vtkNew<vtkVAETrain> train;
  train->SetInputData(Rock());
  Live(train, 3);
  train->SetDevice("cuda:7");
  train->Update();
  train->Wait();
  EXPECT_EQ(train->GetState(), "Failed");
  EXPECT_TRUE(train->GetNeedsUpdate());
  EXPECT_NE(ErrorOf(train).find("Device is 'cuda:7', but"), std::string::npos);
  EXPECT_FALSE(train->GetNeedsUpdate());
  train->SetDevice("cpu");
  train->Update();
  EXPECT_TRUE(Poll(train, [&]() { return train->GetState() == "Finished"; }));
}

TEST(Live, AutomaticIsLiveOnlyWhereAWindowPolls)
{
  vtkNew<vtkVAETrain> script, window;
  EXPECT_EQ(script->GetExecution(), static_cast<int>(vae::Execution::Automatic));
  for (vtkVAETrain* train : { script.Get(), window.Get() })
  {
    Brief(train, 30);
    OneVectorABlock(train);
    train->SetInputData(Rock());
  }
  script->Update();
  EXPECT_EQ(script->GetState(), "Finished");
  EXPECT_FALSE(window->GetNeedsUpdate()); // as the window does when the filter is made
  window->Update();
  EXPECT_NE(window->GetState(), "Finished");
}

TEST_F(Files, ALiveTrainingCanGoOnInAnotherProcess)
{
  const std::string path = (this->Folder / "resume.safetensors").string();
  auto image = Rock();
  {
    vtkNew<vtkVAETrain> train;
    train->SetInputData(image);
    Live(train, 300);
    train->SetModelFile(path.c_str());
    train->SetCheckpointInterval(0.05);
    train->Update();
    ASSERT_TRUE(Poll(train, [&]() { return ModelOf(train)->GetNumberOfRows() > 5; }));
    EXPECT_TRUE(std::filesystem::exists(path));
  } // deleted while it trains: what was learned is in the file
  vtkNew<vtkVAETrain> again;
  again->SetInputData(image);
  Live(again, 300);
  again->SetModelFile(path.c_str());
  again->Update();
  again->Wait();
  again->Update();
  EXPECT_EQ(again->GetState(), "Loaded");
  const vtkIdType rows = ModelOf(again)->GetNumberOfRows();
  EXPECT_GT(rows, 5);
  EXPECT_LT(rows, 300);
  EXPECT_TRUE(again->GetResumable());
  again->Resume();
  ASSERT_TRUE(Poll(again, [&]() { return ModelOf(again)->GetNumberOfRows() > rows; }));
}
