// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "ModelFile.h"

#include "Json.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include <fcntl.h>
#include <unistd.h>

static_assert(std::endian::native == std::endian::little, "tensors are stored little endian");

namespace vae
{
namespace
{

constexpr std::uint64_t MaximumHeader = 100'000'000; // the format's own limit

[[noreturn]] void fail(const std::string& path, const std::string& what)
{
  throw std::runtime_error(path + ": " + what);
}

[[noreturn]] void failSystem(const std::string& path, const char* doing)
{
  fail(path, std::string(doing) + " failed: " + std::strerror(errno));
}

/// A POSIX file that closes itself and is removed unless it was kept.
class TemporaryFile
{
public:
  explicit TemporaryFile(const std::string& target)
    : Target(target)
    , Path(target + ".part-" + std::to_string(::getpid()))
    , Descriptor(::open(this->Path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666))
  {
    if (this->Descriptor < 0)
    {
      failSystem(target, "writing");
    }
  }
  ~TemporaryFile()
  {
    if (this->Descriptor >= 0)
    {
      ::close(this->Descriptor);
      ::unlink(this->Path.c_str());
    }
  }
  TemporaryFile(const TemporaryFile&) = delete;
  void operator=(const TemporaryFile&) = delete;

  void write(const void* data, std::size_t size)
  {
    const char* p = static_cast<const char*>(data);
    while (size > 0)
    {
      const ssize_t n = ::write(this->Descriptor, p, size);
      if (n < 0)
      {
        if (errno == EINTR)
        {
          continue;
        }
        failSystem(this->Target, "writing");
      }
      p += n;
      size -= static_cast<std::size_t>(n);
    }
  }
  void keep()
  {
    if (::fsync(this->Descriptor) != 0 || ::rename(this->Path.c_str(), this->Target.c_str()) != 0)
    {
      failSystem(this->Target, "writing");
    }
    ::close(this->Descriptor);
    this->Descriptor = -1;
    // The rename itself reaches the disk with its folder.
    std::string folder = std::filesystem::path(this->Target).parent_path().string();
    const int d = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (d >= 0)
    {
      ::fsync(d);
      ::close(d);
    }
  }

private:
  std::string Target, Path;
  int Descriptor;
};

} // namespace

void writeModelFile(const std::string& path, const ModelFile& file)
{
  Json::Object header, metadata;
  for (const auto& [key, value] : file.metadata)
  {
    metadata.emplace(key, value);
  }
  header.emplace("__metadata__", std::move(metadata));
  std::uint64_t offset = 0;
  for (const auto& [name, tensor] : file.tensors)
  {
    Json::Array shape(tensor.shape.begin(), tensor.shape.end());
    const std::uint64_t size = tensor.values.size() * sizeof(float);
    header.emplace(name,
      Json::Object{ { "dtype", "F32" }, { "shape", std::move(shape) },
        { "data_offsets",
          Json::Array{ static_cast<long long>(offset), static_cast<long long>(offset + size) } } });
    offset += size;
  }
  std::string text = Json(std::move(header)).dump();
  text.append((8 - text.size() % 8) % 8, ' '); // tensors start aligned

  TemporaryFile out(path);
  const std::uint64_t length = text.size();
  out.write(&length, sizeof length);
  out.write(text.data(), text.size());
  for (const auto& [name, tensor] : file.tensors)
  {
    out.write(tensor.values.data(), tensor.values.size() * sizeof(float));
  }
  out.keep();
}

ModelFile readModelFile(const std::string& path)
{
  std::error_code error;
  const std::uint64_t size = std::filesystem::file_size(path, error);
  if (error)
  {
    fail(path, "cannot be read: " + error.message());
  }
  std::ifstream in(path, std::ios::binary);
  if (!in)
  {
    failSystem(path, "reading");
  }
  std::uint64_t length = 0;
  if (size < sizeof length || !in.read(reinterpret_cast<char*>(&length), sizeof length))
  {
    fail(path, "is not a safetensors file: it has " + std::to_string(size) + " bytes");
  }
  if (length > MaximumHeader || length > size - sizeof length)
  {
    fail(path, "is not a safetensors file, or was cut short");
  }
  std::string text(length, '\0');
  if (!in.read(text.data(), static_cast<std::streamsize>(length)))
  {
    failSystem(path, "reading");
  }

  ModelFile file;
  struct Extent
  {
    std::uint64_t Begin, End;
    NamedTensor* Tensor;
  };
  std::vector<Extent> extents;
  const std::uint64_t body = size - sizeof length - length;
  try
  {
    const Json header = Json::parse(text);
    for (const auto& [name, entry] : header.object())
    {
      if (name == "__metadata__")
      {
        for (const auto& [key, value] : entry.object())
        {
          file.metadata[key] = value.string();
        }
        continue;
      }
      if (entry.at("dtype").string() != "F32")
      {
        throw std::runtime_error(
          "tensor \"" + name + "\" has type " + entry.at("dtype").string() + ", not F32");
      }
      NamedTensor& tensor = file.tensors[name];
      std::uint64_t count = 1;
      for (const Json& n : entry.at("shape").array())
      {
        const long long extent = n.integer();
        // Bounded at each factor, so that the product cannot wrap.
        if (extent < 0 || (extent > 0 && count > body / static_cast<std::uint64_t>(extent)))
        {
          throw std::runtime_error("tensor \"" + name + "\" has an impossible shape");
        }
        count *= static_cast<std::uint64_t>(extent);
        tensor.shape.push_back(extent);
      }
      const Json::Array& offsets = entry.at("data_offsets").array();
      if (offsets.size() != 2)
      {
        throw std::runtime_error("tensor \"" + name + "\" has no pair of offsets");
      }
      const long long begin = offsets[0].integer(), end = offsets[1].integer();
      if (begin < 0 || end < begin || static_cast<std::uint64_t>(end) > body ||
        static_cast<std::uint64_t>(end - begin) != count * sizeof(float))
      {
        throw std::runtime_error("tensor \"" + name + "\" has offsets that do not fit");
      }
      extents.push_back(
        { static_cast<std::uint64_t>(begin), static_cast<std::uint64_t>(end), &tensor });
    }
  }
  catch (const std::exception& e)
  {
    fail(path, std::string("is not a safetensors file: ") + e.what());
  }

  std::sort(extents.begin(), extents.end(), [](const Extent& a, const Extent& b)
  { return a.Begin != b.Begin ? a.Begin < b.Begin : a.End < b.End; });
  std::uint64_t at = 0;
  for (const Extent& e : extents)
  {
    if (e.Begin != at)
    {
      fail(path, "is not a safetensors file: its tensors leave a gap or overlap");
    }
    at = e.End;
  }
  if (at != body)
  {
    fail(path,
      "is not a safetensors file, or was cut short: the header promises " + std::to_string(at) +
        " bytes of tensors, the file holds " + std::to_string(body));
  }
  for (const Extent& e : extents)
  {
    e.Tensor->values.resize((e.End - e.Begin) / sizeof(float));
    if (!in.read(reinterpret_cast<char*>(e.Tensor->values.data()),
          static_cast<std::streamsize>(e.End - e.Begin)))
    {
      failSystem(path, "reading");
    }
  }
  return file;
}

} // namespace vae
