// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
//
// A whole training as a host drives it, in a thread, through the door to LibTorch, and killed.
#include "Backend.h"
#include "Session.h"
#include "TestDevice.h"
#include "Volumes.h"

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

#include <csignal>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace vae;
namespace fs = std::filesystem;

namespace
{

TrainOptions quick(int epochs)
{
  TrainOptions o;
  o.timeBudget = 0;
  o.epochs = epochs;
  o.stepsPerEpoch = 5;
  o.network.width = 16;
  o.network.latentChannels = 4;
  o.network.latentStride = 4; // an eighth of the time of what the end measures
  o.priorShare = 0;
  o.patchSize = 16;
  o.device = test::device();
  o.threads = 1;
  return o;
}

TrainOptions shortest()
{
  TrainOptions o = quick(2);
  o.priorShare = 0;
  return o;
}

void write(const std::string& file, const std::string& text)
{
  std::ofstream(file, std::ios::binary) << text;
}

std::string textOf(const std::string& file)
{
  std::ifstream in(file, std::ios::binary);
  return { std::istreambuf_iterator<char>(in), {} };
}

class Folder : public testing::Test
{
protected:
  void SetUp() override
  {
    this->Path = fs::temp_directory_path() / ("vae-session-" + std::to_string(::getpid()));
    fs::create_directories(this->Path);
    this->Driving.modelFile = (this->Path / "m.safetensors").string();
  }
  void TearDown() override { fs::remove_all(this->Path); }
  fs::path Path;
  SessionOptions Driving;
};
using SessionTest = Folder;
using Kill = Folder;

template <typename F>
bool waitFor(F&& what)
{
  for (int i = 0; i < 3000 && !what(); ++i)
  {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return what();
}

std::size_t threadsOfThisProcess()
{
  const fs::directory_iterator all("/proc/self/task");
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

} // namespace

// A volume with a trend is trained all the same, and it is said that it has one.
TEST_F(SessionTest, WarnsOfATrend)
{
  std::mt19937 random(1);
  std::vector<std::uint8_t> even, trended;
  for (std::uint32_t i = 0; i < 32 * 32 * 32; ++i)
  {
    const std::uint32_t number = random() % 1000, z = i / (32 * 32);
    even.push_back(number < 300);
    trended.push_back(number < 100 + 12 * z);
  }
  const auto warning = [](const std::vector<std::uint8_t>& voxels)
  {
    Session session({ test::volume(voxels, { 32, 32, 32 }) }, shortest(), {});
    session.run({});
    EXPECT_EQ(session.status().state, State::Finished);
    return session.status().dataWarning;
  };
  EXPECT_EQ(warning(even), "");
  EXPECT_EQ(warning(trended).find("The fraction of v = 1 changes along z, from about 0."), 0u)
    << warning(trended);
}

TEST_F(SessionTest, AThreadGivesWhatTheCallerGets)
{
  const Volume v = test::rockVolume(32);
  Session here({ v }, quick(6), {}), there({ v }, quick(6), {});
  int steps = 0;
  here.run([&](const Status& s)
  {
    steps = static_cast<int>(s.step.step);
    return true;
  });
  there.start();
  there.wait();
  EXPECT_EQ(there.status().state, State::Finished);
  EXPECT_EQ(here.status().state, State::Finished);
  EXPECT_EQ(steps, 30); // the last one ends it, and it is told while all is measured
  EXPECT_EQ(here.model()->encode(v, {}).mean, there.model()->encode(v, {}).mean);
  EXPECT_EQ(here.losses(), there.losses());
}

TEST_F(SessionTest, StopsAtOnceKeepsTheBestAndGoesOn)
{
  const Volume v = test::rockVolume(32);
  Session s({ v }, quick(100000), this->Driving);
  s.start();
  ASSERT_TRUE(waitFor([&] { return s.status().step.step > 20; }));
  s.stop();
  s.wait();
  EXPECT_EQ(s.status().state, State::Stopped);
  EXPECT_TRUE(s.status().resumable);
  EXPECT_TRUE(s.hasNews());
  const auto model = s.model();
  EXPECT_EQ(model->info().ending, Ending::Stopped);
  EXPECT_EQ(backend().load(this->Driving.modelFile)->info().fingerprint, s.fingerprint());
  const std::int64_t step = s.status().step.step;
  s.resume();
  ASSERT_TRUE(waitFor([&] { return s.status().step.step > step + 5; }));
}

TEST_F(SessionTest, AFullDiskCostsTheFileAndNothingElse)
{
  const Volume v = test::rockVolume(32);
  {
    Session first({ v }, quick(4), this->Driving);
    first.run({});
  }
  // As on a full disk: a write of more than so many bytes fails.
  ::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const rlimit small{ 4096, before.rlim_max };
  ::setrlimit(RLIMIT_FSIZE, &small);
  this->Driving.checkpointInterval = 1e-6;
  TrainOptions o = quick(40);
  Session s({ v }, o, this->Driving);
  s.start();
  s.wait();
  ::setrlimit(RLIMIT_FSIZE, &before);
  EXPECT_EQ(s.status().state, State::Finished);
  EXPECT_NE(s.takeError().find("m.safetensors"), std::string::npos);
  EXPECT_EQ(s.model()->info().history.size(), 40u);
  // The last good file is whole.
  EXPECT_EQ(backend().load(this->Driving.modelFile)->info().history.size(), 4u);
}

TEST_F(SessionTest, WhatIsNotAModelOfTheSameDataIsNotOverwritten)
{
  const Volume v = test::rockVolume(32), other = test::rockVolume(32, 5);
  const std::string file = this->Driving.modelFile;
  const auto refusal = [&](const Volume& volume)
  {
    Session s({ volume }, shortest(), this->Driving);
    try
    {
      s.run([](const Status&) -> bool { throw std::logic_error("it trains"); });
    }
    catch (const std::invalid_argument& e)
    {
      return std::string(e.what());
    }
    return std::string();
  };
  write(file, "All the work of three years.");
  EXPECT_EQ(refusal(v),
    "Model File is kept as it is (" + file +
      ": is not a safetensors file, or was cut short); choose another name, or switch on Overwrite "
      "Model File");
  EXPECT_EQ(textOf(file), "All the work of three years.");
  { // beside a window
    Session s({ v }, shortest(), this->Driving);
    s.start();
    s.wait();
    EXPECT_EQ(s.status().state, State::Failed);
    EXPECT_EQ(s.takeError().find("Model File is kept as it is ("), 0u);
  }
  EXPECT_EQ(textOf(file), "All the work of three years.");
  this->Driving.overwrite = true;
  Session(std::vector{ v }, shortest(), this->Driving).run({});
  this->Driving.overwrite = false;

  // Another model of the same data is replaced, one of other data is not.
  TrainOptions o = shortest();
  o.seed = 2;
  Session(std::vector{ v }, o, this->Driving).run({});
  EXPECT_EQ(backend().load(file)->info().options.seed, 2);
  const std::string model = textOf(file);
  EXPECT_NE(refusal(other).find("m.safetensors: is a model of other data)"), std::string::npos)
    << refusal(other);
  EXPECT_EQ(textOf(file), model);
  // Nor are a damaged one, one of another format, or what is no file.
  write(file, model.substr(0, model.size() - 1));
  EXPECT_NE(refusal(v), "");
  std::string older = model;
  const auto at = older.find("vae-paraview-");
  ASSERT_NE(at, std::string::npos);
  older[at + 13] = '0';
  write(file, older);
  EXPECT_NE(refusal(v).find("\"vae-paraview-0\""), std::string::npos) << refusal(v);
  EXPECT_EQ(textOf(file), older);
  fs::remove(file);
  fs::create_directory(file);
  EXPECT_NE(refusal(v).find("it is not a regular file"), std::string::npos) << refusal(v);
}

TEST_F(SessionTest, AFileThatBecomesAnothersMeanwhileIsKeptAndSoIsTheModel)
{
  const Volume v = test::rockVolume(32);
  const std::string file = this->Driving.modelFile;
  Session s({ v }, shortest(), this->Driving);
  s.run([&](const Status& status)
  {
    if (status.step.step == 3)
    {
      write(file, "mine");
    }
    return true;
  });
  EXPECT_EQ(s.status().state, State::Finished);
  ASSERT_TRUE(s.model());
  const std::string error = s.takeError();
  EXPECT_EQ(error.find(
              "The model is trained, but it was not written. Model File is kept as it is (" + file),
    0u)
    << error;
  EXPECT_EQ(textOf(file), "mine");
  // Under another name, and here when it may.
  const std::string elsewhere = (this->Path / "elsewhere.safetensors").string();
  s.setModelFile(elsewhere, false);
  EXPECT_EQ(s.takeError(), "");
  EXPECT_EQ(backend().load(elsewhere)->info().fingerprint, s.fingerprint());
  s.setModelFile(file, false);
  EXPECT_NE(s.takeError(), "");
  EXPECT_EQ(textOf(file), "mine");
  s.setModelFile(file, true);
  EXPECT_EQ(s.takeError(), "");
  EXPECT_EQ(backend().load(file)->info().fingerprint, s.fingerprint());
}

TEST_F(SessionTest, AnInitialModelThatIsTheResultIsNotTrainedAgain)
{
  const Volume v = test::rockVolume(32);
  Session first({ v }, shortest(), {});
  first.run({});
  const auto model = first.model();
  Session second({ v }, shortest(), this->Driving, model);
  second.run([](const Status&) -> bool { throw std::logic_error("it trains"); });
  EXPECT_EQ(second.status().state, State::Loaded);
  EXPECT_EQ(second.status().message,
    "Initial Model was trained on the same data with the same "
    "settings, so it was not trained again.");
  EXPECT_FALSE(second.status().resumable);
  EXPECT_EQ(second.model(), model);
  EXPECT_EQ(second.fingerprint(), first.fingerprint());
  EXPECT_EQ(backend().load(this->Driving.modelFile)->info().fingerprint, first.fingerprint());
  // Unless it must.
  this->Driving.alwaysTrain = true;
  Session third({ v }, shortest(), this->Driving, model);
  third.run({});
  EXPECT_EQ(third.status().state, State::Finished);
  EXPECT_EQ(third.model()->info().lineage.kind, Beginning::FineTuned);
  EXPECT_NE(third.fingerprint(), first.fingerprint());
}

TEST_F(SessionTest, AFineTuningGoesOnFromItsCheckpointAndAfterAStop)
{
  const Volume v = test::rockVolume(32), other = test::rockVolume(32, 5);
  Session first({ v }, shortest(), {});
  first.run({});
  const auto parent = first.model();

  const fs::path copy = this->Path / "copy";
  this->Driving.checkpointInterval = 1e-6;
  TrainOptions o = shortest();
  o.epochs = 3;
  Session killed({ other }, o, this->Driving, parent);
  killed.run([&](const Status& s)
  {
    if (s.step.step == 12)
    {
      fs::copy(this->Driving.modelFile, copy);
    }
    return true;
  });
  fs::rename(copy, this->Driving.modelFile);
  this->Driving.checkpointInterval = 0;
  std::int64_t begin = 0;
  Session after({ other }, o, this->Driving, parent);
  after.run([&](const Status& s)
  {
    begin = begin > 0 ? begin : s.step.step;
    return true;
  });
  EXPECT_EQ(begin, 11); // after the checkpoint of two epochs
  EXPECT_EQ(after.fingerprint(), killed.fingerprint());
  const ModelInfo& info = after.model()->info();
  EXPECT_EQ(info.lineage.kind, Beginning::Resumed);
  EXPECT_EQ(info.lineage.parent, killed.model()->info().lineage.parent);
  EXPECT_EQ(info.fingerprint, killed.fingerprint());
  EXPECT_EQ(after.model()->encode(v, {}).mean, killed.model()->encode(v, {}).mean);
  Session again({ other }, o, this->Driving, parent);
  again.run({});
  EXPECT_EQ(again.status().state, State::Loaded);

  // Stopped, and given to another as its Initial Model.
  Session stopped({ other }, o, {}, parent);
  stopped.run([](const Status& s) { return s.step.step < 7; });
  ASSERT_EQ(stopped.status().state, State::Stopped);
  begin = 0;
  Session resumed({ other }, o, {}, stopped.model());
  resumed.run([&](const Status& s)
  {
    begin = begin > 0 ? begin : s.step.step;
    return true;
  });
  EXPECT_EQ(begin, 8);
  EXPECT_EQ(resumed.fingerprint(), killed.fingerprint());
}

TEST_F(SessionTest, WhatWasLearnedIsInTheFileBeforeAnythingIsMeasured)
{
  const Volume v = test::rockVolume(32);
  const std::string copy = this->Driving.modelFile + ".before";
  Session s({ v }, quick(4), this->Driving);
  s.run([&](const Status& now)
  {
    if (!now.step.finished)
    {
      return true;
    }
    if (!fs::exists(copy))
    {
      fs::copy_file(this->Driving.modelFile, copy);
    }
    return false; // stops the measurements
  });
  EXPECT_EQ(s.status().state, State::Finished);
  const auto model = s.model();
  EXPECT_EQ(model->info().ending, Ending::Budget);
  EXPECT_EQ(model->info().history.size(), 4u);
  EXPECT_NE(model->info().leftOut.find("the training was stopped."), std::string::npos);
  EXPECT_NE(s.status().message.find(model->info().leftOut), std::string::npos);
  EXPECT_EQ(backend().load(this->Driving.modelFile)->info().leftOut, model->info().leftOut);
  EXPECT_EQ(model->bestPrior(), Prior::RandomField);

  // As if the process had been killed then: only what was not measured is made up for.
  const auto before = backend().load(copy);
  EXPECT_EQ(before->info().ending, Ending::None);
  EXPECT_EQ(before->encode(v, {}).mean, model->encode(v, {}).mean);
  this->Driving.modelFile = copy;
  Session again({ v }, quick(4), this->Driving);
  int steps = 0;
  again.run([&](const Status& now)
  {
    steps += now.step.finished ? 0 : 1;
    return true;
  });
  EXPECT_EQ(steps, 0);
  EXPECT_EQ(again.status().state, State::Finished);
  EXPECT_EQ(again.model()->info().leftOut, "");
  EXPECT_EQ(again.model()->encode(v, {}).mean, model->encode(v, {}).mean);
  EXPECT_EQ(backend().load(copy)->info().ending, Ending::Budget);
}

TEST_F(SessionTest, ManyAtOnceAndDestroyedAtAnyMoment)
{
  const Volume v = test::rockVolume(32);
  std::size_t before = 0;
  for (int round = 0; round < 4; ++round)
  {
    {
      Session a({ v }, quick(100000), {}), b({ v }, quick(100000), this->Driving);
      a.start();
      b.start();
      EXPECT_TRUE(a.busy() && b.busy());
      std::this_thread::sleep_for(std::chrono::milliseconds(40 * round));
      a.stop();
      a.start();      // anew
      if (round == 0) // the others end wherever they are
      {
        ASSERT_TRUE(waitFor([&] { return a.status().step.step > 0 && b.status().step.step > 0; }));
      }
      for (Session* s : { &a, &b })
      {
        EXPECT_TRUE(s->busy()) << name(s->status().state);
        EXPECT_EQ(s->takeError(), "");
      }
    }
    // What the second one had learned is in the file, and whole.
    if (fs::exists(this->Driving.modelFile))
    {
      EXPECT_EQ(backend().load(this->Driving.modelFile)->info().ending, Ending::Stopped);
      fs::remove(this->Driving.modelFile);
    }
    else
    {
      EXPECT_NE(round, 0);
    }
    before = round == 0 ? threadsOfThisProcess() : before; // LibTorch has its own now
    EXPECT_EQ(threadsOfThisProcess(), before);
  }
}

TEST_F(SessionTest, CallsMayComeFromAnyThread)
{
  const Volume v = test::rockVolume(32);
  Session s({ v }, quick(100000), {});
  std::atomic<int> looks = 0;
  {
    std::vector<std::jthread> callers;
    for (unsigned c = 0; c < 4; ++c)
    {
      callers.emplace_back([&, c]
      {
        std::mt19937 random(c);
        for (int i = 0; i < 60; ++i)
        {
          switch (random() % 6)
          {
            case 0:
              s.start();
              break;
            case 1:
              s.resume();
              break;
            case 2:
              s.stop();
              s.wait();
              break;
            case 3:
              s.stop();
              break;
            default:
              looks += !s.status().message.empty() + !s.losses().empty() + s.hasNews();
              s.model();
              std::this_thread::sleep_for(std::chrono::milliseconds(random() % 5));
          }
          EXPECT_NE(s.status().state, State::Failed) << s.status().message;
        }
        s.stop(); // or another caller's wait has no end
      });
    }
  }
  s.stop();
  s.wait();
  EXPECT_FALSE(s.busy()) << name(s.status().state);
  EXPECT_EQ(s.takeError(), "");
  EXPECT_GT(looks, 0);
  // It is as good as new.
  s.start();
  ASSERT_TRUE(waitFor([&] { return s.status().step.step > 5; }));
  EXPECT_EQ(s.status().state, State::Training);
}

// Run by the test below in a process of its own: saves after every epoch, until it is killed.
TEST(KillChild, DISABLED_TrainsAndSaves)
{
  SessionOptions driving;
  driving.modelFile = std::getenv("VAE_KILL_FILE");
  driving.checkpointInterval = 1e-6;
  Session s({ test::rockVolume(32) }, quick(1000000), driving);
  s.run({});
}

TEST_F(Kill, TwentyTimesAtRandomMomentsTheFileLoadsAndTheTrainingGoesOn)
{
  std::mt19937 random(::getpid());
  std::int64_t last = 0;
  std::int64_t gained = 0;
  const std::string variable = "VAE_KILL_FILE=" + this->Driving.modelFile;
  std::vector<char*> environment;
  for (char** e = environ; *e; ++e)
  {
    environment.push_back(*e);
  }
  environment.push_back(const_cast<char*>(variable.c_str()));
  environment.push_back(nullptr);
  for (int i = 0; i < 20; ++i)
  {
    const char* arguments[] = { "/proc/self/exe", "--gtest_filter=KillChild.*",
      "--gtest_also_run_disabled_tests", "--gtest_brief=1", nullptr };
    const std::string self = fs::read_symlink("/proc/self/exe");
    const auto before = fs::exists(this->Driving.modelFile)
      ? fs::last_write_time(this->Driving.modelFile)
      : fs::file_time_type::min();
    pid_t child = 0;
    ASSERT_EQ(::posix_spawn(&child, self.c_str(), nullptr, nullptr, const_cast<char**>(arguments),
                environment.data()),
      0);
    // It saves all the time from its first file on.
    ASSERT_TRUE(waitFor([&]
    {
      return fs::exists(this->Driving.modelFile) &&
        fs::last_write_time(this->Driving.modelFile) > before;
    }));
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 150000));
    ASSERT_EQ(::kill(child, SIGKILL), 0);
    ::waitpid(child, nullptr, 0);
    std::shared_ptr<const Model> model;
    ASSERT_NO_THROW(model = backend().load(this->Driving.modelFile)) << "kill " << i;
    const std::int64_t step = model->info().history.back().step;
    EXPECT_GT(step, last) << "it did not go on from the file";
    gained += step - last;
    last = step;
  }
  EXPECT_GE(gained, 20 * 5);
}
