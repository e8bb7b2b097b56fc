// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "ModelFile.h"

#include "AtomicFile.h"
#include "Json.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>

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

} // namespace

void writeModelFile(
  const std::string& path, const ModelFile& file, const std::function<void()>& mayReplace)
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

  AtomicFile out(path);
  const std::uint64_t length = text.size();
  out.write(&length, sizeof length);
  out.write(text.data(), text.size());
  for (const auto& [name, tensor] : file.tensors)
  {
    out.write(tensor.values.data(), tensor.values.size() * sizeof(float));
  }
  out.commit(mayReplace);
}

ModelFile readModelFile(const std::string& path)
{
  std::ifstream in(path, std::ios::binary | std::ios::ate);
  // Of the file that was opened: another may have its name by now.
  const std::streamoff last = in ? std::streamoff(in.tellg()) : -1;
  if (last < 0 || !in.seekg(0))
  {
    failSystem(path, "reading");
  }
  const auto size = static_cast<std::uint64_t>(last);
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
