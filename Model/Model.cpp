// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Model.h"

namespace vae
{

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

} // namespace vae
