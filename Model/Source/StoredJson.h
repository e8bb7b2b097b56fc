// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "JsonText.h"
#include "OptionTable.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

// Structs as JSON and back. One list of members for each serves writing, reading and the
// fingerprint: visit(visitor, struct) calls visitor(key, member, Allowed) for each member.
namespace vae
{

/// The labels of an option's entries as files have them: "validation_loss" for "Validation Loss".
template <typename Enum>
constexpr auto StoredNames = []
{
  std::array<std::array<char, 32>, EntriesOf<Enum>.size()> names{};
  for (std::size_t i = 0; i < names.size(); ++i)
  {
    const std::string_view label = EntriesOf<Enum>[i].label;
    std::transform(label.begin(), label.end(), names[i].begin(), [](char c)
    { return c == ' '          ? '_'
        : c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a')
                               : c; });
  }
  return names;
}();

using Names = std::vector<const char*>;
/// What files and tables call the values of an enumeration, from 0. Those that are no option have
/// an overload.
template <typename Enum>
Names namesOf(Enum)
{
  static_assert(!EntriesOf<Enum>.empty());
  Names names;
  for (const auto& name : StoredNames<Enum>)
  {
    names.push_back(name.data());
  }
  return names;
}

template <typename Enum>
const char* nameOf(Enum value)
{
  const Names names = namesOf(value);
  const auto i = static_cast<std::size_t>(value);
  if (i >= names.size())
  {
    throw std::invalid_argument("A choice is " + std::to_string(static_cast<int>(value)) +
      "; it must be in [0, " + std::to_string(names.size() - 1) + "] (" + names.front() + " to " +
      names.back() + ")");
  }
  return names[i];
}

/// What a file may say of a number, or of each in a list, and how many there may be in the list.
struct Allowed
{
  double low = -std::numeric_limits<double>::max(), high = std::numeric_limits<double>::max();
  std::size_t most = 64;
  bool unknown = false; ///< null, which stands for not-a-number
};

/// Options under their keys, of those that have one. A network is made of what a file says, so its
/// ranges are those of the table. What else a training was asked for is judged by checkOptions().
template <typename V>
struct Stored
{
  V& Visitor;
  bool Ranges;

  template <typename T>
  void operator()(T& value, const Option& option) const
  {
    if constexpr (std::is_same_v<std::remove_const_t<T>, std::string>)
    {
      if (option.path)
      {
        this->Visitor.path(option.key, value);
        return;
      }
    }
    const Values& v = option.values;
    const Allowed allowed = this->Ranges ? Allowed{ v.low, v.high } : Allowed{};
    if (option.later)
    {
      this->Visitor.later(option.key, value, allowed);
    }
    else if (*option.key)
    {
      this->Visitor(option.key, value, allowed);
    }
  }
};

struct ToJson
{
  static constexpr double LargestWhole = 9007199254740992.; ///< which a double counts to

  bool Paths; ///< written too; a file names none
  Json Out = Json::object();

  template <typename T>
  void operator()(const char* key, const T& value, const Allowed& = {})
  {
    this->Out[key] = this->convert(value);
  }
  template <typename T>
  void later(const char* key, const T& value, const Allowed& = {})
  {
    (*this)(key, value);
  }
  void path(const char* key, const std::string& value)
  {
    if (this->Paths)
    {
      (*this)(key, value);
    }
  }

  template <typename T>
  Json convert(const T& v) const
  {
    if constexpr (std::is_enum_v<T>)
    {
      return nameOf(v);
    }
    else if constexpr (std::is_floating_point_v<T>)
    {
      return v == std::floor(v) && std::abs(v) <= LargestWhole // 120, not 120.0
        ? Json(static_cast<std::int64_t>(v))
        : Json(v);
    }
    else if constexpr (std::is_arithmetic_v<T> || std::is_same_v<T, std::string>)
    {
      return v;
    }
    else
    {
      ToJson to{ this->Paths };
      visit(to, v);
      return std::move(to.Out);
    }
  }
  template <typename T, std::size_t N>
  Json convert(const std::array<T, N>& v) const
  {
    return this->list(v);
  }
  template <typename T>
  Json convert(const std::vector<T>& v) const
  {
    return this->list(v);
  }
  Json convert(const std::map<std::string, double>& v) const
  {
    Json o = Json::object();
    for (const auto& [key, value] : v)
    {
      o[key] = this->convert(value);
    }
    return o;
  }
  template <typename T>
  Json list(const T& values) const
  {
    Json a = Json::array();
    for (const auto& v : values)
    {
      a.push_back(this->convert(v));
    }
    return a;
  }
};

/// Reads one object. What it says is refused where it is not allowed: nobody need have written the
/// file in good faith.
struct FromJson
{
  static constexpr std::size_t LongestText = 10000;

  const Json& In;
  std::string Path; ///< "network.", for messages

  /// What needs no range: true or false, text, choices, objects.
  template <typename T>
  void operator()(const char* key, T& value)
    requires std::is_same_v<T, bool> || std::is_same_v<T, std::string> || std::is_enum_v<T> ||
    (std::is_class_v<T> && !requires { value.size(); })
  {
    (*this)(key, value, {});
  }
  template <typename T>
  void operator()(const char* key, T& value, const Allowed& allowed)
  {
    convert(memberOf(this->In, key), value, this->Path + key, allowed);
  }
  /// What older files do not have.
  template <typename T, typename... Range>
  void later(const char* key, T& value, const Range&... allowed)
  {
    if (this->In.contains(key))
    {
      (*this)(key, value, allowed...);
    }
  }
  /// Whatever a file says, no path of it is taken.
  void path(const char*, std::string& value) { value.clear(); }

  static void inside(double v, const std::string& what, const Allowed& allowed)
  {
    const auto text = [](double x) { return dumpJson(ToJson{ false }.convert(x)); };
    if (!(v >= allowed.low && v <= allowed.high))
    {
      throw std::runtime_error(what + " is " + text(v) + "; it must be in [" + text(allowed.low) +
        ", " + text(allowed.high) + "]");
    }
  }
  static void few(std::size_t count, const std::string& what, std::size_t most)
  {
    if (count > most)
    {
      throw std::runtime_error(
        what + " has " + std::to_string(count) + " entries; it may have " + std::to_string(most));
    }
  }

  template <typename T>
  static void convert(const Json& j, T& v, const std::string& what, const Allowed& allowed)
  {
    if constexpr (std::is_same_v<T, bool>)
    {
      v = booleanOf(j, what);
    }
    else if constexpr (std::is_integral_v<T>)
    {
      const std::int64_t n = integerOf(j, what);
      inside(static_cast<double>(n), what, allowed);
      inside(static_cast<double>(n), what,
        { static_cast<double>(std::numeric_limits<T>::min()),
          static_cast<double>(std::numeric_limits<T>::max()) });
      v = static_cast<T>(n);
    }
    else if constexpr (std::is_enum_v<T>)
    {
      const std::string& text = stringOf(j, what);
      const Names names = namesOf(v);
      const auto found = std::find(names.begin(), names.end(), text);
      if (found == names.end())
      {
        throw std::runtime_error(what + " is " + inQuotes(text) + ", which is not known");
      }
      v = static_cast<T>(found - names.begin());
    }
    else
    {
      FromJson from{ j, what + '.' };
      visit(from, v);
    }
  }
  static void convert(const Json& j, double& v, const std::string& what, const Allowed& allowed)
  {
    v = allowed.unknown ? numberOrNaNOf(j, what) : numberOf(j, what);
    if (!std::isnan(v))
    {
      inside(v, what, allowed);
    }
  }
  static void convert(const Json& j, std::string& v, const std::string& what, const Allowed&)
  {
    v = stringOf(j, what);
    few(v.size(), what, LongestText);
  }
  template <typename T, std::size_t N>
  static void convert(
    const Json& j, std::array<T, N>& v, const std::string& what, const Allowed& allowed)
  {
    const Json::array_t& list = arrayOf(j, what);
    if (list.size() != N)
    {
      throw std::runtime_error(what + " has " + std::to_string(list.size()) +
        " entries; it must have " + std::to_string(N));
    }
    for (std::size_t i = 0; i < N; ++i)
    {
      convert(list[i], v[i], what + '[' + std::to_string(i) + ']', allowed);
    }
  }
  template <typename T>
  static void convert(
    const Json& j, std::vector<T>& v, const std::string& what, const Allowed& allowed)
  {
    const Json::array_t& list = arrayOf(j, what);
    few(list.size(), what, allowed.most);
    v.resize(list.size());
    for (std::size_t i = 0; i < v.size(); ++i)
    {
      convert(list[i], v[i], what + '[' + std::to_string(i) + ']', allowed);
    }
  }
  static void convert(const Json& j, std::map<std::string, double>& v, const std::string& what,
    const Allowed& allowed)
  {
    const Json::object_t& object = objectOf(j, what);
    few(object.size(), what, allowed.most);
    v.clear();
    for (const auto& [key, value] : object)
    {
      few(key.size(), "a name in " + what, LongestText);
      convert(value, v[key], what + '.' + key, allowed);
    }
  }
};

/// Options, as ToJson made them, without those that came later than the format and have their
/// default: what files from before say of the same training.
template <typename Options>
void leaveOutLaterDefaults(Json& json)
{
  const Options defaults;
  const Json usual = ToJson{ true }.convert(defaults);
  const auto leaveOut = [&](const auto&, const Option& option)
  {
    if (option.later && json.at(option.key) == usual.at(option.key))
    {
      json.erase(option.key);
    }
  };
  visitOptions(leaveOut, defaults);
}

} // namespace vae
