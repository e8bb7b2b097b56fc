// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <c10/core/Device.h>

#include <functional>
#include <memory>
#include <string>

namespace vae
{

/// Work that is the same in every step, as a CUDA graph: its launches are recorded once, and sent
/// together from then on. Where there can be no graph, the work is done each time.
///
/// It has not run on a GPU yet, and is therefore off unless the environment has VAE_CUDA_GRAPHS=1.
class StepGraph
{
public:
  static bool wanted();

  /// \param obstacle why there can be none; empty: that shows when it is recorded
  StepGraph(const at::Device& device, std::string obstacle);
  ~StepGraph();

  /// The first few times the work is done, then it is recorded, then repeated. It has to read what
  /// changes from tensors of the device that stay where they are, to leave its results in tensors,
  /// and never to wait for the device or to use memory of the host.
  void run(const std::function<void()>& work);

  /// What was decided since the last call, in words; empty: nothing.
  std::string news();

private:
  void plain(const std::string& why);

  struct Recording;                 ///< needs CUDA's headers
  std::unique_ptr<Recording> Graph; ///< null: the work is done each time
  int Before = 0;                   ///< times that the work was done before it is recorded
  std::string News;
};

} // namespace vae
