// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/stack.h>

namespace pretended_cuda
{

/// Any operator on a device: checks that its tensors are of one device, counts it, runs the CPU's
/// kernel. \throws c10::Error as LibTorch does
void runOnCpu(const c10::OperatorHandle& op, torch::jit::Stack* stack);

} // namespace pretended_cuda
