// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Source/OptionTable.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

using namespace vae;

namespace
{

/// Of whatever type a member has.
struct Anything
{
  template <typename T>
  operator T() const;
};

/// How many members an aggregate has: as many as can be initialised.
template <typename T, typename... Members>
consteval int members()
{
  if constexpr (requires { T{ Members{}..., Anything{} }; })
  {
    return members<T, Members..., Anything>();
  }
  else
  {
    return sizeof...(Members);
  }
}

/// What the table says of a struct of options.
struct Rows
{
  int count = 0;
  std::set<std::string> labels, keys;
  std::set<const void*> places;
  std::vector<Option> options;

  template <typename T>
  void operator()(const T& value, const Option& option)
  {
    ++this->count;
    EXPECT_TRUE(this->places.insert(&value).second) << option.label << " twice";
    EXPECT_TRUE(!*option.label || this->labels.insert(option.label).second) << option.label;
    EXPECT_TRUE(!*option.key || this->keys.insert(option.key).second) << option.key;
    EXPECT_TRUE(!option.later || *option.key) << option.label << " is in no file";
    this->options.push_back(option);
    if constexpr (std::is_enum_v<T>)
    {
      std::set<std::string> entries;
      int last = -1;
      for (const Entry& entry : EntriesOf<T>)
      {
        EXPECT_GT(entry.value, last) << option.label;
        EXPECT_TRUE(entries.insert(entry.label).second) << entry.label;
        last = entry.value;
      }
      EXPECT_GT(entries.size(), 1u) << option.label;
    }
    if constexpr (std::is_same_v<T, int> || std::is_same_v<T, double>)
    {
      EXPECT_LE(option.values.low, value) << option.label;
      EXPECT_GE(option.values.high, value) << option.label;
    }
  }
};

} // namespace

template <typename Options>
class OptionTable : public testing::Test
{
};
using All = testing::Types<NetworkOptions, TrainOptions, PresetOptions, SessionOptions, LoadOptions,
  RunOptions, ReconstructOptions, GenerateOptions, FractionOptions, RealizationOptions, WalkOptions,
  ExplorerOptions, FeatureOptions, TwoSampleOptions, StatisticsOptions, PermeabilityOptions>;
TYPED_TEST_SUITE(OptionTable, All);

TYPED_TEST(OptionTable, HasARowForEachMember)
{
  const TypeParam options;
  Rows rows;
  visitOptions(rows, options);
  constexpr int axes = std::is_same_v<TypeParam, GenerateOptions> ? 2 : 0; // of `periodic`, more
  EXPECT_EQ(rows.count, members<TypeParam>() + axes);
}

TYPED_TEST(OptionTable, NamesOtherOptionsInConditions)
{
  const TypeParam options;
  Rows rows;
  visitOptions(rows, options);
  if constexpr (std::is_same_v<TypeParam, TrainOptions>)
  {
    Rows network;
    visitOptions(network, options.network);
    rows.labels.merge(network.labels);
  }
  for (const Option& option : rows.options)
  {
    for (const Condition& c : option.when)
    {
      EXPECT_TRUE(rows.labels.count(c.label)) << option.label << " depends on " << c.label;
      EXPECT_STRNE(option.label, c.label);
    }
  }
}
