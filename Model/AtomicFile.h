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
/// and takes its place in one step. Whatever ends the program on the way, the old file or the new
/// one is there, and so it is with several writers of one file (threads, processes, hosts), the
/// last of whom wins. The new file has the mode and the owner of the old one, and a symbolic link
/// stays one.
class AtomicFile
{
public:
  /// Also removes what writers of the same file have left that ended on the way.
  /// \throws std::runtime_error naming the file and the system's reason, like the calls below
  explicit AtomicFile(const std::string& path);
  /// Without commit() nothing is left.
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  void operator=(const AtomicFile&) = delete;

  void write(const void* data, std::size_t size);

  /// \param mayReplace looks at what is there now and throws where that must stay; no other
  ///        AtomicFile can come between its look and the replacement
  /// \param patience for another writer that is just doing the same
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
