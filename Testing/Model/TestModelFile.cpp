// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "JsonText.h"
#include "ModelFile.h"
#include "ModelInfo.h"
#include "WholeFile.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>

#include <unistd.h>

using namespace vae;

namespace
{

class Folder : public testing::Test
{
protected:
  void SetUp() override
  {
    this->Path =
      std::filesystem::temp_directory_path() / ("vae-test-" + std::to_string(::getpid()));
    std::filesystem::create_directories(this->Path);
    this->File = (this->Path / "model.safetensors").string();
  }
  void TearDown() override { std::filesystem::remove_all(this->Path); }

  std::string bytes() const
  {
    std::ifstream in(this->File, std::ios::binary);
    return { std::istreambuf_iterator<char>(in), {} };
  }
  void write(const std::string& data) const { std::ofstream(this->File, std::ios::binary) << data; }
  std::string failure() const
  {
    try
    {
      test::readModelFile(this->File);
    }
    catch (const std::runtime_error& e)
    {
      return e.what();
    }
    return {};
  }

  std::filesystem::path Path;
  std::string File;
};
using ModelFiles = Folder;

ModelFile example()
{
  ModelFile file;
  file.metadata = { { "format", "test" }, { "text", "a \"quoted\" line\nand \\ more \xC3\xA9" } };
  file.tensors["b"] = { { 2, 3 }, { 1, 2, 3, 4, 5, 6 } };
  file.tensors["a"] = { { 4 }, { -1, 0, 1e-30f, INFINITY } };
  file.tensors["empty"] = { { 0 }, {} };
  file.bytes["c"] = "a file \0 within";
  return file;
}

} // namespace

TEST_F(ModelFiles, ComeBackAsTheyWere)
{
  writeModelFile(this->File, example());
  const ModelFile back = test::readModelFile(this->File);
  EXPECT_EQ(back.metadata, example().metadata);
  for (const auto& [name, tensor] : example().tensors)
  {
    EXPECT_EQ(back.tensors.at(name).shape, tensor.shape);
    EXPECT_EQ(back.tensors.at(name).values, tensor.values);
  }
  EXPECT_EQ(back.bytes, example().bytes);
  // Nothing else is left in the folder.
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(this->Path), {}), 1);
}

TEST_F(ModelFiles, EveryTruncationIsRefused)
{
  writeModelFile(this->File, example());
  const std::string whole = this->bytes();
  for (std::size_t n = 0; n < whole.size(); ++n)
  {
    this->write(whole.substr(0, n));
    EXPECT_NE(this->failure(), "") << n << " of " << whole.size() << " bytes";
  }
  this->write(whole + "x");
  EXPECT_NE(this->failure(), "");
}

TEST_F(ModelFiles, DamageIsRefusedOrHarmless)
{
  writeModelFile(this->File, example());
  const std::string whole = this->bytes();
  std::mt19937 random(1);
  int refused = 0;
  for (int i = 0; i < 3000; ++i)
  {
    std::string damaged = whole;
    for (unsigned k = 0; k <= random() % 4; ++k)
    {
      damaged[random() % damaged.size()] = static_cast<char>(random());
    }
    this->write(damaged);
    refused += !this->failure().empty(); // never a crash, never anything but runtime_error
  }
  EXPECT_GT(refused, 1500);
}

TEST_F(ModelFiles, LyingHeadersAreRefused)
{
  const auto file = [this](const std::string& header, const std::string& body)
  {
    const std::uint64_t length = header.size();
    this->write(std::string(reinterpret_cast<const char*>(&length), 8) + header + body);
    return this->failure();
  };
  const std::string four(16, '\0');
  EXPECT_EQ(file(R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}})", four), "");
  EXPECT_EQ(file(R"({"a":{"dtype":"U8","shape":[16],"data_offsets":[0,16]}})", four), "");
  EXPECT_NE(file(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,16]}})", four), "");
  EXPECT_NE(file(R"({"a":{"dtype":"F64","shape":[2],"data_offsets":[0,16]}})", four), "");
  EXPECT_NE(file(R"({"a":{"dtype":"F32","shape":[5],"data_offsets":[0,16]}})", four), "");
  EXPECT_NE(file(R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[4,20]}})", four), "");
  EXPECT_NE(file(R"({"a":{"dtype":"F32","shape":[-4],"data_offsets":[0,16]}})", four), "");
  EXPECT_NE(
    file(R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,16]}})", four),
    "");
  EXPECT_NE(file(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                 R"("b":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}})",
              four),
    "");
  EXPECT_NE(file(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}})", four), "");
  EXPECT_NE(file(std::string(100000, '['), four), "");
  EXPECT_NE(file("{}" + std::string(16000000, ' '), ""), ""); // a header of so many bytes
}

TEST_F(ModelFiles, AFailedWriteLeavesTheOldFile)
{
  writeModelFile(this->File, example());
  const std::string before = this->bytes();
  const std::string elsewhere = (this->Path / "no-such-folder" / "m.safetensors").string();
  try
  {
    writeModelFile(elsewhere, example());
    FAIL();
  }
  catch (const std::runtime_error& e)
  {
    EXPECT_NE(std::string(e.what()).find(elsewhere), std::string::npos) << e.what();
  }
  EXPECT_EQ(this->bytes(), before);
}

TEST(ModelInfo, ComesBackFromJson)
{
  ModelInfo info;
  info.network.width = 32;
  info.network.channels = 1;
  ChannelInfo channel;
  channel.array = "Pore \"space\"";
  channel.type = ScalarType::UInt16;
  channel.scale = 0.1;
  channel.phases = { 3, 5 };
  channel.fractions = { 0.25, 0.75 };
  info.channels = { channel };
  info.options.parameters["Beta"] = 0.7;
  info.options.symmetry = Symmetry::Flips;
  info.turns = { true, false, { 0, 1, 1 } };
  info.fingerprint = "00ff";
  info.trainingDims = { 8, 16, 24 };
  EpochRecord row;
  row.epoch = 3;
  row.validationLoss = std::nan("");
  row.loss = 1. / 3;
  row.klOfLatents = { 0.1, std::nan("") };
  row.measures["Total Correlation"] = 2. / 3;
  info.history = { row, row };
  const ModelInfo back = modelInfoFromJson(toJson(info));
  EXPECT_EQ(toJson(back), toJson(info));
  EXPECT_EQ(back.channels[0].array, channel.array);
  EXPECT_EQ(back.channels[0].scale, 0.1); // exactly
  EXPECT_TRUE(std::isnan(back.history[1].validationLoss));
  EXPECT_EQ(back.history[1].loss, 1. / 3);
  EXPECT_EQ(back.history[1].measures.at("Total Correlation"), 2. / 3);
  EXPECT_EQ(back.options.parameters.at("Beta"), 0.7);
  EXPECT_TRUE(back.turns.flips && !back.turns.together);
  EXPECT_EQ(back.turns.kind, info.turns.kind);
}

TEST(ModelInfo, ImpossibleNetworksAreRefused)
{
  ModelInfo info;
  info.trainingDims = { 8, 8, 8 };
  info.channels.resize(1);
  info.channels[0].phases = { 0, 1 };
  info.channels[0].fractions = { 0.5, 0.5 };
  EXPECT_NO_THROW(modelInfoFromJson(toJson(info)));
  for (const char* text : { R"("width":32)", R"("latent_channels":8)", R"("blocks":1)",
         R"("dimensions":3)", R"("likelihood":"bernoulli")" })
  {
    std::string json = toJson(info);
    const auto at = json.find(text);
    ASSERT_NE(at, std::string::npos) << text << " in " << json;
    const std::string key = std::string(text).substr(0, std::string(text).find(':') + 1);
    EXPECT_THROW(
      modelInfoFromJson(std::string(json).replace(at, std::strlen(text), key + "1000000")),
      std::runtime_error);
    EXPECT_THROW(modelInfoFromJson(std::string(json).replace(at, std::strlen(text), key + "[]")),
      std::runtime_error);
  }
}

TEST(Json, WhatItWritesItReads)
{
  for (const char* text :
    { "null", "true", "[]", "{}", "[1,-2.5,1e+300,0.1]", R"({"a":[{"b":null}],"c":"\u0001\\\""})" })
  {
    EXPECT_EQ(dumpJson(parseJson(text)), text);
  }
  EXPECT_EQ(stringOf(parseJson(R"("\ud83d\ude00\u00e9")"), ""), "\xF0\x9F\x98\x80\xC3\xA9");
}

TEST(Json, NonsenseIsRefused)
{
  for (const char* text : { "", "{", "[1,]", "[1 2]", "{\"a\":1,\"a\":2}", "nul", "01x", "\"\\x\"",
         "\"\\ud83d\"", "1e999", "+1", "[1]]", "{1:2}", "\"a\nb\"", "NaN" })
  {
    EXPECT_THROW(parseJson(text), std::runtime_error) << text;
  }
}

TEST(Json, NoMoreThanAHeaderNeeds)
{
  const auto nested = [](int n) { return std::string(n, '[') + std::string(n, ']'); };
  EXPECT_NO_THROW(parseJson(nested(32)));
  EXPECT_THROW(parseJson(nested(33)), std::runtime_error);
  std::string many = "[0";
  for (int i = 0; i < 1000000; ++i)
  {
    many += ",0";
  }
  EXPECT_THROW(parseJson(many + "]"), std::runtime_error);
}

TEST(Json, WritesWhatIsNoText)
{
  EXPECT_EQ(dumpJson({ { "a", std::nan("") }, { "b", INFINITY } }), R"({"a":null,"b":null})");
  EXPECT_EQ(dumpJson("\xE9"), "\"\xEF\xBF\xBD\""); // Latin-1: a replacement, not an exception
}

TEST(Json, IntegersAreExact)
{
  const std::int64_t large = 9223372036854775807;
  EXPECT_EQ(integerOf(parseJson("9223372036854775807"), ""), large);
  EXPECT_EQ(integerOf(parseJson("3.0"), ""), 3);
  for (const char* text : { "9223372036854775808", "1e300", "0.5", "null", "true", "\"3\"" })
  {
    EXPECT_THROW(integerOf(parseJson(text), "x"), std::runtime_error) << text;
  }
}
