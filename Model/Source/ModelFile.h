// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <fstream>
#include <functional>
#include <map>
#include <string>
#include <vector>

// The safetensors container: eight bytes of header length (little endian), a JSON header
// {"name": {"dtype", "shape", "data_offsets"}, "__metadata__": {string: string}}, then the
// tensors' bytes without a gap.
namespace vae
{

struct NamedTensor
{
  std::vector<std::int64_t> shape;
  std::vector<float> values;
};

/// Half precision (IEEE 754 binary16), as bits: C++20 has no type for it.
struct HalfTensor
{
  std::vector<std::int64_t> shape;
  std::vector<std::uint16_t> values;
};

struct ModelFile
{
  std::map<std::string, std::string> metadata;
  std::map<std::string, NamedTensor> tensors; ///< float32
  std::map<std::string, HalfTensor> halves;   ///< float16
  std::map<std::string, std::string> bytes;   ///< uint8, of one extent: files within the file
};

/// An AtomicFile: a crash leaves the old file or the new one, whole.
/// \param mayReplace see AtomicFile::commit
/// \throws std::runtime_error naming the file and the system's reason.
void writeModelFile(
  const std::string& path, const ModelFile& file, const std::function<void()>& mayReplace = {});

/// What a header says of a tensor. Its bytes are those of its shape and type.
struct TensorEntry
{
  bool isBytes = false; ///< uint8, else numbers
  bool isHalf = false;  ///< of numbers: float16, else float32
  std::vector<std::int64_t> shape;
  std::uint64_t begin = 0, size = 0; ///< bytes, from the header's end
};

/// A file that somebody wrote, perhaps to do harm. Opening it reads the header, and compares it
/// with the bytes that are there: types, shapes, offsets without gap or overlap. A tensor is read
/// when it is asked for.
class ModelFileReader
{
public:
  /// \throws std::runtime_error naming the file and what is wrong with it
  explicit ModelFileReader(const std::string& path);

  const std::map<std::string, std::string>& metadata() const { return this->Metadata; }
  const std::map<std::string, TensorEntry>& tensors() const { return this->Tensors; }

  /// \param to has room for its size. \throws std::runtime_error as the constructor
  void read(const TensorEntry& tensor, void* to);

private:
  void readHeader(const std::string& text, std::uint64_t body);

  std::string Path;
  std::ifstream In;
  std::uint64_t Body = 0; ///< where it begins
  std::map<std::string, std::string> Metadata;
  std::map<std::string, TensorEntry> Tensors;
};

} // namespace vae
