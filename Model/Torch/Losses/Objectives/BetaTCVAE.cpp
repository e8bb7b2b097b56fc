// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Torch/Losses/Objective.h"
#include "Torch/Losses/TotalCorrelation.h"

#include <ATen/TensorOperators.h>

// L = -log p(x|z) + alpha MI + beta TC + gamma KL of each dimension (Chen et al. 2018, Eq. 4).
namespace vae
{
namespace
{

class BetaTCVAE : public Objective
{
public:
  BetaTCVAE(double alpha, double beta, double gamma) : Alpha(alpha), Beta(beta), Gamma(gamma) {}

  Terms terms(const Batch& b, const ObservationModel&, Network&, const LossContext& s) override
  {
    Terms t;
    t.reconstruction = b.likelihood.mean();
    t.kl = klDivergence(b.q);
    const auto [rows, patch] = someRows({ b.z, b.q.mean, b.q.logVariance }, 512, s.noise);
    const Decomposition d = decomposeKL(rows[0], rows[1], rows[2], s.vectors, patch);
    // What is asked for beyond the KL divergence itself, which is known exactly. The three parts
    // sum to its estimate, so this is Eq. 4 with less noise.
    const at::Tensor more = (this->Alpha - 1) * d.mutualInformation +
      (this->Beta - 1) * d.totalCorrelation + (this->Gamma - 1) * d.dimensionKL;
    const at::Tensor cost = s.freeBits > 0 ? klDivergence(b.q, s.freeBits) : t.kl;
    t.loss = t.reconstruction + s.schedule * (cost + b.cells * more);
    t.measures["Total Correlation"] = d.totalCorrelation;
    t.measures["Dimension KL"] = d.dimensionKL;
    return t;
  }

private:
  double Alpha, Beta, Gamma;
};

const RegisterObjective registered({ "beta-TC-VAE", true,
  { { "MutualInformationWeight", 1, 0, 1000 }, { "TotalCorrelationWeight", 6, 0, 1000 },
    { "DimensionKLWeight", 1, 0, 1000 } },
  [](Parameters& p)
{
  return std::make_unique<BetaTCVAE>(
    p["MutualInformationWeight"], p["TotalCorrelationWeight"], p["DimensionKLWeight"]);
} });

} // namespace
} // namespace vae
