// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Torch/Losses/Objective.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/core/GradMode.h>

#include <cmath>

// Vector-quantised VAE (van den Oord, Vinyals and Kavukcuoglu 2017, Eq. 3), the codebook by moving
// averages (appendix A.1): each latent vector is replaced by the nearest code e, gradients pass
// straight through, and L = -log p(x|e) + CommitmentWeight sum |z - sg(e)|^2. Codes that are no
// longer used are put where latent vectors are (Dhariwal et al. 2020).
namespace vae
{
namespace
{

class VQVAE : public Objective
{
public:
  VQVAE(int codes, double commitment, double decay)
    : Codes(codes)
    , Commitment(commitment)
    , Decay(decay)
  {
  }
  bool stochastic() const override { return false; }
  double klWeight() const override { return 0; }
  int codes() const override { return this->Codes; }

  at::Tensor draw(const Posterior& q, Network& network, const Draws& noise) override
  {
    const at::Tensor rows = rowsOf(q.mean);
    this->follow(rows.detach(), network, noise.generator);
    const at::Tensor codes = network.quantise(q.mean.detach());
    return q.mean + (codes - q.mean).detach(); // straight through
  }

  Terms terms(const Batch& b, const ObservationModel&, Network&, const LossContext&) override
  {
    Terms t;
    t.reconstruction = b.likelihood.mean();
    const auto batch = static_cast<double>(b.q.mean.size(0));
    const at::Tensor commitment = (b.q.mean - b.z.detach()).square().sum() / batch;
    t.loss = t.reconstruction + this->Commitment * commitment;
    // From a uniform prior over the codes, for each latent vector (section 3.2): a constant.
    t.kl = at::scalar_tensor(b.cells * std::log(this->Codes), b.likelihood.options());
    // What a latent vector takes where codes are as probable as they are used in this batch, and
    // its exp: how many are in use, in effect.
    const at::Tensor p = this->Used / this->Used.sum();
    const at::Tensor entropy = -at::xlogy(p, p).sum();
    t.measures["Code Entropy"] = entropy;
    t.measures["Perplexity"] = at::exp(entropy);
    return t;
  }

private:
  void follow(const at::Tensor& rows, Network& network, const at::Generator& noise)
  {
    const c10::NoGradGuard guard;
    at::Tensor& use = network.codeUse;
    at::Tensor& sum = network.codeSum;
    const auto random = [&](std::int64_t n)
    {
      const at::Tensor chosen = at::randint(rows.size(0), { n }, noise, at::kLong);
      return rows.index_select(0, chosen.to(rows.device()));
    };
    if (use.sum().item<double>() == 0) // the first batch
    {
      sum.copy_(random(this->Codes));
      network.codebook.copy_(sum);
      use.fill_(1);
    }
    const at::Tensor codes = network.nearestCodes(rows);
    this->Used = at::bincount(codes, {}, this->Codes).to(rows.scalar_type());
    use.mul_(this->Decay).add_(this->Used, 1 - this->Decay);
    sum.mul_(this->Decay).add_(at::zeros_like(sum).index_add_(0, codes, rows), 1 - this->Decay);
    const at::Tensor unused = (use < 0.01).nonzero().flatten();
    if (unused.numel() > 0)
    {
      sum.index_copy_(0, unused, random(unused.numel()));
      use.index_fill_(0, unused, 1);
    }
    network.codebook.copy_(sum / use.unsqueeze(1));
  }

  int Codes;
  double Commitment, Decay;
  at::Tensor Used; ///< how often each code was the nearest, in this batch
};

const RegisterObjective registered({ "VQ-VAE", false,
  { { "Codes", 512, 2, 65536 }, { "CommitmentWeight", 0.25, 0, 1000 },
    { "CodebookDecay", 0.99, 0, 1 } },
  [](Parameters& p)
{
  return std::make_unique<VQVAE>(
    static_cast<int>(p["Codes"]), p["CommitmentWeight"], p["CodebookDecay"]);
} });

} // namespace
} // namespace vae
