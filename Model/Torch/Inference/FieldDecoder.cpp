// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "FieldDecoder.h"

#include "Torch/Priors/LogOddsHistogram.h"

#include <ATen/Functions.h>

namespace vae
{
namespace
{

double count(const Index3& size) { return static_cast<double>(size[0] * size[1] * size[2]); }

} // namespace

FieldDecoder::FieldDecoder(const ModelInfo& info, const NetworkPtr& network, const Latent& latent,
  const Dims& dims, int margin, const RunOptions& run, Keep keep)
  : Runner(info, network, { dims, info.spacing, info.network }, run)
  , Cells(this->Runner.frame().cells())
  , Wanted(keep)
  , Room(keep == Keep::WhatFits ? this->Runner.spareBytes(0) : 0)
{
  std::vector<std::int64_t> shape{ latent.channels };
  for (int a = 0; a < 3; ++a)
  {
    this->Field.low[a] = this->Runner.frame().used(a) ? -margin : 0;
    shape.push_back(this->Cells[a] - 2 * this->Field.low[a]);
  }
  this->Field.values = at::from_blob(const_cast<float*>(latent.mean.data()), shape);
}

void FieldDecoder::willWrite(const Outputs& outputs)
{
  this->More = this->Runner.outputBytes(outputs);
  this->Room = this->Wanted == Keep::WhatFits ? this->Runner.spareBytes(this->More) : 0;
}

void FieldDecoder::forEachTile(
  const Monitor& monitor, const std::function<void(const Box&, const at::Tensor&)>& use)
{
  if (this->Whole)
  {
    for (const auto& [box, decoded] : this->Kept)
    {
      monitor.report(1);
      use(box, decoded);
    }
  }
  else
  {
    this->Kept.clear();
    vae::forEachTile(this->Cells, this->Runner.decodeTile(this->Cells, this->More), monitor,
      [&](const Box& box)
    {
      try
      {
        const at::Tensor decoded = this->Runner.decode(this->Field, box);
        use(box, decoded);
        this->keep(box, decoded);
      }
      catch (const std::exception& e)
      {
        if (isOutOfMemory(e)) // it is tried again, in smaller tiles
        {
          this->forget();
        }
        throw;
      }
    });
    this->Whole = !this->Kept.empty();
  }
  this->Runner.flush();
}

void FieldDecoder::keep(const Box& box, const at::Tensor& decoded)
{
  if (static_cast<double>(decoded.nbytes()) / count(box.size) * count(this->Cells) > this->Room)
  {
    this->forget();
  }
  else
  {
    this->Kept.emplace_back(box, decoded);
  }
}

void FieldDecoder::forget()
{
  this->Kept.clear();
  this->Room = 0;
}

std::vector<double> thresholdsFor(
  FieldDecoder& decoder, const std::vector<double>& fractions, const Monitor& monitor)
{
  std::vector<LogOddsHistogram> counts(fractions.size());
  decoder.forEachTile(monitor, [&](const Box&, const at::Tensor& decoded)
  {
    const std::vector<at::Tensor> odds = decoder.inference()
                                           .observation()
                                           .logOdds(decoded, 0)
                                           .chunk(static_cast<std::int64_t>(counts.size()), 1);
    // All channels or none: a tile that runs out of memory is added again in halves.
    std::vector<LogOddsHistogram> more = counts;
    for (std::size_t c = 0; c < odds.size(); ++c)
    {
      more[c].add(odds[c]);
    }
    counts = std::move(more);
  });
  std::vector<double> thresholds;
  for (std::size_t c = 0; c < counts.size(); ++c)
  {
    thresholds.push_back(counts[c].threshold(fractions[c]));
  }
  return thresholds;
}

} // namespace vae
