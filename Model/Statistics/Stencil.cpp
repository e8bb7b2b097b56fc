// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Stencil.h"

#include <algorithm>
#include <cmath>

namespace vae::statistics
{
namespace
{

/// f(begin, end) -> a sum, for one part a thread; the parts' sums in order, so that a result
/// depends on the number of threads alone.
template <typename F>
double sumOver(std::int64_t count, const Work& work, F&& f)
{
  // Short loops are over before a thread has begun.
  const std::int64_t parts = count < 20000 ? 1 : work.threads();
  if (parts == 1)
  {
    return f(0, count);
  }
  std::vector<double> sums(static_cast<std::size_t>(parts), 0);
  work.share(static_cast<int>(parts), [&](std::int64_t p)
  { sums[static_cast<std::size_t>(p)] = f(count * p / parts, count * (p + 1) / parts); });
  double sum = 0;
  for (const double s : sums)
  {
    sum += s;
  }
  return sum;
}

} // namespace

void Stencil::resize(std::int64_t rows)
{
  const auto n = static_cast<std::size_t>(rows);
  std::array<std::int32_t, 6> none;
  none.fill(static_cast<std::int32_t>(rows));
  this->neighbour.assign(n, none);
  this->weight.assign(n, {});
  this->diagonal.assign(n, 0);
}

int Stencil::solve(const std::vector<float>& b, std::vector<float>& x, double tolerance,
  int maximumIterations, const Work& work) const
{
  const std::int64_t n = this->rows();
  const auto size = static_cast<std::size_t>(n) + 1;
  std::vector<float> r(size, 0), p(size, 0), q(size, 0), inverse(size, 0);
  const auto apply = [&](const std::vector<float>& v, std::int64_t i)
  {
    const auto k = static_cast<std::size_t>(i);
    const std::array<std::int32_t, 6>& at = this->neighbour[k];
    const std::array<float, 6>& w = this->weight[k];
    const float* in = v.data();
    return this->diagonal[k] * in[i] -
      (w[0] * in[at[0]] + w[1] * in[at[1]] + w[2] * in[at[2]] + w[3] * in[at[3]] +
        w[4] * in[at[4]] + w[5] * in[at[5]]);
  };
  double norm = 0;
  double rz = sumOver(n, work, [&](std::int64_t begin, std::int64_t end)
  {
    double sum = 0;
    for (std::int64_t i = begin; i < end; ++i)
    {
      const auto k = static_cast<std::size_t>(i);
      inverse[k] = this->diagonal[k] > 0 ? 1 / this->diagonal[k] : 0;
      r[k] = b[k] - apply(x, i);
      p[k] = inverse[k] * r[k];
      sum += static_cast<double>(r[k]) * p[k];
    }
    return sum;
  });
  norm = sumOver(n, work, [&](std::int64_t begin, std::int64_t end)
  {
    double sum = 0;
    for (std::int64_t i = begin; i < end; ++i)
    {
      const auto k = static_cast<std::size_t>(i);
      sum += static_cast<double>(b[k]) * b[k] * inverse[k];
    }
    return sum;
  });
  const double enough = tolerance * tolerance * norm;
  int iteration = 0;
  for (; iteration < maximumIterations && rz > enough; ++iteration)
  {
    if (work.stopping())
    {
      throw Stopped();
    }
    const double pq = sumOver(n, work, [&](std::int64_t begin, std::int64_t end)
    {
      double sum = 0;
      for (std::int64_t i = begin; i < end; ++i)
      {
        const auto k = static_cast<std::size_t>(i);
        q[k] = apply(p, i);
        sum += static_cast<double>(p[k]) * q[k];
      }
      return sum;
    });
    if (!(pq > 0))
    {
      break; // what is left lies in the null space
    }
    const auto alpha = static_cast<float>(rz / pq);
    const double before = rz;
    rz = sumOver(n, work, [&](std::int64_t begin, std::int64_t end)
    {
      double sum = 0;
      for (std::int64_t i = begin; i < end; ++i)
      {
        const auto k = static_cast<std::size_t>(i);
        x[k] += alpha * p[k];
        r[k] -= alpha * q[k];
        sum += static_cast<double>(r[k]) * r[k] * inverse[k];
      }
      return sum;
    });
    const auto beta = static_cast<float>(rz / before);
    sumOver(n, work, [&](std::int64_t begin, std::int64_t end)
    {
      for (std::int64_t i = begin; i < end; ++i)
      {
        const auto k = static_cast<std::size_t>(i);
        p[k] = inverse[k] * r[k] + beta * p[k];
      }
      return 0.;
    });
  }
  return iteration;
}

} // namespace vae::statistics
