// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

// A small strict JSON (RFC 8259): what a model file's header needs, on a machine that has
// nothing but LibTorch and a compiler. Depth and size are bounded, nothing is executed.
namespace vae
{

class Json
{
public:
  using Array = std::vector<Json>;
  using Object = std::map<std::string, Json>;

  Json() = default;
  Json(bool v) : Value(v) {}
  Json(double v) : Value(v) {}
  Json(int v) : Value(static_cast<double>(v)) {}
  Json(long v) : Value(static_cast<double>(v)) {}
  Json(long long v) : Value(static_cast<double>(v)) {}
  Json(const char* v) : Value(std::string(v)) {}
  Json(std::string v) : Value(std::move(v)) {}
  Json(Array v) : Value(std::move(v)) {}
  Json(Object v) : Value(std::move(v)) {}

  /// \throws std::runtime_error with the byte at which the text is wrong
  static Json parse(std::string_view text);
  std::string dump() const;

  bool isNull() const { return std::holds_alternative<std::monostate>(this->Value); }
  bool isObject() const { return std::holds_alternative<Object>(this->Value); }

  /// Typed access. \throws std::runtime_error naming the type that was expected
  bool boolean() const;
  double number() const; ///< null reads as NaN, which JSON cannot write
  long long integer() const;
  const std::string& string() const;
  const Array& array() const;
  const Object& object() const;
  const Json& at(const std::string& key) const; ///< \throws if the key is missing
  bool has(const std::string& key) const;

private:
  std::variant<std::monostate, bool, double, std::string, Array, Object> Value;
};

} // namespace vae
