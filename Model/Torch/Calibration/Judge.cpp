// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Judge.h"

#include "Generator.h"
#include "Statistics/FreeMeasures.h"
#include "Torch/Grid/Boxes.h"
#include "Torch/Grid/MaskRegion.h"

#include <algorithm>
#include <cmath>
#include <format>

namespace vae
{
namespace
{

constexpr std::int64_t FewestBlocks = 16, MostBlocks = 32, RebuiltBlocks = 16;
constexpr std::int64_t SmallestEdge = 16;
constexpr std::int64_t ThinnestSlab = 12, ThinnestBlock = 8; // voxels
constexpr std::int64_t DrawnEdge = 2;                        // blocks along each axis of a volume
constexpr int MostVolumes = 4;
constexpr std::int64_t Seed = 2; // as good as any; not the default of VAE Generate

/// A volume of the channels of a model, in arrays of its own.
struct OwnVolume
{
  Volume volume;
  std::vector<OutputChannel> values; ///< to write to it

  OwnVolume(const ModelInfo& info, const Dims& dims, const std::array<double, 3>& spacing)
  {
    this->volume.dims = dims;
    this->volume.spacing = spacing;
    for (const ChannelInfo& c : info.channels)
    {
      dispatch(c.type, [&](auto t)
      {
        const auto array =
          std::make_shared<std::vector<decltype(t)>>(static_cast<std::size_t>(voxels(dims)));
        Channel& channel = this->volume.channels.emplace_back();
        OutputChannel& out = this->values.emplace_back();
        channel.type = out.type = c.type;
        channel.data = out.data = array->data();
        channel.owner = array;
        channel.array = c.array;
      });
    }
  }
};

std::vector<Volume> cut(const Volume& volume, const Frame& frame, const std::vector<Box>& boxes)
{
  std::vector<Volume> blocks;
  for (const Box& box : boxes)
  {
    blocks.push_back(copyOf(volume, frame, box));
  }
  return blocks;
}

std::vector<statistics::PhaseChoice> phasesOf(const ChannelInfo& c)
{
  using statistics::PhaseChoice;
  if (c.phases.empty())
  {
    return { PhaseChoice{ Phase::Below, c.mean, {}, {} } };
  }
  if (c.phases.size() == 2) // the other says the same
  {
    const std::size_t index = statistics::automaticPhase(c.array, c.fractions).index;
    return { PhaseChoice{ Phase::Label, c.phases[index], {}, {} } };
  }
  std::vector<PhaseChoice> all;
  for (const double label : c.phases)
  {
    all.push_back({ Phase::Label, label, {}, {} });
  }
  return all;
}

/// The mean over the phases of which something is known.
double scoreOf(const std::vector<std::vector<statistics::Report>>& blocks,
  const std::vector<std::vector<statistics::Report>>& real)
{
  double sum = 0, number = 0;
  for (std::size_t i = 0; i < real.size(); ++i)
  {
    const double score = statistics::freeScore(blocks[i], real[i]);
    sum += std::isfinite(score) ? score : 0;
    number += std::isfinite(score) ? 1 : 0;
  }
  return number > 0 ? sum / number : Verdict::Unknown;
}

} // namespace

// --------------------------------------------------------------------------------------- blocks

Box Judge::Lattice::at(std::int64_t i) const
{
  const Index3 place{ i / (this->count[1] * this->count[2]), i / this->count[2] % this->count[1],
    i % this->count[2] };
  Box box{ this->origin, this->block };
  for (int a = 0; a < 3; ++a)
  {
    box.origin[a] += place[a] * this->block[a];
  }
  return box;
}

std::vector<Box> Judge::Lattice::spread(std::int64_t most) const
{
  const std::int64_t all = this->number(), wanted = std::min(most, all);
  std::vector<Box> boxes;
  for (std::int64_t i = 0; i < wanted; ++i)
  {
    boxes.push_back(this->at(i * all / wanted));
  }
  return boxes;
}

Judge::Lattice Judge::Lattice::compact(std::int64_t most) const
{
  Lattice part = *this;
  part.count = { 1, 1, 1 };
  for (bool grown = true; grown && part.number() < most;)
  {
    int shortest = -1;
    for (int a = 0; a < 3; ++a)
    {
      const auto edge = [&](int axis) { return part.count[axis] * part.block[axis]; };
      if (part.count[a] < this->count[a] && (shortest < 0 || edge(a) < edge(shortest)))
      {
        shortest = a;
      }
    }
    grown = shortest >= 0;
    if (grown)
    {
      ++part.count[shortest];
    }
  }
  return part;
}

Box Judge::Lattice::hull() const
{
  Box box{ this->origin, this->block };
  for (int a = 0; a < 3; ++a)
  {
    box.size[a] *= this->count[a];
  }
  return box;
}

Judge::Lattice Judge::blocksBetween(std::int64_t from, std::int64_t to) const
{
  Lattice lattice;
  // Larger ones take longer; in an image there are fewer voxels along each axis to look at.
  std::vector<std::int64_t> edges{ 32, 24, SmallestEdge };
  if (this->Grid.dimensions == 2)
  {
    edges.insert(edges.begin(), { 96, 64, 48 });
  }
  for (const std::int64_t edge : edges)
  {
    lattice = {};
    lattice.origin[this->Last] = from;
    for (int a = 0; a < 3; ++a)
    {
      const std::int64_t side = a == this->Last ? to - from : this->Grid.size[a];
      // A thin volume, or slab, is one layer of blocks.
      lattice.block[a] = this->Grid.used(a) ? std::min(edge, side) : 1;
      const bool thin = this->Grid.used(a) && lattice.block[a] < ThinnestBlock;
      lattice.count[a] = thin ? 0 : side / lattice.block[a];
    }
    if (lattice.number() >= FewestBlocks)
    {
      return lattice;
    }
  }
  return lattice;
}

Judge::Judge(const ModelInfo& info, const Volume& data, std::int64_t heldOut)
  : Info(info)
  , Data(data)
  , Grid(data.dims, data.spacing, info.network)
  , Last(info.network.dimensions == 2 ? 1 : 0)
  , Phases(phasesOf(info.channels.front()))
{
  if (info.network.architecture != Architecture::Field)
  {
    this->Unfit = "only volumes of the network Field are judged";
    return;
  }
  const std::int64_t n = this->Grid.size[this->Last];
  if (heldOut >= ThinnestSlab)
  {
    this->Real = this->blocksBetween(n - heldOut, n);
    this->Rest = this->Real;
    this->Rest.origin[this->Last] = 0;
    this->Rest.count[this->Last] = (n - heldOut) / this->Real.block[this->Last];
  }
  if (this->Real.number() < FewestBlocks)
  {
    this->Real = this->blocksBetween(0, n);
    this->Rest = {};
  }
  if (this->Real.number() < FewestBlocks)
  {
    this->Unfit = std::format(
      "the training volume has room for {} blocks of {} voxels along each axis, and {} are needed",
      this->Real.number(), SmallestEdge, FewestBlocks);
  }
}

// ------------------------------------------------------------------------------------- judgement

Judge::Reports Judge::measure(
  const std::vector<Volume>& blocks, const RunOptions& run, Closing::Turn& turn) const
{
  Reports all;
  for (const statistics::PhaseChoice& phase : this->Phases)
  {
    std::vector<statistics::Mask> masks;
    for (const Volume& block : blocks)
    {
      masks.push_back(statistics::maskOf(block, phase, statistics::Work(1)));
    }
    all.push_back(statistics::reportsOf(masks, statistics::Work(run.threads, turn.monitor())));
  }
  return all;
}

std::vector<Volume> Judge::rebuilt(
  const Model& model, const RunOptions& run, const Monitor& monitor) const
{
  // With what the network sees around the blocks, on its own grid of cells.
  const Lattice blocks = this->Real.compact(RebuiltBlocks);
  Box region = blocks.hull();
  for (int a = 3 - this->Grid.dimensions; a < 3; ++a)
  {
    const std::int64_t cell = this->Grid.cell[a], around = model.margin() * cell,
                       end =
                         std::min(region.origin[a] + region.size[a] + around, this->Grid.size[a]);
    region.origin[a] = std::max<std::int64_t>(region.origin[a] - around, 0) / cell * cell;
    region.size[a] = end - region.origin[a];
  }
  const Volume part = copyOf(this->Data, this->Grid, region);
  const OwnVolume made(this->Info, part.dims, part.spacing);
  ReconstructOutputs outputs;
  outputs.values = made.values;
  model.reconstruct(part, {}, outputs, run, monitor);
  std::vector<Box> boxes = blocks.spread(RebuiltBlocks);
  for (Box& box : boxes)
  {
    for (int a = 0; a < 3; ++a)
    {
      box.origin[a] -= region.origin[a];
    }
  }
  return cut(made.volume, { part.dims, part.spacing, this->Info.network }, boxes);
}

std::vector<Volume> Judge::drawn(
  const Model& model, const RunOptions& run, Closing::Turn& turn) const
{
  Lattice blocks;
  blocks.block = this->Real.block;
  GenerateRequest request;
  request.options.seed = Seed;
  for (int a = 0; a < 3; ++a)
  {
    blocks.count[a] = this->Grid.used(a) ? DrawnEdge : 1;
    request.dims[this->Grid.axis[a]] = blocks.count[a] * blocks.block[a];
  }
  const Generator generator(model);
  const Frame frame(request.dims, this->Data.spacing, this->Info.network);
  const int volumes = MostVolumes << (3 - this->Grid.dimensions); // images have fewer blocks
  const double begin = turn.left();
  std::vector<Volume> all;
  for (int i = 0; i < volumes; ++i)
  {
    if (turn.limited() && i >= volumes / MostVolumes && turn.left() < (begin - turn.left()) / i)
    {
      turn.smaller();
      break;
    }
    request.options.realization = i;
    const OwnVolume made(this->Info, request.dims, this->Data.spacing);
    Outputs outputs;
    outputs.values = made.values;
    generator.generate(request, outputs, run, turn.monitor());
    const std::vector<Volume> some = cut(made.volume, frame, blocks.spread(blocks.number()));
    all.insert(all.end(), some.begin(), some.end());
  }
  return all;
}

Verdict Judge::judge(const Model& model, const RunOptions& run, Closing::Turn& turn) const
{
  Verdict v;
  v.prior = model.bestPrior();
  v.heldOut = this->Rest.number() > 0;
  for (int a = 0; a < 3; ++a)
  {
    v.block[this->Grid.axis[a]] = this->Real.block[a];
  }
  const auto measured = [&](const std::vector<Volume>& blocks)
  { return this->measure(blocks, run, turn); };
  const std::vector<Box> boxes = this->Real.spread(MostBlocks);
  const Reports real = measured(cut(this->Data, this->Grid, boxes));
  v.realBlocks = static_cast<int>(boxes.size());
  if (v.heldOut)
  {
    v.control = scoreOf(measured(cut(this->Data, this->Grid, this->Rest.spread(MostBlocks))), real);
  }
  v.rebuilt = scoreOf(measured(this->rebuilt(model, run, turn.monitor())), real);
  const std::vector<Volume> made = this->drawn(model, run, turn);
  v.blocks = static_cast<int>(made.size());
  v.generated = scoreOf(measured(made), real);
  if (!v.judged())
  {
    v.without = "nothing in the blocks of the training volume varies";
  }
  return v;
}

} // namespace vae
