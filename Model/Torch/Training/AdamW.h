// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Torch/Runtime/StepScalar.h"

#include <torch/nn/module.h>

#include <vector>

namespace vae
{

/// AdamW (Loshchilov and Hutter 2019) over a fixed list of parameters, by LibTorch's fused
/// kernel, with the gradient's norm clipped first.
class AdamW
{
public:
  /// The parameters are put side by side, what is done to all of them is one operation: those of
  /// one learning rate together (`LayerImpl::rate`, 1 where no layer of the module has them).
  /// Unless they compute in float32, layers are lent copies in the type that they compute in.
  /// \param parameters float32; all that the module's layers have, and maybe others
  AdamW(const std::vector<at::Tensor>& parameters, torch::nn::Module& module, double weightDecay,
    at::ScalarType compute);

  /// Before a step's forward pass: copies are what parameters are, and of a step that failed on its
  /// way back no gradient is left.
  void begin();

  /// One step from the gradients of the parameters or their copies, which are then cleared.
  /// \return the norm of the gradient before clipping, a scalar on the device; if it is not finite
  /// nothing is changed
  at::Tensor step(const StepScalar& learningRate, double clip);

  /// Everything a step depends on but the parameters: first moments in their order, second ones,
  /// the number of steps. Writing to these tensors changes the optimiser.
  std::vector<at::Tensor> state() const;

  /// All of them.
  const at::Tensor& parameters() const { return this->All; }

  /// Put other tensors of the parameters' shapes side by side as those are.
  /// \return what they are views of from then on
  at::Tensor sideBySide(const std::vector<at::Tensor>& others) const;

private:
  /// Neighbours that learn at one rate.
  struct Group
  {
    std::int64_t begin, count; ///< elements
    double rate;
  };

  /// Those of the parameters and their copies into Gradient.
  void collectGradients();

  std::vector<at::Tensor> Parameters, Gradients, Copies; ///< as they lie; Copies may be undefined
  std::vector<std::size_t> Places;                       ///< there, of each that was given
  std::vector<Group> Groups;
  at::Tensor All, AllCopied, Gradient, First, Second, Steps;
  double WeightDecay;
};

} // namespace vae
