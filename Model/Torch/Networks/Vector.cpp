// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Layers.h"
#include "Networks.h"

#include <ATen/Functions.h>
#include <c10/core/GradMode.h>

#include <cmath>

namespace vae
{
namespace
{

class VectorNetwork : public Network
{
public:
  explicit VectorNetwork(const NetworkOptions& o)
    : Network(o)
    , Stem(this->register_module("encoder_stem", Conv(o.dimensions, folded(o), o.width, 3)))
    , Out(this->register_module("decoder_out", Conv(o.dimensions, o.width, folded(o), 3)))
  {
    // Halved while that leaves no remainder and no more than 4 cells are the aim.
    this->Rest = o.blockSize / o.fold();
    int level = 0;
    for (;; ++level)
    {
      const std::string n = std::to_string(level);
      const int here = this->channels(level), below = this->channels(level + 1);
      this->Encode.emplace_back(*this, "encoder" + n + "_", o.dimensions, here, o.blocks);
      this->Decode.emplace_back(
        *this, "decoder" + n + "_", o.dimensions, here, o.blocks + (level == 0));
      if (this->Rest <= 4 || this->Rest % 2 != 0)
      {
        break;
      }
      this->Rest /= 2;
      this->Down.push_back(
        this->register_module("encoder_down" + n, Conv(o.dimensions, here, below, 2)));
      this->Up.push_back(
        this->register_module("decoder_up" + n, Conv(o.dimensions, below, here, 2, true)));
    }
    const auto last = static_cast<std::int64_t>(
      this->channels(level) * std::lround(std::pow(this->Rest, o.dimensions)));
    this->Head = this->register_module("encoder_head", Dense(last, 2 * o.latentChannels));
    this->Foot = this->register_module("decoder_foot", Dense(o.latentChannels, last));
  }

  void initialise(const at::Generator& generator) override
  {
    Network::initialise(generator);
    const c10::NoGradGuard guard;
    const int latent = this->Options.latentChannels;
    this->Head->bias.narrow(0, latent, latent).fill_(InitialLogVariance);
  }

  Posterior encode(const at::Tensor& x) override
  {
    const std::int64_t size = this->Options.blockSize / this->Options.fold();
    at::Tensor h = this->Encode[0].forward(this->Stem->forward(cutBlocks(x, size)));
    for (std::size_t i = 0; i < this->Down.size(); ++i)
    {
      h = this->Encode[i + 1].forward(this->Down[i]->forward(activated(h)));
    }
    const at::Tensor both = this->Head->forward(activated(h).flatten(1));
    return this->split(joinBlocks(both, this->cellsOf(x, size)));
  }

  at::Tensor decode(const at::Tensor& z) override
  {
    std::vector<std::int64_t> cells(z.sizes().begin() + 2, z.sizes().end());
    cells.insert(cells.begin(), z.size(0));
    std::vector<std::int64_t> shape{ -1, this->channels(static_cast<int>(this->Up.size())) };
    shape.insert(shape.end(), cells.size() - 1, this->Rest);
    const auto format =
      z.dim() == 5 ? at::MemoryFormat::ChannelsLast3d : at::MemoryFormat::ChannelsLast;
    at::Tensor h = this->Foot->forward(rowsOf(z)).view(shape).contiguous(format);
    h = this->Decode.back().forward(h);
    for (std::size_t i = this->Up.size(); i-- > 0;)
    {
      h = this->Decode[i].forward(this->Up[i]->forward(activated(h)));
    }
    return joinBlocks(this->Out->forward(activated(h)), cells);
  }

  int encodeHalo() const override { return 0; }
  int decodeHalo() const override { return 0; }

private:
  static int folded(const NetworkOptions& o)
  {
    return o.channels * static_cast<int>(std::lround(std::pow(o.fold(), o.dimensions)));
  }
  int channels(int level) const { return this->Options.width << std::min(level, 2); }
  static std::vector<std::int64_t> cellsOf(const at::Tensor& x, std::int64_t size)
  {
    std::vector<std::int64_t> cells{ x.size(0) };
    for (std::int64_t a = 2; a < x.dim(); ++a)
    {
      cells.push_back(x.size(a) / size);
    }
    return cells;
  }

  int Rest = 1; ///< cells at the coarsest level
  Conv Stem, Out;
  Dense Head{ nullptr }, Foot{ nullptr };
  std::vector<Conv> Down, Up;
  std::vector<Stack> Encode, Decode;
};

} // namespace

at::Tensor cutBlocks(const at::Tensor& whole, std::int64_t size)
{
  const std::int64_t dimensions = whole.dim() - 2;
  std::vector<std::int64_t> split{ whole.size(0), whole.size(1) }, order{ 0 }, inner{ 1 }, shape;
  bool one = true;
  for (std::int64_t a = 0; a < dimensions; ++a)
  {
    split.insert(split.end(), { whole.size(a + 2) / size, size });
    one = one && whole.size(a + 2) == size;
    order.push_back(2 + 2 * a);
    inner.push_back(3 + 2 * a);
    shape.push_back(size);
  }
  if (one)
  {
    return whole;
  }
  order.insert(order.end(), inner.begin(), inner.end());
  shape.insert(shape.begin(), { -1, whole.size(1) });
  const auto format =
    whole.dim() == 5 ? at::MemoryFormat::ChannelsLast3d : at::MemoryFormat::ChannelsLast;
  return whole.reshape(split).permute(order).reshape(shape).contiguous(format);
}

at::Tensor joinBlocks(const at::Tensor& blocks, const std::vector<std::int64_t>& cells)
{
  const auto dimensions = static_cast<std::int64_t>(cells.size()) - 1;
  const bool vectors = blocks.dim() == 2; // one value a block: cells become voxels
  std::vector<std::int64_t> split(cells), order{ 0, dimensions + 1 },
    shape{ cells[0], blocks.size(1) };
  split.push_back(blocks.size(1));
  for (std::int64_t a = 0; a < dimensions; ++a)
  {
    const std::int64_t size = vectors ? 1 : blocks.size(a + 2);
    split.push_back(size);
    order.insert(order.end(), { a + 1, dimensions + 2 + a });
    shape.push_back(cells[static_cast<std::size_t>(a) + 1] * size);
  }
  return blocks.reshape(split).permute(order).reshape(shape);
}

NetworkPtr makeVectorNetwork(const NetworkOptions& options)
{
  return std::make_shared<VectorNetwork>(options);
}

} // namespace vae
