// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Source/ModelFile.h"

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace vae
{

/// What an object consists of, for a file or a copy: tensors by name, float32, or uint8 where they
/// are bytes. A class with one has state() and fromState(), and its parts have prefixes.
using State = std::map<std::string, at::Tensor>;

/// Put the state of a part into that of the whole.
void addPart(State& whole, const std::string& prefix, const State& part);

///@{
/// Bytes as a tensor.
at::Tensor bytesOf(const std::string& text);
std::string textOf(const at::Tensor& bytes);
///@}

/// Where tensors come from: a state in memory, or a file, of which a tensor is read when it is
/// asked for.
class TensorSource
{
public:
  virtual ~TensorSource() = default;
  virtual const std::map<std::string, TensorEntry>& entries() const = 0;
  virtual at::Tensor read(const std::string& name) const = 0; ///< one of the entries
};

/// A state, or a part of one, that somebody may have written to do harm. Names in messages are
/// those of the whole.
class TensorReader
{
public:
  explicit TensorReader(std::shared_ptr<const TensorSource> all, std::string prefix = {})
    : All(std::move(all))
    , Prefix(std::move(prefix))
  {
  }
  explicit TensorReader(State state);

  TensorReader part(const std::string& prefix) const
  {
    return TensorReader(this->All, this->Prefix + prefix);
  }

  bool has(const std::string& name) const
  {
    return this->All->entries().contains(this->Prefix + name);
  }
  double bytes() const;  ///< of all its tensors, as they are in memory
  State tensors() const; ///< by the rest of their names

  enum class Values
  {
    Finite,
    Any
  };
  ///@{
  /// Of any shape, or of this one. \throws std::runtime_error naming the tensor and what is wrong
  at::Tensor get(const std::string& name, Values values = Values::Finite) const;
  at::Tensor get(
    const std::string& name, at::IntArrayRef shape, Values values = Values::Finite) const;
  ///@}
  /// uint8, of one extent.
  at::Tensor getBytes(const std::string& name) const;

private:
  const TensorEntry& find(const std::string& name, bool isBytes) const;

  std::shared_ptr<const TensorSource> All;
  std::string Prefix;
};

///@{
/// Copies of the tensors of a list, by their numbers: "0", "1" ...; and back, into a list of the
/// same shapes. \throws std::runtime_error naming a tensor that is missing or has another shape
State stateOf(const std::vector<at::Tensor>& list);
void restore(const std::vector<at::Tensor>& list, const TensorReader& state);
///@}

///@{
/// Where a stream of random numbers is: bytes. \throws std::runtime_error if it is none
at::Tensor stateOf(const std::mt19937_64& random);
void restore(std::mt19937_64& random, const at::Tensor& bytes);
///@}

} // namespace vae
