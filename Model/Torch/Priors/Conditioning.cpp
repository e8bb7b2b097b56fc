// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Conditioning.h"

#include "Torch/Grid/MaskRegion.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>

namespace vae
{
namespace
{

constexpr int Steps = 40;
constexpr double LearningRate = 0.3; // posterior standard deviations a step, at first
constexpr double Penalty = 0.02;     // of half the squared distance, nats
constexpr std::int64_t TileCells = 16;

} // namespace

Conditioning::Conditioning(const ModelInfo& info, const Frame& frame, const Volume& known)
  : Info(info)
  , Grid(frame)
  , Known(known)
{
  this->Mask.dims = known.dims;
  this->Mask.channels = { known.mask };
  this->Fractions = insideMask(known, frame)[0];
}

at::Tensor Conditioning::data(const Box& box) const
{
  return readFolded(this->Known, this->Grid, this->Info.channels, toVoxels(box, this->Grid.cell));
}

at::Tensor Conditioning::mask(const Box& box) const
{
  return readFolded(this->Mask, this->Grid, { ChannelInfo() }, toVoxels(box, this->Grid.cell))
    .ne(0)
    .to(at::kFloat);
}

void Conditioning::refineLatents(const at::Tensor& field, std::int64_t margin,
  const at::Tensor& width, const std::vector<double>& thresholds, Network& network,
  const ComputeDevice& place, const Monitor& monitor) const
{
  RunScope scope(place, true, /*shapesReturn=*/false);
  const int dimensions = this->Grid.dimensions;
  const Index3 cells = this->Grid.cells();
  Index3 low{}, high{};
  for (int a = 0; a < 3; ++a)
  {
    low[a] = this->Grid.used(a) ? -margin : 0;
    high[a] = cells[a] - low[a];
  }
  // Cells to move: those beside a border between what is known and what is not.
  at::Tensor active = at::zeros(field[0].sizes());
  {
    Box inside{ {}, cells };
    std::vector<std::int64_t> kernel, padding;
    for (int a = 0; a < 3; ++a)
    {
      inside.origin[a] = -low[a];
      kernel.push_back(this->Grid.used(a) ? 3 : 1);
      padding.push_back(this->Grid.used(a) ? 1 : 0);
    }
    const auto beside = [&](const at::Tensor& where)
    { return at::max_pool3d(where.to(at::kFloat).unsqueeze(0), kernel, { 1, 1, 1 }, padding)[0]; };
    slice(active, inside.origin, inside.size)
      .copy_(beside(this->Fractions.gt(0)) * beside(this->Fractions.lt(1)));
  }
  const at::Tensor places = active.nonzero();
  if (places.size(0) == 0)
  {
    return;
  }
  Box region; // that holds them all
  for (int a = 0; a < 3; ++a)
  {
    const at::Tensor at = places.select(1, a);
    region.origin[a] = at.min().item<std::int64_t>() + low[a];
    region.size[a] = at.max().item<std::int64_t>() + low[a] + 1 - region.origin[a];
  }
  const at::Device device = field.device();
  const at::Tensor first = field.clone(), movable = toDevice(active, device).unsqueeze(0);
  const at::Tensor scale = toDevice(width.view({ -1, 1, 1, 1 }).clamp_min(1e-3), device);
  at::Tensor moved = at::zeros_like(field), mean = at::zeros_like(field),
             square = at::zeros_like(field);
  const auto observation = makeObservationModel(this->Info, place.device);
  for (int step = 0; step < Steps; ++step)
  {
    at::Tensor gradient = Penalty * moved;
    forEachTile(region.size, { { TileCells, TileCells, TileCells } }, {}, [&](const Box& tile)
    {
      monitor.report(static_cast<double>(step) / Steps);
      scope.adapt();
      Box box = tile;
      for (int a = 0; a < 3; ++a)
      {
        box.origin[a] += region.origin[a];
      }
      const Box wide = widen(box, network.context(), low, high);
      Box inField = wide;
      for (int a = 0; a < 3; ++a)
      {
        inField.origin[a] -= low[a];
      }
      const at::Tensor here = slice(active, inField.origin, inField.size);
      if (slice(this->Fractions, box.origin, box.size).sum().item<double>() == 0 ||
        here.sum().item<double>() == 0)
      {
        return;
      }
      const at::Tensor u =
        slice(moved, inField.origin, inField.size).clone().set_requires_grad(true);
      const at::Tensor z = slice(first, inField.origin, inField.size) + scale * u;
      const at::Tensor decoded =
        network
          .decodeTile(toNetworkShape(z.unsqueeze(0), dimensions).to(place.device, place.compute),
            around(box, wide, dimensions))
          .to(at::kFloat);
      const at::Tensor known = this->mask(box).to(place.device);
      const at::Tensor x = this->data(box).to(place.device);
      const at::Tensor excess =
        observation->excess(observation->withThresholds(decoded, thresholds), x);
      // One mask for all channels, which follow each other.
      std::vector<std::int64_t> times(static_cast<std::size_t>(known.dim()), 1);
      times[1] = excess.size(1) / known.size(1);
      (excess * known.repeat(times)).sum().backward();
      slice(gradient, inField.origin, inField.size).add_(u.grad());
    });
    const c10::NoGradGuard guard;
    gradient = gradient * movable;
    // Adam (Kingma and Ba 2015).
    const int n = step + 1;
    mean.lerp_(gradient, 0.1);
    square.lerp_(gradient.square(), 0.01);
    const double rate = LearningRate * (1 - 0.9 * step / Steps);
    moved -=
      rate * (mean / (1 - std::pow(0.9, n))) / ((square / (1 - std::pow(0.99, n))).sqrt() + 1e-8);
    moved *= movable;
  }
  const c10::NoGradGuard guard;
  field.copy_(first + scale * moved);
}

} // namespace vae
