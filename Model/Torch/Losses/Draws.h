// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>

namespace vae
{

/// The random numbers of a training step: from a generator of the CPU, so that they are the same on
/// every device. Copies share the generator and what is kept.
class Draws
{
public:
  using Draw = std::function<at::Tensor(const at::Generator&)>;

  Draws() = default;
  Draws(at::Generator from) : generator(std::move(from)) {}

  /// What `draw` makes on the CPU, on a device.
  at::Tensor operator()(const Draw& draw, const at::Device& device) const;

  ///@{
  /// For steps that a CUDA graph repeats: results are kept, and stay in their places. Each step
  /// begins with rewind(), and asks for the same in the same order. Before each but the first,
  /// redraw() puts new numbers there: those that a step without a graph would draw.
  void keep();
  void rewind();
  void redraw();
  ///@}

  at::Generator generator;

private:
  struct Kept;
  std::shared_ptr<Kept> All; ///< null: nothing is kept
};

} // namespace vae
