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

} // namespace

TEST(Opener, OpensLibTorchAtFirstUseOnly)
{
  ASSERT_FALSE(torchIsLoaded()) << "nothing a host loads may depend on LibTorch";

  // What is missing is said in a sentence, and may be put right without a restart.
  setenv("VAE_TORCH_LIBRARY", "/no/such/libvae_torch.so", 1);
  try
  {
    vae::backend();
    FAIL();
  }
  catch (const std::runtime_error& e)
  {
    const std::string what = e.what();
    EXPECT_NE(what.find("/no/such/libvae_torch.so"), std::string::npos) << what;
    EXPECT_NE(what.find("libtorch-dev"), std::string::npos) << what;
  }
  unsetenv("VAE_TORCH_LIBRARY");

  EXPECT_NE(vae::backend().describe().find("LibTorch"), std::string::npos);
  EXPECT_TRUE(torchIsLoaded());
  EXPECT_EQ(&vae::backend(), &vae::backend());
}
