// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/core/Tensor.h>

#include <torch/nn/module.h>

#include <vector>

namespace vae
{

/// Move float32 tensors into one, side by side, of which they are views from then on: what is done
/// to all of them is one operation.
at::Tensor sideBySide(const std::vector<at::Tensor>& tensors);

/// AdamW (Loshchilov and Hutter 2019) over a fixed list of parameters, by LibTorch's fused
/// kernel, with the gradient's norm clipped first.
class AdamW
{
public:
  /// The parameters are put side by side.
  AdamW(std::vector<at::Tensor> parameters, double weightDecay);

  /// Lend the layers of a module, whose parameters these are, copies of them in the type that they
  /// compute in, unless that is float32.
  void lendCopies(torch::nn::Module& module, at::ScalarType compute);

  /// Before a step's forward pass: copies are what parameters are.
  void refreshCopies();

  /// One step from the gradients of the parameters or their copies, which are then cleared.
  /// \return the norm of the gradient before clipping, a scalar on the device; if it is not finite
  /// nothing is changed
  at::Tensor step(double learningRate, double clip);

  /// Everything a step depends on but the parameters: moments, then step counts. Writing to these
  /// tensors changes the optimiser.
  std::vector<at::Tensor> state() const;

  const at::Tensor& parameters() const { return this->All; }

private:
  std::vector<at::Tensor> Parameters, Gradients, Copies; ///< Copies may be undefined
  at::Tensor All, AllCopied, Gradient, First, Second, Steps;
  double WeightDecay;
};

} // namespace vae
