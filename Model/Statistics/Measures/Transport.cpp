// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
//
// Transport through the phase: diffusion along each axis (Transport.h), and the permeability that
// Kozeny and Carman's formula makes of porosity and specific surface, with 5 as their constant.
#include "Statistics/Transport.h"
#include "Measures.h"

namespace vae::statistics
{

const Family measures::Transport{ .share = 0.05,
  .measure = [](const Subject& s, Collector& add, const Work& work)
{
  const double phi = s.porosity, surface = s.minkowski.specificSurfaceCrofton13;
  add.scalar(
    { .name = "Permeability (Kozeny-Carman Hint)", .unit = Unit::Area, .verdict = Verdict::Shown },
    phi * phi * phi / (5 * surface * surface));
  if (!s.options.tortuosity || s.extent == Extent::Block)
  {
    return;
  }
  const auto n = static_cast<double>(s.axes.size());
  for (std::size_t i = 0; i < s.axes.size(); ++i)
  {
    const int a = s.axes[i];
    const std::string axis = " " + AxisName[static_cast<std::size_t>(a)];
    const Diffusion d =
      diffuse(s.mask, a, work.part(static_cast<double>(i) / n, static_cast<double>(i + 1) / n));
    add.scalar({ .name = "Tortuosity Factor" + axis }, d.tortuosity);
    add.scalar({ .name = "Formation Factor" + axis }, d.formationFactor);
  }
} };

} // namespace vae::statistics
