// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Draws.h"
#include "Likelihood.h"
#include "Torch/Networks/Network.h"
#include "Torch/Runtime/StepScalar.h"

#include <functional>

// What a training minimises. One file an objective in Objectives/, which registers itself.
//
// Latent vectors of a field's cells count as samples of one distribution, so that formulas written
// for one vector an image hold: a term of one latent vector, such as a KL divergence, is summed
// over a patch's cells; a term of their whole distribution, such as a total correlation, is
// multiplied by the number of a patch's cells. Everything is nats a patch, a mean over the batch.
namespace vae
{

/// A batch on its way through the network; float32.
struct Batch
{
  at::Tensor x;          ///< folded data
  Posterior q;           ///< of x; repeated, sample by sample, where there are several
  at::Tensor z;          ///< what the decoder was given
  at::Tensor decoded;    ///< and what it made of it
  at::Tensor likelihood; ///< -log p(x|z), nats a patch: [batch * samples]
  double cells = 1;      ///< latent vectors of a patch
};

/// Where a training stands, and on what.
struct LossContext
{
  StepScalar schedule = 1; ///< of the KL term, 0..1
  double freeBits = 0;     ///< TrainOptions::freeBits
  double vectors = 1;      ///< latent vectors in the training data, the N of minibatch estimates
  Draws noise;             ///< every random number comes from here
};

/// What an objective made of a batch: scalars.
struct Terms
{
  at::Tensor loss;           ///< to minimise
  at::Tensor reconstruction; ///< -log p(x|z)
  at::Tensor kl;             ///< KL(q(z|x) || N(0, I)); undefined where q is no distribution
  std::map<std::string, at::Tensor> measures; ///< shown in the history, by name
};

class Objective
{
public:
  virtual ~Objective() = default;

  /// Whether the latents are a distribution; else a value each.
  virtual bool stochastic() const { return true; }
  /// Weight of the KL term when it has risen.
  virtual double klWeight() const { return 1; }
  /// Samples of z for each patch.
  virtual int samples() const { return 1; }
  /// Vectors in the codebook that the network needs; 0 for none.
  virtual int codes() const { return 0; }

  /// The decoder's input. Z = mu + sigma * eps (Kingma and Welling 2014, Eq. 4).
  virtual at::Tensor draw(const Posterior& q, Network& network, const Draws& noise);

  virtual Terms terms(const Batch& batch, const ObservationModel& observation, Network& network,
    const LossContext& lossContext) = 0;
};

/// A parameter of an objective. `name` is also that of the property of VAE Train.
struct Parameter
{
  const char* name;
  double value, low, high;
};
using Parameters = std::map<std::string, double>;

struct ObjectiveKind
{
  const char* name;
  bool hasKL; ///< KL Schedule, KL Ramp and KL Cycles apply
  std::vector<Parameter> parameters;
  std::function<std::unique_ptr<Objective>(Parameters&)> make;
  bool hasFreeBits = hasKL; ///< Free Bits apply
};

/// All that are registered, by name.
const std::map<std::string, ObjectiveKind>& objectives();
struct RegisterObjective
{
  explicit RegisterObjective(ObjectiveKind kind);
};

/// The objective and no parameters but its own, each with a value, and no Free Bits where they have
/// no effect.
/// \throws std::invalid_argument naming the objective or parameter, its value and what is allowed
void completeObjective(TrainOptions& options);
std::unique_ptr<Objective> makeObjective(const TrainOptions& options);

///@{
/// What several objectives have in common.

/// KL(N(mean, exp(logVariance)) || N(0, I)) of each element (Kingma and Welling 2014, appendix B).
at::Tensor klOfElements(const Posterior& q);
/// The same, nats a patch, mean over the batch; no channel counts less than `freeBits` nats a
/// latent vector (Kingma et al. 2016, Eq. 15).
at::Tensor klDivergence(const Posterior& q, double freeBits = 0);
/// log N(z; mean, exp(logVariance)) of each element.
at::Tensor logNormal(const at::Tensor& z, const at::Tensor& mean, const at::Tensor& logVariance);
/// Rows of latents [batch, latent, cells...], no more than `most`, the same of each.
struct SomeRows
{
  std::vector<at::Tensor> of; ///< [rows, latent]
  /// [rows]: the patch of the batch that each is from. Cells of one patch are alike: they are no
  /// independent samples of q(z) = E_x q(z|x), those of two patches are. Undefined where patches
  /// have one cell, or there is one patch: rows then count as independent.
  at::Tensor patch;
};
SomeRows someRows(const std::vector<at::Tensor>& latents, std::int64_t most, const Draws& noise);
/// Covariance of latent vectors, [latent, latent], of latents [batch, latent, cells...]. Of one
/// cell a patch it is that of the batch; of more that of pairs of different patches, without bias:
/// E[(a - b)(a - b)^T] / 2.
at::Tensor covarianceOf(const at::Tensor& latent);
/// Standard normal numbers of a tensor's shape, on its device.
at::Tensor noiseLike(const at::Tensor& t, const Draws& noise);
///@}

} // namespace vae
