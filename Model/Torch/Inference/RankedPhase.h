// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Model.h"
#include "Torch/Grid/Boxes.h"

namespace vae
{

/// Which of the numbers, on any device, are an exact count of the largest: bool, of the same shape.
/// Of equal numbers the first ones are the larger; a NaN is smaller than any number. The smallest
/// of them is found by halving the range of all floats, 32 looks at the numbers, which a GPU does
/// in less time than it takes to send them: on a CPU TopK is faster (Source/Quantile.h).
at::Tensor areLargest(const at::Tensor& values, std::int64_t count);

/// What PhaseFraction does, on a GPU: labels and log odds of a whole volume stay there until it is
/// known which voxels have the phase, and only labels are sent.
class RankedPhase
{
public:
  /// Nothing on the CPU, and where the device has no room for them.
  static std::optional<RankedPhase> on(const at::Device& device, const ModelInfo& info,
    const Frame& frame, int phase, const OutputChannel& labels);

  /// A box of cells: the likeliest of the other phases, and the log odds of the phase, folded.
  void add(const Box& cells, const at::Tensor& others, const at::Tensor& logOdds);

  /// When all have been added: give as many voxels the phase as come nearest to the fraction.
  void write(double fraction);

private:
  RankedPhase(const ModelInfo& info, const Frame& frame, int phase, const OutputChannel& labels)
    : Info(info)
    , Grid(frame)
    , Phase(phase)
    , Labels(labels)
  {
  }

  const ModelInfo& Info;
  const Frame& Grid;
  int Phase;
  OutputChannel Labels;
  at::Tensor LogOdds, Others; ///< [z, y, x]; labels as unfolded() has them
};

} // namespace vae
