// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Lineage.h"
#include "Trainer.h"
#include "TwoSampleTest.h"

namespace vae
{
namespace statistics
{
struct Mask;
struct RadialS2;
}

/// The door to LibTorch. Nothing that a host application loads may depend on libtorch at
/// load time (ParaView opens plugins with RTLD_GLOBAL, and LibTorch's LLVM symbols would then
/// be taken by Mesa), so the library behind this class is opened at first use, RTLD_LOCAL.
class Backend
{
public:
  virtual ~Backend() = default;

  /// Train on volumes that have the same channels. A training that is resumed goes on as if it had
  /// never stopped.
  /// \throws std::invalid_argument naming the option or the data that does not fit, its value
  /// and what is allowed
  virtual std::unique_ptr<Trainer> train(const TrainingStart& start) = 0;

  /// A training before it starts, of options that need not be complete. Without an initial model it
  /// starts from experience where the options want that and it fits.
  /// \throws std::invalid_argument as train() would
  virtual TrainingStart startOf(std::shared_ptr<const DataSet> data, const TrainOptions& options,
    std::shared_ptr<const Model> initial, bool again) = 0;

  /// The options with every parameter of their objective, and nothing that they do not use: what
  /// compares equal trains the same.
  /// \throws std::invalid_argument as train() would
  virtual TrainOptions complete(TrainOptions options) = 0;

  /// Floating-point operations a second that a training step of a network of the default shape
  /// reaches here; takes about half a second.
  virtual double measureSpeed(
    const std::string& device, Precision precision, int threads, const Monitor& monitor = {}) = 0;

  /// A file may come from anybody: it is checked wholly, and nothing in it runs unless the options
  /// allow that.
  /// \throws std::runtime_error naming the file and what is wrong with it
  virtual std::shared_ptr<const Model> load(
    const std::string& path, const LoadOptions& options = {}) = 0;

  /// S2 of a phase over the distance (Statistics/Radial.h), by Fourier transforms.
  /// \param maximumLag voxels of the smallest spacing, less than the smallest side
  virtual statistics::RadialS2 radialS2(const statistics::Mask& mask, std::int64_t maximumLag,
    bool periodic, const RunOptions& run, const Monitor& monitor) = 0;

  /// Train a classifier to tell the real input's blocks from the candidate's on one part of each,
  /// and test it on another; the same with two halves of the real input as the control. Float32, a
  /// fixed number of steps: on any machine the same but for rounding.
  /// \throws std::invalid_argument naming what does not fit or is too small, Stopped
  virtual TwoSampleResult twoSampleTest(const TwoSampleInput& input,
    const TwoSampleOptions& options, const RunOptions& run, const Monitor& monitor = {}) = 0;

  /// Several lines: version, devices, precision that Automatic stands for, threads.
  virtual std::string describe() = 0;
};

/// The backend, opened at first use and never closed.
/// \throws std::runtime_error with one sentence: which library is missing and the cure
Backend& backend();

} // namespace vae
