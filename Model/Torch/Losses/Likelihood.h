// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "ModelInfo.h"

#include <ATen/core/Tensor.h>

#include <memory>

namespace vae
{

/// p(x|z): what the network's values mean. Data `x` and the decoder's values are folded tensors
/// [batch, values, cells...]; neighbouring values belong to one channel, or one phase.
class ObservationModel
{
public:
  virtual ~ObservationModel() = default;

  /// The encoder's input for data x.
  virtual at::Tensor input(const at::Tensor& x) const { return x; }

  /// -log p(x|z), nats, summed over the voxels of each patch: [batch]. `training` lets an analytic
  /// scale follow the errors of this batch.
  virtual at::Tensor loss(const at::Tensor& decoded, const at::Tensor& x, bool training) = 0;

  /// -log p(x|z) of each value, nats, above its minimum over all x.
  virtual at::Tensor excess(const at::Tensor& decoded, const at::Tensor& x) const = 0;

  /// E[x|z], as x is folded: grey values, or (phases) the index of the likeliest one.
  virtual at::Tensor value(const at::Tensor& decoded) const { return decoded; }

  /// `decoded` moved by standard normal noise of the same shape so that value() of it is drawn from
  /// p(x|z): P(value = k) is the probability of phase k.
  virtual at::Tensor drawn(const at::Tensor& decoded, const at::Tensor& noise) const = 0;

  /// `decoded` with the log odds of the first phase reduced by so much, one number for each channel
  /// of the data; none, and grey values: as it is.
  virtual at::Tensor withThresholds(
    const at::Tensor& decoded, const std::vector<double>& /*thresholds*/) const
  {
    return decoded;
  }

  /// Probability of each phase, [batch, phases of a channel, values of x, cells...]; undefined for
  /// grey values.
  virtual at::Tensor probabilities(const at::Tensor&) const { return {}; }

  ///@{
  /// As x is folded, channel by channel: log odds of a phase against the others, and the index of
  /// the likeliest of those. Undefined for grey values.
  virtual at::Tensor logOdds(const at::Tensor&, std::int64_t /*phase*/) const { return {}; }
  virtual at::Tensor others(const at::Tensor&, std::int64_t /*phase*/) const { return {}; }
  ///@}

  /// Fisher information of x about the decoder's own value, a voxel: 1/sigma^2 for a Gaussian,
  /// p (1 - p) for the logit of a Bernoulli variable (Zheng et al. 2019).
  virtual at::Tensor fisherInformation(const at::Tensor& decoded) const = 0;

  /// Fraction of voxels that are right (phases), or PSNR in dB (grey values).
  virtual double quality(const at::Tensor& decoded, const at::Tensor& x) const = 0;

  /// What snapshots and training states hold beside the network's tensors; the first
  /// `parameters()` of them are learnt by gradients.
  const std::vector<at::Tensor>& tensors() const { return this->State; }
  virtual std::size_t parameters() const { return 0; }

  /// Width of a Gaussian or Laplace likelihood a channel, normalised units; else empty.
  virtual std::vector<double> scales() const { return {}; }

protected:
  std::vector<at::Tensor> State;
};

/// For a model's likelihood; its width is that of info.sigma.
std::unique_ptr<ObservationModel> makeObservationModel(const ModelInfo& info, at::Device device);

///@{
/// -log p(x) of each patch. `width` is a standard deviation (Gaussian) or mean absolute deviation
/// (Laplace) of each data channel.
at::Tensor bernoulliLoss(const at::Tensor& logits, const at::Tensor& x);
at::Tensor categoricalLoss(const at::Tensor& logits, const at::Tensor& phase);
at::Tensor gaussianLoss(const at::Tensor& mean, const at::Tensor& x, const at::Tensor& width);
at::Tensor laplaceLoss(const at::Tensor& mean, const at::Tensor& x, const at::Tensor& width);
///@}

/// log sigma, softly kept above -6 as in the sigma-VAE: min + softplus(value - min).
at::Tensor softClip(const at::Tensor& logSigma);

} // namespace vae
