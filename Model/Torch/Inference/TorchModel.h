// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "AnomalyScale.h"
#include "Inference.h"
#include "Model.h"
#include "Torch/Grid/Blocks.h"
#include "Torch/Networks/Network.h"
#include "Torch/Priors/LatentField.h"
#include "Torch/Priors/LearnedPrior.h"
#include "Torch/Runtime/Device.h"

namespace vae
{

/// What a training needs, beside its history, to go on exactly where it stopped.
struct TrainingState
{
  std::string json;
  std::map<std::string, at::Tensor> tensors;
};

/// A tensor's values, float32.
std::vector<float> valuesOf(const at::Tensor& t);

class TorchModel : public Model
{
public:
  TorchModel(ModelInfo info, NetworkPtr network) : Info(std::move(info)), Net(std::move(network)) {}
  static std::shared_ptr<const TorchModel> load(
    const std::string& path, const LoadOptions& options = {});

  /// Measure the latent field of a training volume, for sample(): of a block in its middle with
  /// about `most` voxels, or of all of it where that is 0.
  void fitField(
    const Volume& volume, std::int64_t most, const RunOptions& run, const Monitor& monitor);

  /// All that the end of a training measures: its latent field, the priors, anomaly scores,
  /// texture. What cannot be measured is told in ModelInfo::leftOut, and nothing is thrown.
  /// \param left seconds that are left; empty: there is no limit, and the same comes out each time
  void measureAll(const Volume& volume, const RunOptions& run, const Monitor& monitor,
    std::function<double()> left = {});

  void setLearnedPrior(std::shared_ptr<const LearnedPrior> prior)
  {
    this->Learned = std::move(prior);
  }

  const NetworkPtr& network() const { return this->Net; }
  const std::shared_ptr<const TrainingState>& trainingState() const { return this->Training; }
  void setTrainingState(std::shared_ptr<const TrainingState> s) { this->Training = std::move(s); }

  const ModelInfo& info() const override { return this->Info; }
  void save(const std::string& path, const std::function<void()>& mayReplace = {}) const override;
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
  bool hasAnomalyScale() const override { return this->Anomalies.has_value(); }
  Prior bestPrior() const override;

private:
  /// Encode `part`, in latent cells, of a volume.
  Latent encodePart(const Volume& volume, const Frame& frame, const Box& part,
    const RunOptions& run, const Monitor& monitor) const;
  /// Where a field to draw lies, and from which prior.
  struct Draw
  {
    Prior prior = Prior::Automatic;
    FieldRequest field;
    Box inside; ///< those of its cells that are the volume's, not its margin's
  };
  Draw plan(const SampleRequest& request) const;
  /// \param local see LearnedPrior::sample
  at::Tensor fieldOf(const Draw& draw, const GenerateOptions& options, const RunOptions& run,
    const Monitor& monitor, at::Tensor* local = nullptr) const;
  /// A field that was drawn. Where the learned prior drew phases its threshold is not found yet: it
  /// is the one that gives the first phase this fraction.
  struct Drawn : LatentSample
  {
    std::optional<double> fraction;
  };
  Drawn draw(const SampleRequest& request, const RunOptions& run, const Monitor& monitor) const;
  Drawn drawFreely(
    const SampleRequest& request, const RunOptions& run, const Monitor& monitor) const;
  Drawn drawAround(
    const SampleRequest& request, const RunOptions& run, const Monitor& monitor) const;
  Drawn emptySample(const Dims& dims, int margin) const; ///< without its values
  /// The wanted local mean as the learned prior reads it.
  at::Tensor trendOf(const std::vector<float>& trend, const FieldRequest& field, int margin) const;
  class Measuring; ///< what measureAll() does

  ModelInfo Info;
  NetworkPtr Net;
  std::optional<LatentField> Field;
  std::shared_ptr<const LearnedPrior> Learned;
  std::optional<AnomalyScale> Anomalies;
  std::shared_ptr<const TrainingState> Training;
};

} // namespace vae
