// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "StateJson.h"

#include <ATen/Functions.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <charconv>
#include <sstream>

namespace vae
{
namespace
{

// A generator's state is some thousand bytes of integers: text in the metadata.
std::string toHex(const at::Tensor& bytes)
{
  constexpr const char* digits = "0123456789abcdef";
  std::string text;
  const auto* data = bytes.const_data_ptr<std::uint8_t>();
  for (std::int64_t i = 0; i < bytes.numel(); ++i)
  {
    text += { digits[data[i] / 16], digits[data[i] % 16] };
  }
  return text;
}

at::Tensor fromHex(const std::string& text)
{
  at::Tensor bytes = at::empty({ static_cast<std::int64_t>(text.size() / 2) }, at::kByte);
  auto* data = bytes.mutable_data_ptr<std::uint8_t>();
  for (std::size_t i = 0; i + 1 < text.size(); i += 2)
  {
    const char* two = text.data() + i;
    StateReader::require(
      std::from_chars(two, two + 2, data[i / 2], 16).ptr == two + 2, "a generator is damaged");
  }
  return bytes;
}

} // namespace

void StateWriter::store(const std::string& name, const std::vector<at::Tensor>& values)
{
  for (std::size_t i = 0; i < values.size(); ++i)
  {
    this->tensors[name + '.' + std::to_string(i)] = values[i].detach().to(at::kCPU).clone();
  }
}

void StateWriter::store(const std::string& name, const at::Generator& generator)
{
  this->json[name] = toHex(generator.get_state());
}

void StateWriter::store(const std::string& name, const std::mt19937_64& generator)
{
  std::ostringstream text;
  text << generator;
  this->json[name] = text.str();
}

void StateWriter::add(const std::string& name, StateWriter part)
{
  this->json[name] = std::move(part.json);
  this->tensors.merge(part.tensors);
}

void StateReader::require(bool good, const std::string& what)
{
  if (!good)
  {
    throw std::invalid_argument("Cannot resume from Initial Model: in its training state " + what);
  }
}

StateReader StateReader::part(const char* name) const
{
  require(this->has(name), "\"" + std::string(name) + "\" is missing");
  return { this->Fields.at(name), this->Tensors };
}

double StateReader::number(const char* name) const
{
  return numberOrNaNOf(memberOf(this->Fields, name), name);
}

std::int64_t StateReader::count(const char* name) const
{
  const std::int64_t n = integerOf(memberOf(this->Fields, name), name);
  require(n >= 0 && n <= 9007199254740992, std::string(name) + " is " + std::to_string(n));
  return n;
}

double StateReader::seconds(const char* name) const
{
  const double v = numberOf(memberOf(this->Fields, name), name);
  require(v >= -1 && v <= 1e12, std::string(name) + " is " + std::to_string(v));
  return std::max(v, 0.); // a difference may be a little less
}

std::string StateReader::text(const char* name) const
{
  return stringOf(memberOf(this->Fields, name), name);
}

std::map<std::string, double> StateReader::numbers(const char* name) const
{
  std::map<std::string, double> all;
  for (const auto& [key, value] : objectOf(memberOf(this->Fields, name), name))
  {
    all[key] = numberOrNaNOf(value, key);
  }
  return all;
}

void StateReader::load(const std::string& name, const std::vector<at::Tensor>& to) const
{
  const c10::NoGradGuard guard;
  for (std::size_t i = 0; i < to.size(); ++i)
  {
    const std::string key = name + '.' + std::to_string(i);
    const auto found = this->Tensors.find(key);
    if (found == this->Tensors.end() || found->second.sizes() != to[i].sizes())
    {
      throw std::invalid_argument(
        "Cannot resume from Initial Model: its training state lacks tensor \"" + key + "\"");
    }
    at::Tensor(to[i]).copy_(found->second);
  }
}

void StateReader::load(const std::string& name, at::Generator& generator) const
{
  generator.set_state(fromHex(this->text(name.c_str())));
}

void StateReader::load(const std::string& name, std::mt19937_64& generator) const
{
  std::istringstream(this->text(name.c_str())) >> generator;
}

} // namespace vae
