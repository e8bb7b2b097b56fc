// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

// Model files that lie: a good one, changed in a few places. The container stays sound, so that
// what is in it is looked at. Nothing of the library is used, which might hide what it cannot read.
// (JSON is text here: VTK's headers rename the library that reads it.)
namespace test
{

class HostileFile
{
public:
  explicit HostileFile(const std::string& path);
  std::string bytes() const;

  /// One lie. \return in words, what was changed
  std::string change(std::mt19937& random);

  /// A value of the model's metadata, by its JSON pointer.
  void set(const std::string& pointer, const std::string& json);
  /// The tensors whose names begin so.
  void remove(const std::string& prefix);
  /// A tensor of zeros.
  void add(const std::string& name, const std::vector<std::int64_t>& shape);

private:
  struct Tensor
  {
    std::string Type;
    std::vector<std::int64_t> Shape;
    std::string Bytes;
  };

  std::string changeJson(std::mt19937& random, const std::string& key);
  std::string changeTensor(std::mt19937& random);

  std::map<std::string, std::string> Metadata;
  std::map<std::string, Tensor> Tensors;
};

} // namespace test
