// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "StateJson.h"

#include "Torch/Runtime/Room.h"

#include <ATen/Functions.h>

#include <algorithm>
#include <charconv>

namespace vae
{
namespace
{

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

/// What a reader of tensors throws, in the sentence of all that cannot be resumed.
template <typename F>
void orRefuse(F&& read)
{
  try
  {
    read();
  }
  catch (const std::exception& e)
  {
    if (isOutOfMemory(e))
    {
      throw;
    }
    const std::string why = e.what();
    StateReader::require(false, why.substr(0, why.find('\n')));
  }
}

} // namespace

void StateWriter::store(const std::string& name, const std::vector<at::Tensor>& values)
{
  addPart(this->tensors, name + '.', stateOf(values));
}

void StateWriter::store(const std::string& name, const at::Generator& generator)
{
  this->tensors[name] = generator.get_state();
}

void StateWriter::store(const std::string& name, const std::mt19937_64& generator)
{
  this->tensors[name] = stateOf(generator);
}

void StateWriter::add(const std::string& name, StateWriter part)
{
  this->json[name] = std::move(part.json);
  addPart(this->tensors, name + '.', part.tensors);
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
  return { this->Fields.at(name), this->Tensors.part(std::string(name) + '.') };
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
  orRefuse([&] { vae::restore(to, this->Tensors.part(name + '.')); });
}

void StateReader::load(const std::string& name, at::Generator& generator) const
{
  orRefuse([&] { generator.set_state(this->Tensors.getBytes(name)); });
}

void StateReader::load(const std::string& name, std::mt19937_64& generator) const
{
  orRefuse([&] { vae::restore(generator, this->Tensors.getBytes(name)); });
}

std::pair<Json, State> newestState(const TrainingState& state)
{
  Json old = parseJson(state.json);
  if (old.is_object() && old.contains("network"))
  {
    return { std::move(old), state.tensors };
  }
  const auto moved = [&](std::initializer_list<const char*> names)
  {
    Json fields = Json::object();
    for (const char* name : names)
    {
      fields[name] = memberOf(old, name);
    }
    return fields;
  };
  const Json::array_t& sums = arrayOf(memberOf(old, "running"), "running");
  StateReader::require(sums.size() == 5, "a list has the wrong length");
  Json network = moved({ "step", "best_loss", "first_loss", "lowest_loss", "rate_factor" });
  const auto log = [&](const Json& loss, const Json& reconstruction, const Json& kl,
                     const Json& seconds, const Json& voxels, const Json& measures)
  {
    Json fields = Json::object();
    fields["loss"] = loss;
    fields["reconstruction"] = reconstruction;
    fields["kl"] = kl;
    fields["seconds"] = seconds;
    fields["voxels"] = voxels;
    fields["measures"] = measures;
    return fields;
  };
  network["log"] = log(sums[0], sums[1], sums[2], sums[3], sums[4], memberOf(old, "measures"));
  Json clock = moved({ "seconds" });
  clock["closing_seconds"] = old.value("closing_seconds", Json(0));
  State tensors;
  const auto generators = [&](const Json& from, const std::string& part)
  {
    tensors[part + "random"] = bytesOf(stringOf(memberOf(from, "random"), "random"));
    tensors[part + "noise"] = fromHex(stringOf(memberOf(from, "noise"), "noise"));
  };
  generators(old, "network.");
  Json prior = Json::object();
  if (const Json& was = memberOf(old, "prior"); !was.is_null())
  {
    generators(was, "prior.");
    prior["steps"] = memberOf(was, "steps");
    prior["seconds"] = memberOf(was, "seconds");
    prior["patches"] = was.value("patches", Json(0));
    prior["log"] = log(memberOf(was, "loss"), 0, 0, sums[3], sums[4], Json::object());
    network["log"] = log(0, 0, 0, 0, 0, Json::object()); // it is over
  }
  for (const auto& [name, tensor] : state.tensors)
  {
    tensors[(name.starts_with("prior.") ? "prior." : "network.") + name] = tensor;
  }
  Json all = moved({ "network_ending" });
  all["network"] = std::move(network);
  all["clock"] = std::move(clock);
  all["prior"] = std::move(prior);
  all["prior_left_out"] = old.value("prior_left_out", Json(""));
  return { std::move(all), std::move(tensors) };
}

} // namespace vae
