// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Options.h"

// Memory and work of a training before it starts: closed forms, no LibTorch.
namespace vae
{

struct Plan
{
  std::int64_t parameters = 0;
  int receptiveField = 0;        ///< voxels along an axis that influence one latent cell
  double operationsPerVoxel = 0; ///< floating-point operations of a step, a voxel of a patch
  /// Bytes: weights, gradients and what is cast to them, the optimiser's two moments; weights and
  /// moments as after the last good epoch; the best weights.
  double modelMemory = 0;
  double batchMemory = 0; ///< bytes: activations of one step, an estimate
  std::int64_t voxelsPerStep = 0;
};

/// Of a network and the batches that it is trained on; of options out of range those of the nearest
/// ones. `bytes`: of an activation, 2 or 4.
Plan planOf(const TrainOptions& options, int bytes = 2);

/// Bytes of all tensors of a network, as its model file has them; 0 of TorchScript's, of which
/// nothing is known.
double storedBytes(const NetworkOptions& network);

} // namespace vae
