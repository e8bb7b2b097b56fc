// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "TrainingSet.h"

#include "Patches.h"
#include "Torch/Grid/MaskRegion.h"

#include <ATen/TensorOperators.h>

#include <algorithm>
#include <stdexcept>

namespace vae
{
namespace
{

std::int64_t cellsOf(const Box& box) { return box.size[0] * box.size[1] * box.size[2]; }

} // namespace

at::Tensor localMean(const Volume& volume, const ModelInfo& info)
{
  const Frame frame(volume.dims, volume.spacing, info.network);
  const auto larger = [](const at::Tensor& x) { return x.gt(0.5).to(at::kFloat); };
  const auto itself = [](const at::Tensor& x) { return x; };
  return info.hasPhases() ? cellMeans(volume, frame, info.channels, larger)
                          : cellMeans(volume, frame, info.channels, itself);
}

TrainingSet::TrainingSet(std::shared_ptr<const DataSet> data, const ModelInfo& info)
  : Data(std::move(data))
  , Info(info)
{
  for (std::size_t i = 0; i < this->volumes().size(); ++i)
  {
    const Frame frame = this->frame(i);
    Part& part = this->Parts.emplace_back();
    part.inside = insideMask(this->volumes()[i], frame);
    part.box = maskedBox(part.inside, frame);
    const bool larger = cellsOf(part.box) > cellsOf(this->Parts[this->Largest].box);
    this->Largest = larger ? i : this->Largest;
  }
}

Frame TrainingSet::frame(std::size_t volume) const
{
  const Volume& v = this->volumes()[volume];
  return { v.dims, v.spacing, this->Info.network };
}

const at::Tensor& TrainingSet::localMean(std::size_t volume) const
{
  const std::lock_guard guard(this->Lock);
  at::Tensor& mean = this->Parts[volume].mean;
  if (!mean.defined())
  {
    mean = vae::localMean(this->volumes()[volume], this->Info);
  }
  return mean;
}

const Volume& TrainingSet::measured() const
{
  const std::lock_guard guard(this->Lock);
  const Box& box = this->box(this->Largest);
  if (cellsOf(box) == 0)
  {
    throw std::invalid_argument("Mask Array leaves no room for a latent cell");
  }
  if (!this->Measured)
  {
    this->Measured = partOf(this->volumes()[this->Largest], this->frame(this->Largest), box);
  }
  return *this->Measured;
}

std::int64_t TrainingSet::measuredHeldOut() const
{
  const Frame frame = this->frame(this->Largest);
  const int last = frame.dimensions == 2 ? 1 : 0;
  const Box box = toVoxels(this->box(this->Largest), frame.cell);
  const std::int64_t n = frame.size[last], end = std::min(box.origin[last] + box.size[last], n),
                     slab = n - heldOutVoxels(frame, this->Info.options);
  return std::max<std::int64_t>(0, end - std::max(slab, box.origin[last]));
}

std::vector<const Volume*> TrainingSet::besideMeasured() const
{
  constexpr std::int64_t enough = 500; // cells, of which a standard deviation is known to 3 %
  const Volume& largest = this->volumes()[this->Largest];
  std::vector<const Volume*> all, some;
  for (const Volume& v : this->volumes())
  {
    if (&v != &largest && v.dims == largest.dims && !v.mask.data && !largest.mask.data)
    {
      all.push_back(&v);
    }
  }
  const std::int64_t cells = std::max<std::int64_t>(1, cellsOf(this->box(this->Largest)));
  const auto wanted = std::min(all.size(), static_cast<std::size_t>((enough - 1) / cells));
  for (std::size_t i = 0; i < wanted; ++i)
  {
    some.push_back(all[i * all.size() / wanted]);
  }
  return some;
}

at::Tensor TrainingSet::measuredMean() const
{
  const Box& box = this->box(this->Largest);
  return slice(this->localMean(this->Largest), box.origin, box.size).contiguous();
}

} // namespace vae
