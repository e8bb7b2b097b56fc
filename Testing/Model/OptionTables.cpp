// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
//
// Prints Model's table of options as JSON, which lint_xml.py compares with the XML: for each struct
// its options by label.
#include "Source/OptionTable.h"

#include <nlohmann/json.hpp>

#include <cstdio>
#include <string>

using namespace vae;
using Json = nlohmann::ordered_json;

namespace
{

Json entriesOf(const auto& entries)
{
  Json all = Json::object();
  for (const Entry& entry : entries)
  {
    all[entry.label] = entry.value;
  }
  return all;
}

Json describe(const Values& values)
{
  Json all = Json::object();
  if (values.low != -Values::Largest)
  {
    all["min"] = values.low;
  }
  if (values.slider)
  {
    all["max"] = values.high;
  }
  return all;
}

struct Printer
{
  Json Out = Json::object();

  template <typename T>
  void operator()(const T& value, const Option& option)
  {
    if (!*option.label)
    {
      return;
    }
    Json& o = this->Out[option.label];
    if constexpr (std::is_enum_v<T>)
    {
      o = { { "type", "Int" }, { "default", static_cast<int>(value) },
        { "entries", entriesOf(EntriesOf<T>) } };
    }
    else if constexpr (std::is_same_v<T, std::string>)
    {
      o = { { "type", "String" }, { "default", value } };
    }
    else if constexpr (std::is_same_v<T, bool>)
    {
      o = { { "type", "Int" }, { "default", value ? 1 : 0 }, { "boolean", true } };
    }
    else if constexpr (std::is_arithmetic_v<T>)
    {
      o = { { "type", std::is_integral_v<T> ? "Int" : "Double" }, { "default", value } };
      if (option.values.listed == 0)
      {
        o["range"] = describe(option.values);
      }
      for (const int v : option.values.choices())
      {
        o["entries"][std::to_string(v)] = v;
      }
    }
    o["when"] = Json::object();
    for (const Condition& c : option.when)
    {
      o["when"][c.label] = c.entries;
    }
  }
};

template <typename Options>
Json table()
{
  Printer printer;
  const Options options;
  visitOptions(printer, options);
  return printer.Out;
}

} // namespace

int main()
{
  const Json all = {
    { "NetworkOptions", table<NetworkOptions>() },
    { "TrainOptions", table<TrainOptions>() },
    { "PresetOptions", table<PresetOptions>() },
    { "SessionOptions", table<SessionOptions>() },
    { "LoadOptions", table<LoadOptions>() },
    { "RunOptions", table<RunOptions>() },
    { "ReconstructOptions", table<ReconstructOptions>() },
    { "GenerateOptions", table<GenerateOptions>() },
    { "FractionOptions", table<FractionOptions>() },
    { "RealizationOptions", table<RealizationOptions>() },
    { "WalkOptions", table<WalkOptions>() },
    { "ExplorerOptions", table<ExplorerOptions>() },
    { "FeatureOptions", table<FeatureOptions>() },
    { "TwoSampleOptions", table<TwoSampleOptions>() },
    { "StatisticsOptions", table<StatisticsOptions>() },
    { "PermeabilityOptions", table<PermeabilityOptions>() },
  };
  std::puts(all.dump(2).c_str());
}
