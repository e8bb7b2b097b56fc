// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Network.h"

#include "Layers.h"
#include "Networks.h"
#include "Plan.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/core/GradMode.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <format>
#include <stdexcept>

namespace vae
{
namespace
{

constexpr const char* ScriptEncoder = "torchscript.encoder";
constexpr const char* ScriptDecoder = "torchscript.decoder";

} // namespace

Network::Network(const NetworkOptions& options) : Options(options)
{
  if (options.codes > 0)
  {
    const std::vector<std::int64_t> shape{ options.codes, options.latentChannels };
    this->codebook = this->register_buffer("codebook", at::zeros(shape));
    this->codeUse = this->register_buffer("codebook_use", at::zeros({ options.codes }));
    this->codeSum = this->register_buffer("codebook_sum", at::zeros(shape));
  }
}

void Network::initialise(const at::Generator& generator) { initialiseLayers(*this, generator); }

int Network::context() const
{
  return std::min(this->decodeHalo(), std::max(2, 16 / this->Options.stride()));
}

Posterior Network::encodeTile(const at::Tensor& folded, const Halo& halo)
{
  const Posterior q = this->encode(folded);
  Trim mean(halo, 1), logVariance(halo, 1);
  return { mean(q.mean, 0), logVariance(q.logVariance, 0) };
}

at::Tensor Network::decodeTile(const at::Tensor& latent, const Halo& halo)
{
  return Trim(halo, this->Options.stride() / this->Options.fold())(this->decode(latent), 0);
}

Posterior Network::split(const at::Tensor& both) const
{
  const std::vector<at::Tensor> parts = both.to(at::kFloat).chunk(2, 1);
  return { parts[0], parts[1].clamp(MinimumLogVariance, MaximumLogVariance) };
}

at::Tensor Network::nearestCodes(const at::Tensor& rows) const
{
  // |r - c|^2 up to |r|^2, which does not change the order.
  return (this->codebook.square().sum(1) - 2 * rows.matmul(this->codebook.t())).argmin(1);
}

at::Tensor Network::quantise(const at::Tensor& latent) const
{
  if (!this->codebook.defined())
  {
    return latent;
  }
  const at::Tensor last = latent.movedim(1, -1);
  const at::Tensor codes = this->nearestCodes(last.flatten(0, -2).to(at::kFloat));
  return this->codebook.index_select(0, codes)
    .view(last.sizes())
    .movedim(-1, 1)
    .to(latent.scalar_type());
}

std::vector<std::pair<std::string, at::Tensor>> Network::tensors() const
{
  std::vector<std::pair<std::string, at::Tensor>> all;
  for (const auto& item : this->named_parameters())
  {
    all.emplace_back(item.key(), item.value());
  }
  for (const auto& item : this->named_buffers())
  {
    all.emplace_back(item.key(), item.value());
  }
  return all;
}

State Network::state() const
{
  State state;
  for (const auto& [name, tensor] : this->tensors())
  {
    state[name] = tensor;
  }
  if (const auto source = this->scripts())
  {
    state[ScriptEncoder] = bytesOf(source->encoder);
    state[ScriptDecoder] = bytesOf(source->decoder);
  }
  return state;
}

NetworkPtr makeNetwork(const NetworkOptions& options, std::shared_ptr<const Scripts> scripts)
{
  switch (options.architecture)
  {
    case Architecture::Field:
      return makeFieldNetwork(options);
    case Architecture::Vector:
      return makeVectorNetwork(options);
    case Architecture::Dense:
      return makeDenseNetwork(options);
    case Architecture::TorchScript:
      return makeScriptNetwork(options, scripts ? std::move(scripts) : readScripts(options));
  }
  throw std::invalid_argument("unknown architecture");
}

NetworkPtr copyOf(const Network& network, const NetworkOptions& options)
{
  const c10::NoGradGuard guard;
  NetworkPtr copy = makeNetwork(options, network.scripts());
  const auto from = network.tensors(), to = copy->tensors();
  for (std::size_t i = 0; i < to.size(); ++i)
  {
    at::Tensor(to[i].second).copy_(from[i].second);
  }
  return copy;
}

NetworkPtr frozenCopyOf(const Network& network, const NetworkOptions& options)
{
  const c10::InferenceMode off(false); // its tensors may be part of a graph later
  NetworkPtr copy = copyOf(network, options);
  for (at::Tensor& weight : copy->parameters())
  {
    weight.set_requires_grad(false);
  }
  return copy;
}

NetworkPtr onDevice(
  const NetworkPtr& network, const NetworkOptions& options, const at::Device& device)
{
  if (device.is_cpu())
  {
    return network;
  }
  const std::lock_guard lock(network->CopiesGuard);
  NetworkPtr& copy = network->Copies[device.str()];
  if (!copy)
  {
    const c10::InferenceMode off(false);
    NetworkPtr made = frozenCopyOf(*network, options);
    made->to(device);
    copy = std::move(made);
  }
  return copy;
}

NetworkPtr frozenOn(
  const NetworkPtr& network, const NetworkOptions& options, const at::Device& device)
{
  return device.is_cpu() ? frozenCopyOf(*network, options) : onDevice(network, options, device);
}

NetworkPtr networkFromState(
  const NetworkOptions& options, const TensorReader& state, bool allowTorchScript)
{
  const bool script = options.architecture == Architecture::TorchScript;
  if (const double needed = storedBytes(options), there = state.bytes(); needed > there)
  {
    throw std::runtime_error(
      std::format("its network needs {:.0f} bytes of tensors, the file has {:.0f}", needed, there));
  }
  std::shared_ptr<const Scripts> scripts;
  if (script)
  {
    if (!allowTorchScript)
    {
      throw std::runtime_error("its network is TorchScript, which is a program, and Allow "
                               "TorchScript is off; switch it on only if you trust who made this "
                               "file");
    }
    scripts = std::make_shared<Scripts>(
      Scripts{ textOf(state.getBytes(ScriptEncoder)), textOf(state.getBytes(ScriptDecoder)) });
  }
  NetworkPtr network = makeNetwork(options, scripts);
  const c10::NoGradGuard guard;
  for (const auto& [name, tensor] : network->tensors())
  {
    // A script may mask with infinity.
    at::Tensor(tensor).copy_(state.get(
      name, tensor.sizes(), script ? TensorReader::Values::Any : TensorReader::Values::Finite));
  }
  return network;
}

at::Tensor rowsOf(const at::Tensor& latent) { return latent.movedim(1, -1).flatten(0, -2); }

Halo around(const Box& box, const Box& wide, int dimensions)
{
  Halo halo;
  for (int a = 3 - dimensions; a < 3; ++a)
  {
    halo.low.push_back(box.origin[a] - wide.origin[a]);
    halo.high.push_back(wide.origin[a] + wide.size[a] - box.origin[a] - box.size[a]);
  }
  return halo;
}

} // namespace vae
