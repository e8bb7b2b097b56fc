// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Snapshot.h"

#include <ATen/Functions.h>
#include <c10/core/GradMode.h>

#include <stdexcept>

namespace vae
{

void copyValues(const std::vector<at::Tensor>& from, const std::vector<at::Tensor>& to)
{
  const c10::NoGradGuard guard;
  for (std::size_t i = 0; i < from.size(); ++i)
  {
    to[i].copy_(from[i]);
  }
}

std::vector<at::Tensor> weightsOf(const Network& network, const ObservationModel& seen)
{
  std::vector<at::Tensor> all;
  for (const auto& [name, tensor] : network.tensors())
  {
    all.push_back(tensor);
  }
  const auto& scale = seen.tensors();
  all.insert(all.end(), scale.begin(), scale.end());
  return all;
}

std::string differenceOf(const NetworkOptions& wanted, const NetworkOptions& given)
{
  std::string difference;
  const auto compare = [&](const char* label, int a, int b)
  {
    if (a != b && difference.empty())
    {
      difference =
        std::string(label) + ' ' + std::to_string(b) + ", this training " + std::to_string(a);
    }
  };
  const auto kind = [](const NetworkOptions& o) { return static_cast<int>(o.architecture); };
  compare("Network", kind(wanted), kind(given));
  compare("Dimensions", wanted.dimensions, given.dimensions);
  compare("Channels", wanted.channels, given.channels);
  compare("Width", wanted.width, given.width);
  compare("Blocks", wanted.blocks, given.blocks);
  compare("Latent Channels", wanted.latentChannels, given.latentChannels);
  compare("Latent Stride", wanted.latentStride, given.latentStride);
  compare("Block Size", wanted.blockSize, given.blockSize);
  compare("Hidden Units", wanted.hiddenUnits, given.hiddenUnits);
  compare("Codes", wanted.codes, given.codes);
  return difference;
}

void checkSameNetwork(const NetworkOptions& wanted, const NetworkOptions& given)
{
  if (const std::string difference = differenceOf(wanted, given); !difference.empty())
  {
    throw std::invalid_argument(
      "Initial Model has " + difference + "; to start from a model they must be equal");
  }
}

void Snapshot::take(const std::vector<at::Tensor>& from)
{
  if (this->Values.empty())
  {
    std::vector<at::Tensor> all; // or none, where there is no memory for them
    for (const at::Tensor& t : from)
    {
      all.push_back(at::empty_like(t.detach()));
    }
    this->Values = std::move(all);
  }
  copyValues(from, this->Values);
}

} // namespace vae
