// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Torch/Losses/Objective.h"

// The standard autoencoder: one value for each latent attribute, and nothing that orders them
// (Hinton and Salakhutdinov 2006). L = -log p(x | z = mu)
namespace vae
{
namespace
{

class Autoencoder : public Objective
{
public:
  bool stochastic() const override { return false; }
  double klWeight() const override { return 0; }
  at::Tensor draw(const Posterior& q, Network&, const Draws&) override { return q.mean; }

  Terms terms(const Batch& b, const ObservationModel&, Network&, const LossContext&) override
  {
    Terms t;
    t.loss = t.reconstruction = b.likelihood.mean();
    return t;
  }
};

const RegisterObjective registered(
  { "Autoencoder", false, {}, [](Parameters&) { return std::make_unique<Autoencoder>(); } });

} // namespace
} // namespace vae
