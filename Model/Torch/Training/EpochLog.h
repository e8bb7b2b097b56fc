// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Trainer.h"

namespace vae
{

class StateReader;
class StateWriter;

/// Sums over the steps of an epoch, for its row in the history.
class EpochLog
{
public:
  /// \param measures of the objective itself, by name
  /// \param seconds that the step took; \param voxels of its batch
  void add(const StepRecord& step, const std::map<std::string, double>& measures, double seconds,
    double voxels);

  /// The means over the epoch's steps so far, of which there are `steps`; the next epoch begins.
  EpochRecord close(double steps);

  void clear() { *this = {}; }

  void store(StateWriter& state) const;
  void restore(const StateReader& state);

private:
  double Loss = 0, Reconstruction = 0, KL = 0, Seconds = 0, Voxels = 0;
  std::map<std::string, double> Measures;
};

} // namespace vae
