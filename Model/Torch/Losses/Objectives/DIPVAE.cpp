// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Torch/Losses/Objective.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

// Disentangled inferred prior (Kumar, Sattigeri and Balakrishnan 2018, Eq. 6 and 7): the VAE's loss
// plus OffDiagonalWeight * sum of squared covariances + DiagonalWeight * sum of (variance - 1)^2,
// of the means (I) or of the aggregated posterior, which adds the mean variance (II).
namespace vae
{
namespace
{

class DIPVAE : public Objective
{
public:
  DIPVAE(bool second, double offDiagonal, double diagonal)
    : Second(second)
    , OffDiagonal(offDiagonal)
    , Diagonal(diagonal)
  {
  }

  Terms terms(const Batch& b, const ObservationModel&, Network&, const LossContext& s) override
  {
    Terms t;
    t.reconstruction = b.likelihood.mean();
    t.kl = klDivergence(b.q);
    at::Tensor covariance = covarianceOf(b.q.mean);
    if (this->Second)
    {
      covariance = covariance + rowsOf(b.q.logVariance).exp().mean(0).diag();
    }
    const at::Tensor variances = covariance.diagonal();
    const at::Tensor apart = covariance.square().sum() - variances.square().sum();
    const at::Tensor cost = s.freeBits > 0 ? klDivergence(b.q, s.freeBits) : t.kl;
    t.loss = t.reconstruction +
      s.schedule *
        (cost +
          b.cells * (this->OffDiagonal * apart + this->Diagonal * (variances - 1).square().sum()));
    t.measures["Squared Covariances"] = apart;
    return t;
  }

private:
  bool Second;
  double OffDiagonal, Diagonal;
};

ObjectiveKind kind(const char* name, bool second)
{
  return { name, true,
    { { "OffDiagonalWeight", 10, 0, 10000 }, { "DiagonalWeight", 10, 0, 10000 } },
    [second](Parameters& p)
  { return std::make_unique<DIPVAE>(second, p["OffDiagonalWeight"], p["DiagonalWeight"]); } };
}
const RegisterObjective first(kind("DIP-VAE-I", false));
const RegisterObjective second(kind("DIP-VAE-II", true));

} // namespace
} // namespace vae
