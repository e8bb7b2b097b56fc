// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

// The safetensors container: eight bytes of header length (little endian), a JSON header
// {"name": {"dtype", "shape", "data_offsets"}, "__metadata__": {string: string}}, then the
// tensors' bytes without a gap. Nothing in it can execute. Only float32 tensors are used.
namespace vae
{

struct NamedTensor
{
  std::vector<std::int64_t> shape;
  std::vector<float> values;
};

struct ModelFile
{
  std::map<std::string, std::string> metadata;
  std::map<std::string, NamedTensor> tensors;
};

/// An AtomicFile: a crash leaves the old file or the new one, whole.
/// \param mayReplace see AtomicFile::commit
/// \throws std::runtime_error naming the file and the system's reason.
void writeModelFile(
  const std::string& path, const ModelFile& file, const std::function<void()>& mayReplace = {});

/// Read and validate wholly: sizes, offsets without gap or overlap, types.
/// \throws std::runtime_error naming the file and what is wrong with it.
ModelFile readModelFile(const std::string& path);

} // namespace vae
