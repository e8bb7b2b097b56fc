// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Model.h"
#include "Stopwatch.h"

namespace vae
{

/// See Backend::measureSpeed.
double measureSpeed(
  const std::string& device, Precision precision, int threads, const Monitor& monitor);

/// Seconds of a warm step of a Field network of the options' Width, Patch Size and Batch Size,
/// where the options say, from steps that take `seconds` together; not a number where there is no
/// memory for one.
double secondsOfStep(const TrainOptions& options, double seconds);

/// Median speed of steps that take `seconds` together, at least one. Two steps before them are not
/// counted: in those a device loads its libraries, and cuDNN tries its algorithms.
/// \param step makes a step, waits until the device has done it, and returns its speed
double steadySpeed(const std::function<double()>& step, double seconds, const Stopwatch::Now& now,
  const std::stop_token& stop);

} // namespace vae
