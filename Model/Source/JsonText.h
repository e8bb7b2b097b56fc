// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <string>
#include <string_view>

// JSON of a model file's header, which anybody may have written: strict, with limits. Messages name
// a value by `what`.
namespace vae
{

using Json = nlohmann::json;

/// \throws std::runtime_error where the text is not valid, is nested deeper than 32, has the same
/// key twice, or more than a million values (which take about 100 MB)
Json parseJson(std::string_view text);

/// What is not finite becomes null, which JSON has instead.
std::string dumpJson(const Json& value);

/// For messages: in quotes, and of a long one the beginning.
std::string inQuotes(const std::string& text);

///@{
/// The value as a type. \throws std::runtime_error if it is of another
bool booleanOf(const Json& value, std::string_view what);
double numberOf(const Json& value, std::string_view what);        ///< finite
double numberOrNaNOf(const Json& value, std::string_view what);   ///< null is not-a-number
std::int64_t integerOf(const Json& value, std::string_view what); ///< 3 and 3.0
const std::string& stringOf(const Json& value, std::string_view what);
const Json::array_t& arrayOf(const Json& value, std::string_view what);
const Json::object_t& objectOf(const Json& value, std::string_view what);
///@}
/// \throws std::runtime_error if the object has no such key, or is none
const Json& memberOf(const Json& object, std::string_view key);

} // namespace vae
