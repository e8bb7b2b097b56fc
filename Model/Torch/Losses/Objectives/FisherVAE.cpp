// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Torch/Losses/Objective.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

// The Fisher autoencoder as published by Zheng, Yao, Zhang, Tsang and Wang 2019, which we take to
// be the objective behind the information VAE of Zhang, Tu, Xia and Du 2022 for porous media:
//   L = -ELBO + lambda_z |J_z - F_z| + lambda_x |J_x - F_x|
// J_z is the Fisher information of a latent attribute's posterior about its mean, its average over
// the attributes: 1/sigma^2 in closed form, or ((z - mu) / sigma^2)^2 of the sample that was drawn.
// The authors' program cuts the latter at 88, so its expectation is smaller where sigma is small:
// 36.8, not 54.6, at a log variance of -4. F_z = 1 is as informative as the prior; more keeps
// latents from collapsing. J_x is the same of a voxel about what the decoder says of it. Shown with
// J_z are the entropy power N = exp(2 h / d) / (2 pi e) and J N >= 1, the Fisher-Shannon index.
namespace vae
{
namespace
{

constexpr double Cut = 88; // of the authors' program

class FisherVAE : public Objective
{
public:
  FisherVAE(double latent, double latentWeight, double data, double dataWeight, bool sampled)
    : Latent(latent)
    , LatentWeight(latentWeight)
    , Data(data)
    , DataWeight(dataWeight)
    , Sampled(sampled)
  {
  }

  Terms terms(
    const Batch& b, const ObservationModel& observation, Network&, const LossContext& s) override
  {
    Terms t;
    t.reconstruction = b.likelihood.mean();
    t.kl = klDivergence(b.q);
    const at::Tensor cost = s.freeBits > 0 ? klDivergence(b.q, s.freeBits) : t.kl;
    const at::Tensor logVariance = rowsOf(b.q.logVariance);
    // As the authors: the mean over attributes and batch, then its distance from the target.
    const at::Tensor closed = (-logVariance).exp().mean(1);
    const at::Tensor j = this->Sampled
      ? (rowsOf(b.z - b.q.mean) * (-logVariance).exp()).square().clamp_max(Cut).mean(1)
      : closed;
    t.loss = t.reconstruction + s.schedule * cost +
      b.cells * this->LatentWeight * (j.mean() - this->Latent).abs();
    const at::Tensor power = logVariance.mean(1).exp();
    t.measures["Fisher Information"] = j.mean();
    t.measures["Entropy Power"] = power.mean();
    t.measures["Fisher-Shannon Index"] = (closed * power).mean();
    const at::Tensor jx = observation.fisherInformation(b.decoded);
    t.measures["Data Fisher Information"] = jx;
    if (this->DataWeight > 0)
    {
      const auto voxels = static_cast<double>(b.x.numel() / b.x.size(0));
      t.loss = t.loss + this->DataWeight * voxels * (jx - this->Data).abs();
    }
    return t;
  }

private:
  double Latent, LatentWeight, Data, DataWeight;
  bool Sampled;
};

const RegisterObjective registered({ "Fisher-VAE", true,
  { { "LatentFisher", 5, 0, 10000 }, { "LatentFisherWeight", 0.1, 0, 10000 },
    { "DataFisher", 0.1, 0, 100000 }, { "DataFisherWeight", 0, 0, 10000 },
    { "FisherForm", 0, 0, 1 } },
  [](Parameters& p)
{
  return std::make_unique<FisherVAE>(p["LatentFisher"], p["LatentFisherWeight"], p["DataFisher"],
    p["DataFisherWeight"], p["FisherForm"] != 0);
} });

} // namespace
} // namespace vae
