// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "ModelInfo.h"
#include "Plan.h"
#include "Source/ModelFile.h"
#include "Source/StoredJson.h"
#include "WholeFile.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>

#include <unistd.h>

namespace vae
{

/// Options of which two came when there were files without them.
struct Aged
{
  int first = 1;
  int added = 7;
  KLSchedule kind = KLSchedule::Linear;
};

static void visitOptions(auto& v, Is<Aged> auto& o)
{
  v(o.first, { .key = "first", .values = slider(0, 10) });
  v(o.added, { .key = "added", .values = slider(0, 10), .later = true });
  v(o.kind, { .key = "kind", .later = true });
}

static void visit(auto& v, Is<Aged> auto& o)
{
  const Stored<std::remove_reference_t<decltype(v)>> stored{ v, true };
  visitOptions(stored, o);
}

} // namespace vae

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
  file.halves["h"] = { { 2, 2 }, { 0x3c00, 0xbc00, 0x7bff, 0 } };
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
  EXPECT_EQ(back.halves.at("h").shape, example().halves.at("h").shape);
  EXPECT_EQ(back.halves.at("h").values, example().halves.at("h").values);
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
  EXPECT_EQ(file(R"({"a":{"dtype":"F16","shape":[8],"data_offsets":[0,16]}})", four), "");
  EXPECT_NE(file(R"({"a":{"dtype":"F16","shape":[4],"data_offsets":[0,16]}})", four), "");
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
  info.augmentation = { true, false, { 0, 1, 1 } };
  info.fingerprint = "00ff";
  info.trainingDims = { 8, 16, 24 };
  EpochRecord row;
  row.epoch = 3;
  row.validationLoss = std::nan("");
  row.loss = 1. / 3;
  row.klOfLatents = { 0.1, std::nan("") };
  row.measures["Total Correlation"] = 2. / 3;
  info.history = { row, row };
  info.verdict = { .generated = 1.25,
    .rebuilt = std::nan(""),
    .prior = Prior::RandomField,
    .heldOut = true,
    .block = { 32, 24, 1 },
    .blocks = 8,
    .realBlocks = 16,
    .without = "why" };
  const ModelInfo back = modelInfoFromJson(toJson(info));
  EXPECT_EQ(toJson(back), toJson(info));
  EXPECT_EQ(back.channels[0].array, channel.array);
  EXPECT_EQ(back.channels[0].scale, 0.1); // exactly
  EXPECT_TRUE(std::isnan(back.history[1].validationLoss));
  EXPECT_EQ(back.history[1].loss, 1. / 3);
  EXPECT_EQ(back.history[1].measures.at("Total Correlation"), 2. / 3);
  EXPECT_EQ(back.options.parameters.at("Beta"), 0.7);
  EXPECT_TRUE(back.augmentation.flips && !back.augmentation.together);
  EXPECT_EQ(back.augmentation.kind, info.augmentation.kind);
  EXPECT_EQ(back.verdict.generated, 1.25);
  EXPECT_TRUE(std::isnan(back.verdict.rebuilt) && std::isnan(back.verdict.control));
  EXPECT_EQ(back.verdict.prior, Prior::RandomField);
  EXPECT_TRUE(back.verdict.heldOut);
  EXPECT_EQ(back.verdict.block, info.verdict.block);
  EXPECT_EQ(back.verdict.blocks, 8);
  EXPECT_EQ(back.verdict.realBlocks, 16);
  EXPECT_EQ(back.verdict.without, "why");
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

namespace
{

/// Good metadata of two channels, to be spoilt.
Json goodModel()
{
  ModelInfo info;
  info.trainingDims = { 8, 16, 24 };
  info.network.channels = 2;
  info.channels.resize(2);
  for (int i = 0; i < 2; ++i)
  {
    ChannelInfo& c = info.channels[static_cast<std::size_t>(i)];
    c.array = "velocity";
    c.component = i;
    c.components = 2;
  }
  info.likelihood = Likelihood::Gaussian;
  info.sigma = { 0.1, 0.2 };
  info.history.resize(1);
  return parseJson(toJson(info));
}

std::string refusalOf(const Json& model)
{
  try
  {
    modelInfoFromJson(dumpJson(model));
    return {};
  }
  catch (const std::runtime_error& e)
  {
    return e.what();
  }
}

} // namespace

TEST(ModelInfo, OlderFilesHaveNoVerdict)
{
  ModelInfo info = modelInfoFromJson(dumpJson(goodModel()));
  info.verdict.generated = 1.25;
  Json older = parseJson(toJson(info));
  EXPECT_EQ(older.erase("verdict"), 1u);
  const ModelInfo back = modelInfoFromJson(dumpJson(older));
  EXPECT_FALSE(back.verdict.judged());
  EXPECT_EQ(verdictInWords(back), "");
}

TEST(ModelInfo, ALaterOptionMayBeMissing)
{
  const auto read = [](const Json& json)
  {
    Aged options;
    FromJson from{ json, {} };
    visit(from, options);
    return options;
  };
  const auto fingerprintOf = [](const Aged& options)
  {
    Json json = ToJson{ true }.convert(options);
    leaveOutLaterDefaults<Aged>(json);
    return hashOf(dumpJson(json));
  };
  // A file says all it knows; one from before has the default.
  const Aged changed{ .first = 3, .added = 5, .kind = KLSchedule::Cyclical };
  const Json file = ToJson{ false }.convert(changed);
  EXPECT_EQ(dumpJson(file), R"({"added":5,"first":3,"kind":"cyclical"})");
  EXPECT_EQ(read(file).added, 5);
  EXPECT_EQ(read(file).kind, KLSchedule::Cyclical);
  const Aged old = read(parseJson(R"({"first":3})"));
  EXPECT_EQ(old.first, 3);
  EXPECT_EQ(old.added, Aged().added);
  EXPECT_EQ(old.kind, Aged().kind);
  // What was always there must be there, and what is there is judged.
  EXPECT_THROW(read(parseJson(R"({"added":5,"kind":"linear"})")), std::runtime_error);
  EXPECT_THROW(read(parseJson(R"({"first":3,"added":11})")), std::runtime_error);
  EXPECT_THROW(read(parseJson(R"({"first":3,"added":null})")), std::runtime_error);
  EXPECT_THROW(read(parseJson(R"({"first":3,"kind":"square"})")), std::runtime_error);
  // The fingerprint is that from before, unless the option makes a difference.
  EXPECT_EQ(fingerprintOf({ .first = 3 }), hashOf(R"({"first":3})"));
  EXPECT_EQ(fingerprintOf(old), fingerprintOf({ .first = 3 }));
  EXPECT_NE(fingerprintOf({ .first = 3, .added = 5 }), fingerprintOf(old));
  EXPECT_NE(fingerprintOf({ .first = 3, .kind = KLSchedule::Cyclical }), fingerprintOf(old));
  EXPECT_NE(fingerprintOf({ .first = 4 }), fingerprintOf(old));
}

/// Where this fails, a new option that files have is not marked as `later` in OptionTable.h.
TEST(ModelInfo, OptionsOfOlderFilesStillCount)
{
  const std::string older =
    R"({"batch_size":0,"best_by":"validation_loss","class_balance":0,"device":"auto",)"
    R"("epochs":0,"fixed_scale":0.1,"free_bits":0,"gradient_clip":1,"kl_cycles":4,)"
    R"("kl_ramp":0.3,"kl_schedule":"linear","learning_rate":0.002,)"
    R"("likelihood":"automatic","network":{"architecture":"field","block_size":32,)"
    R"("blocks":1,"channels":1,"codes":0,"decoder_file":"","dimensions":3,)"
    R"("encoder_file":"","hidden_units":400,"latent_channels":8,"latent_stride":8,)"
    R"("width":32},"objective":"VAE","parameters":{},"patch_size":48,"patience":0,)"
    R"("precision":"automatic","prior_share":0.65,"scale":"analytic","seed":0,)"
    R"("steps_per_epoch":20,"symmetry":"automatic","threads":0,"time_budget":120,)"
    R"("validation_fraction":0.1,"weight_decay":0.01})";
  EXPECT_EQ(toText(TrainOptions()), older) << "trainings with it lose their lineage";
  Json model = goodModel();
  model["options"] = parseJson(older);
  model["network"] = model["options"]["network"];
  model["network"]["channels"] = 2;
  EXPECT_EQ(refusalOf(model), "") << "older files are refused";
}

TEST(ModelInfo, EachNumberHasARangeThatIsTold)
{
  const Json good = goodModel();
  ASSERT_EQ(refusalOf(good), "");
  const Json flat = good.flatten();
  int numbers = 0;
  for (const auto& [pointer, value] : flat.items())
  {
    if (!value.is_number())
    {
      continue;
    }
    ++numbers;
    // What checkOptions() judges, and what is only shown, may be any number.
    const bool any = pointer.starts_with("/options/") || pointer.starts_with("/history/") ||
      pointer.ends_with("/offset") || pointer.ends_with("/mean");
    bool refused = false;
    for (const Json& bad : { Json(-1), Json(0), Json(1000000), Json(1e300), Json(-1e300) })
    {
      Json spoilt = good;
      spoilt[Json::json_pointer(pointer)] = bad;
      refused = refused || !refusalOf(spoilt).empty();
    }
    EXPECT_TRUE(any || refused) << pointer;
    for (const Json& bad : { Json("x"), Json::array(), Json::object(), Json(true) })
    {
      Json spoilt = good;
      spoilt[Json::json_pointer(pointer)] = bad;
      EXPECT_NE(refusalOf(spoilt), "") << pointer << " = " << bad.dump();
    }
    if (!pointer.starts_with("/history/") && pointer != "/prior_spread")
    {
      Json spoilt = good;
      spoilt[Json::json_pointer(pointer)] = nullptr;
      EXPECT_NE(refusalOf(spoilt), "") << pointer << " = null";
    }
  }
  EXPECT_GT(numbers, 80);
  Json wide = good;
  wide["network"]["width"] = 513;
  EXPECT_EQ(refusalOf(wide), "network.width is 513; it must be in [8, 512]");
  Json thin = good;
  thin["channels"][1]["scale"] = 0;
  EXPECT_NE(refusalOf(thin).find("channels[1].scale is 0; it must be in ["), std::string::npos);
}

TEST(ModelInfo, FieldsMustFitEachOther)
{
  using Pointer = Json::json_pointer;
  const std::vector<std::pair<const char*, Json>> lies{ { "/network/channels", 3 },
    { "/channels/1/component", 0 }, { "/channels/0/components", 1 }, { "/channels/1/array", "p" },
    { "/channels/1/type", "uint8" }, { "/channels/0/component", 1 }, { "/sigma", { 0.1 } },
    { "/likelihood", "bernoulli" }, { "/likelihood", "categorical" },
    { "/likelihood", "automatic" }, { "/channels/0/phases", { 0, 1 } },
    { "/channels/0/fractions", { 0.5, 0.5 } }, { "/channels/0/minimum", 2 },
    { "/network/dimensions", 2 }, { "/training_dims/2", 1 }, { "/network/latent_stride", 12 },
    { "/turns/kind", { 0, 1, 3 } }, { "/turns/kind", { 0, 1 } } };
  for (const auto& [pointer, value] : lies)
  {
    Json model = goodModel();
    model[Pointer(pointer)] = value;
    EXPECT_NE(refusalOf(model), "") << pointer << " = " << value.dump();
  }
  // Labels: ascending, each a value of the type, with fractions that add up to 1.
  Json phases = goodModel();
  phases["likelihood"] = "categorical";
  phases["network"]["channels"] = 3;
  phases["channels"].erase(1);
  phases["channels"][0]["components"] = 1;
  phases["channels"][0]["type"] = "uint8";
  phases["channels"][0]["phases"] = { 0, 1, 255 };
  phases["channels"][0]["fractions"] = { 0.25, 0.25, 0.5 };
  phases["sigma"] = Json::array();
  ASSERT_EQ(refusalOf(phases), "");
  for (const auto& [key, value] :
    std::vector<std::pair<const char*, Json>>{ { "phases", { 0, 1, 256 } },
      { "phases", { 0, 1, 1 } }, { "phases", { 1, 0, 2 } }, { "fractions", { 0.25, 0.25, 0.25 } },
      { "fractions", { 0.5, 0.5 } }, { "fractions", { -0.5, 0.5, 1 } } })
  {
    Json model = phases;
    model["channels"][0][key] = value;
    EXPECT_NE(refusalOf(model), "") << key << " = " << value.dump();
  }
}

TEST(ModelInfo, NoFileNamesAPath)
{
  TrainOptions options;
  options.network.encoderFile = "/home/me/encoder.pt";
  ModelInfo info;
  info.network = options.network;
  info.options = options;
  EXPECT_EQ(toJson(info).find("encoder"), std::string::npos);
  EXPECT_NE(toText(options).find("/home/me/encoder.pt"), std::string::npos); // another training
  Json model = goodModel();
  model["network"]["encoder_file"] = "/etc/passwd";
  EXPECT_EQ(modelInfoFromJson(dumpJson(model)).network.encoderFile, "");
}

TEST(ModelInfo, ALongHistoryFitsAHeader)
{
  ModelInfo info = modelInfoFromJson(dumpJson(goodModel()));
  info.history.resize(300000);
  for (std::size_t i = 0; i < info.history.size(); ++i)
  {
    info.history[i].epoch = static_cast<int>(i + 1);
    info.history[i].klOfLatents.assign(8, 0.123456789012345678);
  }
  const std::string text = toJson(info);
  EXPECT_LT(text.size(), 12000000u);
  const ModelInfo back = modelInfoFromJson(text);
  EXPECT_GT(back.history.size(), 5000u);
  EXPECT_EQ(back.history.back().epoch, 300000);
}

TEST(Plan, TakesAnyOptions)
{
  const std::vector<int> values{ -2147483647, -1, 0, 1, 2, 3, 5, 1000, 2147483647 };
  const std::vector<int NetworkOptions::*> members{ &NetworkOptions::dimensions,
    &NetworkOptions::channels, &NetworkOptions::width, &NetworkOptions::blocks,
    &NetworkOptions::latentChannels, &NetworkOptions::latentStride, &NetworkOptions::blockSize,
    &NetworkOptions::hiddenUnits, &NetworkOptions::codes };
  for (int architecture = 0; architecture < 4; ++architecture)
  {
    for (const auto member : members)
    {
      for (const int value : values)
      {
        TrainOptions o;
        o.network.architecture = static_cast<Architecture>(architecture);
        o.network.*member = value;
        o.patchSize = value;
        EXPECT_FALSE(std::isnan(storedBytes(o.network)));
        EXPECT_GE(planOf(o).receptiveField, -2147483647); // it came back
      }
    }
  }
  TrainOptions large;
  large.network.architecture = Architecture::Dense;
  large.network.hiddenUnits = 2147483647;
  large.network.blockSize = 2147483647;
  TrainOptions largest = large;
  largest.network.hiddenUnits = 65536;
  largest.network.blockSize = 128;
  EXPECT_EQ(planOf(large).parameters, planOf(largest).parameters);
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
