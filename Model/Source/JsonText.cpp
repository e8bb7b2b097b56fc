// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "JsonText.h"

#include <cmath>
#include <limits>
#include <stdexcept>
#include <vector>

namespace vae
{
namespace
{

constexpr std::size_t MaximumDepth = 32, MaximumValues = 1'000'000;

/// Makes a value of what the parser meets, within the limits.
class Builder : public nlohmann::json_sax<Json>
{
public:
  Json result;

  bool null() override { return this->put(nullptr); }
  bool boolean(bool v) override { return this->put(v); }
  bool number_integer(number_integer_t v) override { return this->put(v); }
  bool number_unsigned(number_unsigned_t v) override { return this->put(v); }
  bool number_float(number_float_t v, const string_t&) override { return this->put(v); }
  bool string(string_t& v) override { return this->put(std::move(v)); }
  bool binary(binary_t&) override { return false; } // no JSON text has one
  bool start_object(std::size_t) override { return this->open(Json::object()); }
  bool start_array(std::size_t) override { return this->open(Json::array()); }
  bool end_object() override { return this->close(); }
  bool end_array() override { return this->close(); }
  bool key(string_t& name) override
  {
    const auto [at, fresh] = this->Open.back()->get_ref<Json::object_t&>().emplace(name, nullptr);
    if (!fresh)
    {
      throw std::runtime_error("not valid JSON: the key " + inQuotes(name) + " appears twice");
    }
    this->Next = &at->second;
    return true;
  }
  bool parse_error(
    std::size_t position, const std::string&, const nlohmann::detail::exception& e) override
  {
    const std::string what = e.what(); // "[json.exception...] parse error at ...: reason"
    const auto reason = what.rfind(": ");
    throw std::runtime_error("not valid JSON at byte " + std::to_string(position) + ": " +
      (reason == std::string::npos ? what : what.substr(reason + 2)));
  }

private:
  Json* place(Json&& value)
  {
    if (++this->Values > MaximumValues)
    {
      throw std::runtime_error(
        "not a header's JSON: more than " + std::to_string(MaximumValues) + " values");
    }
    if (this->Open.empty())
    {
      this->result = std::move(value);
      return &this->result;
    }
    Json& parent = *this->Open.back();
    if (parent.is_array())
    {
      parent.push_back(std::move(value));
      return &parent.back();
    }
    *this->Next = std::move(value);
    return this->Next;
  }
  bool put(Json&& value)
  {
    this->place(std::move(value));
    return true;
  }
  bool open(Json&& container)
  {
    if (this->Open.size() >= MaximumDepth)
    {
      throw std::runtime_error(
        "not a header's JSON: it is nested deeper than " + std::to_string(MaximumDepth));
    }
    this->Open.push_back(this->place(std::move(container)));
    return true;
  }
  bool close()
  {
    this->Open.pop_back();
    return true;
  }

  std::vector<Json*> Open; ///< what surrounds the next value; nothing moves while it is open
  Json* Next = nullptr;    ///< where the value of the last key goes
  std::size_t Values = 0;
};

[[noreturn]] void wrongType(std::string_view what, const char* wanted)
{
  throw std::runtime_error(std::string(what) + " is not " + wanted);
}

} // namespace

std::string inQuotes(const std::string& text)
{
  constexpr std::size_t most = 80;
  return '"' + text.substr(0, most) + (text.size() > most ? "...\"" : "\"");
}

Json parseJson(std::string_view text)
{
  Builder builder;
  Json::sax_parse(text.begin(), text.end(), &builder);
  return std::move(builder.result);
}

std::string dumpJson(const Json& value)
{
  // Bytes that are no UTF-8 (an array's name may have some) must not lose a training.
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

bool booleanOf(const Json& value, std::string_view what)
{
  if (!value.is_boolean())
  {
    wrongType(what, "true or false");
  }
  return value.get<bool>();
}

double numberOf(const Json& value, std::string_view what)
{
  if (!value.is_number())
  {
    wrongType(what, "a number");
  }
  return value.get<double>();
}

double numberOrNaNOf(const Json& value, std::string_view what)
{
  return value.is_null() ? std::numeric_limits<double>::quiet_NaN() : numberOf(value, what);
}

std::int64_t integerOf(const Json& value, std::string_view what)
{
  constexpr double exact = 9007199254740992.; // up to here a double holds every whole number
  if (value.is_number_unsigned())
  {
    const auto v = value.get<std::uint64_t>();
    if (v <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
    {
      return static_cast<std::int64_t>(v);
    }
  }
  else if (value.is_number_integer())
  {
    return value.get<std::int64_t>();
  }
  else if (const double v = numberOf(value, what); std::abs(v) <= exact && v == std::floor(v))
  {
    return static_cast<std::int64_t>(v);
  }
  wrongType(what, "a whole number");
}

const std::string& stringOf(const Json& value, std::string_view what)
{
  if (const auto* v = value.get_ptr<const std::string*>())
  {
    return *v;
  }
  wrongType(what, "a string");
}

const Json::array_t& arrayOf(const Json& value, std::string_view what)
{
  if (const auto* v = value.get_ptr<const Json::array_t*>())
  {
    return *v;
  }
  wrongType(what, "a list");
}

const Json::object_t& objectOf(const Json& value, std::string_view what)
{
  if (const auto* v = value.get_ptr<const Json::object_t*>())
  {
    return *v;
  }
  wrongType(what, "an object");
}

const Json& memberOf(const Json& object, std::string_view key)
{
  const Json::object_t& all = objectOf(object, "what should hold " + inQuotes(std::string(key)));
  const auto found = all.find(key);
  if (found == all.end())
  {
    throw std::runtime_error(inQuotes(std::string(key)) + " is missing");
  }
  return found->second;
}

} // namespace vae
