// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
//
// Surface, integral mean curvature and Euler number: the Minkowski functionals of Minkowski.h, and
// the specific surface from the slope of S2 at lag 0. In a volume it is -4 times the slope (Debye,
// Anderson and Brumberger 1957), and 2/3 of the faces of an isotropic medium. In an image it is the
// perimeter per area: -pi times the slope, and pi/4 of the faces (Torquato, Random Heterogeneous
// Materials, 2002, section 2.2.5). On a line it is the number of ends per length.
#include "Measures.h"

#include <format>
#include <numbers>

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
  const auto dimensions = s.axes.size();
  const double faces = m.surfaceFaces / s.volume(),
               slope = dimensions > 2 ? -4
    : dimensions == 2                 ? -std::numbers::pi
                                      : -2;
  if (dimensions > 2)
  {
    surface("Faces x 2/3", faces * 2 / 3);
  }
  else if (dimensions == 2)
  {
    surface("Faces x pi/4", faces * std::numbers::pi / 4);
  }
  surface("Crofton 13", m.specificSurfaceCrofton13);
  surface("S2 Slope at Lag 1", slope * s.slopeAtLag1);
  surface("S2 Slope over Lags 0-4", slope * s.slopeFitted);
  add.scalar({ .name = "Faces", .verdict = Verdict::Shown },
    static_cast<double>(s.runs.faces[0] + s.runs.faces[1] + s.runs.faces[2]));
  add.scalar({ .name = "Surface (Crofton 13)", .unit = Unit::Area, .verdict = Verdict::Shown },
    m.surfaceCrofton13);
  add.scalar({ .name = "Euler Number (26, Closed Border)", .verdict = Verdict::Shown }, m.euler26);
  add.scalar({ .name = "Euler Number (6, Closed Border)", .verdict = Verdict::Shown }, m.euler6);
  double corners = 0;
  for (const std::int64_t n : s.configurations.interior)
  {
    corners += static_cast<double>(n);
  }
  add.scalar({ .name = "Integral Mean Curvature Density (Interior)", .unit = Unit::PerArea },
    m.integralMeanCurvatureInterior / (corners * s.voxel));
  add.scalar({ .name = "Euler Density (26, Interior)", .unit = Unit::PerVolume },
    m.euler26Interior / (corners * s.voxel));
  add.scalar({ .name = "Euler Density (6, Interior)", .unit = Unit::PerVolume },
    m.euler6Interior / (corners * s.voxel));
} };

} // namespace vae::statistics
