// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "BlockClassifier.h"

#include "Torch/Networks/Layers.h"
#include "Torch/Training/AdamW.h"
#include "Torch/Training/Schedule.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <algorithm>

namespace vae
{
namespace
{

constexpr int EachClass = 8; // blocks in a batch
constexpr double LearningRate = 4e-3, WeightDecay = 0.01, Clip = 1;
constexpr int FirstWidth = 16, Width = 32; // channels at half the resolution, and below

} // namespace

std::vector<Frame> framesOf(const std::vector<Volume>& volumes, const NetworkOptions& network)
{
  std::vector<Frame> frames;
  for (const Volume& v : volumes)
  {
    Frame& frame = frames.emplace_back(v.dims, v.spacing, network);
    for (int a = 0; a < 3; ++a)
    {
      frame.fold[a] = frame.used(a) ? BlockRecipe::Fold : 1;
    }
  }
  return frames;
}

class BlockClassifier::Net : public torch::nn::Module
{
public:
  Net(int dimensions, int channels)
    : Stem(this->register_module("stem", Conv(dimensions, channels, FirstWidth, 3)))
    , Down(this->register_module("down", Conv(dimensions, FirstWidth, Width, 2)))
    , Middle(this->register_module("middle", Conv(dimensions, Width, Width, 3)))
    , Last(this->register_module("last", Conv(dimensions, Width, Width, 2)))
    , Norms{ this->register_module("norm0", CellNorm(FirstWidth)),
      this->register_module("norm1", CellNorm(Width)),
      this->register_module("norm2", CellNorm(Width)) }
    , Head(this->register_module("head", Dense(Width, 1)))
    , Mean(this->register_buffer("mean", at::zeros({ Width })))
    , Variance(this->register_buffer("variance", at::ones({ Width })))
  {
  }

  at::Tensor forward(const at::Tensor& x)
  {
    at::Tensor h = activated(this->Norms[0]->forward(this->Stem->forward(x)));
    h = activated(this->Norms[1]->forward(this->Down->forward(h)));
    h = activated(this->Norms[2]->forward(this->Middle->forward(h)));
    h = activated(this->Last->forward(h));
    std::vector<std::int64_t> cells;
    for (std::int64_t a = 2; a < h.dim(); ++a)
    {
      cells.push_back(a);
    }
    // Means over many cells differ little from block to block. Normalised over the batch (Ioffe and
    // Szegedy 2015) the head sees these differences from the first step.
    constexpr double momentum = 0.1, epsilon = 1e-8;
    return this->Head
      ->forward(at::batch_norm(h.mean(cells), {}, {}, this->Mean, this->Variance,
        this->is_training(), momentum, epsilon, false))
      .squeeze(1);
  }

private:
  Conv Stem, Down, Middle, Last;
  std::array<CellNorm, 3> Norms;
  Dense Head;
  at::Tensor Mean, Variance; ///< of the means over cells, over the last batches
};

BlockClassifier::BlockClassifier(
  const BlockRecipe& recipe, const ComputeDevice& place, std::uint64_t seed)
  : Recipe(recipe)
  , Place(place)
  , Random(seed)
{
  const auto values =
    static_cast<std::int64_t>(std::max(recipe.channels.size(), recipe.channels[0].phases.size()));
  std::int64_t folded = values;
  for (int a = 0; a < recipe.dimensions; ++a)
  {
    folded *= BlockRecipe::Fold;
  }
  this->Module = std::make_shared<Net>(recipe.dimensions, static_cast<int>(folded));
  initialiseLayers(*this->Module, at::make_generator<at::CPUGeneratorImpl>(seed));
  this->Module->to(place.device);
  this->Module->eval();
}

BlockClassifier::~BlockClassifier() = default;

std::int64_t BlockClassifier::parameters() const
{
  std::int64_t count = 0;
  for (const at::Tensor& p : this->Module->parameters())
  {
    count += p.numel();
  }
  return count;
}

at::Tensor BlockClassifier::read(const BlockSource& source, const std::vector<Region>& blocks,
  const std::vector<Orientation>& orientations) const
{
  const std::vector<ChannelInfo>& channels = this->Recipe.channels;
  at::Tensor x = emptyFolded(static_cast<std::int64_t>(blocks.size()), source.frames.front(),
    this->Recipe.block, static_cast<int>(channels.size()));
  float* out = x.mutable_data_ptr<float>();
  const std::int64_t each = x.numel() / x.size(0);
  for (std::size_t i = 0; i < blocks.size(); ++i, out += each)
  {
    const std::size_t v = blocks[i].volume;
    readFolded(source.volumes[v], source.frames[v], channels, blocks[i].box,
      orientations.empty() ? Orientation() : orientations[i], out);
  }
  x = toDevice(x, this->Place.device);
  if (channels[0].phases.empty())
  {
    return x;
  }
  std::vector<at::Tensor> indicators;
  for (std::size_t k = 0; k < channels[0].phases.size(); ++k)
  {
    indicators.push_back(
      x.eq(static_cast<double>(k)).to(at::kFloat).sub_(channels[0].fractions[k]));
  }
  return at::cat(indicators, 1);
}

void BlockClassifier::train(
  const TwoSources& sources, const std::function<void(int, double, double)>& each)
{
  const RunScope scope(this->Place, true);
  this->Module->train();
  AdamW optimiser(this->Module->parameters(), *this->Module, WeightDecay, at::kFloat);
  TrainOptions rates;
  rates.learningRate = LearningRate;
  const auto options = at::TensorOptions(this->Place.device);
  const at::Tensor target =
    at::cat({ at::zeros({ EachClass }, options), at::ones({ EachClass }, options) });
  for (int step = 1; step <= this->Recipe.steps; ++step)
  {
    std::vector<at::Tensor> halves;
    for (const BlockSource& source : sources)
    {
      std::vector<Region> blocks;
      std::vector<Orientation> orientations;
      for (int i = 0; i < EachClass; ++i)
      {
        blocks.push_back(drawBlock(source.training, this->Recipe.block, this->Random));
        orientations.push_back(randomOrientation(source.frames[blocks.back().volume],
          this->Recipe.block, this->Recipe.symmetry, this->Random));
      }
      halves.push_back(this->read(source, blocks, orientations));
    }
    optimiser.begin();
    const at::Tensor logits = this->Module->forward(at::cat(halves));
    const at::Tensor loss = at::binary_cross_entropy_with_logits(logits, target);
    loss.backward();
    optimiser.step(
      learningRateAt(rates, step, static_cast<double>(step - 1) / this->Recipe.steps), Clip);
    const at::Tensor right = logits.detach().gt(0).eq(target.gt(0)).to(at::kFloat).mean();
    each(step, loss.item<double>(), right.item<double>());
  }
  this->Module->eval();
}

std::vector<double> BlockClassifier::logits(const BlockSource& source) const
{
  const RunScope scope(this->Place, false);
  std::vector<double> all;
  constexpr std::size_t together = 2 * EachClass;
  for (std::size_t begin = 0; begin < source.tested.size(); begin += together)
  {
    const auto first = source.tested.begin() + static_cast<std::ptrdiff_t>(begin);
    const auto count = std::min(together, source.tested.size() - begin);
    const at::Tensor logits =
      this->Module
        ->forward(this->read(source, { first, first + static_cast<std::ptrdiff_t>(count) }, {}))
        .to(at::kCPU, at::kDouble);
    const double* values = logits.const_data_ptr<double>();
    all.insert(all.end(), values, values + logits.numel());
  }
  return all;
}

std::vector<float> BlockClassifier::saliency(const BlockSource& source, const Region& block) const
{
  const RunScope scope(this->Place, true, false);
  const at::Tensor x = this->read(source, { block }, {}).set_requires_grad(true);
  this->Module->forward(x).sum().backward();
  const Frame& frame = source.frames[block.volume];
  const at::Tensor folded = x.grad().unflatten(1, { -1, frame.folded() }).abs().sum(1);
  const at::Tensor grid = toGrid(folded, frame).to(at::kCPU).contiguous();
  const float* values = grid.const_data_ptr<float>();
  return { values, values + grid.numel() };
}

} // namespace vae
