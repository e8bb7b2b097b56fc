// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>

#include <utility>

namespace vae
{

/// A factor that changes from step to step: a number, or, where a CUDA graph repeats the step, a
/// float32 scalar of the device, which the graph reads anew each time.
class StepScalar
{
public:
  StepScalar(double number) : Number(number) {}
  explicit StepScalar(at::Tensor there) : There(std::move(there)) {}

  friend StepScalar operator*(StepScalar a, double b)
  {
    a.Number *= b;
    return a;
  }
  friend at::Tensor operator*(const StepScalar& a, const at::Tensor& t)
  {
    return a.There.defined() ? a.There * a.Number * t : a.Number * t;
  }
  /// Call `f` with a double, or with a scalar of the device.
  template <typename F>
  void with(F&& f) const
  {
    if (this->There.defined())
    {
      f(this->There * this->Number);
    }
    else
    {
      f(this->Number);
    }
  }

private:
  double Number = 1;
  at::Tensor There;
};

} // namespace vae
