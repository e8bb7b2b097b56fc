// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Backend.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <string>

namespace
{

bool torchIsLoaded()
{
  std::ifstream maps("/proc/self/maps");
  const std::string text{ std::istreambuf_iterator<char>(maps), {} };
  return text.find("libtorch") != std::string::npos;
}

/// What opening this library ends with.
std::string refusalOf(const std::string& path)
{
  setenv("VAE_TORCH_LIBRARY", path.c_str(), 1);
  std::string what;
  try
  {
    vae::backend();
  }
  catch (const std::runtime_error& e)
  {
    what = e.what();
  }
  unsetenv("VAE_TORCH_LIBRARY");
  return what;
}

} // namespace

// Before the next one: once a backend is open no other one is looked at.
TEST(Opener, RefusesTheBackendOfAnotherBuild)
{
  const std::pair<const char*, const char*> libraries[] = { { VAE_FOREIGN_OLDER, "none" },
    { VAE_FOREIGN_OTHER, "0123456789abcdef" } };
  for (const auto& [path, interface] : libraries)
  {
    const std::string what = refusalOf(path);
    EXPECT_EQ(what.find(std::string(path) + " is of another build than the VAE plugin"), 0u)
      << what;
    EXPECT_NE(what.find(std::string("its interface is ") + interface + ", "), std::string::npos)
      << what;
    EXPECT_EQ(what.find('\n'), std::string::npos);
  }
  // Of something else altogether.
  EXPECT_NE(
    refusalOf("libm.so.6").find("is not the VAE plugin's LibTorch library"), std::string::npos);
}

TEST(Opener, OpensLibTorchAtFirstUseOnly)
{
  ASSERT_FALSE(torchIsLoaded()) << "nothing a host loads may depend on LibTorch";

  // What is missing is said in a sentence, and may be put right without a restart.
  const std::string what = refusalOf("/no/such/libvae_torch.so");
  EXPECT_NE(what.find("/no/such/libvae_torch.so"), std::string::npos) << what;
  EXPECT_NE(what.find("libtorch-dev"), std::string::npos) << what;

  EXPECT_NE(vae::backend().describe().find("LibTorch"), std::string::npos);
  EXPECT_TRUE(torchIsLoaded());
  EXPECT_EQ(&vae::backend(), &vae::backend());
}
