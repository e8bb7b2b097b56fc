// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "LatentDiagnostics.h"

#include "Discrepancy.h"
#include "Objective.h"
#include "TotalCorrelation.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/core/GradMode.h>

#include <cmath>

namespace vae
{

void measureLatents(const Posterior& q, bool stochastic, EpochRecord& row)
{
  constexpr std::int64_t most = 256; // their number squared is the cost
  const c10::NoGradGuard guard;
  // A stream of its own: looking changes nothing in the training.
  const at::Generator noise =
    at::make_generator<at::CPUGeneratorImpl>(static_cast<std::uint64_t>(row.epoch));
  const at::Tensor means = rowsOf(q.mean.detach());
  row.activeLatents = means.size(0) > 1 ? (means.var(0) > 0.01).sum().item<int>() : 0;

  const auto rows = someRows({ q.mean.detach(), q.logVariance.detach() }, most, noise).of;
  row.mutualInformation = std::nan("");
  row.klOfLatents.assign(static_cast<std::size_t>(means.size(1)), std::nan(""));
  at::Tensor z = rows[0];
  if (stochastic)
  {
    z = z + noiseLike(z, noise) * (0.5 * rows[1]).exp();
    const at::Tensor kl = rowsOf(klOfElements({ q.mean.detach(), q.logVariance.detach() }))
                            .mean(0)
                            .to(at::kCPU, at::kDouble)
                            .contiguous();
    const auto* values = kl.const_data_ptr<double>();
    row.klOfLatents.assign(values, values + kl.numel());
    row.mutualInformation = decomposeKL(z, rows[0], rows[1], 0).mutualInformation.item<double>();
  }
  row.mmd = z.size(0) > 1 ? meanDiscrepancy(z, noiseLike(z, noise), Kernel::IMQ).item<double>()
                          : std::nan("");
}

} // namespace vae
