// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "ModelFile.h"

#include "AtomicFile.h"
#include "JsonText.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <stdexcept>

static_assert(std::endian::native == std::endian::little, "tensors are stored little endian");

namespace vae
{
namespace
{

constexpr std::uint64_t MaximumHeader = 16'000'000;

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
  Json header = Json::object();
  header["__metadata__"] = file.metadata;
  std::uint64_t offset = 0;
  const auto add =
    [&](const std::string& name, const char* type, const Json& shape, std::uint64_t size)
  {
    header[name] = { { "dtype", type }, { "shape", shape },
      { "data_offsets", { offset, offset + size } } };
    offset += size;
  };
  for (const auto& [name, tensor] : file.tensors)
  {
    add(name, "F32", tensor.shape, tensor.values.size() * sizeof(float));
  }
  for (const auto& [name, tensor] : file.halves)
  {
    add(name, "F16", tensor.shape, tensor.values.size() * sizeof(std::uint16_t));
  }
  for (const auto& [name, content] : file.bytes)
  {
    add(name, "U8", Json::array({ content.size() }), content.size());
  }
  std::string text = dumpJson(header);
  text.append((8 - text.size() % 8) % 8, ' '); // tensors start aligned
  if (text.size() > MaximumHeader)
  {
    fail(path,
      "cannot be written: its header has " + std::to_string(text.size()) + " bytes, more than " +
        std::to_string(MaximumHeader));
  }

  AtomicFile out(path);
  const std::uint64_t length = text.size();
  out.write(&length, sizeof length);
  out.write(text.data(), text.size());
  for (const auto& [name, tensor] : file.tensors)
  {
    out.write(tensor.values.data(), tensor.values.size() * sizeof(float));
  }
  for (const auto& [name, tensor] : file.halves)
  {
    out.write(tensor.values.data(), tensor.values.size() * sizeof(std::uint16_t));
  }
  for (const auto& [name, content] : file.bytes)
  {
    out.write(content.data(), content.size());
  }
  out.commit(mayReplace);
}

namespace
{

TensorEntry entryOf(const Json& json, std::uint64_t body)
{
  TensorEntry entry;
  const std::string& type = stringOf(memberOf(json, "dtype"), "dtype");
  if (type != "F32" && type != "F16" && type != "U8")
  {
    throw std::runtime_error("its type is " + inQuotes(type) + ", not F32, F16 or U8");
  }
  entry.isBytes = type == "U8";
  entry.isHalf = type == "F16";
  std::uint64_t count = 1;
  for (const Json& n : arrayOf(memberOf(json, "shape"), "shape"))
  {
    const std::int64_t extent = integerOf(n, "shape");
    // Bounded at each factor, so that the product cannot wrap.
    if (extent < 0 || (extent > 0 && count > body / static_cast<std::uint64_t>(extent)))
    {
      throw std::runtime_error("its shape is impossible");
    }
    count *= static_cast<std::uint64_t>(extent);
    entry.shape.push_back(extent);
  }
  const Json::array_t& offsets = arrayOf(memberOf(json, "data_offsets"), "data_offsets");
  if (offsets.size() != 2)
  {
    throw std::runtime_error("it has no pair of offsets");
  }
  const std::int64_t begin = integerOf(offsets[0], "data_offsets"),
                     end = integerOf(offsets[1], "data_offsets");
  entry.begin = static_cast<std::uint64_t>(begin);
  entry.size = count * (entry.isBytes ? 1 : entry.isHalf ? sizeof(std::uint16_t) : sizeof(float));
  if (begin < 0 || end < begin || static_cast<std::uint64_t>(end) > body ||
    static_cast<std::uint64_t>(end - begin) != entry.size)
  {
    throw std::runtime_error("its offsets do not fit");
  }
  return entry;
}

} // namespace

ModelFileReader::ModelFileReader(const std::string& path) : Path(path)
{
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) // of a pipe the opening would wait
  {
    fail(path, "cannot be read: " + (error ? error.message() : "it is not a regular file"));
  }
  this->In.open(path, std::ios::binary | std::ios::ate);
  // Of the file that was opened: another may have its name by now.
  const std::streamoff last = this->In ? std::streamoff(this->In.tellg()) : -1;
  if (last < 0 || !this->In.seekg(0))
  {
    failSystem(path, "reading");
  }
  const auto size = static_cast<std::uint64_t>(last);
  std::uint64_t length = 0;
  if (size < sizeof length || !this->In.read(reinterpret_cast<char*>(&length), sizeof length))
  {
    fail(path, "is not a safetensors file: it has " + std::to_string(size) + " bytes");
  }
  if (length > MaximumHeader || length > size - sizeof length)
  {
    fail(path, "is not a safetensors file, or was cut short");
  }
  std::string text(length, '\0');
  if (!this->In.read(text.data(), static_cast<std::streamsize>(length)))
  {
    failSystem(path, "reading");
  }
  this->Body = sizeof length + length;
  try
  {
    this->readHeader(text, size - this->Body);
  }
  catch (const std::runtime_error& e)
  {
    fail(path, std::string("is not a safetensors file: ") + e.what());
  }
}

void ModelFileReader::readHeader(const std::string& text, std::uint64_t body)
{
  const Json header = parseJson(text);
  std::vector<const TensorEntry*> all;
  for (const auto& [name, json] : objectOf(header, "the header"))
  {
    if (name == "__metadata__")
    {
      for (const auto& [key, value] : objectOf(json, name))
      {
        this->Metadata[key] = stringOf(value, inQuotes(key));
      }
      continue;
    }
    try
    {
      all.push_back(&(this->Tensors[name] = entryOf(json, body)));
    }
    catch (const std::runtime_error& e)
    {
      throw std::runtime_error("tensor " + inQuotes(name) + ": " + e.what());
    }
  }
  std::sort(all.begin(), all.end(), [](const TensorEntry* a, const TensorEntry* b)
  { return a->begin != b->begin ? a->begin < b->begin : a->size < b->size; });
  std::uint64_t at = 0;
  for (const TensorEntry* entry : all)
  {
    if (entry->begin != at)
    {
      throw std::runtime_error("its tensors leave a gap or overlap");
    }
    at += entry->size;
  }
  if (at != body)
  {
    throw std::runtime_error("the header promises " + std::to_string(at) +
      " bytes of tensors, the file holds " + std::to_string(body) + "; was it cut short?");
  }
}

void ModelFileReader::read(const TensorEntry& tensor, void* to)
{
  this->In.clear();
  this->In.seekg(static_cast<std::streamoff>(this->Body + tensor.begin));
  if (!this->In.read(static_cast<char*>(to), static_cast<std::streamsize>(tensor.size)))
  {
    failSystem(this->Path, "reading");
  }
}

} // namespace vae
