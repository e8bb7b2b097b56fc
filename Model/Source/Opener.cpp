// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Backend.h"
#include "Background.h"
#include "Interface.h"
#include "Memory.h"
#include "OwnFolder.h"

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <thread>

#include <dlfcn.h>
#include <unistd.h>

namespace vae
{
namespace
{

constexpr const char* LibraryName = "libvae_torch.so";

/// The LibTorch that pip brings holds a BLAS of its own, MKL, and calls it by names that the host's
/// BLAS has too: it would call that, whose batched product, say, takes other arguments, and crash.
/// (Sanitizers do not run with it.)
#if defined(RTLD_DEEPBIND) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
constexpr int OwnSymbolsFirst = RTLD_DEEPBIND;
#else
constexpr int OwnSymbolsFirst = 0;
#endif

/// What is opened maps libraries and, for each thread of OpenBLAS, a buffer and a stack; where that
/// fails, OpenBLAS tries without end or ends the process, and others crash.
void checkRoom()
{
  constexpr double mebibyte = 1048576, libraries = 600 * mebibyte, thread = 137 * mebibyte;
  double threads = std::max(1U, std::thread::hardware_concurrency());
  for (const char* name : { "OMP_NUM_THREADS", "GOTO_NUM_THREADS", "OPENBLAS_NUM_THREADS" })
  {
    const char* value = std::getenv(name);
    if (const int number = value ? std::atoi(value) : 0; number > 0)
    {
      threads = number;
    }
  }
  const double all = libraries + threads * thread, left = freeAddressSpace();
  if (left < all)
  {
    throw OutOfMemory("There is not enough memory to open LibTorch: it takes about " +
      mebibytes(all) + " of address space and " + mebibytes(left) +
      " are left; raise the limit (ulimit -v)" +
      (threads > 1 ? " or set OPENBLAS_NUM_THREADS to 1" : ""));
  }
}

std::string pathOfBackend()
{
  if (const char* named = std::getenv("VAE_TORCH_LIBRARY"))
  {
    return named;
  }
  const std::string below = folderOfThisLibrary() + "/torch/" + LibraryName;
  return access(below.c_str(), F_OK) == 0 ? below
                                          : LibraryName; // by this library's or program's run path
}

/// Objects of another build have other layouts, and whoever calls them crashes.
void checkSameBuild(void* library, const std::string& path)
{
  using Interface = const char* (*)();
  const auto interface = reinterpret_cast<Interface>(dlsym(library, "vae_torch_interface"));
  const std::string found = interface ? interface() : "none";
  if (found != VAE_INTERFACE)
  {
    throw std::runtime_error(path + " is of another build than the VAE plugin (its interface is " +
      found + ", the plugin's " + VAE_INTERFACE +
      "); install both from the same build, and unset VAE_TORCH_LIBRARY if it is set");
  }
}

Backend& open()
{
  checkRoom();
  const std::string path = pathOfBackend();
  // Local, or LibTorch's symbols would shadow those of the host; never closed.
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | OwnSymbolsFirst);
  if (!library)
  {
    const char* reason = dlerror();
    throw std::runtime_error(std::string("LibTorch could not be opened (") +
      (reason ? reason : "unknown reason") +
      "); install LibTorch (Debian and Ubuntu: libtorch-dev) or set VAE_TORCH_LIBRARY to the "
      "path of libvae_torch.so");
  }
  using Entry = Backend* (*)();
  const auto entry = reinterpret_cast<Entry>(dlsym(library, "vae_torch_backend"));
  if (!entry)
  {
    throw std::runtime_error(path + " is not the VAE plugin's LibTorch library");
  }
  checkSameBuild(library, path);
  // Whatever works inside LibTorch ends before LibTorch does.
  Background::stopAllAtExit();
  return *entry();
}

} // namespace

Backend& backend()
{
  // A failure is tried again at the next call: the user may have installed what was missing.
  static std::mutex mutex;
  static Backend* opened = nullptr;
  const std::lock_guard lock(mutex);
  if (!opened)
  {
    opened = &open();
  }
  return *opened;
}

} // namespace vae
