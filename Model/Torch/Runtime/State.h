// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include <map>
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

/// A state, or a part of one, that somebody may have written to do harm. Names in messages are
/// those of the whole.
class TensorReader
{
public:
  /// \param all must outlive this
  explicit TensorReader(const State& all, std::string prefix = {})
    : All(all)
    , Prefix(std::move(prefix))
  {
  }
  TensorReader part(const std::string& prefix) const
  {
    return TensorReader(this->All, this->Prefix + prefix);
  }

  bool has(const std::string& name) const { return this->All.count(this->Prefix + name) > 0; }
  double bytes() const;  ///< of all its tensors
  State tensors() const; ///< by the rest of their names

  enum class Values
  {
    Finite,
    Any
  };
  ///@{
  /// Of any shape, or of this one. \throws std::runtime_error naming the tensor and what is wrong
  const at::Tensor& get(const std::string& name, Values values = Values::Finite) const;
  const at::Tensor& get(
    const std::string& name, at::IntArrayRef shape, Values values = Values::Finite) const;
  ///@}
  /// uint8, of one extent.
  const at::Tensor& getBytes(const std::string& name) const;

private:
  const at::Tensor& find(const std::string& name, at::ScalarType type) const;

  const State& All;
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
