// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Model.h"

#include "Check.h"

#include <algorithm>

namespace vae
{

Monitor Monitor::part(double from, double to) const
{
  Monitor inner;
  inner.stop = this->stop;
  if (this->progress)
  {
    inner.progress = [outer = this->progress, from, to](double fraction)
    { outer(from + fraction * (to - from)); };
  }
  return inner;
}

void Monitor::report(double fraction) const
{
  if (this->progress && !this->stop.stop_requested())
  {
    this->progress(fraction);
  }
  if (this->stop.stop_requested())
  {
    throw Stopped();
  }
}

Dims latentDims(const Dims& dims, const NetworkOptions& network)
{
  const std::int64_t stride = network.stride();
  Dims cells = dims;
  for (std::int64_t& n : cells)
  {
    n = n == 1 && network.dimensions == 2 ? 1 : (n + stride - 1) / stride;
  }
  return cells;
}

Dims dimsFor(const ModelInfo& info, Dims wanted)
{
  for (std::size_t a = 0; a < 3; ++a)
  {
    wanted[a] = info.network.dimensions == 2 && info.trainingDims[a] == 1 ? 1 : wanted[a];
  }
  return wanted;
}

double latentBytes(const Dims& dims, int margin, const ModelInfo& info)
{
  double cells = 1;
  const Dims all = latentDims(dims, info.network);
  for (std::size_t a = 0; a < 3; ++a)
  {
    const bool unused = info.network.dimensions == 2 && dims[a] == 1;
    cells *= static_cast<double>(all[a] + (unused ? 0 : 2 * margin));
  }
  return 2 * sizeof(float) * cells * info.latentChannels();
}

const char* name(Prior prior)
{
  constexpr const char* names[] = { "automatic", "normal", "random field", "learned" };
  return names[static_cast<int>(prior)];
}

void checkFits(const Volume& volume, const ModelInfo& info)
{
  const int wanted = static_cast<int>(info.channels.size());
  if (static_cast<int>(volume.channels.size()) != wanted)
  {
    throw std::invalid_argument("The data has " + std::to_string(volume.channels.size()) +
      " channel(s); the model was trained on " + std::to_string(wanted) + " (array '" +
      info.channels[0].array + "')");
  }
  int used = 0;
  for (const std::int64_t n : volume.dims)
  {
    used += n > 1;
  }
  if (used != info.network.dimensions)
  {
    throw std::invalid_argument("The data is " + std::to_string(used) + "-dimensional (" +
      toString(volume.dims) + "); the model was trained on " +
      std::to_string(info.network.dimensions) + "-dimensional data");
  }
}

void checkKnown(const Volume& volume, const ModelInfo& info)
{
  checkFits(volume, info);
  for (std::size_t c = 0; c < info.channels.size(); ++c)
  {
    const ChannelInfo& channel = info.channels[c];
    const ChannelSummary known = summarise(volume.channels[c], voxels(volume.dims), volume.mask);
    if (known.count == 0)
    {
      throw std::invalid_argument(
        "Nothing is known: Known Mask is 0 in all of " + toString(volume.dims) + " voxels");
    }
    if (known.notFinite > 0)
    {
      throw std::invalid_argument("Known Data has " + std::to_string(known.notFinite) +
        " values that are NaN or infinite where Known Mask is not 0");
    }
    if (channel.phases.empty())
    {
      continue;
    }
    std::string labels;
    for (const double phase : channel.phases)
    {
      labels += (labels.empty() ? "" : ", ") + inWords(phase);
    }
    const auto strange = std::find_if(known.values.begin(), known.values.end(), [&](double v)
    { return std::find(channel.phases.begin(), channel.phases.end(), v) == channel.phases.end(); });
    if (known.values.empty() || strange != known.values.end())
    {
      throw std::invalid_argument("Known Data has " +
        (known.values.empty() ? "more than " + std::to_string(MostPhases) + " values"
                              : "the value " + inWords(*strange)) +
        " where Known Mask is not 0; the phases of this model are " + labels);
    }
  }
}

} // namespace vae
