// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

namespace vae
{

/// AdamW (Loshchilov and Hutter 2019) over a fixed list of parameters, by LibTorch's fused
/// kernel, with the gradient's norm clipped first.
class AdamW
{
public:
  AdamW(std::vector<at::Tensor> parameters, double weightDecay);

  /// One step from the parameters' gradients, which are then cleared.
  /// \return the norm of the gradient before clipping; if it is not finite nothing is changed
  double step(double learningRate, double clip);

  /// Everything a step depends on but the parameters: moments, then step counts. Writing to these
  /// tensors changes the optimiser.
  std::vector<at::Tensor> state() const;

private:
  std::vector<at::Tensor> Parameters, First, Second, Steps;
  double WeightDecay;
};

} // namespace vae
