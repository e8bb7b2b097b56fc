// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
//
// Sizes of pores by local thickness (Thickness.h).
#include "Measures.h"
#include "Statistics/Thickness.h"

namespace vae::statistics
{

const Family measures::PoreSizes{ .share = 0.21,
  .measure = [](const Subject& s, Collector& add, const Work& work)
{
  if (!s.options.poreSize || s.pores == 0 || s.pores == s.mask.count())
  {
    return;
  }
  const std::vector<float> squared = squaredDistances(s.mask, work.part(0, 0.5));
  const statistics::PoreSizes sizes =
    poreSizes(s.mask, localThickness(s.mask, squared, work.part(0.5, 0.95)), work.part(0.95, 1));
  std::vector<double> density = sizes.density, cumulative = sizes.cumulative;
  density.insert(density.begin(), 0);
  cumulative.insert(cumulative.begin(), 0);
  add.abscissa(Curves::PoreSizes, multiples(density.size(), 2 * s.unit));
  add.curve({ .table = Curves::PoreSizes,
              .name = "Volume density (local thickness)",
              .unit = Unit::PerLength,
              .beyond = 0,
              .measure = "Pore Sizes" },
    density);
  add.curve(
    { .table = Curves::PoreSizes, .name = "Volume fraction below (local thickness)", .beyond = 1 },
    cumulative);
  add.scalar({ .name = "Mean Pore Diameter (Local Thickness)", .unit = Unit::Length }, sizes.mean);
} };

} // namespace vae::statistics
