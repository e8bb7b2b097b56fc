// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Background.h"

#include <gtest/gtest.h>

#include <atomic>
#include <barrier>
#include <chrono>
#include <condition_variable>
#include <random>
#include <stdexcept>
#include <thread>
#include <vector>

#include <unistd.h>

using namespace vae;

namespace
{

void untilStopped(const std::stop_token& stop)
{
  std::mutex mutex;
  std::condition_variable_any asked;
  std::unique_lock lock(mutex);
  asked.wait(lock, stop, [] { return false; });
}

const Background::Failure unexpected = [](const std::string& reason) { ADD_FAILURE() << reason; };

/// A death test whose child hangs is a failure, not a test without end.
void limitTime() { ::alarm(30); }

} // namespace

TEST(Background, WhateverTheWorkThrowsIsToldInOneSentence)
{
  Background b;
  std::string told;
  const auto failing = [&](const Background::Work& work)
  {
    told.clear();
    b.start(work, [&](const std::string& reason) { told = reason; });
    b.wait();
    return told;
  };
  EXPECT_EQ(failing([](const std::stop_token&)
  { throw std::runtime_error("The first line.\nframe #0: somewhere"); }),
    "The first line.");
  EXPECT_EQ(
    failing([](const std::stop_token&) { throw 42; }), "An error without a message occurred.");
  EXPECT_EQ(
    failing([](const std::stop_token&) { throw std::bad_alloc(); }), "There is not enough memory.");
  EXPECT_EQ(failing([](const std::stop_token&) {}), "");
}

TEST(Background, StartStopsWhatWasThereAndStopMeansTheNewest)
{
  Background b;
  std::atomic<int> ended = 0;
  const auto work = [&](const std::stop_token& stop)
  {
    untilStopped(stop);
    ++ended;
  };
  for (int i = 0; i < 20; ++i)
  {
    b.start(work, unexpected);
    EXPECT_EQ(ended, i); // the one before has ended, this one has not
  }
  b.stop();
  b.wait();
  EXPECT_EQ(ended, 20);
  b.wait(); // nothing more to do
}

TEST(Background, ManyThreadsStartStopAndWaitAtOnce)
{
  constexpr int callers = 6, rounds = 200;
  std::atomic<int> running = 0, begun = 0;
  {
    Background b;
    std::barrier together(callers);
    std::vector<std::jthread> all;
    for (int c = 0; c < callers; ++c)
    {
      all.emplace_back([&, c]
      {
        std::mt19937 random(static_cast<unsigned>(c));
        together.arrive_and_wait();
        for (int i = 0; i < rounds; ++i)
        {
          switch (random() % 3)
          {
            case 0:
              b.start([&](const std::stop_token& stop)
              {
                EXPECT_EQ(++running, 1); // never two at once
                ++begun;
                untilStopped(stop);
                --running;
              }, unexpected);
              break;
            case 1:
              b.stop();
              break;
            default:
              b.stop();
              b.wait();
          }
        }
        b.stop(); // or a wait of another caller would have no end
      });
    }
  }
  EXPECT_EQ(running, 0);
  EXPECT_GT(begun, 0);
}

TEST(BackgroundDeathTest, ExitInTheWorkEndsTheProcess)
{
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto child = []
  {
    limitTime();
    Background other, b;
    other.start(untilStopped, unexpected);
    b.start([](const std::stop_token&) { std::exit(3); }, unexpected);
    b.wait();
  };
  EXPECT_EXIT(child(), testing::ExitedWithCode(3), "");
}

TEST(BackgroundDeathTest, ExitInTheWorkOfAnOwnerThatItDestroys)
{
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto child = []
  {
    limitTime();
    static Background b;
    b.start([](const std::stop_token&) { std::exit(3); }, unexpected);
    ::pause();
  };
  EXPECT_EXIT(child(), testing::ExitedWithCode(3), "");
}

TEST(BackgroundDeathTest, ExitStopsWhatIsUnderWayAndWhatStartsThen)
{
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto child = []
  {
    limitTime();
    static Background under, late;
    under.start([](const std::stop_token& stop)
    {
      untilStopped(stop);
      late.start(untilStopped, unexpected);
    }, unexpected);
    std::exit(4);
  };
  EXPECT_EXIT(child(), testing::ExitedWithCode(4), "");
}
