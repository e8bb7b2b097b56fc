// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <string>

namespace vae
{

/// A file that replaces another, whole or not at all: it is written under another name beside it
/// and renamed in one step. Whatever ends the program, either the old file or the new one exists.
/// The same holds for several writers of one file (threads, processes, hosts); the last one wins.
/// The new file has the mode and the owner of the old one, and a symbolic link stays one.
class AtomicFile
{
public:
  /// Also removes temporary files of writers of the same file that were killed.
  /// \throws std::runtime_error naming the file and the system's reason, like the calls below
  explicit AtomicFile(const std::string& path);
  /// Without commit() nothing is left.
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  void operator=(const AtomicFile&) = delete;

  void write(const void* data, std::size_t size);

  /// \param mayReplace checks the present file and throws if it must be kept; no other AtomicFile
  ///        can write between the check and the replacement
  /// \param patience how long to wait for another writer of the same file
  void commit(const std::function<void()>& mayReplace = {},
    std::chrono::milliseconds patience = std::chrono::seconds(10));

private:
  bool replace(const std::function<void()>& mayReplace);

  std::string Path;             ///< as asked for
  std::filesystem::path Target; ///< behind symbolic links
  std::string Part;             ///< what is written meanwhile
  int File = -1;
};

} // namespace vae
