// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Torch/Losses/Objective.h"

#include <ATen/TensorOperators.h>

// A distribution for each latent attribute.
//   VAE:      L = -log p(x|z) + KL(q(z|x) || N(0, I))          Kingma and Welling 2014, Eq. 3
//   beta-VAE: L = -log p(x|z) + beta KL(q(z|x) || N(0, I))     Higgins et al. 2017, Eq. 4
namespace vae
{
namespace
{

class BetaVAE : public Objective
{
public:
  explicit BetaVAE(double beta) : Beta(beta) {}
  double klWeight() const override { return this->Beta; }

  Terms terms(const Batch& b, const ObservationModel&, Network&, const LossContext& s) override
  {
    Terms t;
    t.reconstruction = b.likelihood.mean();
    t.kl = klDivergence(b.q);
    const at::Tensor cost = s.freeBits > 0 ? klDivergence(b.q, s.freeBits) : t.kl;
    t.loss = t.reconstruction + s.schedule * this->Beta * cost;
    return t;
  }

private:
  double Beta;
};

const RegisterObjective vae(
  { "VAE", true, {}, [](Parameters&) { return std::make_unique<BetaVAE>(1); } });
const RegisterObjective beta({ "beta-VAE", true, { { "Beta", 4, 0, 1000 } },
  [](Parameters& p) { return std::make_unique<BetaVAE>(p["Beta"]); } });

} // namespace
} // namespace vae
