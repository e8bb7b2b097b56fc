// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
//
// Connected components of the phase, what of it spans the volume, and the two-point cluster
// function C2(r), the probability that both ends of a lag lie in one component (Components.h).
#include "Measures.h"

namespace vae::statistics
{
namespace
{

void measureCluster(const Subject& s, Collector& add, const Work& work)
{
  const auto pairs = countClusterPairs(s.mask, s.components, s.lags, work);
  add.curves({ .table = Curves::Cluster, .name = "C2", .measure = "Two-Point Cluster" }, s,
    s.overLags([&](std::size_t a, std::int64_t r)
  {
    const std::int64_t side = s.mask.dims[a];
    return static_cast<double>(pairs[a][static_cast<std::size_t>(r)]) /
      static_cast<double>((side - r) * (s.mask.count() / side));
  }));
}

} // namespace

const Family measures::Connectivity{ .share = 0.1,
  .measure = [](const Subject& s, Collector& add, const Work& work)
{
  const Components& c = s.components;
  const std::string kind = s.kind();
  add.scalar(
    { .name = "Components" + kind, .verdict = Verdict::Shown }, static_cast<double>(c.count()));
  add.scalar({ .name = "Component Density" + kind, .unit = Unit::PerVolume },
    static_cast<double>(c.count()) / s.volume());
  add.scalar({ .name = "Fraction in Largest Component" + kind },
    s.pores > 0 ? static_cast<double>(c.largest()) / static_cast<double>(s.pores) : Unknown);
  for (const int a : s.axes)
  {
    const std::string axis = " " + AxisName[static_cast<std::size_t>(a)];
    add.scalar({ .name = "Effective Porosity" + axis + kind },
      static_cast<double>(c.spanningVoxels(a)) / s.total);
    add.scalar({ .name = "Spanning Components" + axis + kind, .verdict = Verdict::Shown },
      static_cast<double>(c.spanning(a)));
  }
  if (s.options.cluster)
  {
    measureCluster(s, add, work);
  }
} };

} // namespace vae::statistics
