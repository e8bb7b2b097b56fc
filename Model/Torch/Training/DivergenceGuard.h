// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Snapshot.h"

#include <cstdint>
#include <limits>

namespace vae
{

class StateReader;
class StateWriter;

/// Watches the loss of a network. A loss far above all epochs so far, or one that is not a number,
/// is a divergence: the weights of the last good epoch are put back and the learning rate is
/// halved. Where that has not helped for long, the training ends.
class DivergenceGuard
{
public:
  /// Losses are nats a voxel.
  bool diverged(double loss, double gradientNorm) const;

  /// After a good epoch. \param loss its mean \param everything weights and optimiser
  void epochEnded(double loss, const std::vector<at::Tensor>& everything, std::int64_t step);

  /// These weights are good, whatever comes.
  void keep(const std::vector<at::Tensor>& everything, std::int64_t step);
  /// What was kept, into its tensors. \return the step after which it was
  std::int64_t putBack(const std::vector<at::Tensor>& everything) const;

  /// Halve the learning rate. \return whether it has been halved too often
  bool retreat();
  double rateFactor() const { return this->RateFactor; } ///< of the learning rate, at most 1

  void store(StateWriter& state) const;
  void restore(const StateReader& state);

private:
  Snapshot Good;
  std::int64_t GoodStep = 0;
  /// Means of epochs; not a number before the first.
  double FirstLoss = std::numeric_limits<double>::quiet_NaN(), LowestLoss = FirstLoss;
  double RateFactor = 1;
};

} // namespace vae
