// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Objective.h"

#include "Check.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <cmath>
#include <numbers>
#include <stdexcept>

namespace vae
{
namespace
{

std::map<std::string, ObjectiveKind>& registry()
{
  static std::map<std::string, ObjectiveKind> all;
  return all;
}

std::string labelOf(const std::string& name)
{
  std::string words;
  for (std::size_t i = 0; i < name.size(); ++i)
  {
    const auto capital = [&](std::size_t k) { return name[k] >= 'A' && name[k] <= 'Z'; };
    if (i > 0 && capital(i) && (!capital(i - 1) || (i + 1 < name.size() && !capital(i + 1))))
    {
      words += ' ';
    }
    words += name[i];
  }
  return words;
}

} // namespace

const std::map<std::string, ObjectiveKind>& objectives() { return registry(); }

RegisterObjective::RegisterObjective(ObjectiveKind kind)
{
  const std::string name = kind.name;
  if (!registry().emplace(name, std::move(kind)).second)
  {
    throw std::logic_error("two objectives are named " + name);
  }
}

void completeObjective(TrainOptions& options)
{
  const auto found = registry().find(options.objective);
  if (found == registry().end())
  {
    std::string names;
    for (const auto& [name, kind] : registry())
    {
      names += (names.empty() ? "" : ", ") + name;
    }
    throw std::invalid_argument(
      "Objective is '" + options.objective + "'; it must be one of " + names);
  }
  Parameters all;
  for (const Parameter& p : found->second.parameters)
  {
    const auto given = options.parameters.find(p.name);
    const double v = given == options.parameters.end() ? p.value : given->second;
    require(labelOf(p.name), v, p.low, p.high);
    all[p.name] = v;
  }
  options.parameters = std::move(all);
  options.freeBits = found->second.hasFreeBits ? options.freeBits : 0;
}

std::unique_ptr<Objective> makeObjective(const TrainOptions& options)
{
  TrainOptions complete = options;
  completeObjective(complete);
  return registry().at(complete.objective).make(complete.parameters);
}

at::Tensor Objective::draw(const Posterior& q, Network&, const Draws& noise)
{
  return q.mean + noiseLike(q.mean, noise) * (0.5 * q.logVariance).exp();
}

at::Tensor noiseLike(const at::Tensor& t, const Draws& noise)
{
  const auto draw = [sizes = t.sizes().vec(), format = t.suggest_memory_format()](
                      const at::Generator& from)
  { return at::randn(sizes, from).contiguous(format); };
  return noise(draw, t.device()).to(t.options());
}

at::Tensor klOfElements(const Posterior& q)
{
  return 0.5 * (q.mean.square() + q.logVariance.exp() - q.logVariance - 1);
}

at::Tensor klDivergence(const Posterior& q, double freeBits)
{
  const auto batch = static_cast<double>(q.mean.size(0));
  if (freeBits == 0)
  {
    return klOfElements(q).sum() / batch;
  }
  const at::Tensor rows = rowsOf(klOfElements(q));
  const double cells = static_cast<double>(rows.size(0)) / batch;
  return cells * rows.mean(0).clamp_min(freeBits).sum();
}

at::Tensor logNormal(const at::Tensor& z, const at::Tensor& mean, const at::Tensor& logVariance)
{
  return -0.5 *
    ((z - mean).square() * (-logVariance).exp() + logVariance + std::log(2 * std::numbers::pi));
}

SomeRows someRows(const std::vector<at::Tensor>& latents, std::int64_t most, const Draws& noise)
{
  SomeRows rows;
  at::Tensor chosen;
  for (const at::Tensor& t : latents)
  {
    at::Tensor all = rowsOf(t);
    if (all.size(0) > most)
    {
      const auto draw = [n = all.size(0), most](const at::Generator& from)
      { return at::randperm(n, from, at::kLong).slice(0, 0, most); };
      chosen = chosen.defined() ? chosen : noise(draw, all.device());
      all = all.index_select(0, chosen);
    }
    rows.of.push_back(all);
  }
  const at::Tensor& first = latents.front();
  const std::int64_t batch = first.size(0), cells = first.numel() / (batch * first.size(1));
  if (batch > 1 && cells > 1)
  {
    rows.patch = at::arange(batch, at::TensorOptions(first.device()).dtype(at::kLong))
                   .repeat_interleave(cells);
    rows.patch = chosen.defined() ? rows.patch.index_select(0, chosen) : rows.patch;
  }
  return rows;
}

at::Tensor covarianceOf(const at::Tensor& latent)
{
  const at::Tensor rows = rowsOf(latent), centred = rows - rows.mean(0);
  const std::int64_t batch = latent.size(0), count = rows.size(0), cells = count / batch;
  const at::Tensor all = centred.t().matmul(centred) / static_cast<double>(count);
  if (batch == 1 || cells == 1)
  {
    return all;
  }
  // The mean product of rows of different patches: all products sum to 0.
  const at::Tensor sums = centred.view({ batch, cells, -1 }).sum(1);
  return all + sums.t().matmul(sums) / static_cast<double>(count * (count - cells));
}

} // namespace vae
