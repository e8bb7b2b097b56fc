// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Layers.h"
#include "Networks.h"

#include <ATen/Functions.h>
#include <c10/core/GradMode.h>

#include <bit>
#include <cmath>

namespace vae
{
namespace
{

class FieldNetwork : public Network
{
public:
  explicit FieldNetwork(const NetworkOptions& o)
    : Network(o)
    , Levels(std::countr_zero(static_cast<unsigned>(o.latentStride / o.fold())))
    , Stem(this->register_module("encoder_stem", Conv(o.dimensions, folded(o), o.width, 3)))
    , Head(this->register_module(
        "encoder_head", Conv(o.dimensions, this->channels(this->Levels), 2 * o.latentChannels, 3)))
    , Foot(this->register_module(
        "decoder_foot", Conv(o.dimensions, o.latentChannels, this->channels(this->Levels), 3)))
    , Out(this->register_module("decoder_out", Conv(o.dimensions, o.width, folded(o), 3)))
  {
    for (int level = 0; level <= this->Levels; ++level)
    {
      const std::string n = std::to_string(level);
      const int here = this->channels(level);
      this->Encode.emplace_back(*this, "encoder" + n + "_", o.dimensions, here, o.blocks);
      // The finest level of the decoder has one block more: voxels are made there.
      this->Decode.emplace_back(
        *this, "decoder" + n + "_", o.dimensions, here, o.blocks + (level == 0));
      if (level < this->Levels)
      {
        const int below = this->channels(level + 1);
        this->Down.push_back(
          this->register_module("encoder_down" + n, Conv(o.dimensions, here, below, 2)));
        this->Up.push_back(
          this->register_module("decoder_up" + n, Conv(o.dimensions, below, here, 2, true)));
      }
    }
  }

  void initialise(const at::Generator& generator) override
  {
    Network::initialise(generator);
    const c10::NoGradGuard guard;
    const int latent = this->Options.latentChannels;
    this->Head->bias.narrow(0, latent, latent).fill_(InitialLogVariance);
  }

  Posterior encode(const at::Tensor& x) override { return this->encodeTile(x, {}); }

  Posterior encodeTile(const at::Tensor& x, const Halo& halo) override
  {
    // What the layers after each level's blocks reach, in cells of the level.
    std::vector<std::int64_t> reach(this->Encode.size(), 1);
    for (std::size_t i = this->Down.size(); i-- > 0;)
    {
      reach[i] = 2 * (reach[i + 1] + 2 * this->Options.blocks);
    }
    Trim trim(halo, std::int64_t(1) << this->Levels);
    const std::int64_t first = reach[0] + 2 * this->Options.blocks;
    at::Tensor h = trim(this->Stem->forward(trim(x, first + 1)), first);
    h = this->Encode[0].forward(h, trim, reach[0]);
    for (std::size_t i = 0; i < this->Down.size(); ++i)
    {
      trim.coarser();
      h = this->Encode[i + 1].forward(this->Down[i]->forward(activated(h)), trim, reach[i + 1]);
    }
    return this->split(trim(this->Head->forward(activated(h)), 0));
  }

  at::Tensor decode(const at::Tensor& z) override { return this->decodeTile(z, {}); }

  at::Tensor decodeTile(const at::Tensor& z, const Halo& halo) override
  {
    // The same for the decoder, whose finest level has a block more.
    std::vector<std::int64_t> reach(this->Decode.size(), 1);
    std::int64_t before = 1 + 2 * (this->Options.blocks + 1);
    for (std::size_t i = 1; i < reach.size(); ++i)
    {
      reach[i] = (before + 1) / 2;
      before = reach[i] + 2 * this->Options.blocks;
    }
    Trim trim(halo, 1);
    at::Tensor h = trim(this->Foot->forward(trim(z, before + 1)), before);
    h = this->Decode.back().forward(h, trim, reach.back());
    for (std::size_t i = this->Up.size(); i-- > 0;)
    {
      h = this->Up[i]->forward(activated(h));
      trim.finer();
      const std::int64_t wanted =
        reach[i] + 2 * (this->Options.blocks + (i == 0)); // of this level's blocks too
      h = this->Decode[i].forward(trim(h, wanted), trim, reach[i]);
    }
    return trim(this->Out->forward(activated(h)), 0);
  }

  int encodeHalo() const override
  {
    // From the finest level: what has been reached so far, in cells of the level, halves.
    int reach = 1 + 2 * this->Options.blocks;
    for (int level = 0; level < this->Levels; ++level)
    {
      reach = (reach + 1) / 2 + 2 * this->Options.blocks;
    }
    return reach + 1;
  }

  int decodeHalo() const override
  {
    int reach = 1 + 2 * (this->Options.blocks + 1);
    for (int level = 0; level < this->Levels; ++level)
    {
      reach = (reach + 1) / 2 + 2 * this->Options.blocks;
    }
    return reach + 1;
  }

private:
  static int folded(const NetworkOptions& o)
  {
    return o.channels * static_cast<int>(std::lround(std::pow(o.fold(), o.dimensions)));
  }
  int channels(int level) const { return this->Options.width << std::min(level, 2); }

  int Levels;
  Conv Stem, Head, Foot, Out;
  std::vector<Conv> Down, Up;
  std::vector<Stack> Encode, Decode;
};

} // namespace

NetworkPtr makeFieldNetwork(const NetworkOptions& options)
{
  return std::make_shared<FieldNetwork>(options);
}

} // namespace vae
