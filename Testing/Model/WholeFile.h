// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Source/ModelFile.h"

namespace test
{

/// All of a model file.
inline vae::ModelFile readModelFile(const std::string& path)
{
  vae::ModelFileReader reader(path);
  vae::ModelFile file;
  file.metadata = reader.metadata();
  for (const auto& [name, entry] : reader.tensors())
  {
    if (entry.isBytes)
    {
      file.bytes[name].resize(entry.size);
      reader.read(entry, file.bytes[name].data());
      continue;
    }
    if (entry.isHalf)
    {
      vae::HalfTensor& half = file.halves[name];
      half.shape = entry.shape;
      half.values.resize(entry.size / sizeof(std::uint16_t));
      reader.read(entry, half.values.data());
      continue;
    }
    vae::NamedTensor& tensor = file.tensors[name];
    tensor.shape = entry.shape;
    tensor.values.resize(entry.size / sizeof(float));
    reader.read(entry, tensor.values.data());
  }
  return file;
}

} // namespace test
