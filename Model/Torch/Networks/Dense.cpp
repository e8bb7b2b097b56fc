// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Layers.h"
#include "Networks.h"

#include <ATen/Functions.h>

#include <cmath>

namespace vae
{
namespace
{

class DenseNetwork : public Network
{
public:
  explicit DenseNetwork(const NetworkOptions& o)
    : Network(o)
    , Values(o.channels * std::llround(std::pow(o.blockSize, o.dimensions)))
  {
    const std::int64_t hidden = o.hiddenUnits > 0 ? o.hiddenUnits : this->Values;
    if (o.hiddenUnits > 0)
    {
      this->Inner = this->register_module("encoder_hidden", Dense(this->Values, hidden));
      this->Outer = this->register_module("decoder_hidden", Dense(o.latentChannels, hidden));
    }
    this->Head = this->register_module("encoder_head", Dense(hidden, 2 * o.latentChannels));
    this->Out = this->register_module(
      "decoder_out", Dense(o.hiddenUnits > 0 ? hidden : o.latentChannels, this->Values));
  }

  Posterior encode(const at::Tensor& x) override
  {
    std::vector<std::int64_t> cells{ x.size(0) };
    for (std::int64_t a = 2; a < x.dim(); ++a)
    {
      cells.push_back(x.size(a) / this->Options.blockSize);
    }
    at::Tensor h = cutBlocks(x, this->Options.blockSize).flatten(1);
    h = this->Inner ? at::relu(this->Inner->forward(h)) : h;
    return this->split(joinBlocks(this->Head->forward(h), cells));
  }

  at::Tensor decode(const at::Tensor& z) override
  {
    std::vector<std::int64_t> cells(z.sizes().begin() + 2, z.sizes().end());
    cells.insert(cells.begin(), z.size(0));
    std::vector<std::int64_t> shape{ -1, this->Options.channels };
    shape.insert(shape.end(), cells.size() - 1, this->Options.blockSize);
    at::Tensor h = rowsOf(z);
    h = this->Outer ? at::relu(this->Outer->forward(h)) : h;
    return joinBlocks(this->Out->forward(h).view(shape), cells);
  }

  int encodeHalo() const override { return 0; }
  int decodeHalo() const override { return 0; }

private:
  std::int64_t Values; ///< of a block
  Dense Inner{ nullptr }, Head{ nullptr }, Outer{ nullptr }, Out{ nullptr };
};

} // namespace

NetworkPtr makeDenseNetwork(const NetworkOptions& options)
{
  return std::make_shared<DenseNetwork>(options);
}

} // namespace vae
