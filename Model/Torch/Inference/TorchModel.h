// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Calibration.h"
#include "Inference.h"
#include "Model.h"
#include "Torch/Grid/Blocks.h"
#include "Torch/Networks/Network.h"
#include "Torch/Runtime/Device.h"

namespace vae
{

class FieldDecoder;

/// What a training needs, beside its history, to go on exactly where it stopped.
struct TrainingState
{
  std::string json; ///< of numbers, by name
  State tensors;
};

/// A tensor's values, float32.
std::vector<float> valuesOf(const at::Tensor& t);

/// Three values: what it knows about itself, the network, and what was measured of that.
class TorchModel : public Model
{
public:
  /// \param info gets the calibration's numbers
  /// \param training what a training needs to go on, or null
  TorchModel(ModelInfo info, NetworkPtr network, Calibration calibration = {},
    std::shared_ptr<const TrainingState> training = nullptr);
  static std::shared_ptr<const TorchModel> load(
    const std::string& path, const LoadOptions& options = {});

  const NetworkPtr& network() const { return this->Net; }
  const Calibration& calibration() const { return this->Calibrated; }
  const std::shared_ptr<const TrainingState>& trainingState() const { return this->Training; }

  /// A field that was drawn. Where the learned prior drew phases its thresholds are not found yet:
  /// they are those that give the first phase these fractions, one for each channel of the data.
  struct Drawn : LatentSample
  {
    std::vector<double> fractions; ///< or empty
  };
  /// What sample() does, but for the thresholds.
  Drawn draw(const SampleRequest& request, const RunOptions& run, const Monitor& monitor) const;

  const ModelInfo& info() const override { return this->Info; }
  void save(const std::string& path, const std::function<void()>& mayReplace = {}) const override;
  /// What others start from: network and learned prior, weights in half precision.
  void saveInHalf(const std::string& path) const;
  bool hasTrainingState() const override { return this->Training != nullptr; }
  Latent encode(const Volume& volume, const RunOptions& run, const Monitor& monitor) const override;
  void decode(const Latent& latent, const Dims& dims, int margin, const Outputs& outputs,
    const RunOptions& run = {}, const Monitor& monitor = {}) const override;
  void reconstruct(const Volume& volume, const ReconstructOptions& options,
    const ReconstructOutputs& outputs, const RunOptions& run,
    const Monitor& monitor) const override;
  LatentSample sample(const SampleRequest& request, const RunOptions& run = {},
    const Monitor& monitor = {}) const override;
  void sampleAndDecode(const SampleRequest& request, const Outputs& outputs,
    const RunOptions& run = {}, const Monitor& monitor = {}) const override;
  std::vector<LatentStatistics> latentStatistics() const override;
  int decodeHalo() const override { return this->Net->decodeHalo(); }
  int margin(const std::array<bool, 3>& periodic = {}) const override;
  std::string memoryPlan(const Dims& dims, const RunOptions& run) const override;
  bool hasAnomalyScale() const override { return this->Calibrated.anomalies.has_value(); }
  Prior bestPrior() const override;

private:
  /// Where a field to draw lies, and from which prior.
  struct Draw
  {
    Prior prior = Prior::Automatic;
    FieldRequest field;
    Box inside; ///< those of its cells that are the volume's, not its margin's
  };
  Draw plan(const SampleRequest& request) const;
  /// All that a field decodes to, with an exact fraction of a phase if that is wanted.
  void write(FieldDecoder& decoder, const Outputs& outputs, const RunOptions& run,
    const Monitor& monitor) const;
  /// \param local see LearnedPrior::sample
  at::Tensor fieldOf(const Draw& draw, const GenerateOptions& options, const RunOptions& run,
    const Monitor& monitor, at::Tensor* local = nullptr) const;
  Drawn drawFreely(
    const SampleRequest& request, const RunOptions& run, const Monitor& monitor) const;
  Drawn drawAround(
    const SampleRequest& request, const RunOptions& run, const Monitor& monitor) const;
  Drawn emptySample(const Dims& dims, int margin) const; ///< without its values
  /// The wanted local mean as the learned prior reads it.
  at::Tensor trendOf(const std::vector<float>& trend, const FieldRequest& field, int margin) const;

  ModelInfo Info;
  NetworkPtr Net;
  Calibration Calibrated;
  std::shared_ptr<const TrainingState> Training;
};

} // namespace vae
