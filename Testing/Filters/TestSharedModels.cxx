// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
//
// Trains what the other tests only use. CTest runs it before them, as a fixture: each of them is a
// process of its own, and would train the same model anew.
#include "FilterTest.h"

using namespace test;

namespace
{

/// Whether the file is there, and younger than the programs that would make it.
bool upToDate(const std::string& file)
{
  std::error_code missing;
  const auto made = std::filesystem::last_write_time(file, missing);
  const char* backend = VAE_TEST_BACKEND;
  return !missing && made > std::filesystem::last_write_time(backend) &&
    made > std::filesystem::last_write_time("/proc/self/exe");
}

void Make(const char* name, vtkImageData* image, int epochs = 3)
{
  const std::string file = Shared(name);
  if (!upToDate(file))
  {
    std::filesystem::remove(file);
  }
  Pipeline p(image, epochs, name);
  p.Train->Update();
  EXPECT_TRUE(std::filesystem::exists(file)) << p.Train->GetStatus();
}

} // namespace

TEST(SharedModels, AreTrained)
{
  Make("rock", Rock());
  Make("labels", Rock(87, 182));
  Make("skew", Skew(Rock()));
  Make("shells", Shells(), 12);
}
