// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
//
// What reading a model file opens, and how much memory it takes to refuse one.
#include "HostileModels.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdarg>
#include <cstring>

#include <dlfcn.h>
#include <fcntl.h>

using namespace vae;
using test::HostileFile;
using test::HostileModels;

namespace
{

/// Files that are opened meanwhile, by whatever this process does.
std::vector<std::string>* opened = nullptr;

void tell(const char* path)
{
  if (opened && path)
  {
    opened->push_back(path);
  }
}

template <typename F>
F* original(const char* name)
{
  return reinterpret_cast<F*>(dlsym(RTLD_NEXT, name));
}

mode_t modeOf(int flags, va_list more)
{
  return flags & (O_CREAT | O_TMPFILE) ? static_cast<mode_t>(va_arg(more, int)) : 0;
}

} // namespace

// These stand before the C library's for the C++ library and LibTorch too.
extern "C"
{
  FILE* fopen(const char* path, const char* mode)
  {
    tell(path);
    return original<FILE*(const char*, const char*)>("fopen")(path, mode);
  }
  FILE* fopen64(const char* path, const char* mode)
  {
    tell(path);
    return original<FILE*(const char*, const char*)>("fopen64")(path, mode);
  }
  int open(const char* path, int flags, ...)
  {
    va_list more;
    va_start(more, flags);
    const mode_t mode = modeOf(flags, more);
    va_end(more);
    tell(path);
    return original<int(const char*, int, ...)>("open")(path, flags, mode);
  }
  int open64(const char* path, int flags, ...)
  {
    va_list more;
    va_start(more, flags);
    const mode_t mode = modeOf(flags, more);
    va_end(more);
    tell(path);
    return original<int(const char*, int, ...)>("open64")(path, flags, mode);
  }
  int openat(int folder, const char* path, int flags, ...)
  {
    va_list more;
    va_start(more, flags);
    const mode_t mode = modeOf(flags, more);
    va_end(more);
    tell(path);
    return original<int(int, const char*, int, ...)>("openat")(folder, path, flags, mode);
  }
}

namespace
{

/// A line of /proc/self/status, bytes.
double memory(const std::string& name)
{
  std::ifstream in("/proc/self/status");
  for (std::string line; std::getline(in, line);)
  {
    if (line.starts_with(name))
    {
      return 1024 * std::stod(line.substr(name.size() + 1));
    }
  }
  return 0;
}

} // namespace

TEST_F(HostileModels, NameNoFileThatIsOpened)
{
  const Good good =
    this->train("dense", Architecture::Dense, pattern<std::int16_t>({ 16, 16, 1 }, 101), 0);
  const std::string decoy = (this->Folder / "decoy.pt").string();
  for (const bool allowed : { false, true })
  {
    for (const std::string& path : { decoy, std::string("relative.pt") })
    {
      HostileFile file(good.path);
      for (const char* network : { "/network/", "/options/network/" })
      {
        file.set(std::string(network) + "architecture", "\"torchscript\"");
        file.set(std::string(network) + "encoder_file", '"' + path + '"');
        file.set(std::string(network) + "decoder_file", '"' + path + '"');
      }
      this->write(file.bytes());
      std::ofstream(decoy) << "not even a script";
      std::vector<std::string> paths;
      opened = &paths;
      const std::string why = this->refusal({ .allowTorchScript = allowed });
      opened = nullptr;
      EXPECT_EQ(paths, std::vector<std::string>{ this->Path });
      EXPECT_NE(
        why.find(allowed ? "\"torchscript.encoder\" is missing" : "Allow TorchScript is off"),
        std::string::npos)
        << why;
    }
  }
  std::vector<std::string> paths; // nor has a good one to
  opened = &paths;
  TorchModel::load(good.path);
  opened = nullptr;
  EXPECT_EQ(paths, std::vector<std::string>{ good.path });
}

/// Headers that once did harm, or might; of each the tensors are as many bytes 0 as it says.
TEST_F(HostileModels, OfTheCorpusAreRefused)
{
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(VAE_CORPUS))
  {
    std::ifstream in(entry.path(), std::ios::binary);
    std::string header{ std::istreambuf_iterator<char>(in), {} };
    header.erase(header.find_last_not_of('\n') + 1);
    const std::uint64_t length = header.size();
    std::size_t body = 0;
    if (const auto json = nlohmann::json::parse(header, nullptr, false); json.is_object())
    {
      for (const auto& [name, tensor] : json.items())
      {
        if (name != "__metadata__" && tensor.is_object() && tensor.contains("data_offsets"))
        {
          body = std::max(body, tensor["data_offsets"].back().get<std::size_t>());
        }
      }
    }
    this->write(std::string(reinterpret_cast<const char*>(&length), sizeof length) + header +
      std::string(std::min<std::size_t>(body, 4096), '\0'));
    const std::string why = this->refusal();
    EXPECT_EQ(why.find(this->Path + ": is "), 0u) << entry.path() << ": " << why;
    EXPECT_EQ(why.find('\n'), std::string::npos) << entry.path() << ": " << why;
    ++count;
  }
  EXPECT_GE(count, 40);
}

TEST_F(HostileModels, TakeLittleMemoryToRefuse)
{
  const Good good =
    this->train("field", Architecture::Field, pattern<std::uint8_t>({ 16, 16, 16 }, 2), 3);
  TorchModel::load(good.path);
  std::vector<std::string> files;
  { // a network of 34 GB
    HostileFile file(good.path);
    for (const char* network : { "/network/", "/options/network/" })
    {
      file.set(std::string(network) + "width", "512");
      file.set(std::string(network) + "blocks", "8");
      file.set(std::string(network) + "latent_stride", "32");
    }
    files.push_back(file.bytes());
  }
  { // a prior of 130 GB
    HostileFile file(good.path);
    file.remove("prior.learned.");
    file.add("prior.learned.network.in.bias", { 4096 });
    files.push_back(file.bytes());
  }
  const auto withHeader = [&](const std::string& header)
  {
    const std::uint64_t length = header.size();
    files.push_back(std::string(reinterpret_cast<const char*>(&length), sizeof length) + header);
  };
  const auto filled = [](std::string header, const auto& more)
  {
    for (int i = 0; header.size() < 15'900'000; ++i)
    {
      header += more(i);
    }
    return header;
  };
  const auto metadata = [](const std::string& model)
  {
    return nlohmann::json{
      { "__metadata__", { { "format", "vae-paraview-5" }, { "model", model } } }
    }.dump();
  };
  const auto numbers = [&] { return filled("[0", [](int) { return ",0"; }) + "]"; };
  const auto keys = [&]
  { return filled("{\"a\":0", [](int i) { return ",\"" + std::to_string(i) + "\":0"; }) + "}"; };
  withHeader(numbers());
  withHeader(keys());
  withHeader(filled("{\"a\":[0", [](int) { return ",[[]]"; }) + "]}");
  withHeader(metadata(numbers()));
  withHeader(filled("{\"a\":\"", [](int) { return "\\u0000"; }) + "\"}");
  withHeader(filled("{\"a\":{\"dtype\":\"F32\",\"shape\":[0", [](int) { return ",0"; })
               .substr(0, 1'900'000) +
    "],\"data_offsets\":[0,0]}}");
  withHeader(std::string(20'000'000, ' '));
  for (std::size_t i = 0; i < files.size(); ++i)
  {
    this->write(files[i]);
    std::ofstream("/proc/self/clear_refs") << 5; // the peak is now
    const double before = memory("VmRSS");
    EXPECT_NE(this->refusal(), "") << i;
    const double taken = memory("VmHWM") - before;
    EXPECT_GE(taken, 0);
#ifndef __SANITIZE_ADDRESS__ // which keeps what was freed
    EXPECT_LT(taken, 2. * static_cast<double>(files[i].size()) + 256e6) << i;
#endif
  }
}
