// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "OwnFolder.h"

#include <dlfcn.h>

namespace vae
{

std::string folderOfThisLibrary()
{
  Dl_info info{};
  if (!dladdr(reinterpret_cast<const void*>(&folderOfThisLibrary), &info) || !info.dli_fname)
  {
    return {};
  }
  const std::string path = info.dli_fname;
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash);
}

} // namespace vae
