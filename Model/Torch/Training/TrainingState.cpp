// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "TorchTrainer.h"

#include "Source/JsonText.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <sstream>

// What a training needs to go on exactly where it stopped, as a model file stores it.
namespace vae
{
namespace
{

std::string toHex(const at::Tensor& bytes)
{
  std::string text;
  const auto* data = bytes.const_data_ptr<std::uint8_t>();
  char two[3];
  for (std::int64_t i = 0; i < bytes.numel(); ++i)
  {
    std::snprintf(two, sizeof two, "%02x", data[i]);
    text += two;
  }
  return text;
}

at::Tensor fromHex(const std::string& text)
{
  at::Tensor bytes = at::empty({ static_cast<std::int64_t>(text.size() / 2) }, at::kByte);
  auto* data = bytes.mutable_data_ptr<std::uint8_t>();
  for (std::size_t i = 0; i + 1 < text.size(); i += 2)
  {
    data[i / 2] = static_cast<std::uint8_t>(std::stoi(text.substr(i, 2), nullptr, 16));
  }
  return bytes;
}

} // namespace

std::shared_ptr<const TrainingState> TorchTrainer::state() const
{
  auto state = std::make_shared<TrainingState>();
  const auto store = [&](const std::string& kind, const std::vector<at::Tensor>& tensors)
  {
    for (std::size_t i = 0; i < tensors.size(); ++i)
    {
      state->tensors[kind + '.' + std::to_string(i)] = tensors[i].detach().to(at::kCPU).clone();
    }
  };
  store("weights", this->weights());
  store("best", this->Best.tensors);
  store("optimizer", this->Optimiser->state());
  std::ostringstream random;
  random << this->Random;
  Json prior;
  if (this->Prior)
  {
    store("prior", this->Prior->tensors());
    prior =
      Json{ { "steps", this->Prior->steps() }, { "seconds", this->spent() - this->NetworkSeconds },
        { "patches", this->Prior->patches() }, { "loss", this->Running.priorLoss },
        { "random", this->Prior->random() }, { "noise", toHex(this->Prior->noise()) } };
  }
  state->json = dumpJson(Json{
    { "step", this->Step },
    { "seconds", this->spent() },
    { "closing_seconds", this->Closing + this->Spare },
    { "prior_left_out", this->PriorLeftOut },
    { "running",
      { this->Running.loss, this->Running.reconstruction, this->Running.kl, this->Running.seconds,
        this->Running.voxelsPerSecond } },
    { "measures", this->Running.measures },
    { "best_loss", this->BestLoss },
    { "first_loss", this->FirstLoss },
    { "lowest_loss", this->LowestLoss },
    { "rate_factor", this->RateFactor },
    { "random", random.str() },
    { "noise", toHex(this->Noise.get_state()) },
    { "network_ending", static_cast<int>(this->NetworkEnding) },
    { "prior", prior },
  });
  return state;
}

void TorchTrainer::restore(const TrainingState& state)
{
  const auto load = [&](const std::string& kind, const std::vector<at::Tensor>& tensors)
  {
    const c10::NoGradGuard guard;
    for (std::size_t i = 0; i < tensors.size(); ++i)
    {
      const std::string key = kind + '.' + std::to_string(i);
      const auto found = state.tensors.find(key);
      if (found == state.tensors.end() || found->second.sizes() != tensors[i].sizes())
      {
        throw std::invalid_argument(
          "Cannot resume from Initial Model: its training state lacks tensor \"" + key + "\"");
      }
      at::Tensor(tensors[i]).copy_(found->second);
    }
  };
  const Json json = parseJson(state.json);
  const auto number = [&](const char* key) { return numberOrNaNOf(memberOf(json, key), key); };
  const auto require = [](bool good, const std::string& what)
  {
    if (!good)
    {
      throw std::invalid_argument(
        "Cannot resume from Initial Model: in its training state " + what);
    }
  };
  const auto count = [&](const Json& of, const char* key)
  {
    const std::int64_t n = integerOf(memberOf(of, key), key);
    require(n >= 0 && n <= 9007199254740992, std::string(key) + " is " + std::to_string(n));
    return n;
  };
  const auto duration = [&](const Json& of, const char* key)
  {
    const double v = numberOf(memberOf(of, key), key);
    require(v >= -1 && v <= 1e12, std::string(key) + " is " + std::to_string(v));
    return std::max(v, 0.); // a difference may be a little less
  };
  load("weights", this->weights());
  load("optimizer", this->Optimiser->state());
  this->Step = count(json, "step");
  this->Carried = duration(json, "seconds");
  if (json.contains("closing_seconds")) // which older files do not have
  {
    this->Closing = std::clamp(number("closing_seconds"), 0., this->Info.options.timeBudget);
  }
  const Json::array_t& running = arrayOf(memberOf(json, "running"), "running");
  require(running.size() == 5, "a list has the wrong length");
  this->Running.loss = numberOrNaNOf(running[0], "running");
  this->Running.reconstruction = numberOrNaNOf(running[1], "running");
  this->Running.kl = numberOrNaNOf(running[2], "running");
  this->Running.seconds = numberOrNaNOf(running[3], "running");
  this->Running.voxelsPerSecond = numberOrNaNOf(running[4], "running");
  for (const auto& [name, value] : objectOf(memberOf(json, "measures"), "measures"))
  {
    this->Running.measures[name] = numberOrNaNOf(value, name);
  }
  this->BestLoss = number("best_loss");
  this->FirstLoss = number("first_loss");
  this->LowestLoss = number("lowest_loss");
  this->RateFactor = number("rate_factor");
  this->Info.sigma = this->Seen->scales();
  if (state.tensors.count("best.0"))
  {
    this->Best.take(this->weights());
    load("best", this->Best.tensors);
  }
  else
  {
    this->Info.bestEpoch = 0;
  }
  std::istringstream(stringOf(memberOf(json, "random"), "random")) >> this->Random;
  this->Noise.set_state(fromHex(stringOf(memberOf(json, "noise"), "noise")));
  const Json& prior = memberOf(json, "prior");
  const double ofPrior = prior.is_null() ? 0 : duration(prior, "seconds");
  const auto ending =
    static_cast<Ending>(integerOf(memberOf(json, "network_ending"), "network_ending"));
  const double share = this->PriorShare;
  if (const std::string why = json.contains("prior_left_out")
      ? stringOf(memberOf(json, "prior_left_out"), "prior_left_out")
      : std::string();
    !why.empty())
  {
    this->leavePriorOut(why);
  }
  // Whether the limits, which may be others now, have been reached. The prior came after.
  this->Carried -= ofPrior;
  const bool over =
    ending == Ending::Patience || (ending == Ending::Budget && this->networkProgress() >= 1);
  if (!over)
  {
    // The network goes on, and its prior begins anew after it.
    this->PriorShare = share;
    this->PriorLeftOut.clear();
    this->Info.leftOut.clear();
    if (!prior.is_null())
    {
      this->Running = {};
      std::erase_if(
        this->Info.history, [](const EpochRecord& row) { return !std::isnan(row.priorLoss); });
    }
    return;
  }
  // The prior's rows go on from the network's last one.
  require(!this->Info.history.empty(), "the network is trained, but there is no history");
  this->NetworkEnding = ending;
  this->NetworkSeconds = this->Carried;
  this->Carried += ofPrior;
  if (!prior.is_null())
  {
    this->PatchesOfPrior = prior.contains("patches") ? count(prior, "patches") : 0;
    this->makePrior();
    load("prior", this->Prior->tensors());
    this->Prior->restore(count(prior, "steps"), stringOf(memberOf(prior, "random"), "random"),
      fromHex(stringOf(memberOf(prior, "noise"), "noise")));
    this->Info.priorSteps = this->Prior->steps();
    this->Running.priorLoss = numberOrNaNOf(memberOf(prior, "loss"), "loss");
  }
}

} // namespace vae
