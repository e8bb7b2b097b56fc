// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Torch/Losses/Objective.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

// beta-VAE with a capacity that grows: L = -log p(x|z) + gamma |KL - C|, C rising from 0 to
// Capacity by the KL schedule (Burgess et al. 2018, Eq. 8). KL and C are nats a latent vector.
namespace vae
{
namespace
{

class CapacityVAE : public Objective
{
public:
  CapacityVAE(double capacity, double weight) : Capacity(capacity), Weight(weight) {}

  Terms terms(const Batch& b, const ObservationModel&, Network&, const LossContext& s) override
  {
    Terms t;
    t.reconstruction = b.likelihood.mean();
    t.kl = klDivergence(b.q);
    const at::Tensor cost = s.freeBits > 0 ? klDivergence(b.q, s.freeBits) : t.kl;
    const at::Tensor capacity =
      (s.schedule * at::scalar_tensor(this->Capacity, at::kDouble)).to(cost.scalar_type());
    t.loss = t.reconstruction + b.cells * this->Weight * (cost / b.cells - capacity).abs();
    t.measures["Capacity"] = capacity;
    return t;
  }

private:
  double Capacity, Weight;
};

const RegisterObjective registered({ "capacity-VAE", true,
  { { "Capacity", 25, 0, 10000 }, { "CapacityWeight", 10, 0, 10000 } }, [](Parameters& p)
{ return std::make_unique<CapacityVAE>(p["Capacity"], p["CapacityWeight"]); } });

} // namespace
} // namespace vae
