// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "HostileFile.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>

namespace test
{
namespace
{

using Json = nlohmann::json;

template <typename T>
const T& oneOf(const std::vector<T>& all, std::mt19937& random)
{
  return all[random() % all.size()];
}

void collect(const Json& json, const Json::json_pointer& at, std::vector<Json::json_pointer>& all)
{
  if (!at.empty())
  {
    all.push_back(at);
  }
  for (const auto& item : json.items())
  {
    if (json.is_object())
    {
      collect(item.value(), at / item.key(), all);
    }
    else if (json.is_array())
    {
      collect(item.value(), at / std::stoul(item.key()), all);
    }
  }
}

Json otherValue(const Json& old, std::mt19937& random)
{
  static const std::vector<Json> values{ -1, 0, 1, 2, 3, 0.5, 64, 1000000, 2147483647,
    9007199254740992, 1e300, -1e300, 1e-300, 1e-40, nullptr, "", Json::array(), Json::object(),
    true, false, std::string(20000, 'x') };
  static const std::vector<Json> names{ "automatic", "bernoulli", "gaussian", "categorical",
    "laplace", "analytic", "learned", "fixed", "field", "vector", "dense", "torchscript", "uint8",
    "int64", "float32", "float64", "statistics", "none", "cube", "stopped", "VAE", "VQVAE",
    "Autoencoder", "auto", "cuda" };
  if (old.is_string() && random() % 2)
  {
    return oneOf(names, random);
  }
  if (old.is_boolean() && random() % 2)
  {
    return !old.get<bool>();
  }
  if (old.is_number() && random() % 3 == 0)
  {
    const double v = old.get<double>();
    return oneOf<double>({ v + 1, v - 1, 2 * v, -v, v / 2, v + 4 }, random);
  }
  if (old.is_array() && random() % 2)
  {
    Json list = old;
    if (!list.empty() && random() % 2)
    {
      list.erase(random() % list.size());
    }
    else
    {
      list.push_back(list.empty() ? Json(1) : list.back());
    }
    return list;
  }
  return oneOf(values, random);
}

} // namespace

HostileFile::HostileFile(const std::string& path)
{
  std::ifstream in(path, std::ios::binary);
  std::uint64_t length = 0;
  in.read(reinterpret_cast<char*>(&length), sizeof length);
  std::string text(length, '\0');
  in.read(text.data(), static_cast<std::streamsize>(length));
  const std::string body{ std::istreambuf_iterator<char>(in), {} };
  const Json header = Json::parse(text);
  for (const auto& [name, entry] : header.items())
  {
    if (name == "__metadata__")
    {
      this->Metadata = entry.get<std::map<std::string, std::string>>();
      continue;
    }
    const auto from = entry["data_offsets"][0].get<std::size_t>(),
               to = entry["data_offsets"][1].get<std::size_t>();
    this->Tensors[name] = { entry["dtype"].get<std::string>(),
      entry["shape"].get<std::vector<std::int64_t>>(), body.substr(from, to - from) };
  }
}

std::string HostileFile::bytes() const
{
  Json header = Json::object();
  header["__metadata__"] = this->Metadata;
  std::string body;
  for (const auto& [name, tensor] : this->Tensors)
  {
    header[name] = { { "dtype", tensor.Type }, { "shape", tensor.Shape },
      { "data_offsets", { body.size(), body.size() + tensor.Bytes.size() } } };
    body += tensor.Bytes;
  }
  const std::string text = header.dump();
  const std::uint64_t length = text.size();
  return std::string(reinterpret_cast<const char*>(&length), sizeof length) + text + body;
}

std::string HostileFile::change(std::mt19937& random)
{
  const unsigned kind = random() % 10;
  return kind < 6 ? this->changeJson(random, "model")
    : kind == 6 ? this->changeJson(random, this->Metadata.count("training") ? "training" : "model")
                : this->changeTensor(random);
}

void HostileFile::set(const std::string& pointer, const std::string& json)
{
  Json model = Json::parse(this->Metadata.at("model"));
  model[Json::json_pointer(pointer)] = Json::parse(json);
  this->Metadata["model"] = model.dump();
}

void HostileFile::remove(const std::string& prefix)
{
  std::erase_if(this->Tensors, [&](const auto& item) { return item.first.starts_with(prefix); });
}

void HostileFile::add(const std::string& name, const std::vector<std::int64_t>& shape)
{
  std::int64_t count = 1;
  for (const std::int64_t n : shape)
  {
    count *= n;
  }
  this->Tensors[name] = { "F32", shape, std::string(static_cast<std::size_t>(4 * count), '\0') };
}

std::string HostileFile::changeJson(std::mt19937& random, const std::string& key)
{
  Json json = Json::parse(this->Metadata.at(key));
  std::vector<Json::json_pointer> places;
  collect(json, Json::json_pointer(), places);
  const Json::json_pointer at = oneOf(places, random);
  std::string what = key + at.to_string();
  if (const unsigned kind = random() % 12; kind == 0 && json[at.parent_pointer()].is_object())
  {
    json[at.parent_pointer()].erase(at.back());
    what += " removed";
  }
  else if (kind == 1)
  {
    std::string twice = json.dump();
    twice.insert(1, "\"" + std::string(random() % 2 ? "network" : "step") + "\":1,");
    this->Metadata[key] = twice;
    return key + " with a key more";
  }
  else
  {
    const Json value = otherValue(json[at], random);
    what += " = " + value.dump().substr(0, 60);
    json[at] = value;
    // What is said twice is changed in both places, now and then.
    const std::string path = at.to_string();
    const Json::json_pointer again("/options/network"); // which may be a lie by now
    if (random() % 2 && path.starts_with("/network/") && json.contains(again) &&
      json[again].is_object())
    {
      json[again][path.substr(9)] = value;
    }
  }
  this->Metadata[key] = json.dump();
  return what;
}

std::string HostileFile::changeTensor(std::mt19937& random)
{
  std::vector<std::string> names;
  for (const auto& item : this->Tensors)
  {
    names.push_back(item.first);
    if (item.first.find('.') != std::string::npos && random() % 2)
    {
      names.push_back(item.first); // priors and calibrations: there are few of them
    }
  }
  const std::string name = oneOf(names, random);
  Tensor& t = this->Tensors[name];
  const std::size_t each = t.Type == "U8" ? 1 : 4, count = t.Bytes.size() / each;
  switch (random() % 9)
  {
    case 0:
      this->Tensors.erase(name);
      return name + " removed";
    case 1:
    {
      const Tensor moved = t;
      this->Tensors.erase(name);
      this->Tensors[oneOf(names, random)] = moved;
      return name + " in another's place";
    }
    case 2:
      std::reverse(t.Shape.begin(), t.Shape.end());
      return name + " transposed";
    case 3:
      t.Shape = { static_cast<std::int64_t>(count) };
      return name + " in a row";
    case 4:
      t.Shape = {};
      t.Bytes.resize(each);
      return name + " 0-d";
    case 5:
      t.Shape.insert(random() % 2 ? t.Shape.begin() : t.Shape.end(), 1);
      return name + " with an axis more";
    case 6:
    {
      if (t.Shape.empty())
      {
        return name + " as it was";
      }
      const std::size_t axis = random() % t.Shape.size();
      t.Shape[axis] += oneOf<std::int64_t>({ 1, -1, 2, -t.Shape[axis] }, random);
      t.Shape[axis] = std::max<std::int64_t>(t.Shape[axis], 0);
      std::size_t wanted = each;
      for (const std::int64_t n : t.Shape)
      {
        wanted *= static_cast<std::size_t>(n);
      }
      t.Bytes.resize(wanted, '\1');
      return name + " of another size";
    }
    case 7:
      t.Bytes.resize(t.Bytes.size() / 4 * 4);
      t.Type = each == 1 ? "F32" : "U8";
      t.Shape = { static_cast<std::int64_t>(t.Bytes.size() / (each == 1 ? 4 : 1)) };
      return name + (each == 1 ? " as numbers" : " as bytes");
    default:
    {
      if (each == 1) // a random generator's state
      {
        for (unsigned i = 0; i < 1 + random() % 3 && count > 0; ++i)
        {
          t.Bytes[random() % count] = static_cast<char>(random());
        }
        return name + " with other bytes";
      }
      constexpr float infinity = std::numeric_limits<float>::infinity();
      const float value = oneOf<float>(
        { std::nanf(""), infinity, -infinity, 3e38f, -3e38f, 1e10f, -1, 0, 1e-40f }, random);
      const std::size_t first = count == 0 || random() % 2 ? 0 : random() % count;
      const std::size_t last = random() % 2 ? count : std::min(first + 1, count);
      for (std::size_t i = first; i < last; ++i)
      {
        std::memcpy(t.Bytes.data() + 4 * i, &value, 4);
      }
      return name + " is " + std::to_string(value) + " from " + std::to_string(first) + " on";
    }
  }
}

} // namespace test
