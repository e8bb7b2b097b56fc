// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
//
// Surface, integral mean curvature and Euler number: the Minkowski functionals of Minkowski.h, and
// the specific surface as -4 times the slope of S2 at lag 0 (Debye, Anderson and Brumberger 1957).
#include "Measures.h"

#include <format>

namespace vae::statistics
{

const Family measures::Surface{ .share = 0,
  .measure = [](const Subject& s, Collector& add, const Work&)
{
  const Minkowski& m = s.minkowski;
  const auto surface = [&](const char* estimator, double value)
  {
    add.scalar(
      { .name = std::format("Specific Surface ({})", estimator), .unit = Unit::PerLength }, value);
  };
  surface("Faces", m.surfaceFaces / s.volume());
  surface("Faces x 2/3", m.surfaceFaces / s.volume() * 2 / 3);
  surface("Crofton 13", m.specificSurfaceCrofton13);
  surface("S2 Slope at Lag 1", -4 * s.slopeAtLag1);
  surface("S2 Slope over Lags 0-4", -4 * s.slopeFitted);
  add.scalar({ .name = "Faces", .verdict = Verdict::Shown },
    static_cast<double>(s.runs.faces[0] + s.runs.faces[1] + s.runs.faces[2]));
  add.scalar({ .name = "Surface (Crofton 13)", .unit = Unit::Area, .verdict = Verdict::Shown },
    m.surfaceCrofton13);
  add.scalar({ .name = "Integral Mean Curvature Density", .unit = Unit::PerArea },
    m.integralMeanCurvature / s.volume());
  add.scalar({ .name = "Euler Number (26, Closed Border)", .verdict = Verdict::Shown }, m.euler26);
  add.scalar({ .name = "Euler Number (6, Closed Border)", .verdict = Verdict::Shown }, m.euler6);
  double corners = 0;
  for (const std::int64_t n : s.configurations.interior)
  {
    corners += static_cast<double>(n);
  }
  add.scalar({ .name = "Euler Density (26, Interior)", .unit = Unit::PerVolume },
    m.euler26Interior / (corners * s.voxel));
  add.scalar({ .name = "Euler Density (6, Interior)", .unit = Unit::PerVolume },
    m.euler6Interior / (corners * s.voxel));
} };

} // namespace vae::statistics
