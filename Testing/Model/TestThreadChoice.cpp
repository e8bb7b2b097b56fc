// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
//
// Machines that are imitated: what a step takes with so many threads, and how many cores are free.
#include "Torch/Runtime/ThreadChoice.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <set>

using namespace vae;

namespace
{

/// A step is 0.2 s of work for one thread, of which a tenth cannot be shared. Threads that find no
/// free core of their own hold up all the others.
struct Machine
{
  int cores = 2;
  int busy = 0;         ///< cores that others use
  double held = 12;     ///< times as long, where one is held up
  double noise = 0;     ///< standard deviation of a step's logarithm
  double kernels = 0.3; ///< seconds of the first step with a number of threads
  double look = 0.01;   ///< seconds that it takes to look at the cores
  bool blind = false;   ///< looking tells nothing
  double seconds = 0;   ///< so far
  int steps = 0;
  std::set<int> made;
  std::mt19937 random{ 1 };

  double stepWith(int threads) const
  {
    const double alone = 0.2 * (0.1 + 0.9 / threads);
    return alone * (threads > this->cores - this->busy ? this->held : 1);
  }
  int free(int threads)
  {
    this->seconds += this->look;
    return this->blind ? threads : std::max(1, std::min(threads, this->cores - this->busy));
  }
  ThreadChoice choice(int most = 0)
  {
    return { most > 0 ? most : this->cores, [this](int threads) { return this->free(threads); } };
  }
  void step(ThreadChoice& choice)
  {
    const int threads = choice.threads();
    ASSERT_GE(threads, 1);
    double time = this->stepWith(threads);
    time *= std::lognormal_distribution<double>(0, this->noise)(this->random);
    time += this->made.insert(threads).second ? this->kernels : 0;
    this->seconds += time;
    ++this->steps;
    choice.took(time);
  }
  /// Steps a second from now on.
  double run(ThreadChoice& choice, double length)
  {
    const double begin = this->seconds;
    const int before = this->steps;
    while (this->seconds < begin + length)
    {
      this->step(choice);
    }
    return (this->steps - before) / (this->seconds - begin);
  }
  double best() const
  {
    const double mean = std::exp(this->noise * this->noise / 2); // of the distribution
    return 1 / (mean * this->stepWith(std::max(1, this->cores - this->busy)));
  }
};

} // namespace

TEST(ThreadChoice, AnIdleMachineLosesNoMoreThanThreeInAHundred)
{
  for (const int cores : { 2, 3, 4, 16, 64 })
  {
    for (const double noise : { 0., 0.1 })
    {
      Machine machine;
      machine.cores = cores;
      machine.noise = noise;
      ThreadChoice choice = machine.choice();
      // Kernels once, which are no matter of a long training.
      machine.run(choice, 30);
      EXPECT_GT(machine.run(choice, 300), 0.97 * machine.best()) << cores << ' ' << noise;
      // Of the many cores a few more or less make no difference.
      EXPECT_GE(choice.chosen(), cores > 4 ? cores / 2 : cores) << cores << ' ' << noise;
    }
  }
}

TEST(ThreadChoice, OneCoreIsLeftToANeighbour)
{
  for (const bool blind : { false, true })
  {
    for (const int cores : { 2, 4, 64 })
    {
      Machine machine;
      machine.cores = cores;
      machine.blind = blind; // its steps tell it then
      machine.busy = 1;
      ThreadChoice choice = machine.choice();
      machine.run(choice, 30);
      EXPECT_GT(machine.run(choice, 60), 0.95 * machine.best()) << cores << ' ' << blind;
      EXPECT_LT(choice.chosen(), cores);
    }
  }
}

TEST(ThreadChoice, ANeighbourThatComesAndGoes)
{
  for (const double noise : { 0., 0.1 })
  {
    Machine machine;
    machine.noise = noise;
    ThreadChoice choice = machine.choice();
    machine.run(choice, 20);
    EXPECT_EQ(choice.chosen(), 2);
    machine.busy = 1;
    // One step that takes twelve times as long, and it is seen.
    const int before = machine.steps;
    while (choice.chosen() == 2)
    {
      machine.step(choice);
      ASSERT_LE(machine.steps - before, 4);
    }
    EXPECT_GT(machine.run(choice, 60), 0.95 * machine.best());
    machine.busy = 0;
    machine.run(choice, 5);
    EXPECT_EQ(choice.chosen(), 2) << "the core is free again";
    EXPECT_GT(machine.run(choice, 60), 0.97 * machine.best());
  }
}

TEST(ThreadChoice, SeveralNeighboursOfManyCores)
{
  Machine machine;
  machine.cores = 64;
  ThreadChoice choice = machine.choice();
  machine.run(choice, 20);
  for (const int busy : { 9, 2, 40 })
  {
    machine.busy = busy;
    machine.run(choice, 10);
    EXPECT_LE(choice.chosen(), 64 - busy);
    EXPECT_GT(machine.run(choice, 60), 0.95 * machine.best()) << busy;
  }
}

TEST(ThreadChoice, WhereLookingTellsNothingStepsDo)
{
  Machine machine; // as a virtual machine whose host has given a core to another one
  machine.blind = true;
  ThreadChoice choice = machine.choice();
  machine.run(choice, 20);
  machine.busy = 1;
  EXPECT_GT(machine.run(choice, 300), 0.9 * machine.best());
  EXPECT_EQ(choice.chosen(), 1);
  machine.busy = 0;
  machine.run(choice, 200);
  EXPECT_EQ(choice.chosen(), 2);
}

TEST(ThreadChoice, AMachineThatIsSlowHoweverManyThreadsIsLeftAlone)
{
  Machine machine;
  ThreadChoice choice = machine.choice();
  machine.run(choice, 20);
  machine.held = 1;
  machine.busy = 2; // both cores: no number of threads helps
  const double all = 2 * machine.stepWith(2);
  double spent = 0;
  int steps = 0;
  for (; spent < 100; ++steps)
  {
    const double time = 2 * machine.stepWith(choice.threads());
    choice.took(time);
    spent += time;
  }
  EXPECT_GT(steps / spent, 0.97 / all);
  EXPECT_EQ(choice.chosen(), 2);
}

TEST(ThreadChoice, FewerAreTakenWhereTheyAreFaster)
{
  Machine machine; // two threads of a core share its units, say
  machine.cores = 16;
  ThreadChoice choice = machine.choice();
  const auto time = [](int threads) { return 1. / std::min(threads, 8) + 0.02 * threads; };
  for (int i = 0; i < 3000; ++i)
  {
    choice.took(time(choice.threads()));
  }
  EXPECT_LT(time(choice.chosen()), 1.1 * time(8));
}

TEST(ThreadChoice, OneCoreHasNoChoice)
{
  ThreadChoice choice(1, [](int) -> int
  {
    ADD_FAILURE() << "there is nothing to look for";
    return 1;
  });
  for (int i = 0; i < 100; ++i)
  {
    EXPECT_EQ(choice.threads(), 1);
    choice.took(i % 10 == 0 ? 5 : 0.1);
  }
}

TEST(ThreadChoice, OtherWorkIsNotComparedWithWhatWas)
{
  Machine machine;
  machine.kernels = 0;
  ThreadChoice choice = machine.choice();
  machine.run(choice, 20);
  choice.workChanged();
  // Ten times as dear: neither is it slow, nor is a number better whose steps were of the old kind.
  for (int i = 0; i < 200; ++i)
  {
    choice.took(10 * machine.stepWith(choice.threads()), 1);
    EXPECT_EQ(choice.chosen(), 2);
  }
  // In steps of several sizes times are those of a unit of work.
  for (int i = 0; i < 200; ++i)
  {
    const double work = 1 + i % 3;
    choice.took(work * machine.stepWith(choice.threads()), work);
    EXPECT_EQ(choice.chosen(), 2);
  }
}
