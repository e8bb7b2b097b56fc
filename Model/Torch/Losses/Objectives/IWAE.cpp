// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Torch/Losses/Objective.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <cmath>

// Importance weighting (Burda, Grosse and Salakhutdinov 2016, Eq. 8):
//   L = -log 1/k sum_s w_s,  log w = log p(x|z) + log p(z) - log q(z|x)
// whose gradient is that of log w, weighted by softmax(log w). A weight is that of a whole patch:
// of a field, with many latent vectors a patch, one sample has nearly all of it. There is no KL
// term that Free Bits could be left out of.
namespace vae
{
namespace
{

class IWAE : public Objective
{
public:
  explicit IWAE(int samples) : Count(samples) {}
  int samples() const override { return this->Count; }

  Terms terms(const Batch& b, const ObservationModel&, Network&, const LossContext& s) override
  {
    Terms t;
    t.reconstruction = b.likelihood.mean();
    t.kl = klDivergence(b.q);
    const at::Tensor prior =
      logNormal(b.z, at::zeros_like(b.z), at::zeros_like(b.z)).flatten(1).sum(1);
    const at::Tensor posterior = logNormal(b.z, b.q.mean, b.q.logVariance).flatten(1).sum(1);
    const at::Tensor weights =
      (s.schedule * (prior - posterior) - b.likelihood).view({ -1, this->Count });
    t.loss = std::log(this->Count) - at::logsumexp(weights, 1).mean();
    // How many of the samples count (Kong 1992): 1 if one has all the weight, k if they are equal.
    const at::Tensor share = weights.detach().softmax(1);
    t.measures["Effective Samples"] = (1 / share.square().sum(1)).mean();
    return t;
  }

private:
  int Count;
};

const RegisterObjective registered({ "IWAE", true, { { "ImportanceSamples", 5, 1, 100 } },
  [](Parameters& p) { return std::make_unique<IWAE>(static_cast<int>(p["ImportanceSamples"])); },
  /*hasFreeBits=*/false });

} // namespace
} // namespace vae
