// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "State.h"

#include <ATen/Functions.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cstring>
#include <sstream>
#include <stdexcept>

namespace vae
{
namespace
{

std::string inWords(at::IntArrayRef shape)
{
  std::string all;
  for (const std::int64_t n : shape)
  {
    all += (all.empty() ? "" : ", ") + std::to_string(n);
  }
  return '[' + all + ']';
}

/// Of a state in memory.
class StateSource : public TensorSource
{
public:
  explicit StateSource(State state) : All(std::move(state))
  {
    for (const auto& [name, tensor] : this->All)
    {
      this->Entries[name] = { .isBytes = tensor.scalar_type() == at::kByte,
        .shape = tensor.sizes().vec(),
        .begin = 0,
        .size = tensor.nbytes() };
    }
  }
  const std::map<std::string, TensorEntry>& entries() const override { return this->Entries; }
  at::Tensor read(const std::string& name) const override { return this->All.at(name); }

private:
  State All;
  std::map<std::string, TensorEntry> Entries;
};

} // namespace

void addPart(State& whole, const std::string& prefix, const State& part)
{
  for (const auto& [name, tensor] : part)
  {
    whole[prefix + name] = tensor;
  }
}

at::Tensor bytesOf(const std::string& text)
{
  at::Tensor bytes = at::empty({ static_cast<std::int64_t>(text.size()) }, at::kByte);
  std::memcpy(bytes.mutable_data_ptr(), text.data(), text.size());
  return bytes;
}

std::string textOf(const at::Tensor& bytes)
{
  const at::Tensor all = bytes.contiguous();
  return { static_cast<const char*>(all.const_data_ptr()), static_cast<std::size_t>(all.numel()) };
}

TensorReader::TensorReader(State state)
  : TensorReader(std::make_shared<const StateSource>(std::move(state)))
{
}

double TensorReader::bytes() const
{
  double sum = 0;
  for (const auto& [name, entry] : this->All->entries())
  {
    const double each = static_cast<double>(entry.size) * (entry.isHalf ? 2 : 1); // float32
    sum += name.starts_with(this->Prefix) ? each : 0;
  }
  return sum;
}

State TensorReader::tensors() const
{
  State found;
  for (const auto& [name, entry] : this->All->entries())
  {
    if (name.starts_with(this->Prefix))
    {
      found[name.substr(this->Prefix.size())] = this->All->read(name);
    }
  }
  return found;
}

const TensorEntry& TensorReader::find(const std::string& name, bool isBytes) const
{
  const std::string whole = this->Prefix + name;
  const auto found = this->All->entries().find(whole);
  if (found == this->All->entries().end())
  {
    throw std::runtime_error("tensor \"" + whole + "\" is missing");
  }
  if (found->second.isBytes != isBytes)
  {
    throw std::runtime_error(
      "tensor \"" + whole + "\" is of type " + (isBytes ? "F32, not U8" : "U8, not F32"));
  }
  return found->second;
}

at::Tensor TensorReader::get(const std::string& name, at::IntArrayRef shape, Values values) const
{
  if (const at::IntArrayRef found = this->find(name, false).shape; found != shape)
  {
    throw std::runtime_error("tensor \"" + this->Prefix + name + "\" has the shape " +
      inWords(found) + "; it must be " + inWords(shape));
  }
  return this->get(name, values);
}

at::Tensor TensorReader::get(const std::string& name, Values values) const
{
  this->find(name, false);
  const at::Tensor t = this->All->read(this->Prefix + name);
  if (values == Values::Finite && !t.isfinite().all().item<bool>())
  {
    throw std::runtime_error(
      "tensor \"" + this->Prefix + name + "\" has values that are infinite or not a number");
  }
  return t;
}

at::Tensor TensorReader::getBytes(const std::string& name) const
{
  this->find(name, true);
  return this->All->read(this->Prefix + name);
}

State stateOf(const std::vector<at::Tensor>& list)
{
  State state;
  for (std::size_t i = 0; i < list.size(); ++i)
  {
    state[std::to_string(i)] = list[i].detach().to(at::kCPU).clone();
  }
  return state;
}

void restore(const std::vector<at::Tensor>& list, const TensorReader& state)
{
  const c10::NoGradGuard guard;
  for (std::size_t i = 0; i < list.size(); ++i)
  {
    at::Tensor(list[i]).copy_(
      state.get(std::to_string(i), list[i].sizes(), TensorReader::Values::Any));
  }
}

at::Tensor stateOf(const std::mt19937_64& random)
{
  std::ostringstream text;
  text << random;
  return bytesOf(text.str());
}

void restore(std::mt19937_64& random, const at::Tensor& bytes)
{
  std::istringstream text(textOf(bytes));
  if (!(text >> random))
  {
    throw std::runtime_error("the state of a random generator is none");
  }
}

} // namespace vae
