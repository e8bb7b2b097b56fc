// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Options.h"
#include "Volume.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

// What the cases of vae_bench share.
namespace vae
{
class TorchModel;
}

namespace bench
{

using Json = nlohmann::ordered_json;

/// Prints a result, at once: what comes later may fail.
void print(const Json& result);

///@{
/// From the environment: VAE_BENCH_DEVICE, the CPU unless told; VAE_BENCH_PRECISION=float32, else
/// what suits the device; VAE_BENCH_THREADS, else what is fastest.
std::string device();
vae::Precision precision();
int threads();
vae::RunOptions run();
///@}

double now(); ///< seconds

/// Seconds of a call: the median, and the first.
struct Timing
{
  double median = 0, first = 0;
};

/// Seconds that a measurement takes, or one call: VAE_BENCH_SECONDS, 6 unless told.
double patience();

/// After a call that warms up.
Timing timed(const std::function<void()>& work, double seconds = patience());

/// The first call counts, too: for work that takes long.
Timing timedCold(const std::function<void()>& work, double seconds = patience());

/// Periodic copies of a made rock, so that any size is there at once.
std::vector<std::uint8_t> rockOf(std::int64_t edge);
vae::Volume volumeOf(const std::vector<std::uint8_t>& voxels, std::int64_t edge);

/// Of a network and its training: WIDTH/PATCH/BATCH.
struct Shape
{
  int width = 32, patch = 48, batch = 2; ///< the defaults on a CPU
};
/// \throws std::invalid_argument
Shape shapeOf(const std::string& text);

/// A training that does not end, on the device.
vae::TrainOptions options(const Shape& shape = {});

/// What a short training of a volume gives. \param everything also what its end measures
std::shared_ptr<const vae::TorchModel> modelOf(
  const vae::Volume& volume, const vae::TrainOptions& options, bool everything = false);

/// Labels of the first channel of a volume of `edge`, as output.
vae::OutputChannel labelsTo(std::vector<std::uint8_t>& labels);

double peakGiB(); ///< of this process's memory on the CPU

/// vae_bench check NAME MODEL EDGE [SHAPE [STEPS]]: whether something works on the device.
/// \return whether it does
bool check(const std::vector<std::string>& arguments);

/// vae_bench profile train|generate [EDGE [SHAPE]]: what the device spends its time on.
void profile(const std::vector<std::string>& arguments);

/// vae_bench closing EDGE STEPS SECONDS [PRIORSHARE]: a training of so many steps, then what its
/// end measures within a tenth of a time budget (0: without one), part by part, and what the random
/// field that it fitted is worth. Seconds are those of the processor over the threads, so other
/// programs do not count.
void closing(const std::vector<std::string>& arguments);

} // namespace bench
