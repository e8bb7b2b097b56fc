// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Mask.h"

// What flows and diffuses through a phase, by finite volumes on the voxels.
namespace vae::statistics
{

struct Diffusion
{
  /// Porosity * D0 / D_effective, of the whole phase's porosity; infinite if the phase does not
  /// percolate (Cooper et al. 2016, TauFactor).
  double tortuosity = 0;
  double formationFactor = 0; ///< D0 / D_effective = tortuosity factor / porosity
  int iterations = 0;
};

/// Laplace's equation in the phase, concentrations 1 and 0 at the two faces of the volume along
/// `axis` (half a voxel from the first centres), no flux through other faces.
Diffusion diffuse(const Mask& mask, int axis, const Work& work);

/// Stokes flow through a phase under a unit pressure gradient and unit viscosity.
struct Flow
{
  /// Mean velocity over the whole volume: a column of the permeability tensor, in the square of
  /// the unit of the spacing.
  std::array<double, 3> permeability{};
  bool converged = false;
  bool blocked = false;         ///< nothing flows: all is 0, and the tortuosity infinite
  std::vector<double> history;  ///< permeability along the axis after each iteration
  std::vector<double> residual; ///< norm of the divergence, relative to that without pressure
  double tortuosity = 0;        ///< hydraulic: mean speed over mean velocity along the axis
  std::vector<float> velocity;  ///< 3 a voxel, at its centre; 0 outside the flowing part
  std::vector<float> pressure;  ///< 1 a voxel; 0 outside the flowing part
};

/// Called after each iteration: iteration, permeability along the axis, relative residual.
using FlowProgress = std::function<void(int, double, double)>;

/// Steady Stokes flow along an axis by a linear solve on a staggered grid (Harlow and Welch 1965):
/// pressures at the centres of voxels, velocities on their faces, no slip at the faces to the other
/// phase. The pressure's Schur complement is solved by conjugate gradients; its preconditioner adds
/// the identity, which it is at the scale of a voxel (Cahouet and Chabard 1988), to a Darcy
/// operator whose conductances are the flow in each pore without pressure, which it is at large
/// scales. The phase's parts that do not touch both faces along the axis are left out (unless
/// periodic). If none does (periodic: if the other phase fills a layer across the axis) it is
/// blocked.
/// \throws std::invalid_argument if an option is out of range; Stopped
Flow solveFlow(const Mask& mask, int axis, const PermeabilityOptions& options, const Work& work,
  const FlowProgress& progress = {});

/// Metres squared in a millidarcy.
inline constexpr double Millidarcy = 9.869233e-16;

void check(const PermeabilityOptions& options, const Dims& dims);

} // namespace vae::statistics
