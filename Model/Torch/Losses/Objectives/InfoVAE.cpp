// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Check.h"
#include "Torch/Losses/Discrepancy.h"
#include "Torch/Losses/Objective.h"

#include <ATen/TensorOperators.h>

#include <algorithm>
#include <stdexcept>

// Objectives that compare the aggregated posterior with the prior by their maximum mean
// discrepancy.
//   InfoVAE: L = -log p(x|z) + (1 - alpha) KL + (alpha + lambda - 1) MMD   Zhao et al. 2019, Eq. 6
//            (alpha = 0, lambda = 1 is the VAE, alpha = 1 the MMD-VAE)
//   WAE-MMD: L = -log p(x|z) + lambda MMD, with one value for each latent attribute, or with
//            NoisyEncoder a distribution                                  Tolstikhin et al. 2018
namespace vae
{
namespace
{

class InfoVAE : public Objective
{
public:
  InfoVAE(double kl, double mmd, double kernel, bool noisy)
    : KLWeight(kl)
    , MMDWeight(mmd)
    , With(static_cast<Kernel>(static_cast<int>(kernel)))
    , Noisy(noisy)
  {
  }
  bool stochastic() const override { return this->Noisy; }
  double klWeight() const override { return this->KLWeight; }

  at::Tensor draw(const Posterior& q, Network& network, const Draws& noise) override
  {
    return this->Noisy ? Objective::draw(q, network, noise) : q.mean;
  }

  Terms terms(const Batch& b, const ObservationModel&, Network&, const LossContext& s) override
  {
    Terms t;
    t.reconstruction = b.likelihood.mean();
    t.loss = t.reconstruction;
    if (this->Noisy)
    {
      t.kl = klDivergence(b.q);
      const at::Tensor cost = s.freeBits > 0 ? klDivergence(b.q, s.freeBits) : t.kl;
      t.loss = t.loss + s.schedule * this->KLWeight * cost;
    }
    const SomeRows rows = someRows({ b.z }, 512, s.noise);
    const at::Tensor& z = rows.of[0];
    const at::Tensor mmd = meanDiscrepancy(z, noiseLike(z, s.noise), this->With, rows.patch);
    t.loss = t.loss + s.schedule * b.cells * this->MMDWeight * mmd;
    return t;
  }

private:
  double KLWeight, MMDWeight;
  Kernel With;
  bool Noisy;
};

constexpr double MostLambda = 10000;

std::unique_ptr<Objective> makeInfoVAE(Parameters& p)
{
  const double alpha = p["Alpha"], lambda = p["Lambda"], weight = alpha + lambda - 1;
  if (weight < -1e-12) // but for rounding
  {
    throw std::invalid_argument("Lambda is " + inWords(lambda) + "; with Alpha " + inWords(alpha) +
      " it must be in [" + inWords(1 - alpha) + ", " + inWords(MostLambda) +
      "], so that the weight of the maximum mean discrepancy, Alpha + Lambda - 1, is not negative");
  }
  return std::make_unique<InfoVAE>(1 - alpha, std::max(weight, 0.), p["Kernel"], true);
}

const RegisterObjective info({ "InfoVAE", true,
  { { "Alpha", 0.5, 0, 1 }, { "Lambda", 10, 0, MostLambda }, { "Kernel", 0, 0, 1 } },
  makeInfoVAE });
const RegisterObjective wae({ "WAE-MMD", false,
  { { "Lambda", 10, 0, MostLambda }, { "Kernel", 0, 0, 1 }, { "NoisyEncoder", 0, 0, 1 } },
  [](Parameters& p)
{ return std::make_unique<InfoVAE>(0, p["Lambda"], p["Kernel"], p["NoisyEncoder"] != 0); } });

} // namespace
} // namespace vae
