// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Inference.h"

#include "Source/Memory.h"
#include "Texture.h"

#include <ATen/Functions.h>
#include <ATen/core/Tensor.h>
#include <c10/core/GradMode.h>

#include <format>

namespace vae
{
namespace
{

Index3 minus(const Index3& a, const Index3& b) { return { a[0] - b[0], a[1] - b[1], a[2] - b[2] }; }

} // namespace

Index3 LatentGrid::high() const
{
  const auto size = this->values.sizes().slice(1);
  return { this->low[0] + size[0], this->low[1] + size[1], this->low[2] + size[2] };
}

Inference::Inference(
  const ModelInfo& info, const NetworkPtr& network, const Frame& frame, const RunOptions& run)
  : Info(info)
  , Where(chooseDevice(run.device, run.precision, run.threads))
  , Grid(frame)
  , Limit(budgetOf(run, this->Where))
  , Scope(this->Where, false)
  , Net(onDevice(network, info.network, this->Where.device))
  , Observation(makeObservationModel(info, this->Where.device))
{
}

TileSize Inference::tile(const Index3& cells, int halo, double bytes) const
{
  const double most = std::min(this->Limit.bytes / bytes, this->Limit.voxels);
  return { tileSize(cells, this->Grid.cell, halo, most), halo };
}

TileSize Inference::encodeTile(const Index3& cells) const
{
  return this->tile(cells, this->Net->encodeHalo(), bytesPerVoxel(this->Info.network, this->Where));
}

TileSize Inference::decodeTile(const Index3& cells, double more) const
{
  return this->tile(
    cells, this->Net->decodeHalo(), bytesPerVoxel(this->Info.network, this->Where) + more);
}

void Inference::reserveFor(const Box& wide) const
{
  const Box voxels = toVoxels(wide, this->Grid.cell);
  reserveOn(this->Where,
    RoomForKernels +
      static_cast<double>(voxels.size[0] * voxels.size[1] * voxels.size[2]) *
        bytesPerVoxel(this->Info.network, this->Where));
}

at::Tensor Inference::read(const Volume& volume, const Box& box) const
{
  return readFolded(
    volume, this->Grid, this->Info.channels, toVoxels(box, this->Grid.cell), this->Where.device);
}

Posterior Inference::encode(const Volume& volume, const Box& box)
{
  this->Scope.adapt();
  const Box wide = widen(box, this->Net->encodeHalo(), { 0, 0, 0 }, this->Grid.cells());
  this->reserveFor(wide);
  const at::Tensor x = this->Observation->input(this->read(volume, wide)).to(this->Where.compute);
  const Posterior q = this->Net->encodeTile(x, around(box, wide, this->Grid.dimensions));
  const auto stored = [](const at::Tensor& t) { return fromNetworkShape(t).to(at::kCPU); };
  return { stored(this->Net->quantise(q.mean)), stored(q.logVariance) };
}

Latent Inference::encodeTiles(const Volume& volume, const Box& box, const Monitor& monitor)
{
  Latent latent;
  latent.channels = this->Info.latentChannels();
  const std::vector<std::int64_t> shape{ latent.channels, box.size[0], box.size[1], box.size[2] };
  const auto count =
    static_cast<std::size_t>(latent.channels * box.size[0] * box.size[1] * box.size[2]);
  checkFree("the latent field", 2. * sizeof(float) * static_cast<double>(count), "");
  latent.mean.resize(count);
  latent.logVariance.resize(count);
  const at::Tensor mean = at::from_blob(latent.mean.data(), shape);
  const at::Tensor logVariance = at::from_blob(latent.logVariance.data(), shape);
  forEachTile(box.size, this->encodeTile(box.size), monitor, [&](const Box& tile)
  {
    Box part = tile;
    for (int a = 0; a < 3; ++a)
    {
      part.origin[a] += box.origin[a];
    }
    const Posterior q = this->encode(volume, part);
    slice(mean, tile.origin, tile.size).copy_(q.mean[0]);
    slice(logVariance, tile.origin, tile.size).copy_(q.logVariance[0]);
  });
  return latent;
}

at::Tensor Inference::decode(const LatentGrid& field, const Box& box)
{
  this->Scope.adapt();
  const Box wide = widen(box, this->Net->decodeHalo(), field.low, field.high());
  this->reserveFor(wide);
  const at::Tensor z =
    toNetworkShape(slice(field.values, minus(wide.origin, field.low), wide.size).unsqueeze(0),
      this->Grid.dimensions);
  const auto format =
    z.dim() == 5 ? at::MemoryFormat::ChannelsLast3d : at::MemoryFormat::ChannelsLast;
  const at::Tensor y = this->Net->decodeTile(
    this->Net->quantise(toDevice(z, this->Where.device)).to(this->Where.compute).contiguous(format),
    around(box, wide, this->Grid.dimensions));
  this->flush(); // a GPU is busy now
  return y.to(at::kFloat).contiguous(format);
}

at::Tensor Inference::decodeInTiles(const LatentGrid& field, const Box& box)
{
  at::Tensor all;
  forEachTile(box.size, this->decodeTile(box.size), {}, [&](const Box& tile)
  {
    Box part = tile;
    for (int a = 0; a < 3; ++a)
    {
      part.origin[a] += box.origin[a];
    }
    const at::Tensor decoded = this->decode(field, part);
    if (tile.size == box.size)
    {
      all = decoded;
      return;
    }
    // A cell is one or more folded voxels.
    const at::Tensor values = fromNetworkShape(decoded);
    Index3 begin, size, whole;
    for (int a = 0; a < 3; ++a)
    {
      size[a] = values.size(a + 2);
      begin[a] = tile.origin[a] * size[a] / tile.size[a];
      whole[a] = box.size[a] * size[a] / tile.size[a];
    }
    if (!all.defined())
    {
      std::vector<std::int64_t> shape = decoded.sizes().slice(0, 2).vec();
      shape.insert(shape.end(), whole.end() - (decoded.dim() - 2), whole.end());
      all = at::empty(shape, decoded.options().memory_format(decoded.suggest_memory_format()));
    }
    slice(fromNetworkShape(all), begin, size).copy_(values);
  });
  return all;
}

void Inference::write(const Box& box, const at::Tensor& folded, std::size_t channels,
  std::size_t channel, Decode what, const OutputChannel& to, float shift)
{
  if (!to.data)
  {
    return;
  }
  this->Writes.write(folded, toVoxels(box, this->Grid.cell), this->Grid, static_cast<int>(channels),
    static_cast<int>(channel),
    this->Info.channels[std::min(channel, this->Info.channels.size() - 1)], what, to, shift);
}

void Inference::write(
  const Box& box, const at::Tensor& seen, const Outputs& outputs, RankedPhase* ranked)
{
  const std::size_t channels = this->Info.channels.size();
  const bool two = this->Info.likelihood == Likelihood::Bernoulli; // straight from the logits
  const bool draws = outputs.texture && this->Info.textureWidth > 0;
  const bool onePhase = outputs.logOdds.data || ranked;
  // Where logits are only written, thresholds are added on the way, which spares a copy of all.
  const bool later = two && !draws && !onePhase;
  const std::vector<double>& thresholds = outputs.thresholds; // one for all channels, or one each
  const auto shift = [&](std::size_t c)
  {
    const std::size_t at = thresholds.size() == 1 ? 0 : c;
    return later && at < thresholds.size() ? static_cast<float>(thresholds[at]) : -0.F;
  };
  const at::Tensor decoded =
    later ? seen : this->Observation->withThresholds(seen, outputs.thresholds);
  at::Tensor drawn = decoded;
  if (draws)
  {
    const std::int64_t values = decoded.size(1) / this->Grid.folded();
    drawn = this->Observation->drawn(decoded,
      textureNoise(box, this->Grid, { this->Info.textureWidth, this->Info.textureWhite }, values,
        *outputs.texture, this->Where.device));
  }
  const at::Tensor value = two ? drawn : this->Observation->value(drawn);
  const Decode what = two    ? Decode::Likelier
    : this->Info.hasPhases() ? Decode::Phase
                             : Decode::Value;
  for (std::size_t c = onePhase ? 1 : 0; c < outputs.values.size(); ++c)
  {
    this->write(box, value, channels, c, what, outputs.values[c], shift(c));
  }
  if (onePhase)
  {
    const at::Tensor others = this->Observation->others(drawn, outputs.phase),
                     odds = this->Observation->logOdds(drawn, outputs.phase);
    if (ranked)
    {
      ranked->add(box, others, odds);
    }
    else
    {
      this->write(box, others, channels, 0, Decode::Phase, outputs.values[0]);
      this->write(box, odds, channels, 0, Decode::Plain, outputs.logOdds);
    }
  }
  if (two)
  {
    for (std::size_t c = 0; c < outputs.probability.size(); ++c)
    {
      this->write(box, decoded, channels, c, Decode::Sigmoid, outputs.probability[c], shift(c));
    }
  }
  else if (this->Info.hasPhases() && !outputs.probability.empty())
  {
    const at::Tensor probabilities = this->Observation->probabilities(decoded);
    for (std::size_t phase = 0; phase < outputs.probability.size(); ++phase)
    {
      this->write(box, probabilities.select(1, static_cast<std::int64_t>(phase)), 1, 0,
        Decode::Plain, outputs.probability[phase]);
    }
  }
}

double Inference::tileBytes(const Index3& cells, const Index3& tile, double more) const
{
  double bytes = bytesPerVoxel(this->Info.network, this->Where) + more;
  for (int a = 0; a < 3; ++a)
  {
    const std::int64_t pieces = (cells[a] + tile[a] - 1) / tile[a];
    const std::int64_t halos = std::min<std::int64_t>(pieces - 1, 2); // none at the border
    bytes *= static_cast<double>(
      std::min(tile[a] + halos * this->Net->decodeHalo(), cells[a]) * this->Grid.cell[a]);
  }
  return bytes;
}

double Inference::spareBytes(double more) const
{
  const Index3 cells = this->Grid.cells();
  return std::max(
    0., this->Limit.bytes - this->tileBytes(cells, this->decodeTile(cells, more).size, more));
}

std::string Inference::plan() const
{
  const Index3 cells = this->Grid.cells(), tile = this->decodeTile(cells).size;
  std::int64_t tiles = 1;
  Dims voxels{};
  for (int a = 0; a < 3; ++a)
  {
    tiles *= (cells[a] + tile[a] - 1) / tile[a];
    voxels[2 - a] = tile[a] * this->Grid.cell[a];
  }
  return std::format("{} tile{} of {} voxels, about {:.0f} MiB each on {}; limit {:.0f} MiB ({})",
    tiles, tiles > 1 ? "s" : "", toString(voxels), this->tileBytes(cells, tile, 0) / 1048576,
    this->Where.device.str(), this->Limit.bytes / 1048576, this->Limit.reason);
}

} // namespace vae
