// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
//
// Curves over the threshold that makes a phase of grey data: not of a phase, so no family.
#include "Family.h"

#include <format>

namespace vae::statistics
{

Table measureThresholds(
  const Volume& volume, const ChannelSummary& summary, const StatisticsOptions& o, const Work& work)
{
  Report report;
  Collector add(report);
  std::vector<double> threshold, porosity, surface, crofton, curvature, euler26, euler6, components,
    largest;
  for (int i = 0; i < o.thresholds; ++i)
  {
    // Between the extremes, at which the phase is nothing or everything.
    const double t =
      summary.minimum + (summary.maximum - summary.minimum) * (i + 1) / (o.thresholds + 1);
    const Work part = work.part(static_cast<double>(i) / o.thresholds, (i + 1.) / o.thresholds);
    const Mask mask = maskOf(volume, PhaseChoice{ Phase::Below, t, {}, {} }, part.part(0, 0.2));
    const double total = static_cast<double>(mask.count());
    const Spacing& h = mask.spacing;
    const double volumeOfAll = total * h[0] * h[1] * h[2];
    const Runs runs = countRuns(mask, part.part(0.2, 0.5));
    const Minkowski m = minkowski(countConfigurations(mask, part.part(0.5, 0.7)), runs.faces, h);
    const Components c = findComponents(mask, o.connectivity, part.part(0.7, 1));
    threshold.push_back(t);
    porosity.push_back(m.volume / volumeOfAll);
    surface.push_back(m.surfaceFaces / volumeOfAll);
    crofton.push_back(m.specificSurfaceCrofton13);
    curvature.push_back(m.integralMeanCurvature / volumeOfAll);
    euler26.push_back(m.euler26 / volumeOfAll);
    euler6.push_back(m.euler6 / volumeOfAll);
    components.push_back(static_cast<double>(c.count()));
    largest.push_back(
      m.volume > 0 ? static_cast<double>(c.largest()) * h[0] * h[1] * h[2] / m.volume : Unknown);
  }
  const std::string kind = std::format(" ({})", static_cast<int>(o.connectivity));
  const Curves table = Curves::Thresholds;
  add.abscissa(table, threshold);
  add.curve({ table, "Porosity below" }, porosity);
  add.curve({ table, "Specific surface (faces)", Unit::PerLength }, surface);
  add.curve({ table, "Specific surface (Crofton 13)", Unit::PerLength }, crofton);
  add.curve({ table, "Integral mean curvature density (closed border)", Unit::PerArea }, curvature);
  add.curve({ table, "Euler density (26, closed border)", Unit::PerVolume }, euler26);
  add.curve({ table, "Euler density (6, closed border)", Unit::PerVolume }, euler6);
  add.curve({ table, "Components" + kind }, components);
  add.curve({ table, "Fraction in largest component" + kind }, largest);
  return report.tables[static_cast<std::size_t>(table)];
}

} // namespace vae::statistics
