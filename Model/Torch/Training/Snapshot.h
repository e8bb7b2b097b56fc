// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Torch/Losses/Likelihood.h"
#include "Torch/Networks/Network.h"

namespace vae
{

/// Copy values; both lists have tensors of the same shapes. No gradients are kept.
void copyValues(const std::vector<at::Tensor>& from, const std::vector<at::Tensor>& to);

/// All that is learned: the network's tensors, then the likelihood's.
std::vector<at::Tensor> weightsOf(const Network& network, const ObservationModel& seen);

/// What differs first between the network of a training and another, "Width 64, this training 32";
/// empty: nothing, so that weights can be copied.
std::string differenceOf(const NetworkOptions& wanted, const NetworkOptions& given);

/// \throws std::invalid_argument naming what differs between the network of a training and that of
/// its Initial Model
void checkSameNetwork(const NetworkOptions& wanted, const NetworkOptions& given);

/// The values of some tensors at one moment, in memory of its own.
class Snapshot
{
public:
  void take(const std::vector<at::Tensor>& from);
  void putBack(const std::vector<at::Tensor>& to) const { copyValues(this->Values, to); }
  const std::vector<at::Tensor>& tensors() const { return this->Values; }

private:
  std::vector<at::Tensor> Values; ///< empty before the first
};

} // namespace vae
