// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Networks.h"

#include <ATen/Functions.h>
#include <c10/core/GradMode.h>
#include <c10/core/InferenceMode.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/serialization/import.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace vae
{
namespace
{

[[noreturn]] void noModule(const char* label, const std::string& path, const std::string& why)
{
  throw std::invalid_argument(label +
    (path.empty() ? " of the model file" : " is '" + path + "', which") +
    " is not a TorchScript module: " + why.substr(0, why.find('\n')));
}

std::string readScript(const char* label, const std::string& path)
{
  if (path.empty())
  {
    throw std::invalid_argument(std::string("Network is TorchScript, but ") + label + " is empty");
  }
  std::ifstream in(path, std::ios::binary);
  std::ostringstream content;
  if (!in || !(content << in.rdbuf()))
  {
    noModule(label, path, std::strerror(errno));
  }
  return content.str();
}

torch::jit::Module parseScript(
  const char* label, const std::string& path, const std::string& content)
{
  try
  {
    std::istringstream in(content);
    return torch::jit::load(in, at::kCPU);
  }
  catch (const std::exception& e)
  {
    noModule(label, path, e.what());
  }
}

class ScriptNetwork : public Network
{
public:
  ScriptNetwork(const NetworkOptions& o, std::shared_ptr<const Scripts> scripts)
    : Network(o)
    , Source(std::move(scripts))
    , Encoder(parseScript("Encoder File", o.encoderFile, this->Source->encoder))
    , Decoder(parseScript("Decoder File", o.decoderFile, this->Source->decoder))
  {
    this->adopt("encoder", this->Encoder);
    this->adopt("decoder", this->Decoder);
    std::vector<std::int64_t> shape{ 1, o.channels };
    shape.insert(shape.end(), static_cast<std::size_t>(o.dimensions), o.blockSize);
    // One block through both, so that a wrong shape is told now and not in the middle of a step.
    const at::Tensor both = this->call("Encoder File", this->Encoder, at::zeros(shape));
    this->require("Encoder File", both, { 1, 2 * o.latentChannels });
    const at::Tensor back =
      this->call("Decoder File", this->Decoder, at::zeros({ 1, o.latentChannels }));
    this->require("Decoder File", back, shape);
  }

  void initialise(const at::Generator&) override {} // the files hold the first weights

  Posterior encode(const at::Tensor& x) override
  {
    std::vector<std::int64_t> cells{ x.size(0) };
    for (std::int64_t a = 2; a < x.dim(); ++a)
    {
      cells.push_back(x.size(a) / this->Options.blockSize);
    }
    const at::Tensor blocks = cutBlocks(x, this->Options.blockSize).to(at::kFloat);
    return this->split(joinBlocks(this->call("Encoder File", this->Encoder, blocks), cells));
  }

  at::Tensor decode(const at::Tensor& z) override
  {
    std::vector<std::int64_t> cells(z.sizes().begin() + 2, z.sizes().end());
    cells.insert(cells.begin(), z.size(0));
    const at::Tensor rows = rowsOf(z).to(at::kFloat);
    return joinBlocks(this->call("Decoder File", this->Decoder, rows), cells);
  }

  int encodeHalo() const override { return 0; }
  int decodeHalo() const override { return 0; }
  std::shared_ptr<const Scripts> scripts() const override { return this->Source; }

private:
  /// The module's parameters as this network's own: trained, copied and saved as any.
  void adopt(const std::string& prefix, const torch::jit::Module& module)
  {
    const auto add = [&](const std::string& name, const at::Tensor& t, bool trained)
    {
      std::string key = prefix + '_' + name;
      std::replace(key.begin(), key.end(), '.', '_');
      trained ? this->register_parameter(key, t) : this->register_buffer(key, t);
    };
    for (const auto& p : module.named_parameters())
    {
      add(p.name, p.value, true);
    }
    for (const auto& b : module.named_buffers())
    {
      add(b.name, b.value, false);
    }
  }

  at::Tensor call(const char* label, torch::jit::Module& module, const at::Tensor& x) const
  {
    try
    {
      if (!x.is_inference())
      {
        return module.forward({ x }).toTensor();
      }
      // The interpreter may want to differentiate, which tensors of inference mode refuse.
      const c10::InferenceMode ordinary(false);
      const c10::NoGradGuard guard;
      return module.forward({ x.clone() }).toTensor();
    }
    catch (const std::exception& e)
    {
      // The reason is the last line that says something, below a trace of the script.
      std::string what = e.what();
      what = what.substr(0, what.find("\nException raised from"));
      what.erase(what.find_last_not_of(" \n") + 1);
      throw std::invalid_argument(std::string(label) + ": the module failed on a tensor of " +
        c10::str(x.sizes()) + ": " + what.substr(what.rfind('\n') + 1));
    }
  }

  void require(
    const char* label, const at::Tensor& t, const std::vector<std::int64_t>& wanted) const
  {
    if (t.sizes() != at::IntArrayRef(wanted))
    {
      throw std::invalid_argument(std::string(label) + ": the module gives " + c10::str(t.sizes()) +
        " for one block; it must give " + c10::str(at::IntArrayRef(wanted)));
    }
  }

  std::shared_ptr<const Scripts> Source;
  torch::jit::Module Encoder, Decoder;
};

} // namespace

NetworkPtr makeScriptNetwork(const NetworkOptions& options, std::shared_ptr<const Scripts> scripts)
{
  return std::make_shared<ScriptNetwork>(options, std::move(scripts));
}

std::shared_ptr<const Scripts> readScripts(const NetworkOptions& options)
{
  return std::make_shared<Scripts>(Scripts{ readScript("Encoder File", options.encoderFile),
    readScript("Decoder File", options.decoderFile) });
}

} // namespace vae
